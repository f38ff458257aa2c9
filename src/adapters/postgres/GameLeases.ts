import { Clock, type Duration, Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Acquired, GameLeases, type Lease, type SettledEnd } from "../../ports/GameLeases.ts"
import { commitStatements, makeCommit } from "./commit.ts"
import { Database } from "./Database.ts"
import { leaseStatements, type Taken } from "./leaseStatements.ts"
import { makeRehearse } from "./rehearse.ts"
import { ascii, decodeRecord, type RecordRow } from "./rows.ts"
import { shared } from "./shared.ts"
import { isNoText, isRefused } from "./storeError.ts"

export interface Options {
  /** One UUID per process. */
  readonly owner: string
  readonly leaseTtl: Duration.Input
}

/**
 * How long the first waits for others. A commit holds nothing up meanwhile; games that end together let as many begin.
 * A game that is alone never waits.
 */
const waits = { acquire: "2 millis", commit: "20 millis" } as const

const make = Effect.fnUntraced(function* ({ owner, leaseTtl }: Options) {
  const database = yield* Database
  const sql = yield* SqlClient
  const clock = yield* Clock.Clock
  const wait = (duration: Duration.Input) => Effect.provideService(Effect.sleep(duration), Clock.Clock, clock)
  /** The tokens of the leases that we hold. One that is lost without a word costs a short wait and no more. */
  const underWay = new Set<bigint>()
  const statements = leaseStatements(sql, { owner, leaseTtl, quotedSchema: database.quotedSchema })

  const release = (lease: Lease) => database.run("release", "unanswered", statements.release(lease))

  const takeLease = shared<string, Taken | "busy">({
    wait: Effect.suspend(() => (underWay.size > 0 ? wait(waits.acquire) : Effect.yieldNow)),
    together: (gameIds) =>
      Effect.map(
        database.run(
          "acquire",
          "rolled_back",
          Effect.catchIf(statements.take(gameIds), isRefused, () => Effect.succeed(undefined))
        ),
        (rows) =>
          rows === undefined ? [] : gameIds.map((gameId) => rows.find((row) => row.gameId === gameId) ?? "busy")
      ),
    alone: (gameId) =>
      // An answer that was lost may have been ours: asking again would find our own lease and call the game busy.
      Effect.map(database.run("acquire", "rolled_back", statements.take([gameId])), ([taken]) => taken ?? "busy")
  })

  const readRecord = shared<string, ReadonlyArray<RecordRow>>({
    // Those whose leases came together ask in the same moment.
    wait: Effect.yieldNow,
    together: (gameIds) =>
      database.run("reread", "rolled_back", statements.readRecords(gameIds)).pipe(
        Effect.map((rows) => gameIds.map((gameId) => rows.filter((row) => row.gameId === gameId))),
        Effect.orElseSucceed(() => [])
      ),
    alone: (gameId) => database.run("reread", "disconnected", statements.readRecords([gameId]))
  })

  const acquire = Effect.fnUntraced(function* (gameId: string) {
    const taken = yield* takeLease(gameId)
    if (taken === "busy") return Acquired.Busy()
    const lease: Lease = { gameId, owner, token: taken.token }
    const rows = yield* readRecord(gameId).pipe(Effect.onError(() => Effect.ignore(release(lease))))
    const [row] = rows
    const record = row === undefined ? Result.succeed(undefined) : decodeRecord(row)
    if (Result.isSuccess(record) && rows.length < 2) {
      underWay.add(lease.token)
      return Acquired.Held({ lease, record: record.success, leftBy: taken.leftBy ?? undefined })
    }
    yield* release(lease)
    return Acquired.Undecodable({
      detail: Result.isFailure(record) ? record.failure : "there is more than one record of this game"
    })
    // Interrupted between its statements it would leave a lease behind that nobody knows of.
  }, Effect.uninterruptible)

  const renew = (lease: Lease) =>
    Effect.map(database.run("renew", "unanswered", statements.renew(lease)), (rows) => rows.length > 0)

  const settle = (lease: Lease, end: SettledEnd) => {
    const { failure, keep } = end
    if (failure === undefined) return keep ? Effect.void : Effect.asVoid(release(lease))
    const settled = (message: string) => statements.settle(lease, { ...end, failure: { ...failure, message } })
    // The database's encoding may lack a character of the engine's words.
    const inAscii = Effect.suspend(() => settled(ascii(failure.message)))
    const statement = Effect.catchIf(settled(failure.message), isNoText, () => inAscii)
    return Effect.asVoid(database.run("settle", "unanswered", statement))
  }

  const commits = commitStatements(sql, database.quotedSchema)
  const commit = makeCommit({
    database,
    statements: commits,
    wait: Effect.suspend(() => (underWay.size > 1 ? wait(waits.commit) : Effect.void))
  })
  const ended = ({ token }: Lease) => Effect.sync(() => underWay.delete(token))

  return GameLeases.of({
    acquire,
    renew,
    rehearse: makeRehearse(database, {
      sql,
      owner,
      commits,
      leases: statements,
      quotedSchema: database.quotedSchema
    }),
    commit: (lease, { containerId }, row) => Effect.ensuring(commit({ lease, containerId, row }), ended(lease)),
    settle: (lease, end) => Effect.ensuring(settle(lease, end), ended(lease))
  })
})

/** The leases by the database's clock, and the fenced writes. */
export const layer = (options: Options) => Layer.effect(GameLeases, make(options))
