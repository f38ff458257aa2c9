import { Context, Duration, Effect } from "effect"
import { shared } from "../../../src/adapters/postgres/shared.ts"
import { Acquired, type AuditRow, type CommitResult, GameLeases, type Lease } from "../../../src/ports/GameLeases.ts"
import { KnownEngine } from "../../../src/ports/KnownEngine.ts"
import { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import { CannotRecord, StoreError } from "../../../src/ports/StoreError.ts"
import * as Statements from "./statements.ts"
import type { Tables } from "./Tables.ts"

/**
 * After which failures a statement is sent again, as in the PostgreSQL adapter: none; only when it has certainly had no
 * effect; also when the connection was lost; also after a timeout.
 */
export type Repeat = "never" | "rolled_back" | "disconnected" | "unanswered"

export interface Statement<A> {
  readonly operation: string
  readonly gameId: string | undefined
  readonly repeat: Repeat
  /** Whether a database that is read-only refuses it. */
  readonly writes: boolean
  /** One step in the database, whose clock says `now` (Unix milliseconds). */
  readonly apply: (tables: Tables, now: number) => A
}

/** Carries a statement to the database and its answer back. */
export type Send = <A>(statement: Statement<A>) => Effect.Effect<A, StoreError>

const swallowed = new StoreError({
  operation: "rehearse",
  reason: new CannotRecord({ detail: "a trigger or a policy lets the record stay as it is" })
})

const isRolledBack = ({ reason }: StoreError) => reason.message === "rolled_back"

interface Commit {
  readonly lease: Lease
  readonly containerId: string | null
  readonly row: AuditRow
}

export interface Options {
  readonly owner: string
  readonly leaseTtl: Duration.Duration
  /** Calls that come together share a statement, as in the PostgreSQL adapter. */
  readonly sharing: boolean
}

/** The three stores, statement by statement as the PostgreSQL adapter sends them. */
export const make = (send: Send, options: Options) => {
  const { owner, sharing } = options
  const ttl = Duration.toMillis(options.leaseTtl)

  const read = <A>(operation: string, apply: Statement<A>["apply"], gameId?: string) =>
    send({ operation, gameId, repeat: "disconnected", writes: false, apply })
  const write = <A>(operation: string, gameId: string | undefined, apply: Statement<A>["apply"]) =>
    send({ operation, gameId, repeat: "unanswered", writes: true, apply })

  const records = RuntimeRecords.of({
    clock: send({
      operation: "clock",
      gameId: undefined,
      repeat: "disconnected",
      writes: true,
      apply: (_, now) => Math.floor(now)
    }),
    listDue: (page) => read("listDue", (tables) => Statements.listDue(tables, page)),
    listStopped: (page) => read("listStopped", (tables) => Statements.listStopped(tables, page)),
    backlog: (moment) => read("backlog", (tables, now) => Statements.backlog(tables, now, moment)),
    witnesses: (moment) => read("witnesses", (tables) => Statements.witnesses(tables, moment))
  })

  const release = (lease: Lease) => write("release", lease.gameId, (tables) => Statements.release(tables, lease))

  /** One statement for many games, in their order: it does to each what its own would. */
  const many = <In, A>(
    operation: string,
    calls: ReadonlyArray<In>,
    options: {
      readonly writes: boolean
      readonly gameId: (call: In) => string
      readonly apply: (tables: Tables, now: number, call: In) => A
    }
  ) =>
    send({
      operation,
      gameId: undefined,
      repeat: "never",
      writes: options.writes,
      apply: (tables, now) => {
        const answers = new Map<In, A>()
        for (const call of [...calls].sort((a, b) => (options.gameId(a) < options.gameId(b) ? -1 : 1))) {
          answers.set(call, options.apply(tables, now, call))
        }
        return calls.map((call) => answers.get(call))
      }
    })

  const take = (tables: Tables, now: number, gameId: string) =>
    Statements.acquire(tables, now, { gameId, owner, ttl }) ?? ("busy" as const)

  const takeAlone = (gameId: string) =>
    send({
      operation: "acquire",
      gameId,
      repeat: "rolled_back",
      writes: true,
      apply: (tables, now) => take(tables, now, gameId)
    })

  /** In a field, as `undefined` is an answer too. */
  const rereadAlone = (gameId: string) =>
    read("reread", (tables) => ({ found: Statements.reread(tables, gameId) }), gameId)

  const commitAlone = Effect.fnUntraced(function* ({
    lease,
    containerId,
    row
  }: Commit): Effect.fn.Return<CommitResult, StoreError> {
    const done = yield* write("commit", lease.gameId, (tables) => Statements.commit(tables, lease, containerId, row))
    if (done === "moved") return "committed"
    const found = yield* read("readBack", (tables) => Statements.readBack(tables, lease, containerId), lease.gameId)
    if (found.ours) return "committed"
    if (done === "held" && found.unchanged) return "not_recorded"
    return found.removed ? "already_removed" : "record_moved"
  })

  const takeLease = sharing
    ? shared({
        wait: Effect.sleep("2 millis"),
        together: (gameIds: ReadonlyArray<string>) =>
          many("acquire", gameIds, { writes: true, gameId: (gameId) => gameId, apply: take }).pipe(
            Effect.catchIf(isRolledBack, () => Effect.succeed([]))
          ),
        alone: takeAlone
      })
    : takeAlone

  const readRecord = sharing
    ? shared({
        wait: Effect.yieldNow,
        together: (gameIds: ReadonlyArray<string>) =>
          many("reread", gameIds, {
            writes: false,
            gameId: (gameId) => gameId,
            apply: (tables, _, gameId) => ({ found: Statements.reread(tables, gameId) })
          }).pipe(Effect.orElseSucceed(() => [])),
        alone: rereadAlone
      })
    : rereadAlone

  const commit = sharing
    ? shared({
        wait: Effect.sleep("20 millis"),
        together: (commits: ReadonlyArray<Commit>) =>
          many("commit", commits, {
            writes: true,
            gameId: ({ lease }) => lease.gameId,
            apply: (tables, _, { containerId, lease, row }) => {
              if (!Statements.isPlain(tables, lease, containerId)) return undefined
              const done = Statements.commit(tables, lease, containerId, row)
              return done === "moved" ? ("committed" as const) : ("not_recorded" as const)
            }
          }).pipe(Effect.orElseSucceed(() => [])),
        alone: commitAlone
      })
    : commitAlone

  const leases = GameLeases.of({
    acquire: Effect.fnUntraced(function* (gameId) {
      const taken = yield* takeLease(gameId)
      if (taken === "busy") return Acquired.Busy()
      const lease = { gameId, owner, token: taken.token }
      const { found: record } = yield* readRecord(gameId).pipe(Effect.onError(() => Effect.ignore(release(lease))))
      if (typeof record !== "string") return Acquired.Held({ lease, record, leftBy: taken.leftBy })
      yield* release(lease)
      return Acquired.Undecodable({ detail: record })
    }, Effect.uninterruptible),

    renew: (lease) => write("renew", lease.gameId, (tables, now) => Statements.renew(tables, now, lease, ttl)),

    commit: (lease, { containerId }, row) => commit({ lease, containerId, row }),

    rehearse: (record) =>
      Effect.flatMap(
        send({
          operation: "rehearse",
          gameId: record.gameId,
          repeat: "disconnected",
          writes: true,
          apply: (tables) => Statements.rehearse(tables, record)
        }),
        (found) => (found === "swallowed" ? Effect.fail(swallowed) : Effect.succeed(found === "works"))
      ),

    settle: (lease, end) => {
      const { failure, keep } = end
      if (failure === undefined) return keep ? Effect.void : release(lease)
      return write("settle", lease.gameId, (tables) => Statements.settle(tables, lease, failure, end))
    }
  })

  const readKnown = read("readEngine", ({ known }) => known && { id: known.id, braked: known.braked })
  const known = KnownEngine.of({
    read: readKnown,
    remember: Effect.fnUntraced(function* (id) {
      yield* write("rememberEngine", undefined, (tables) => Statements.remember(tables, id))
      return (yield* readKnown) ?? { id, braked: false }
    }),
    widen: Effect.fnUntraced(function* (from, to) {
      yield* write("widenEngine", undefined, (tables) => Statements.widen(tables, from, to))
      return (yield* readKnown) ?? { id: to, braked: false }
    }),
    brake: (id) => write("brakeEngine", undefined, (tables) => Statements.brake(tables, id)),
    accept: Effect.fnUntraced(function* (id) {
      yield* write("acceptEngine", undefined, (tables) => Statements.remember(tables, id))
      yield* write("acceptEngine", undefined, (tables, now) => Statements.accept(tables, now, id))
    })
  })

  return Context.make(RuntimeRecords, records).pipe(Context.add(GameLeases, leases), Context.add(KnownEngine, known))
}
