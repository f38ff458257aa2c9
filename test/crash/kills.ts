import { Deferred, Effect, Random } from "effect"
import type { Gate, Passage, Verdict } from "../support/Gate.ts"
import { type Failpoint, namer, type Step, stepOf } from "./failpoints.ts"
import { kinds } from "./games.ts"
import { type Env, type Replica, short, startReplica, type World } from "./World.ts"

/** Where one process is to die. */
export interface Kill {
  readonly failpoint: Failpoint
  /** At the so many-th time that it comes there, from 1. */
  readonly occurrence: number
}

/** The games that one re-read asks for. */
const rereadGames = (passage: Passage): ReadonlyArray<string> =>
  stepOf(passage) === "reread" ? JSON.parse(passage.parameters[0] ?? "[]") : []

/**
 * The other parts of rtmanager: between a game's lease and its re-read they move the records of some games to
 * `removed`, so that there is nothing left to do but to release the lease.
 */
export const othersMove = (world: World): Gate => {
  const { sql } = world.parts
  const move = (gameId: string) =>
    sql`update runtime_records set status = 'removed', removed_at = now(), last_op_at = now()
      where game_id = ${gameId} and status = 'stopped' returning 1`.pipe(
      Effect.tap((rows) =>
        Effect.sync(() => {
          if (rows.length > 0) world.movedByOthers.add(gameId)
        })
      )
    )
  return (passage) => {
    if (passage.side === "after") return "pass"
    const moving = rereadGames(passage).filter((gameId) => world.games.get(gameId)?.kind === kinds.moved)
    return moving.length === 0
      ? "pass"
      : Effect.runPromise(Effect.as(Effect.forEach(moving, move, { discard: true }), "pass"))
  }
}

/** So slow a re-read leaves too little of the short lease for a removal, so that it has to be renewed. */
const slowReread = "2500 millis"

const slowly =
  (world: World, gate: Gate): Gate =>
  (passage) => {
    const slow = passage.side === "after" && rereadGames(passage).some((gameId) => world.games.get(gameId)?.containerId)
    return slow ? Effect.runPromise(Effect.delay(Effect.succeed("pass"), slowReread)) : gate(passage)
  }

/** The passage at which a process is to die. */
interface Place {
  readonly when: Failpoint["when"]
  readonly is: (passage: Passage) => boolean
  /** At the so many-th such passage on its side, from 1. */
  readonly occurrence: number
}

/** Runs one process that is killed at the place, and says whether it came there before it ended. */
export const killWhere = Effect.fnUntraced(function* (
  world: World,
  args: ReadonlyArray<string>,
  { is, occurrence, when }: Place,
  options: { readonly env: Env; readonly others: Gate }
) {
  const side = when === "after" ? "after" : "before"
  const died = yield* Deferred.make<Verdict>()
  const delivered = Promise.withResolvers<Verdict>()
  let arrivals = 0
  const gate: Gate = (passage) => {
    if (!is(passage) || passage.side !== side || ++arrivals !== occurrence) return options.others(passage)
    process.kill(replica.process.pid, "SIGKILL")
    return when === "late" ? delivered.promise : Effect.runPromise(Deferred.await(died))
  }
  const replica: Replica = yield* startReplica(world, args, { gate, env: options.env })
  yield* replica.process.ended
  yield* Deferred.succeed(died, "cut")
  yield* replica.quiet
  const hit = arrivals >= occurrence
  if (hit && when === "late") {
    const passages = yield* Random.nextIntBetween(1, 60)
    world.late.push({ passages, deliver: () => delivered.resolve("pass"), quiet: replica.quiet })
  }
  return hit
})

/** Runs one pass whose process is killed at the failpoint, and says whether it came there before it ended. */
export const killAt = (
  world: World,
  { failpoint, occurrence }: Kill,
  options: { readonly env: Env; readonly others?: Gate }
) => {
  const { when, step } = failpoint
  const moving = options.others ?? othersMove(world)
  const others = step === "renew" ? slowly(world, moving) : moving
  const env = step === "renew" ? { ...options.env, ...short } : options.env
  const nameStep = namer()
  const place = { when, occurrence, is: (passage: Passage) => nameStep(passage) === step }
  return killWhere(world, ["run"], place, { env, others })
}

/** Runs one process that is killed some time after it first asked for anything; `false` if it had ended by then. */
export const killAfter = Effect.fnUntraced(function* (world: World, millis: number, env: Env) {
  const others = othersMove(world)
  const asked = yield* Deferred.make<void>()
  const gate: Gate = (passage) => {
    Deferred.doneUnsafe(asked, Effect.void)
    return others(passage)
  }
  const replica = yield* startReplica(world, ["run"], { gate, env })
  yield* Deferred.await(asked)
  yield* Effect.sleep(millis)
  yield* replica.process.signal("SIGKILL")
  const { code } = yield* replica.process.ended
  yield* replica.quiet
  return code === null
})

/** How often each step surely comes in a pass over a stock of games. */
export const supply: Record<Step, number> = {
  rehearse: 8,
  list: 1,
  "next page": 1,
  acquire: 8,
  reread: 8,
  search: 1,
  inspect: 4,
  identity: 2,
  remove: 4,
  commit: 5,
  settle: 2,
  renew: 1,
  release: 2
}
