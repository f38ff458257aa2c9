import { Context, Effect, Layer } from "effect"
import type { Act, ActResult } from "../../src/domain/Act.ts"
import { Acts } from "../../src/ports/Acts.ts"

export interface ActRow extends Act {
  result: ActResult | undefined
  message: string | null
}

/** What the fake has kept, oldest first. */
export class ActRows extends Context.Service<ActRows, Array<ActRow>>()("rtmanager/test/ActRows") {}

/** As much of the acts as a service alone needs. */
export const layerActs = Layer.effectContext(
  Effect.sync(() => {
    const rows: Array<ActRow> = []
    return Context.make(ActRows, rows).pipe(
      Context.add(
        Acts,
        Acts.of({
          begin: (act) =>
            Effect.sync(() => {
              const isPlan = (row: ActRow) => row.act === "plan_apply" && row.target === act.target
              if (act.act === "plan_apply" && rows.some((row) => isPlan(row) && row.result !== "refused"))
                return undefined
              return BigInt(rows.push({ ...act, result: undefined, message: null }) - 1)
            }),
          end: (id, { message, result }) =>
            Effect.sync(() => {
              const row = rows[Number(id)]
              if (row !== undefined && row.result === undefined) Object.assign(row, { message, result })
            }),
          list: () => Effect.succeed([])
        })
      )
    )
  })
)
