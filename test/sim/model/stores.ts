import { Context, Duration, Effect } from "effect"
import { Acquired, GameLeases, type Lease } from "../../../src/ports/GameLeases.ts"
import { KnownEngine } from "../../../src/ports/KnownEngine.ts"
import { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import type { StoreError } from "../../../src/ports/StoreError.ts"
import * as Statements from "./statements.ts"
import type { Tables } from "./Tables.ts"

/**
 * After which failures a statement is sent again, as in the PostgreSQL adapter: only when it has certainly had no
 * effect; also when the connection was lost; also after a timeout.
 */
export type Repeat = "rolled_back" | "disconnected" | "unanswered"

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

/** The three stores, statement by statement as the PostgreSQL adapter sends them. */
export const make = (send: Send, options: { readonly owner: string; readonly leaseTtl: Duration.Duration }) => {
  const { owner } = options
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
    backlog: (moment) => read("backlog", (tables, now) => Statements.backlog(tables, now, moment))
  })

  const release = (lease: Lease) => write("release", lease.gameId, (tables) => Statements.release(tables, lease))

  const leases = GameLeases.of({
    acquire: Effect.fnUntraced(function* (gameId) {
      const taken = yield* send({
        operation: "acquire",
        gameId,
        repeat: "rolled_back",
        writes: true,
        apply: (tables, now) => Statements.acquire(tables, now, { gameId, owner, ttl })
      })
      if (taken === undefined) return Acquired.Busy()
      const lease = { gameId, owner, token: taken.token }
      const record = yield* read("reread", (tables) => Statements.reread(tables, gameId), gameId).pipe(
        Effect.onError(() => Effect.ignore(release(lease)))
      )
      if (typeof record !== "string") return Acquired.Held({ lease, record, leftBy: taken.leftBy })
      yield* release(lease)
      return Acquired.Undecodable({ detail: record })
    }, Effect.uninterruptible),

    renew: (lease) => write("renew", lease.gameId, (tables, now) => Statements.renew(tables, now, lease, ttl)),

    commit: Effect.fnUntraced(function* (lease, { containerId }, row) {
      const moved = yield* write("commit", lease.gameId, (tables) => Statements.commit(tables, lease, containerId, row))
      if (moved) return "committed"
      const found = yield* read("readBack", (tables) => Statements.readBack(tables, lease), lease.gameId)
      if (found.ours) return "committed"
      return found.removed ? "already_removed" : "record_moved"
    }),

    settle: (lease, end) => {
      const { failure, keep } = end
      if (failure === undefined) return keep ? Effect.void : release(lease)
      return write("settle", lease.gameId, (tables) => Statements.settle(tables, lease, failure, end))
    }
  })

  const readKnown = read("readEngine", (tables) => tables.known)
  const known = KnownEngine.of({
    read: readKnown,
    remember: Effect.fnUntraced(function* (id) {
      yield* write("rememberEngine", undefined, (tables) => Statements.remember(tables, id))
      return (yield* readKnown) ?? { id, braked: false }
    }),
    brake: (id) => write("brakeEngine", undefined, (tables) => Statements.brake(tables, id)),
    accept: Effect.fnUntraced(function* (id) {
      yield* write("acceptEngine", undefined, (tables) => Statements.remember(tables, id))
      yield* write("acceptEngine", undefined, (tables) => Statements.accept(tables, id))
    })
  })

  return Context.make(RuntimeRecords, records).pipe(Context.add(GameLeases, leases), Context.add(KnownEngine, known))
}
