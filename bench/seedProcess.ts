import { randomUUID } from "node:crypto"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Console, Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { serverAt } from "../src/config/databaseUrl.ts"
import { type Address, connect } from "./rawEngine.ts"

/**
 * The Go worker's pass, as it was: read every stopped record, keep those that ended before the threshold, then clean one
 * game after the other, each step a statement of its own.
 */
interface Input {
  readonly url: string
  readonly schema: string
  readonly address: Address
  readonly retentionMillis: number
}

interface RuntimeRecord {
  readonly game_id: string
  readonly status: string
  readonly current_container_id: string
  readonly current_image_ref: string | null
  readonly last_op_at: Date
}

const input: Input = JSON.parse(process.argv[2] ?? "")
const owner = randomUUID()

const tick = Effect.gen(function* () {
  const sql = yield* SqlClient
  const engine = connect(input.address, 1)
  const read = (where: Fragment) => sql<RuntimeRecord>`
    select game_id, status, current_container_id, current_image_ref, last_op_at from runtime_records where ${where}`

  const clean = Effect.fnUntraced(function* (gameId: string, token: bigint) {
    const startedAt = new Date()
    const [record] = yield* read(sql`game_id = ${gameId}`)
    if (record?.status !== "stopped") return "conflict"
    yield* Effect.promise(() => engine.expect(204, "DELETE", `/containers/${record.current_container_id}`))
    yield* sql`
      update runtime_records set status = 'removed', removed_at = now(), last_op_at = now()
      where game_id = ${gameId} and status = 'stopped'`
    yield* sql`
      insert into operation_log (game_id, op_kind, op_source, container_id, image_ref, outcome, lease_owner, lease_token,
        started_at, finished_at)
      values (${gameId}, 'cleanup_container', 'auto_ttl', ${record.current_container_id}, ${record.current_image_ref},
        'success', ${owner}::uuid, ${token}, ${startedAt}, now())`
    return "removed"
  })

  const handle = Effect.fnUntraced(function* (gameId: string) {
    const [lease] = yield* sql<{ token: bigint }>`
      insert into game_leases (game_id, owner, token, acquired_at, expires_at)
      values (${gameId}, ${owner}::uuid, nextval('game_leases_token'), now(), now() + interval '1 minute')
      on conflict (game_id) do update set owner = excluded.owner, token = excluded.token,
        acquired_at = excluded.acquired_at, expires_at = excluded.expires_at
      where game_leases.expires_at <= now() returning token`
    if (lease === undefined) return "conflict"
    const { token } = lease
    const release = sql`delete from game_leases where game_id = ${gameId} and owner = ${owner}::uuid and token = ${token}`
    return yield* Effect.ensuring(clean(gameId, token), Effect.orDie(release))
  })

  const started = performance.now()
  const records = yield* read(sql`status = 'stopped'`)
  const threshold = Date.now() - input.retentionMillis
  let listed = 0
  let removed = 0
  for (const record of records) {
    if (!(record.last_op_at.getTime() < threshold)) continue
    // What was read and filtered up to the first of them is the listing.
    if (listed === 0) listed = performance.now()
    if ((yield* handle(record.game_id)) !== "removed") continue
    removed++
    yield* Console.error(JSON.stringify({ msg: "cleanup ttl removed container", game_id: record.game_id }))
  }
  const ended = performance.now()
  engine.close()
  const figures = { stopped: records.length, removed, seconds: (ended - started) / 1000 }
  yield* Console.log(JSON.stringify({ ...figures, secondsAfterListing: (ended - listed) / 1000 }))
})

/** Sessions as the server gives them, without what ours are told about plans. */
const { database, host, port, user } = serverAt(Redacted.make(input.url))
const client = PgClient.layer({
  host,
  port,
  username: user,
  database,
  startupParameters: { search_path: input.schema }
})

tick.pipe(Effect.provide(client), NodeRuntime.runMain)
