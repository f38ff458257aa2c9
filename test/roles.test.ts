import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { checkVersion } from "../src/adapters/postgres/migrations.ts"
import * as ActsSuite from "./ports/ActsSuite.ts"
import * as GameLeasesSuite from "./ports/GameLeasesSuite.ts"
import * as HoldsSuite from "./ports/HoldsSuite.ts"
import * as KnownEngineSuite from "./ports/KnownEngineSuite.ts"
import * as OperationLogSuite from "./ports/OperationLogSuite.ts"
import * as OverviewSuite from "./ports/OverviewSuite.ts"
import * as PassLogSuite from "./ports/PassLogSuite.ts"
import * as PausesSuite from "./ports/PausesSuite.ts"
import * as RuntimeRecordsSuite from "./ports/RuntimeRecordsSuite.ts"
import { layerDatabase, layerPorts, postgresServer } from "./support/postgres.ts"
import { layerRole, layerRoles, type Role, roles, run, schema } from "./support/roles.ts"

/** A schema where `rtmanager` has tables of its own already. */
const adopted = [
  "create schema if not exists rtmanager",
  `create table if not exists rtmanager.operation_log (id bigserial primary key, game_id text not null, op_kind text not null,
    outcome text not null, container_id text)`,
  "create table if not exists rtmanager.players (name text)"
]

const fresh = Layer.provideMerge(layerRoles, postgresServer())

/** A server of its own, as roles are the same for every schema. */
const overAdopted = layerRoles.pipe(
  Layer.provideMerge(Layer.effectDiscard(run(adopted)).pipe(Layer.provide(layerDatabase(schema)))),
  Layer.provideMerge(postgresServer())
)

describe.each([
  ["tables that we made", fresh],
  ["tables that were there before", overAdopted]
] as const)("over %s", (_, layer) => {
  /** The ports as the service's own role; the fixture puts things there as the role that migrated. */
  const layerService = Layer.fresh(Layer.provide(layerPorts(), layerRole("rtmanager_cleanup"))).pipe(
    Layer.provideMerge(layer)
  )

  RuntimeRecordsSuite.suite("RuntimeRecords keeps the contract in the role of the service", layerService)
  GameLeasesSuite.suite("GameLeases keeps the contract in the role of the service", layerService)
  KnownEngineSuite.suite("KnownEngine keeps the contract in the role of the service", layerService)
  HoldsSuite.suite("Holds keeps the contract in the role of the service", layerService)
  PausesSuite.suite("Pauses keeps the contract in the role of the service", layerService)
  ActsSuite.suite("Acts keeps the contract in the role of the service", layerService)
  PassLogSuite.suite("PassLog keeps the contract in the role of the service", layerService)
  OperationLogSuite.suite("OperationLog keeps the contract in the role of the service", layerService)
  OverviewSuite.suite("Overview keeps the contract in the role of the service", layerService)
})

/** Everything that these roles may do to tables; `players` is not ours. */
const rights: Record<Role, Readonly<Record<string, ReadonlyArray<string>>>> = {
  rtmanager_cleanup: {
    runtime_records: ["select", "update status", "update last_op_at", "update removed_at"],
    operation_log: ["select", "insert"],
    game_leases: ["select", "insert", "update", "delete"],
    cleanup_backoff: ["select", "insert", "update", "delete"],
    cleanup_engines: ["select", "insert", "update"],
    cleanup_acts: ["select", "insert", "update result", "update message", "update ended_at"],
    cleanup_holds: ["select", "insert", "update", "delete"],
    cleanup_pause: ["select", "insert", "update", "delete"],
    cleanup_passes: ["select", "insert", "update", "delete"],
    cleanup_migrations: ["select"],
    players: []
  },
  rtmanager_reader: {
    runtime_records: ["select"],
    operation_log: ["select"],
    game_leases: ["select"],
    cleanup_backoff: ["select"],
    cleanup_engines: ["select"],
    cleanup_acts: ["select"],
    cleanup_holds: ["select"],
    cleanup_pause: ["select"],
    cleanup_passes: ["select"],
    cleanup_migrations: ["select"],
    players: []
  }
}

const ofColumns = ["insert", "update", "references"]

/** What must be refused, whatever the catalog says. */
const refused: ReadonlyArray<readonly [what: string, statement: string]> = [
  ["change the log", "update operation_log set outcome = 'success'"],
  ["delete from the log", "delete from operation_log"],
  ["empty the log", "truncate operation_log"],
  ["give a record another container", "update runtime_records set current_container_id = repeat('0', 64)"],
  ["give an act another author", "update cleanup_acts set author = 'x'"],
  ["delete an act", "delete from cleanup_acts"],
  ["delete a record", "delete from runtime_records"],
  ["make a record", "insert into runtime_records (game_id, status, last_op_at) values ('x', 'stopped', now())"],
  ["record a version", "insert into cleanup_migrations (migration_id, name) values (99, 'x')"],
  ["set tokens back", "select setval('game_leases_token', 1)"],
  ["make a table", "create table mine ()"],
  ["change a table", "alter table runtime_records add mine text"],
  ["drop a table", "drop table operation_log"],
  ["drop an index", "drop index operation_log_cleanup_success"],
  ["make a schema", "create schema mine"],
  ["make a role", "create role mine"]
]

const readersRefused: typeof refused = [
  ["delete a pass", "delete from cleanup_passes"],
  ["take a token", "select nextval('game_leases_token')"],
  ["write the log", "insert into operation_log (game_id) values ('x')"],
  ["release a lease", "delete from game_leases"]
]

const insufficientPrivilege = "42501"

const sqlState = ({ reason }: SqlError) =>
  typeof reason.cause === "object" && reason.cause !== null && "code" in reason.cause ? reason.cause.code : undefined

it.layer(overAdopted, { excludeTestServices: true })("the roles of deploy/roles.sql", (it) => {
  it.effect.each(roles)("give %s its rights to each table and no other", (role) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const names = yield* sql<{ name: string }>`
        select relname as name from pg_class where relnamespace = ${schema}::regnamespace and relkind = 'r' order by 1`
      assert.sameMembers(
        names.map(({ name }) => name),
        Object.keys(rights[role])
      )
      for (const { name } of names) {
        const granted = yield* sql<{ right: string }>`
          select lower(privilege_type) as right from pg_class, aclexplode(acldefault('r', relowner))
          where oid = ${`${schema}.${name}`}::regclass and has_table_privilege(${role}, oid, privilege_type)
          union all
          select privilege || ' ' || attname from pg_attribute, unnest(${ofColumns}::text[]) as privilege
          where attrelid = ${`${schema}.${name}`}::regclass and attnum > 0
            and has_column_privilege(${role}, attrelid, attnum, privilege)
            and not has_table_privilege(${role}, attrelid, privilege)`
        assert.sameMembers(
          granted.map(({ right }) => right),
          [...(rights[role][name] ?? [])],
          name
        )
      }
    })
  )

  it.effect.each([
    ["rtmanager_cleanup", refused],
    ["rtmanager_reader", [...refused, ...readersRefused]]
  ] as const)("refuse %s what it has no right to", ([role, statements]) =>
    Effect.gen(function* () {
      const context = yield* Layer.build(layerRole(role))
      const theirs = Context.get(context, SqlClient)
      for (const [what, statement] of statements) {
        const result = yield* Effect.result(theirs.unsafe(statement))
        assert(Result.isFailure(result), what)
        assert.strictEqual(sqlState(result.failure), insufficientPrivilege, what)
      }
    })
  )

  it.effect("let the service set the result of an act once, whatever it sends", () =>
    Effect.gen(function* () {
      const own = yield* SqlClient
      const theirs = Context.get(yield* Layer.build(layerRole("rtmanager_cleanup")), SqlClient)
      yield* own`insert into cleanup_acts (act, target, author, reason, asked_at)
        values ('plan_apply', 'a-plan', 'anna', 'a test', now())`
      const first = theirs`update cleanup_acts set result = 'done', message = 'first', ended_at = now()
        where target = 'a-plan' returning result`
      assert.deepStrictEqual(yield* first, [{ result: "done" }])
      const rows = own`select * from cleanup_acts where target = 'a-plan'`
      const before = yield* rows
      for (const again of [
        "update cleanup_acts set result = 'refused', message = 'second'",
        "update cleanup_acts set result = null",
        "update cleanup_acts set result = null where result is not null",
        "update cleanup_acts set ended_at = null where id = (select max(id) from cleanup_acts)",
        "with old as (select id from cleanup_acts) update cleanup_acts a set message = null from old where a.id = old.id",
        `insert into cleanup_acts (act, target, author, reason, asked_at) values ('plan_apply', 'a-plan', 'x', 'x', now())
          on conflict (target) where act = 'plan_apply' and coalesce(result, '') <> 'refused' do update set result = null`
      ]) {
        yield* Effect.result(theirs.unsafe(again))
        assert.deepStrictEqual(yield* rows, before, again)
      }
    })
  )

  it.effect("let the service see that the schema is the one it knows", () =>
    Effect.flatMap(Layer.build(layerRole("rtmanager_cleanup")), (context) => Effect.provide(checkVersion, context))
  )
})
