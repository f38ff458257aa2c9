import { Effect } from "effect"
import { accepted } from "../cleanup/engine/expectedEngine.ts"
import type { Asked } from "../domain/Act.ts"
import { PassRefused } from "../domain/PassRefused.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { passError } from "../ports/StoreError.ts"
import { perform } from "./act.ts"

/**
 * Makes the engine that answers now the known one of this service's name, and releases its brake. Refused if the engine has
 * another name.
 */
export const acceptEngine = Effect.fnUntraced(function* ({ author, reason }: Asked) {
  const records = yield* RuntimeRecords
  const engine = yield* ContainerEngine
  const known = yield* KnownEngine
  return yield* perform(
    { act: "engine_accept", target: known.name, author, reason },
    Effect.gen(function* () {
      yield* Effect.mapError(records.clock, passError)
      const present = yield* Effect.mapError(engine.identity, PassRefused.engineDown)
      const { known: stored, otherName } = yield* known.recognize(present)
      if (otherName !== undefined) return yield* PassRefused.engineOfAnother(known.name, otherName, present)
      yield* accepted(known, present)
      const value = { name: known.name, engineId: present, knownBefore: stored?.id ?? null }
      const isNew = value.knownBefore === null || value.knownBefore === present
      const message = `accepted engine ${present} as ${known.name}${isNew ? "" : `, replacing ${value.knownBefore}`}`
      return { value, message }
    })
  )
})
