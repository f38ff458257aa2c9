import { Context, Effect, Layer } from "effect"
import type { Act, ActResult } from "../../src/domain/Act.ts"
import { Acts } from "../../src/ports/Acts.ts"

/** The acts as they were written, with how they ended. */
export class RecordedActs extends Context.Service<
  RecordedActs,
  Array<Act & { readonly result?: ActResult; readonly message?: string | null }>
>()("rtmanager/test/RecordedActs") {}

/** Remembers acts, and records as the port does. */
export const layerActs = Layer.syncContext(() => {
  const rows: RecordedActs["Service"] = []
  const acts = Acts.of({
    begin: (act) => Effect.sync(() => BigInt(rows.push(act) - 1)),
    end: (id, end) =>
      Effect.sync(() => {
        const row = rows[Number(id)]
        if (row !== undefined && row.result === undefined) rows[Number(id)] = { ...row, ...end }
      }),
    list: () => Effect.succeed([])
  })
  return Context.make(Acts, acts).pipe(Context.add(RecordedActs, rows))
})
