import { Duration, Effect, Schedule } from "effect"
import { onSameEngine } from "../cleanup/engine/expectedEngine.ts"
import type { Asked } from "../domain/Act.ts"
import { type ContainerId, isContainerId } from "../domain/ContainerId.ts"
import { heldBy, type PlacedHold } from "../domain/Hold.ts"
import { printable } from "../domain/printable.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { type Acquired, GameLeases } from "../ports/GameLeases.ts"
import { type HoldEnd, Holds, type Removal } from "../ports/Holds.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { passError, StoreError, Unavailable } from "../ports/StoreError.ts"
import { type ActError, ActRefused, type Done, perform } from "./act.ts"

export interface HoldRequest extends Asked {
  readonly gameId: string
  readonly end: HoldEnd
  /** The TTL of the leases behind the port. An attempt under way is waited for a little longer than that. */
  readonly leaseTtl: Duration.Duration
  /** Runs once, if an attempt is under way. */
  readonly onWait: Effect.Effect<void>
}

/**
 * Places a hold, and returns once nothing can remove the game's container any more: the hold is placed first, and whoever takes
 * the game's lease after that sees it; an attempt that took it before is waited out. Refused, without a hold, if the container
 * has gone. Any other failure, and an interruption, leaves the hold where it is.
 */
export const hold = (request: HoldRequest) =>
  perform({ act: "hold", target: request.gameId, author: request.author, reason: request.reason }, place(request))

const place = Effect.fnUntraced(function* (
  request: HoldRequest
): Effect.fn.Return<Done<PlacedHold>, ActError, Holds | GameLeases | KnownEngine | ContainerEngine> {
  const { gameId } = request
  const holds = yield* Holds
  const former = yield* Effect.mapError(own(request), passError)
  const placed = yield* Effect.mapError(holds.place(request), passError)
  if (placed === undefined) {
    return yield* new ActRefused({ message: "the hold would be over already, by the database's clock" })
  }
  const seen = yield* attemptOver(request)
  const why = seen._tag === "Leased" ? yield* whyTooLate(seen.record, seen.leftBy !== undefined) : undefined
  if (why !== undefined) {
    yield* Effect.mapError(holds.withdraw(placed, former), unconfirmed)
    return yield* new ActRefused({ message: `too late: ${why}` })
  }
  const standing = yield* Effect.mapError(own(request), unconfirmed)
  if (standing?.placedAt.getTime() !== placed.placedAt.getTime()) {
    return yield* new ActRefused({
      message: "the hold is over: it ended, or was released or replaced, while it waited"
    })
  }
  return { value: placed, message: `${printable(gameId)} is ${heldBy(placed)}${noteOn(seen)}` }
})

/** The author's hold on the game, if there is one that has not ended. */
const own = Effect.fnUntraced(function* ({ author, gameId }: HoldRequest) {
  const placed = yield* (yield* Holds).of(gameId)
  return placed.find((hold) => hold.author === author)
})

/** A slip in the id would hold another game, which nobody would notice. */
const noteOn = (seen: Acquired): string => {
  if (seen._tag === "Undecodable") return `; its record does not decode: ${seen.detail}`
  return seen._tag === "Leased" && seen.record === undefined ? "; there is no record of it yet" : ""
}

/** The hold is there, but it may have come too late. */
const unconfirmed = ({ message }: { readonly message: string }) =>
  new StoreError({
    operation: "hold",
    reason: new Unavailable({
      cause: new Error(`the hold is placed, but an attempt under way may still remove the container: ${message}`)
    })
  })

const betweenLooks = Duration.millis(250)

/** What the store answers once no attempt has the game's lease. */
const attemptOver = Effect.fnUntraced(function* ({ gameId, leaseTtl, onWait }: HoldRequest) {
  const leases = yield* GameLeases
  const taken = Effect.mapError(takeForAMoment(leases, gameId), unconfirmed)
  const isBusy = ({ _tag }: Acquired) => _tag === "Busy"
  const first = yield* taken
  if (!isBusy(first)) return first
  yield* onWait
  const patience = Schedule.spaced(betweenLooks).pipe(
    Schedule.upTo({ duration: Duration.sum(leaseTtl, Duration.seconds(5)) })
  )
  const last = yield* Effect.repeat(Effect.delay(taken, betweenLooks), { while: isBusy, schedule: patience })
  return isBusy(last) ? yield* unconfirmed({ message: "the game's lease is still another's" }) : last
})

/** Takes the game's lease, and gives it back at once unless its last holder let it expire: the next one has to know that. */
const takeForAMoment = (leases: GameLeases["Service"], gameId: string) =>
  Effect.uninterruptible(
    Effect.tap(leases.acquire(gameId), (acquired) =>
      acquired._tag === "Leased"
        ? Effect.ignore(
            leases.settle(acquired.lease, {
              failure: undefined,
              backoff: undefined,
              keep: acquired.leftBy !== undefined
            })
          )
        : Effect.void
    )
  )

/**
 * Why there is no container to hold, if it is certain that there is none any more. `isLeft`: the last attempt let its lease expire, so
 * the engine may still have its removal to carry out, and only the engine can say that the container is there.
 */
const whyTooLate = Effect.fnUntraced(function* (record: RuntimeRecord | undefined, isLeft: boolean) {
  if (record === undefined) return undefined
  const { containerId, gameId, status } = record
  if (status !== "removed") {
    const seen = status === "stopped" ? yield* whereabouts(record) : "there"
    if (seen === "unknown" && isLeft) {
      return yield* unconfirmed({ message: "the last one has not said how it ended, and the engine cannot be asked" })
    }
    if (seen !== "gone") return undefined
  }
  const removal = yield* Effect.mapError((yield* Holds).removedBy(gameId), unconfirmed)
  const what = status === "removed" ? "the record is removed" : "the container is gone from the engine, or going"
  return removal === undefined || removal.containerId !== containerId
    ? `${what}, by no operation that is logged`
    : `${what}, ${toText(removal)}`
})

const toText = ({ finishedAt, id, opSource, traceId }: Removal) =>
  `by ${printable(opSource)} at ${finishedAt?.toISOString() ?? "an unknown time"} (operation ${id}${traceId === null ? "" : `, trace ${printable(traceId)}`})`

/** What the known engine says of the container. `unknown`: it is away, is another, or is not believed. */
const whereabouts = Effect.fnUntraced(function* ({ containerId, engine: name }: RuntimeRecord) {
  if (containerId === null) return "there"
  const known = yield* KnownEngine
  if (name !== known.name || !isContainerId(containerId)) return "unknown"
  return yield* Effect.orElseSucceed(look(containerId), () => "unknown" as const)
})

const look = Effect.fnUntraced(function* (containerId: ContainerId) {
  const engine = yield* ContainerEngine
  const present = yield* engine.identity
  const { known, otherName } = yield* (yield* KnownEngine).recognize(present)
  if (known?.id !== present || known.braked || otherName !== undefined) return "unknown" as const
  const container = yield* onSameEngine(engine, present, engine.inspect(containerId))
  return container === undefined || container.state === "removing" ? ("gone" as const) : ("there" as const)
})
