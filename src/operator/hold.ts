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
  const { author, gameId } = request
  const holds = yield* Holds
  const placed = yield* Effect.mapError(holds.place(request), passError)
  if (placed === undefined) {
    return yield* new ActRefused({ message: "the hold would be over already, by the database's clock" })
  }
  const seen = yield* attemptOver(request)
  const why = seen._tag === "Held" ? yield* whyTooLate(seen.record) : undefined
  if (why !== undefined) {
    yield* Effect.mapError(holds.withdraw(gameId, author), unconfirmed)
    return yield* new ActRefused({ message: `too late: ${why}` })
  }
  const undecodable = seen._tag === "Undecodable" ? `; its record does not decode: ${seen.detail}` : ""
  return { value: placed, message: `${printable(gameId)} is ${heldBy(placed)}${undecodable}` }
})

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
  const look = Effect.mapError(takeForAMoment(leases, gameId), unconfirmed)
  const isBusy = ({ _tag }: Acquired) => _tag === "Busy"
  const first = yield* look
  if (!isBusy(first)) return first
  yield* onWait
  const patience = Schedule.spaced(betweenLooks).pipe(
    Schedule.upTo({ duration: Duration.sum(leaseTtl, Duration.seconds(5)) })
  )
  const last = yield* Effect.repeat(Effect.delay(look, betweenLooks), { while: isBusy, schedule: patience })
  return isBusy(last) ? yield* unconfirmed({ message: "the game's lease is still another's" }) : last
})

/** Takes the game's lease, and gives it back at once unless its last holder let it expire: the next one has to know that. */
const takeForAMoment = (leases: GameLeases["Service"], gameId: string) =>
  Effect.uninterruptible(
    Effect.tap(leases.acquire(gameId), (acquired) =>
      acquired._tag === "Held"
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

/** Why there is no container to hold, if it is certain that there is none any more. */
const whyTooLate = Effect.fnUntraced(function* (record: RuntimeRecord | undefined) {
  if (record === undefined) return undefined
  const { containerId, gameId, status } = record
  if (status !== "removed" && !(status === "stopped" && (yield* isGone(record)))) return undefined
  const removal = yield* Effect.mapError((yield* Holds).removedBy(gameId), unconfirmed)
  const what = status === "removed" ? "the record is removed" : "the container is gone from the engine, or going"
  return removal === undefined || removal.containerId !== containerId
    ? `${what}, by no operation that is logged`
    : `${what}, ${toText(removal)}`
})

const toText = ({ finishedAt, id, opSource, traceId }: Removal) =>
  `by ${printable(opSource)} at ${finishedAt.toISOString()} (operation ${id}${traceId === null ? "" : `, trace ${printable(traceId)}`})`

/** Whether the known engine says so. One that is away, is another, or is not believed hinders no hold. */
const isGone = Effect.fnUntraced(function* ({ containerId, engine: name }: RuntimeRecord) {
  const known = yield* KnownEngine
  if (name !== known.name || !isContainerId(containerId)) return false
  return yield* Effect.orElseSucceed(isAbsent(containerId), () => false)
})

const isAbsent = Effect.fnUntraced(function* (containerId: ContainerId) {
  const engine = yield* ContainerEngine
  const present = yield* engine.identity
  const { known, otherName } = yield* (yield* KnownEngine).recognize(present)
  if (known?.id !== present || known.braked || otherName !== undefined) return false
  const container = yield* onSameEngine(engine, present, engine.inspect(containerId))
  return container === undefined || container.state === "removing"
})
