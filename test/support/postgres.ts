import { randomUUID } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "@effect/vitest"
import { Context, Duration, Effect, Layer, ManagedRuntime, Redacted, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as EmbeddedPostgres from "../../src/adapters/embedded/EmbeddedPostgres.ts"
import * as Acts from "../../src/adapters/postgres/Acts.ts"
import * as Database from "../../src/adapters/postgres/Database.ts"
import * as GameLeases from "../../src/adapters/postgres/GameLeases.ts"
import * as Holds from "../../src/adapters/postgres/Holds.ts"
import * as KnownEngine from "../../src/adapters/postgres/KnownEngine.ts"
import { leaseOf, type Taken } from "../../src/adapters/postgres/leaseStatements.ts"
import { migrate } from "../../src/adapters/postgres/migrations.ts"
import * as OperationLog from "../../src/adapters/postgres/OperationLog.ts"
import * as Overview from "../../src/adapters/postgres/Overview.ts"
import * as PassLog from "../../src/adapters/postgres/PassLog.ts"
import * as Pauses from "../../src/adapters/postgres/Pauses.ts"
import * as RuntimeRecords from "../../src/adapters/postgres/RuntimeRecords.ts"
import {
  decodeRecord,
  microsOf,
  type RecordRow,
  recordColumns,
  recordTables,
  timestamp
} from "../../src/adapters/postgres/rows.ts"
import { serverAt } from "../../src/config/databaseUrl.ts"
import { defaultEngine, type EngineName } from "../../src/domain/EngineName.ts"
import type { Lease } from "../../src/ports/GameLeases.ts"
import { StoreFixture } from "../ports/StoreFixture.ts"
import type { LogRow } from "../sim/model/Tables.ts"
import { externalUrl, freshDatabase } from "./externalServer.ts"

/** A folder that vanishes with the scope. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "rtmanager-test-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

export class PostgresServer extends Context.Service<PostgresServer, { readonly url: Redacted.Redacted }>()(
  "rtmanager/test/PostgresServer"
) {}

/** A real server until the scope closes; or a database of its own on the server of `RTMANAGER_TEST_DATABASE_URL`. */
export const layerServer: Layer.Layer<PostgresServer> = Layer.effect(
  PostgresServer,
  externalUrl === undefined
    ? Effect.orDie(Effect.flatMap(temporaryFolder, EmbeddedPostgres.make))
    : Effect.orDie(freshDatabase(Redacted.make(externalUrl)))
)

/** The same for the whole test file, from when it is first needed until after its last test. */
export const postgresServer = (): Layer.Layer<PostgresServer> => {
  const runtime = ManagedRuntime.make(layerServer)
  afterAll(() => runtime.dispose())
  return Layer.effectContext(runtime.contextEffect)
}

let schemas = 0

/** A schema that no other test uses. */
export const freshSchema = (): string => `test_${++schemas}`

/** A pool of its own on the file's server: another session, or another process as far as the server can tell. */
export const layerDatabase = (
  schema: string,
  options: Partial<Database.Options> & { readonly url?: Redacted.Redacted } = {}
) =>
  Layer.unwrap(
    Effect.map(PostgresServer, ({ url }) =>
      Database.layer({ server: serverAt(options.url ?? url), schema, pool: 10, timeout: "5 seconds", ...options })
    )
  )

/** The ports over whatever `Database` is there. */
export const layerPorts = ({
  engineName = defaultEngine,
  owner = randomUUID(),
  ...options
}: {
  readonly leaseTtl?: Duration.Input
  readonly owner?: string
  readonly engineName?: EngineName
} = {}) =>
  Layer.mergeAll(
    Acts.layer,
    Pauses.layer,
    RuntimeRecords.layer({ engineName }),
    Holds.layer,
    GameLeases.layer({ owner, leaseTtl: "1 minute", engineName, ...options }),
    KnownEngine.layer({ engineName }),
    PassLog.layer({ owner, engineName }),
    OperationLog.layer,
    Overview.layer({ engineName })
  )

export const layerFixture = Layer.effect(
  StoreFixture,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const tables = recordTables((yield* Database.Database).quotedSchema)
    const done = <A, E>(statement: Effect.Effect<A, E>) => Effect.orDie(Effect.asVoid(statement))
    return StoreFixture.of({
      put: ({ backoff, hold, gameId, engine, status, containerId, imageRef, lastOpAt }) => {
        const time = lastOpAt === null ? sql`null` : timestamp(sql, lastOpAt)
        const next = timestamp(sql, BigInt(backoff?.nextAttemptAt ?? 0) * 1000n)
        return done(sql`
          with forgotten as (
            delete from cleanup_backoff where game_id = ${gameId} and ${backoff === null}::boolean
          ), backed_off as (
            insert into cleanup_backoff (game_id, attempts, next_attempt_at, last_error)
            select ${gameId}, ${backoff?.attempts ?? 0}::integer, ${next}, ${backoff?.lastError ?? ""}
            where ${backoff !== null}::boolean
            on conflict (game_id) do update set attempts = excluded.attempts,
              next_attempt_at = excluded.next_attempt_at, last_error = excluded.last_error
          ), released as (
            delete from cleanup_holds where game_id = ${gameId} and author <> ${hold?.author ?? ""}
          ), held as (
            insert into cleanup_holds (game_id, author, reason, placed_at, until)
            select ${gameId}, ${hold?.author ?? ""}, ${hold?.reason ?? ""}, now(), ${hold?.until?.toISOString() ?? null}::text::timestamptz
            where ${hold !== null}::boolean
            on conflict (game_id, author) do update set reason = excluded.reason, placed_at = excluded.placed_at, until = excluded.until
          )
          insert into runtime_records (game_id, engine, status, current_container_id, current_image_ref, last_op_at)
          values (${gameId}, nullif(${engine}, ${defaultEngine}), ${status}, ${containerId}, ${imageRef}, ${time})
          on conflict (game_id) do update set engine = excluded.engine, status = excluded.status, last_op_at = excluded.last_op_at,
            current_container_id = excluded.current_container_id, current_image_ref = excluded.current_image_ref`)
      },
      record: (gameId) =>
        sql<RecordRow>`select ${sql.literal(recordColumns)} from ${sql.literal(tables)} where r.game_id = ${gameId}`.pipe(
          Effect.orDie,
          Effect.map(([row]) => row && Result.getOrThrow(decodeRecord(row)))
        ),
      putEngine: (name, id) =>
        done(sql`insert into cleanup_engines (name, identity, accepted_at) values (${name}, ${id}, '-infinity')`),
      putLease: ({ acquiredAt = 0n, gameId, owner, token }, expired) =>
        done(sql`
          insert into game_leases (game_id, owner, token, acquired_at, expires_at)
          values (${gameId}, ${owner}::uuid, ${token}, ${timestamp(sql, acquiredAt)}, now() + ${expired ? "-1 s" : "1 h"}::text::interval)
          on conflict (game_id) do update set owner = excluded.owner, token = excluded.token,
            acquired_at = excluded.acquired_at, expires_at = excluded.expires_at`),
      expireLeases: done(sql`update game_leases set expires_at = now() - interval '1 second'`),
      lease: (gameId) =>
        sql<
          Taken & Pick<Lease, "owner">
        >`select game_id as "gameId", owner, token, ${sql.literal(microsOf("acquired_at"))} as "acquiredAt" from game_leases where game_id = ${gameId}`.pipe(
          Effect.orDie,
          Effect.map(([row]) => row && leaseOf(row.owner, row))
        ),
      leaseLeft: (gameId) =>
        sql<{ left: number }>`
          select greatest(extract(epoch from expires_at - clock_timestamp()) * 1000, 0)::float8 as left
          from game_leases where game_id = ${gameId}`.pipe(
          Effect.orDie,
          Effect.map(([row]) => row?.left ?? 0)
        ),
      log: (gameId) =>
        sql<LogRow>`
          select op_source as "opSource", source_ref as "sourceRef", container_id as "containerId",
            image_ref as "imageRef", error_code as "errorCode", error_message as message, trace_id as "traceId",
            (extract(epoch from started_at) * 1000)::float8 as "startedAt",
            (extract(epoch from finished_at) * 1000)::float8 as "finishedAt",
            game_id as "gameId", outcome, lease_owner as "leaseOwner", lease_token as "leaseToken"
          from operation_log where game_id = ${gameId} and op_kind = 'cleanup_container' order by id`.pipe(
          Effect.orDie
        ),
      agePasses: (by) =>
        done(sql`
          update cleanup_passes set started_at = started_at - age, updated_at = updated_at - age, ended_at = ended_at - age
          from (select ${Duration.toMillis(by)}::float8 * interval '1 millisecond' as age) as by`),
      clear: done(sql`truncate runtime_records, operation_log, game_leases, cleanup_engines, cleanup_backoff,
        cleanup_acts, cleanup_holds, cleanup_pause, cleanup_passes`)
    })
  })
)

/** A migrated schema with the ports and the fixture. `last_op_at` may be NULL, as in a table that is not ours. */
export const layerStores = (options: Parameters<typeof layerPorts>[0] & Partial<Database.Options> = {}) =>
  Layer.mergeAll(layerPorts(options), layerFixture).pipe(
    Layer.provideMerge(
      Layer.effectDiscard(
        Effect.gen(function* () {
          yield* migrate
          yield* (yield* SqlClient)`alter table runtime_records alter last_op_at drop not null`
        })
      )
    ),
    Layer.provideMerge(layerDatabase(options.schema ?? freshSchema(), options))
  )
