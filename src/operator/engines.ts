import { Clock, type Duration, Effect } from "effect"
import { momentOf } from "../domain/Expiry.ts"
import type { ListedEngine } from "../domain/ListedEngine.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { passError } from "../ports/StoreError.ts"

const neverCleaned = {
  engineId: null,
  braked: false,
  acceptedAt: null,
  lastPassAt: null,
  lastSeenAt: null,
  due: null
} as const

/**
 * All engines by name: those that a service has cleaned, and the hundred others that most stopped records name. Every stopped record is
 * counted, so the cost grows with the table.
 */
export const engines = Effect.fnUntraced(function* (retention: Duration.Duration) {
  const known = yield* KnownEngine
  const records = yield* RuntimeRecords
  const database = yield* Effect.mapError(records.clock, passError)
  const { cutoff } = momentOf({ service: yield* Clock.currentTimeMillis, database }, retention)
  const unknown = yield* records.unknownEngines
  const all: ReadonlyArray<ListedEngine> = [
    ...(yield* known.list(cutoff)),
    ...unknown.map(({ name, stopped }) => ({ ...neverCleaned, name, stopped }))
  ]
  return all.toSorted((a, b) => (a.name < b.name ? -1 : 1))
})
