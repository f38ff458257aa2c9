import { Effect } from "effect"
import { allowedRequest } from "../support/EngineProxy.ts"
import { type Game, isOfWorld, recordRows } from "./games.ts"
import type { World } from "./World.ts"

interface LogRow {
  readonly gameId: string
  readonly outcome: string
  readonly errorCode: string | null
}

/** One game as it is now, looked at past the service. */
interface Sight {
  readonly game: Game
  readonly status: string
  readonly row: string
  readonly fixed: string
  readonly containerLeft: boolean
  readonly successes: number
  readonly failures: ReadonlyArray<string>
}

/** Every rule that one game breaks. `recovered`: others have had the time to finish what the dead left. */
const broken = (seen: Sight, world: World, recovered: boolean): ReadonlyArray<string> => {
  const { game, status, row, fixed, containerLeft, successes, failures } = seen
  const { fate, codes } = game.kind
  const gone = game.containerId !== undefined && !containerLeft
  const removed = status === "removed"
  const moved = world.movedByOthers.has(game.gameId)
  const rules: Readonly<Record<string, boolean>> = {
    "columns changed that are not ours": fixed !== game.fixed,
    [`failure rows: ${failures}`]: failures.some((code) => !codes.includes(code) && !world.excused.has(code)),
    [`${successes} success rows for status ${status}`]: successes !== (removed && !moved ? 1 : 0),
    "its container was removed": fate === "kept" && gone,
    [`its record was changed to ${row}`]: row !== game.row && (fate === "kept" || !removed),
    "the record is removed but the container is there": removed && containerLeft,
    "its container was removed and nothing says so":
      gone && successes === 0 && !failures.includes("removed_not_committed") && (recovered || removed),
    [`still ${status} after recovery`]: fate === "cleaned" && recovered && !removed,
    "half done after recovery": fate === "either" && recovered && gone !== removed
  }
  return Object.keys(rules).filter((rule) => rules[rule])
}

/**
 * What is wrong now, in words; nothing should be, whenever no process is at work. After a recovery every game that must
 * go has gone, and no lease is held.
 */
export const violations = Effect.fnUntraced(function* (world: World, { recovered }: { readonly recovered: boolean }) {
  const { sql, engine } = world.parts
  const left = new Set((yield* engine.left).map(({ id }) => String(id)))
  const records = new Map((yield* recordRows(world.parts)).map((record) => [record.gameId, record]))
  const log = Map.groupBy(
    yield* sql<LogRow>`
      select game_id as "gameId", outcome, error_code as "errorCode" from operation_log as t
      where op_kind = 'cleanup_container' and ${isOfWorld(world.parts)}`,
    ({ gameId }) => gameId
  )
  const leases = yield* sql<{ gameId: string }>`
    select game_id as "gameId" from game_leases as t
    where expires_at > clock_timestamp() and ${isOfWorld(world.parts)}`

  const ofGames = [...world.games.values()].flatMap((game) => {
    const record = records.get(game.gameId)
    if (record === undefined) return [`${game.gameId}: its record is gone`]
    const rows = log.get(game.gameId) ?? []
    const seen: Sight = {
      game,
      ...record,
      containerLeft: game.containerId !== undefined && left.has(game.containerId),
      successes: rows.filter(({ outcome }) => outcome === "success").length,
      failures: rows.flatMap(({ outcome, errorCode }) => (outcome === "success" ? [] : [errorCode ?? "none"]))
    }
    return broken(seen, world, recovered).map((rule) => `${game.gameId}: ${rule}`)
  })
  return [
    ...ofGames,
    ...[...log.keys()].filter((gameId) => !world.games.has(gameId)).map((gameId) => `${gameId}: a row for no game`),
    ...world.requests
      .filter((request) => !allowedRequest.test(request))
      .map((request) => `sent to the engine: ${request}`),
    ...(recovered ? leases.map(({ gameId }) => `${gameId}: its lease is still held after recovery`) : [])
  ]
})
