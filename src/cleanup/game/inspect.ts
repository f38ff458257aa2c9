import { Clock, Data, Duration, Effect, Schedule } from "effect"
import type { ContainerId } from "../../domain/ContainerId.ts"
import type { Moment } from "../../domain/Expiry.ts"
import { type ErrorCode, Refused } from "../../domain/Outcome.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import type { Shown } from "../../domain/PlanFile.ts"
import { printableEnds } from "../../domain/printable.ts"
import { judgeContainer } from "../../domain/Verdict.ts"
import type {
  ContainerEngine,
  ContainerEngineError,
  RemovalRefused,
  RemovalUnknown
} from "../../ports/ContainerEngine.ts"
import type { Aside } from "../engine/EngineLimit.ts"

/** What the engine has for a game: a container that may be removed, or none at all. */
export type Found = Data.TaggedEnum<{
  Absent: { readonly containerId: ContainerId | null }
  Removable: { readonly containerId: ContainerId; readonly anonymousVolumes: number }
}>
export const Found = Data.taggedEnum<Found>()

export interface Question {
  readonly gameId: string
  readonly moment: Moment
  readonly byHand?: boolean | undefined
  /** How far a container's times may lie ahead of this service's clock. */
  readonly maxClockSkew: Duration.Duration
  /** How long to keep looking at a container that is neither gone nor certain to stay. */
  readonly patience: Duration.Duration
  /** What a person was shown of the game. */
  readonly shown?: Shown | undefined
  /** Every look but the first is made aside, without a place at the engine. */
  readonly aside: Aside
}

type Engine = ContainerEngine["Service"]

/** Step 4: the container that the record names, or the game's own if the record names none. Changes nothing. */
export const find = Effect.fnUntraced(function* (
  engine: Engine,
  containerId: ContainerId | null,
  question: Question
): Effect.fn.Return<Found, ContainerEngineError | Refused> {
  if (containerId === null) return yield* noOther(engine, question.gameId, null)
  const seen = yield* look(engine, containerId, question, ({ _tag }) => _tag === "Removing")
  if (seen._tag === "Absent") return yield* noOther(engine, question.gameId, containerId)
  if (question.shown?.action === "mark_removed") return yield* isThereAfterAll
  return seen._tag === "Removing" ? yield* unknown("a removal by someone else is still in progress") : seen
})

/** Looks again for a container that was not there, and for any other container of the game. */
export const confirmAbsence = Effect.fnUntraced(function* (
  engine: Engine,
  gameId: string,
  containerId: ContainerId | null
): Effect.fn.Return<void, ContainerEngineError | Refused> {
  if (containerId !== null && (yield* engine.inspect(containerId)) !== undefined) {
    return yield* new Refused({
      code: "engine_error",
      message: "the engine called the container absent, and then not"
    })
  }
  yield* noOther(engine, gameId, containerId)
})

/**
 * After a removal without a certain answer: looks until the container is gone, or until it is clear why it stays. If the
 * answer was a refusal, an unchanged container needs no second look.
 */
export const awaitAbsence = Effect.fnUntraced(function* (
  engine: Engine,
  containerId: ContainerId,
  answer: RemovalRefused | RemovalUnknown,
  question: Question
): Effect.fn.Return<void, ContainerEngineError | Refused> {
  const undecided = ({ _tag }: Seen) =>
    _tag === "Removing" || (_tag === "Removable" && answer._tag === "RemovalUnknown")
  const seen = yield* look(engine, containerId, question, undecided)
  if (seen._tag === "Absent") return
  if (seen._tag === "Removable" && answer._tag === "RemovalRefused") {
    return yield* new Refused({ code: "engine_error", message: `not removed: ${answer.words}` })
  }
  yield* unknown(
    `the removal was sent, its outcome is unknown (${short(answer.words)}) and the container is still there`
  )
})

/**
 * Pings the engine after a failed call. If it answers, the failure concerns this game alone, under the given code or the code
 * of the failure. If not, no game can be cleaned now.
 */
export const blameByPing =
  (engine: Engine, code?: ErrorCode) =>
  (error: ContainerEngineError): Effect.Effect<never, Refused | PassRefused> =>
    Effect.gen(function* () {
      const { message, reason } = error
      if (reason._tag === "Withheld") return yield* PassRefused.engineDown(error)
      yield* Effect.mapError(engine.ping, PassRefused.engineDown)
      const ofReason = reason._tag === "UnexpectedAnswer" ? "engine_error" : "engine_unavailable"
      return yield* new Refused({ code: code ?? ofReason, message })
    })

const isThereAfterAll = new Refused({
  code: "record_moved",
  message: "it changed since it was shown: its container is on the engine, and was shown as gone"
})

/** So that the message is no longer than an audit row's can be: 300 characters. */
const short = printableEnds(100)

const unknown = (message: string) => new Refused({ code: "outcome_unknown", message })

/** A game without its recorded container may have another one, which nobody would look for once the record is `removed`. */
const noOther = Effect.fnUntraced(function* (
  engine: Engine,
  gameId: string,
  recorded: ContainerId | null
): Effect.fn.Return<Found, ContainerEngineError | Refused> {
  const ids = yield* engine.findByGame(gameId)
  if (ids.length === 0) return Found.Absent({ containerId: recorded })
  const what = recorded === null ? "the record names no container" : "the recorded container is gone"
  const message = `${what}, but ${ids.length} carry this game's label, ${ids[0]} among them`
  return yield* new Refused({ code: "container_unrecorded", message })
})

type Seen = Found | { readonly _tag: "Removing" }

const look = Effect.fnUntraced(function* (
  engine: Engine,
  containerId: ContainerId,
  question: Question,
  again: (seen: Seen) => boolean
): Effect.fn.Return<Seen, ContainerEngineError | Refused> {
  const first = yield* lookOnce(engine, containerId, question)
  if (!again(first) || !Duration.isPositive(question.patience)) return first
  const later = Effect.repeat(lookOnce(engine, containerId, question), { while: again, schedule: lookAgain(question) })
  return yield* Effect.interruptible(question.aside(Effect.delay(later, betweenLooks)))
})

const betweenLooks = Duration.millis(250)

const lookAgain = ({ patience }: Question) =>
  Schedule.spaced(betweenLooks).pipe(Schedule.upTo({ duration: Duration.subtract(patience, betweenLooks) }))

const lookOnce = Effect.fnUntraced(function* (
  engine: Engine,
  containerId: ContainerId,
  { byHand, gameId, maxClockSkew, moment }: Question
): Effect.fn.Return<Seen, ContainerEngineError | Refused> {
  const container = yield* engine.inspect(containerId)
  if (container === undefined) return Found.Absent({ containerId })
  const now = yield* Clock.currentTimeMillis
  const state = yield* Effect.fromResult(
    judgeContainer(container, { gameId, maxClockSkew, byHand, cutoff: moment.cutoff, now })
  )
  if (state === "removing") return { _tag: "Removing" }
  return Found.Removable({ containerId, anonymousVolumes: container.anonymousVolumes ?? 0 })
})
