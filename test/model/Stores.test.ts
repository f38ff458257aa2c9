import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer } from "effect"
import fc from "fast-check"
import * as GameLeasesAdapter from "../../src/adapters/postgres/GameLeases.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { type AuditRow, GameLeases, type Lease } from "../../src/ports/GameLeases.ts"
import { KnownEngine } from "../../src/ports/KnownEngine.ts"
import { type Cursor, type Page, RuntimeRecords } from "../../src/ports/RuntimeRecords.ts"
import { makeFixture } from "../adapters/memory/Fixture.ts"
import { Database } from "../adapters/memory/StoreState.ts"
import { makeStores } from "../adapters/memory/Stores.ts"
import { StoreFixture } from "../ports/StoreFixture.ts"
import { layerStores, postgresServer } from "../support/postgres.ts"
import { auditRow, containerId, longAgo, micros, momentAt, stopped } from "../support/records.ts"

const owners = ["0a000000-0000-4000-8000-000000000000", "0b000000-0000-4000-8000-000000000000"] as const
const games = ["chess", "go", "shogi"]
const hour = Duration.toMillis("1 hour")

/** The ports as two processes have them, and the way past them. */
interface Stores {
  readonly records: RuntimeRecords["Service"]
  readonly leases: ReadonlyArray<GameLeases["Service"]>
  readonly known: KnownEngine["Service"]
  readonly fixture: StoreFixture["Service"]
  /** Every lease ever granted, in order: the commands speak of them by number. */
  readonly granted: Array<{ readonly by: number; readonly lease: Lease }>
}

interface Both {
  readonly real: Stores
  readonly model: Stores
  readonly seen: Set<string>
}

type Ask = (stores: Stores) => Effect.Effect<unknown, unknown>

/** One step on the in-memory stores and on PostgreSQL, which must answer alike. */
class Step implements fc.AsyncCommand<object, Both> {
  readonly text: string
  readonly ask: Ask
  constructor(text: string, ask: Ask) {
    this.text = text
    this.ask = ask
  }
  check() {
    return true
  }
  run(_: object, { model, real, seen }: Both) {
    return Effect.runPromise(
      Effect.gen({ self: this }, function* () {
        const expected = yield* this.ask(model)
        assert.deepStrictEqual(yield* this.ask(real), expected)
        if (typeof expected === "string") seen.add(expected)
      })
    )
  }
  toString() {
    return this.text
  }
}

/** Of the newest first. */
const leaseOf = ({ granted }: Stores, number: number) => granted.at(-1 - (number % Math.max(1, granted.length)))

const acquire = (by: number, gameId: string) =>
  new Step(`acquire(${by}, ${gameId})`, (stores) =>
    Effect.map(stores.leases[by]?.acquire(gameId) ?? Effect.die("no such process"), (acquired) => {
      if (acquired._tag !== "Leased") return acquired._tag
      stores.granted.push({ by, lease: acquired.lease })
      return [acquired.record, acquired.leftBy]
    })
  )

const onLease = (
  text: string,
  number: number,
  ask: (leases: GameLeases["Service"], lease: Lease) => Effect.Effect<unknown, unknown>
) =>
  new Step(`${text} with lease ${number}`, (stores) => {
    const held = leaseOf(stores, number)
    const leases = held && stores.leases[held.by]
    return held === undefined || leases === undefined ? Effect.succeed("no lease yet") : ask(leases, held.lease)
  })

const commit = (number: number, container: string | null, row: AuditRow) =>
  onLease(`commit ${container}`, number, (leases, lease) => leases.commit(lease, { containerId: container }, row))

const settle = (number: number, failure: AuditRow | undefined, attempts: number, keep: boolean) =>
  onLease(`settle ${failure?.errorCode} ${attempts} keep ${keep}`, number, (leases, lease) => {
    const nextAttemptAt = (failure?.finishedAt ?? 0) + attempts
    const backoff =
      failure === undefined || attempts === 0 ? undefined : { attempts, nextAttemptAt, lastError: "engine_error" }
    return leases.settle(lease, { failure, backoff, keep })
  })

const listing = (list: (after: Cursor | undefined) => Effect.Effect<Page | undefined, unknown>) =>
  Effect.gen(function* () {
    const found: Array<unknown> = []
    let after: Cursor | undefined
    do {
      const page: Page | undefined = yield* list(after)
      assert(page !== undefined)
      found.push(...page.records, ...page.undecodable.map(() => "undecodable"))
      after = page.next
    } while (after !== undefined)
    return found
  })

const look = (number: number) =>
  new Step(`look, pages of ${number + 1}`, ({ fixture, known, records }) =>
    Effect.gen(function* () {
      const moment = momentAt(longAgo + number * hour)
      const limit = number + 1
      return {
        due: yield* listing((after) => records.listDue({ moment, after, limit })),
        stopped: yield* listing((after) => records.listStopped({ after, limit })),
        backlog: yield* records.backlog(moment),
        known: yield* Effect.forEach(engineIds, known.recognize),
        engines: (yield* known.list(moment.cutoff)).map(({ acceptedAt, lastPassAt, lastSeenAt, ...engine }) => engine),
        unknown: yield* records.unknownEngines,
        ended: yield* records.countStopped({ from: longAgo, until: moment.cutoff }),
        rows: yield* Effect.forEach(games, (gameId) =>
          Effect.map(fixture.log(gameId), (rows) => rows.map(({ leaseToken: _, ...row }) => row))
        ),
        games: yield* Effect.forEach(games, fixture.record),
        leases: yield* Effect.forEach(games, (gameId) => Effect.map(fixture.lease(gameId), (lease) => lease?.owner))
      }
    })
  )

const engineIds = ["first", "second", "second/more"].map((id) => EngineId.make(id))
const engineId = fc.constantFrom(...engineIds)
const game = fc.constantFrom(...games)
const number = fc.nat({ max: 5 })
const container = fc.constantFrom(containerId("a"), containerId("a"), containerId("a"), containerId("b"), null)
const row = fc
  .record({
    hours: fc.nat({ max: 60 }),
    containerId: container,
    errorCode: fc.constantFrom("engine_error", "conflict")
  })
  .map(({ hours, ...row }) => auditRow({ ...row, finishedAt: longAgo + hours * hour }))

const succeeded = (row: AuditRow, containerId: string | null) => ({ ...row, containerId, errorCode: null })

const put = fc
  .record({
    gameId: game,
    engine: fc.constantFrom<string>(defaultEngine, defaultEngine, defaultEngine, "host-1", "Host 2"),
    status: fc.constantFrom("stopped", "stopped", "stopped", "running", "removed"),
    containerId: container,
    lastOpAt: fc.constantFrom(null, micros(longAgo) - 1n, micros(longAgo), micros(longAgo + hour) + 1n)
  })
  .map((changes) => stopped(changes.gameId, changes))

const commands = [
  put.map((record) => new Step(`put ${record.gameId} ${record.status}`, ({ fixture }) => fixture.put(record))),
  fc.tuple(fc.nat({ max: 1 }), game).map(([by, gameId]) => acquire(by, gameId)),
  fc.tuple(fc.nat({ max: 1 }), game).map(([by, gameId]) => acquire(by, gameId)),
  fc.tuple(fc.nat({ max: 1 }), container, row).map(([n, id, row]) => commit(n, id, succeeded(row, id))),
  fc.tuple(number, container, row).map(([n, id, row]) => commit(n, id, succeeded(row, id))),
  fc
    .tuple(number, fc.option(row, { nil: undefined }), fc.nat({ max: 12 }), fc.boolean())
    .map(([n, failure, attempts, keep]) => settle(n, failure, attempts, keep)),
  number.map((n) => onLease("renew", n, (leases, lease) => leases.renew(lease))),
  fc.constant(new Step("expire leases", ({ fixture }) => fixture.expireLeases)),
  engineId.map((id) => new Step(`remember ${id}`, ({ known }) => known.remember(id))),
  fc
    .tuple(engineId, engineId)
    .map(([from, to]) => new Step(`widen ${from} to ${to}`, ({ known }) => known.widen(from, to))),
  engineId.map((id) => new Step(`brake ${id}`, ({ known }) => known.brake(id))),
  engineId.map((id) => new Step(`accept ${id}`, ({ known }) => known.accept(id))),
  number.map((n) => new Step(`retention ${n}`, ({ known }) => known.setRetention(Duration.hours(n)))),
  engineId.map((id) => new Step(`begin a pass over ${id}`, ({ known }) => known.beginPass(id))),
  fc.nat({ max: 2 }).map(look)
]

const layer = Layer.provide(layerStores(), postgresServer())

it.layer(layer, { excludeTestServices: true })("the in-memory stores and PostgreSQL", (it) => {
  it.effect("answer any sequence of statements of two processes alike", () =>
    Effect.gen(function* () {
      const fixture = yield* StoreFixture
      const real = {
        fixture,
        records: yield* RuntimeRecords,
        known: yield* KnownEngine,
        leases: yield* Effect.forEach(owners, (owner) =>
          Effect.map(
            Layer.build(GameLeasesAdapter.layer({ owner, leaseTtl: "1 minute", engineName: defaultEngine })),
            (context) => Context.get(context, GameLeases)
          )
        )
      }
      const seen = new Set<string>()
      const fresh = Effect.gen(function* () {
        yield* fixture.clear
        const state = new Database()
        const [a, b] = owners.map((owner) => makeStores(state, { owner, leaseTtl: "1 minute" }))
        assert(a !== undefined && b !== undefined)
        const model = {
          fixture: makeFixture(state),
          records: Context.get(a, RuntimeRecords),
          known: Context.get(a, KnownEngine),
          leases: [Context.get(a, GameLeases), Context.get(b, GameLeases)]
        }
        return { seen, real: { ...real, granted: [] }, model: { ...model, granted: [] } }
      })
      const property = fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: "max" }), async (sequence) => {
        const both = await Effect.runPromise(fresh)
        await fc.asyncModelRun(() => ({ model: {}, real: both }), sequence)
      })
      // The same sequences every time, which reach every answer, and then others.
      for (const parameters of [{ seed: 3 }, {}]) {
        yield* Effect.promise(() => Promise.resolve(fc.assert(property, { numRuns: 40, ...parameters })))
      }
      const ends = ["Busy", "committed", "record_moved", "already_removed"]
      assert.deepStrictEqual(
        ends.filter((end) => !seen.has(end)),
        []
      )
    })
  )
})
