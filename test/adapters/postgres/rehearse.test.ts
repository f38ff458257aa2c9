import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import { StoreFixture } from "../../ports/StoreFixture.ts"
import { layerPorts, postgresServer } from "../../support/postgres.ts"
import { asked, auditRow, containerId, stopped } from "../../support/records.ts"
import { layerRole, layerRoles, run } from "../../support/roles.ts"

const layer = Layer.provideMerge(layerRoles, postgresServer())

interface Way {
  readonly what: string
  /** By the owner of the tables. */
  readonly broken: ReadonlyArray<string>
  readonly mended: ReadonlyArray<string>
  readonly words: RegExp
}

const denied = (right: string, table: string): Way => ({
  what: `no right to ${right} ${table}`,
  broken: [`revoke ${right} on rtmanager.${table} from rtmanager_cleanup`],
  mended: [`grant ${right} on rtmanager.${table} to rtmanager_cleanup`],
  words: new RegExp(`permission denied for table ${table} \\(42501\\), as role rtmanager_cleanup`)
})

const constraint = (table: string, what: string, definition: string, words: RegExp): Way => ({
  what,
  broken: [`alter table rtmanager.${table} add constraint odd ${definition}`],
  mended: [`alter table rtmanager.${table} drop constraint odd`],
  words
})

const trigger = (table: string, when: string, body: string, words: RegExp): Way => ({
  what: `a trigger ${when} on ${table} that does: ${body}`,
  broken: [
    `create function rtmanager.odd() returns trigger language plpgsql security definer as $$ begin ${body} end $$`,
    when.includes("deferred")
      ? `create constraint trigger odd ${when.replace(" deferred", "")} on rtmanager.${table} deferrable initially deferred
          for each row execute function rtmanager.odd()`
      : `create trigger odd ${when} on rtmanager.${table} for each row execute function rtmanager.odd()`
  ],
  mended: [`drop trigger odd on rtmanager.${table}`, "drop function rtmanager.odd"],
  words
})

const no = "raise exception 'not on my watch';"
const noWords = /not on my watch \(P0001\), as role rtmanager_cleanup/

const ways: ReadonlyArray<Way> = [
  denied("update (status)", "runtime_records"),
  denied("insert", "operation_log"),
  denied("insert", "game_leases"),
  denied("delete", "game_leases"),
  denied("insert", "cleanup_backoff"),
  denied("delete", "cleanup_backoff"),
  {
    what: "no right to the sequence of tokens",
    broken: ["revoke usage on sequence rtmanager.game_leases_token from rtmanager_cleanup"],
    mended: ["grant usage on sequence rtmanager.game_leases_token to rtmanager_cleanup"],
    words: /permission denied for sequence game_leases_token/
  },
  {
    what: "a sequence of tokens that is gone",
    broken: ["alter sequence rtmanager.game_leases_token rename to gone"],
    mended: ["alter sequence rtmanager.gone rename to game_leases_token"],
    words: /game_leases_token" does not exist \(42P01\).*rtmanager-cleanup migrate/
  },
  constraint(
    "runtime_records",
    "a closed set of states",
    "check (status in ('starting', 'running', 'stopped')) not valid",
    /violates check constraint "odd" \(23514\)/
  ),
  constraint(
    "runtime_records",
    "a unique constraint that is checked at the end",
    "unique (status) deferrable initially deferred",
    /violates unique constraint "odd" \(23505\)/
  ),
  constraint(
    "operation_log",
    "a closed set of kinds",
    "check (op_kind = 'start') not valid",
    /constraint "odd" \(23514\)/
  ),
  constraint(
    "operation_log",
    "a foreign key that is checked at the end",
    "foreign key (source_ref) references rtmanager.runtime_records (game_id) deferrable initially deferred",
    /violates foreign key constraint "odd" \(23503\)/
  ),
  constraint("operation_log", "one operation a game", "unique (game_id)", /operation_log|swallowed/),
  constraint(
    "game_leases",
    "a lease that must be short",
    "check (expires_at < acquired_at)",
    /constraint "odd" \(23514\)/
  ),
  constraint("cleanup_backoff", "a backoff that must be long", "check (attempts > 1)", /constraint "odd" \(23514\)/),
  trigger("runtime_records", "before update", no, noWords),
  trigger("runtime_records", "after update", no, noWords),
  trigger("runtime_records", "after update deferred", no, noWords),
  trigger("runtime_records", "before update", "return null;", /swallowed the change of runtime_records, as role/),
  trigger(
    "runtime_records",
    "before update",
    "new.status := old.status; return new;",
    /swallowed the change of runtime_records/
  ),
  trigger("operation_log", "before insert", no, noWords),
  trigger("operation_log", "after insert deferred", no, noWords),
  trigger(
    "operation_log",
    "before insert",
    "return null;",
    /operation_log has not taken the success row, without a word/
  ),
  trigger(
    "operation_log",
    "before insert",
    "if new.outcome = 'failure' then return null; end if; return new;",
    /swallowed the failure row in operation_log/
  ),
  trigger(
    "operation_log",
    "after insert",
    "delete from rtmanager.operation_log where id = new.id; return null;",
    /swallowed the success row in operation_log/
  ),
  trigger("game_leases", "before insert", "return null;", /swallowed the lease in game_leases/),
  trigger("game_leases", "before delete", no, noWords),
  trigger("cleanup_backoff", "before delete", no, noWords),
  {
    what: "a rule in place of the success row",
    broken: ["create rule odd as on insert to rtmanager.operation_log do instead nothing"],
    mended: ["drop rule odd on rtmanager.operation_log"],
    words: /\(0A000\), as role rtmanager_cleanup/
  },
  {
    what: "a policy that shows records and lets none be changed",
    broken: [
      "create policy look on rtmanager.runtime_records for select using (true)",
      "alter table rtmanager.runtime_records enable row level security"
    ],
    mended: [
      "alter table rtmanager.runtime_records disable row level security",
      "drop policy look on rtmanager.runtime_records"
    ],
    words: /swallowed the change of runtime_records/
  },
  {
    what: "a policy that shows the log and takes no row",
    broken: [
      "create policy look on rtmanager.operation_log for select using (true)",
      "alter table rtmanager.operation_log enable row level security"
    ],
    mended: [
      "alter table rtmanager.operation_log disable row level security",
      "drop policy look on rtmanager.operation_log"
    ],
    words: /violates row-level security policy for table "operation_log" \(42501\)/
  },
  {
    what: "changes that are published for a table without an identity",
    broken: [
      "alter table rtmanager.runtime_records replica identity nothing",
      "create publication odd for table rtmanager.runtime_records"
    ],
    mended: ["drop publication odd", "alter table rtmanager.runtime_records replica identity default"],
    words: /does not have a replica identity and publishes updates \(55000\)/
  }
]

it.layer(layer, { excludeTestServices: true })("a rehearsal in the role of the service", (it) => {
  const service = Effect.map(
    Layer.build(Layer.fresh(layerPorts().pipe(Layer.provide(layerRole("rtmanager_cleanup"))))),
    (context) => Context.get(context, GameLeases)
  )

  /** The service's leases, and the one game that has a record. */
  const oneGame = Effect.gen(function* () {
    const fixture = yield* StoreFixture
    const record = stopped("chess", { containerId: containerId("a") })
    yield* fixture.clear
    yield* fixture.put(record)
    return { ...(yield* service), fixture, record }
  })

  it.effect("event 26: learns nothing from a game whose record is deleted, although the log refuses its rows", () =>
    Effect.gen(function* () {
      const fixture = yield* StoreFixture
      const { rehearse } = yield* service
      yield* fixture.clear
      const mended = "alter table rtmanager.operation_log drop constraint odd"
      yield* Effect.acquireRelease(
        run([
          `alter table rtmanager.operation_log add constraint odd foreign key (game_id)
               references rtmanager.runtime_records (game_id) on delete cascade`
        ]),
        () => Effect.orDie(run([mended]))
      )
      assert.isFalse(yield* rehearse(stopped("gone"), asked))
    })
  )

  it.effect.each(ways)("event 26: is refused by $what", ({ broken, mended, words }) =>
    Effect.gen(function* () {
      const { fixture, record, rehearse } = yield* oneGame
      yield* fixture.put(stopped("go", { status: "removed", containerId: containerId("b") }))
      yield* Effect.acquireRelease(run(broken), () => Effect.orDie(run(mended)))
      const result = yield* Effect.result(rehearse(record, asked))
      assert(Result.isFailure(result), "the rehearsal succeeded")
      assert.strictEqual(result.failure.reason._tag, "CannotRecord", result.failure.message)
      assert.match(result.failure.message, words)
      assert.deepStrictEqual(yield* fixture.record("chess"), record)
      assert.isUndefined(yield* fixture.lease("chess"))
      assert.isEmpty(yield* fixture.log("chess"))
    })
  )

  it.effect.each([
    ["by no policy at all", []],
    ["but those that are running", ["create policy odd on rtmanager.runtime_records using (status = 'running')"]],
    [
      "by a policy for another role",
      ["create policy odd on rtmanager.runtime_records to rtmanager_reader using (true)"]
    ],
    [
      "by a restrictive policy",
      [
        "create policy odd on rtmanager.runtime_records using (true)",
        "create policy odder on rtmanager.runtime_records as restrictive using (game_id > 'm')"
      ]
    ]
  ] as const)("event 26: a pass is not begun over records that are hidden %s", ([, policies]) =>
    Effect.gen(function* () {
      const fixture = yield* StoreFixture
      const context = yield* Layer.build(Layer.fresh(layerPorts().pipe(Layer.provide(layerRole("rtmanager_cleanup")))))
      const { clock } = Context.get(context, RuntimeRecords)
      yield* fixture.clear
      yield* fixture.put(stopped("chess"))
      yield* Effect.acquireRelease(
        run([...policies, "alter table rtmanager.runtime_records enable row level security"]),
        () =>
          Effect.orDie(
            run([
              "alter table rtmanager.runtime_records disable row level security",
              "drop policy if exists odd on rtmanager.runtime_records",
              "drop policy if exists odder on rtmanager.runtime_records"
            ])
          )
      )
      const error = yield* Effect.flip(clock)
      assert.strictEqual(error.reason._tag, "CannotRecord")
      assert.match(error.message, /row level security hides rows of runtime_records from role rtmanager_cleanup/)
    })
  )

  it.effect("event 26: a policy that hides nothing from the role is no obstacle", () =>
    Effect.gen(function* () {
      const fixture = yield* StoreFixture
      const context = yield* Layer.build(Layer.fresh(layerPorts().pipe(Layer.provide(layerRole("rtmanager_cleanup")))))
      yield* fixture.clear
      yield* fixture.put(stopped("chess"))
      yield* Effect.acquireRelease(
        run([
          "create policy odd on rtmanager.runtime_records to rtmanager_cleanup using (true)",
          "alter table rtmanager.runtime_records enable row level security"
        ]),
        () =>
          Effect.orDie(
            run([
              "alter table rtmanager.runtime_records disable row level security",
              "drop policy odd on rtmanager.runtime_records"
            ])
          )
      )
      yield* Context.get(context, RuntimeRecords).clock
      assert.isTrue(yield* Context.get(context, GameLeases).rehearse(stopped("chess"), asked))
    })
  )

  it.effect("event 26: succeeds where everything is as it should be, whatever was done to the game before", () =>
    Effect.gen(function* () {
      const { acquire, commit, fixture, record, rehearse, settle } = yield* oneGame
      assert.isTrue(yield* rehearse(record, asked))
      // Removed once, and stopped again in the same container.
      const first = yield* acquire("chess")
      assert(first._tag === "Leased")
      assert.strictEqual(yield* commit(first.lease, record, auditRow()), "committed")
      yield* fixture.put(record)
      assert.isTrue(yield* rehearse(record, asked))
      const second = yield* acquire("chess")
      assert(second._tag === "Leased")
      const failure = auditRow({ errorCode: "removed_not_committed" })
      yield* settle(second.lease, { failure, backoff: undefined, keep: true })
      assert.isTrue(yield* rehearse(record, asked))
      assert.strictEqual(yield* commit(second.lease, record, auditRow()), "committed")
    })
  )

  it.effect("event 26: does not take a row that somebody has locked for a refusal", () =>
    Effect.gen(function* () {
      const { record, rehearse } = yield* oneGame
      const sql = yield* SqlClient
      const result = yield* sql.withTransaction(
        Effect.andThen(
          sql`select from runtime_records where game_id = 'chess' for update`,
          Effect.result(rehearse(record, asked))
        )
      )
      assert(Result.isFailure(result))
      assert.strictEqual(result.failure.reason._tag, "Unavailable")
      assert.match(result.failure.message, /lock timeout/)
    })
  )

  it.effect("event 26: asks a database that refuses once", () =>
    Effect.gen(function* () {
      const { record, rehearse } = yield* oneGame
      const refusing = trigger("operation_log", "before insert", `perform nextval('rtmanager.asked'); ${no}`, noWords)
      yield* Effect.acquireRelease(run(["create sequence rtmanager.asked", ...refusing.broken]), () =>
        Effect.orDie(run([...refusing.mended, "drop sequence rtmanager.asked"]))
      )
      assert.match((yield* Effect.flip(rehearse(record, asked))).message, noWords)
      // A sequence keeps its count whatever is rolled back.
      assert.deepStrictEqual(yield* (yield* SqlClient)`select last_value::int as times from rtmanager.asked`, [
        { times: 1 }
      ])
    })
  )

  it.effect("event 26: works on in a session whose tables have changed since it prepared its statements", () =>
    Effect.gen(function* () {
      const { record, rehearse } = yield* oneGame
      assert.isTrue(yield* rehearse(record, asked))
      const changed = "alter table rtmanager.game_leases alter token type numeric"
      const back = "alter table rtmanager.game_leases alter token type bigint"
      yield* Effect.acquireRelease(run([changed]), () => Effect.orDie(run([back])))
      assert.isTrue(yield* rehearse(record, asked))
    })
  )

  const games = ["chess", "go", "shogi"]
  const swallowing = (table: string, when: string, body: string) => {
    const { broken, mended } = trigger(table, when, body, /unused/)
    return Effect.acquireRelease(run(broken), () => Effect.orDie(run(mended)))
  }
  const commits = Effect.gen(function* () {
    const fixture = yield* StoreFixture
    const { acquire, commit } = yield* service
    yield* fixture.clear
    yield* Effect.forEach(games, (gameId) => fixture.put(stopped(gameId)))
    const held = yield* Effect.forEach(games, (gameId) => acquire(gameId))
    return (count: number) =>
      Effect.forEach(
        held.slice(0, count),
        (acquired) =>
          acquired._tag === "Leased"
            ? Effect.result(commit(acquired.lease, stopped(""), auditRow()))
            : Effect.die("busy"),
        { concurrency: "unbounded" }
      )
  })

  it.effect.each([1, 3])("event 26: says of %i commits at once that a trigger lets no record move", (count) =>
    Effect.gen(function* () {
      const commitAll = yield* commits
      yield* swallowing("runtime_records", "before update", "return null;")
      const results = yield* commitAll(count)
      assert.deepStrictEqual(results, Array(count).fill(Result.succeed("not_recorded")))
      assert.isEmpty(yield* (yield* StoreFixture).log("chess"))
    })
  )

  it.effect.each([1, 3])("event 26: moves none of %i records whose success row a trigger swallows", (count) =>
    Effect.gen(function* () {
      const fixture = yield* StoreFixture
      const commitAll = yield* commits
      yield* swallowing("operation_log", "before insert", "return null;")
      for (const result of yield* commitAll(count)) {
        assert(Result.isFailure(result))
        assert.match(result.failure.message, /operation_log has not taken the success row/)
      }
      for (const gameId of games) assert.deepStrictEqual(yield* fixture.record(gameId), stopped(gameId))
    })
  )
})
