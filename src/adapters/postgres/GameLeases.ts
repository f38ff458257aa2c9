import { Clock, type Duration, Effect, Layer, Result } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { EngineName } from "../../domain/EngineName.ts"
import { Acquired, GameLeases, type Lease, type SettledEnd } from "../../ports/GameLeases.ts"
import { type CommitStatements, commitStatements, makeCommit } from "./commit.ts"
import { Database } from "./Database.ts"
import { type LeaseStatements, leaseOf, leaseStatements, type Taken } from "./leaseStatements.ts"
import { makeRehearse, type RehearsalStatements, rehearsalStatements } from "./rehearse.ts"
import { decodeRecord, type RecordRow } from "./rows.ts"
import { question, type Run } from "./run.ts"
import { type Share, shared } from "./shared.ts"
import { isRefused } from "./storeError.ts"
import { inWords } from "./words.ts"

interface Parts {
  /** One UUID per process. */
  readonly owner: string
  readonly run: Run
  readonly share: Share
  readonly leases: LeaseStatements
  readonly commits: CommitStatements
  readonly rehearsals: RehearsalStatements
}

/**
 * How long the first waits for others. A commit holds nothing up meanwhile; games that end together let as many begin.
 * A game that is alone never waits.
 */
const waits = { acquire: "2 millis", commit: "20 millis" } as const

/**
 * The port, over any implementation of the statements: which one is sent when, which calls share one, and after which
 * failures it is sent again.
 */
export const makeLeases = ({ commits, leases, owner, rehearsals, run, share }: Parts) => {
  /** The tokens of the leases that we hold. One that is lost without a word costs a short wait and no more. */
  const underWay = new Set<bigint>()

  const release = (lease: Lease) => run("release", "unanswered", leases.release(lease))

  const takeLease = share<string, Taken | "busy">({
    wait: Effect.suspend(() => (underWay.size > 0 ? Effect.sleep(waits.acquire) : Effect.yieldNow)),
    together: (gameIds) =>
      Effect.map(
        run(
          "acquire",
          "rolled_back",
          Effect.catchIf(leases.take(gameIds), isRefused, () => Effect.succeed(undefined))
        ),
        (rows) =>
          rows === undefined ? [] : gameIds.map((gameId) => rows.find((row) => row.gameId === gameId) ?? "busy")
      ),
    alone: (gameId) =>
      // An answer that was lost may have been ours: asking again would find our own lease and call the game busy.
      Effect.map(run("acquire", "rolled_back", leases.take([gameId])), ([taken]) => taken ?? "busy")
  })

  const readRecord = share<string, ReadonlyArray<RecordRow>>({
    // Those whose leases came together ask in the same moment.
    wait: Effect.yieldNow,
    together: (gameIds) =>
      run("reread", "rolled_back", leases.readRecords(gameIds)).pipe(
        Effect.map((rows) => gameIds.map((gameId) => rows.filter((row) => row.gameId === gameId))),
        Effect.orElseSucceed(() => [])
      ),
    alone: (gameId) => run("reread", question, leases.readRecords([gameId]))
  })

  const acquire = Effect.fnUntraced(function* (gameId: string) {
    const taken = yield* takeLease(gameId)
    if (taken === "busy") return Acquired.Busy()
    const lease = leaseOf(owner, taken)
    const rows = yield* readRecord(gameId).pipe(Effect.onError(() => Effect.ignore(release(lease))))
    const [row] = rows
    const record = row === undefined ? Result.succeed(undefined) : decodeRecord(row)
    if (Result.isSuccess(record) && rows.length < 2) {
      underWay.add(lease.token)
      return Acquired.Leased({ lease, record: record.success, leftBy: taken.leftBy ?? undefined })
    }
    yield* release(lease)
    return Acquired.Undecodable({
      detail: Result.isFailure(record) ? record.failure : "there is more than one record of this game"
    })
    // Interrupted between its statements it would leave a lease behind that nobody knows of.
  }, Effect.uninterruptible)

  const renew = (lease: Lease) => Effect.map(run("renew", "unanswered", leases.renew(lease)), (rows) => rows.length > 0)

  const settle = (lease: Lease, end: SettledEnd) => {
    const { failure, keep } = end
    if (failure === undefined) return keep ? Effect.void : Effect.asVoid(release(lease))
    const statement = inWords((words) =>
      leases.settle(lease, { ...end, failure: { ...failure, message: words(failure.message) } })
    )
    return Effect.asVoid(run("settle", "unanswered", statement))
  }

  const commit = makeCommit({
    run,
    share,
    statements: commits,
    wait: Effect.suspend(() => (underWay.size > 1 ? Effect.sleep(waits.commit) : Effect.void))
  })
  const ended = ({ token }: Lease) => Effect.sync(() => underWay.delete(token))

  return GameLeases.of({
    acquire,
    renew,
    rehearse: makeRehearse(run, rehearsals),
    commit: (lease, { containerId }, row) => Effect.ensuring(commit({ lease, containerId, row }), ended(lease)),
    settle: (lease, end) => Effect.ensuring(settle(lease, end), ended(lease))
  })
}

export interface Options extends Pick<Parts, "owner"> {
  readonly leaseTtl: Duration.Input
  /** Only its records are moved. */
  readonly engineName: EngineName
}

/** The leases by the database's clock, and the fenced writes. */
export const layer = ({ engineName, leaseTtl, owner }: Options) =>
  Layer.effect(
    GameLeases,
    Effect.gen(function* () {
      const { quotedSchema, run } = yield* Database
      const sql = yield* SqlClient
      const clock = yield* Clock.Clock
      const leases = leaseStatements(sql, { owner, leaseTtl, quotedSchema })
      const commits = commitStatements(sql, { engineName, quotedSchema })
      return makeLeases({
        owner,
        run,
        // The wait for others goes by the clock of the place that connects, whatever clock the callers run under.
        share: (options) => shared({ ...options, wait: Effect.provideService(options.wait, Clock.Clock, clock) }),
        leases,
        commits,
        rehearsals: rehearsalStatements({ sql, owner, commits, leases, engineName, quotedSchema })
      })
    })
  )
