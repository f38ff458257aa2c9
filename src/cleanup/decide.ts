import { Clock, Data, Duration, Effect, Schedule } from "effect"
import type { ContainerId } from "../domain/ContainerId.ts"
import type { Moment } from "../domain/Expiry.ts"
import type { Refusal } from "../domain/Outcome.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { judgeContainer, judgeRecord, type RecordVerdict } from "../domain/Verdict.ts"
import type { ContainerEngine, ContainerEngineError, RemovalRefused } from "../ports/ContainerEngine.ts"
import { PassRefused } from "./PassRefused.ts"

/** What is to be done with a game: leave it, mark its record removed, or remove its container. */
export type Decision = Data.TaggedEnum<{
  Refused: Refusal
  Absent: { readonly containerId: ContainerId | null }
  Removable: { readonly containerId: ContainerId; readonly anonymousVolumes: number }
}>
export const Decision = Data.taggedEnum<Decision>()

export type NotRemovable = Exclude<Decision, { readonly _tag: "Removable" }>

export interface Question {
  readonly gameId: string
  readonly moment: Moment
  /** How far a container's times may lie ahead of this service's clock. */
  readonly maxClockSkew: Duration.Duration
  /** How long to look again at a container that is neither gone nor certain to stay. */
  readonly patience: Duration.Duration
  /** Does what only waits, and lets other games have this one's turn at the engine meanwhile. */
  readonly aside: <A, E>(wait: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

type Engine = ContainerEngine["Service"]

/** Steps 2 to 4 for one record: what the record says, then what its container says. Only asks, changes nothing. */
export const decide = Effect.fnUntraced(function* (
  engine: Engine,
  record: RuntimeRecord | undefined,
  question: Question
): Effect.fn.Return<Decision, ContainerEngineError> {
  const verdict = judgeRecord(record, question.moment)
  return verdict._tag === "Refused" ? Decision.Refused(verdict) : yield* askEngine(engine, verdict, question)
})

/** Steps 3 and 4: what the engine says of the container that the record names, or of the game's if that is none. */
export const askEngine = Effect.fnUntraced(function* (
  engine: Engine,
  verdict: Exclude<RecordVerdict, { readonly _tag: "Refused" }>,
  question: Question
): Effect.fn.Return<Decision, ContainerEngineError> {
  if (verdict._tag === "Search") return yield* search(engine, question.gameId, null)
  const seen = yield* look(engine, verdict.containerId, question, (decision) => decision._tag === "Removing")
  if (seen._tag === "Absent") return yield* search(engine, question.gameId, verdict.containerId)
  return seen._tag === "Removing" ? unresolved("a removal by someone else is still in progress") : seen
})

/** Asks once more for a container that was not there, and for any other that the game may have. */
export const confirmAbsence = Effect.fnUntraced(function* (
  engine: Engine,
  gameId: string,
  containerId: ContainerId | null
): Effect.fn.Return<NotRemovable, ContainerEngineError> {
  if (containerId !== null && (yield* engine.inspect(containerId)) !== undefined) {
    return Decision.Refused({ code: "engine_error", message: "the engine called the container absent, and then not" })
  }
  return yield* search(engine, gameId, containerId)
})

/**
 * After a removal whose answer says nothing certain: looks again until what is there decides. Where the answer was a refusal,
 * a container that is as it was needs no second look.
 */
export const decideAfterRemoval = Effect.fnUntraced(function* (
  engine: Engine,
  containerId: ContainerId,
  refused: RemovalRefused | undefined,
  question: Question
): Effect.fn.Return<NotRemovable, ContainerEngineError> {
  const undecided = (seen: Seen) => seen._tag === "Removing" || (seen._tag === "Removable" && refused === undefined)
  const seen = yield* look(engine, containerId, question, undecided)
  if (seen._tag === "Removable" && refused !== undefined) {
    return Decision.Refused({ code: "engine_error", message: `not removed: ${refused.words}` })
  }
  return seen._tag === "Removing" || seen._tag === "Removable"
    ? unresolved("the removal was sent, its outcome is unknown and the container is still there")
    : seen
})

/** One container's trouble is that game's alone; an engine that does not answer a ping refuses the whole pass. */
export const refusalOf = Effect.fnUntraced(function* (
  engine: Engine,
  error: ContainerEngineError
): Effect.fn.Return<Refusal, PassRefused> {
  const { message, reason } = error
  if (reason._tag === "Withheld") return yield* PassRefused.engineDown(error)
  yield* Effect.mapError(engine.ping, PassRefused.engineDown)
  return { code: reason._tag === "UnexpectedAnswer" ? "engine_error" : "engine_unavailable", message }
})

const unresolved = (message: string) => Decision.Refused({ code: "outcome_unknown", message })

/** A game without its recorded container may still have another one, which nobody would look for once it is `removed`. */
const search = (engine: Engine, gameId: string, recorded: ContainerId | null) =>
  Effect.map(engine.findByGame(gameId), (ids) => {
    if (ids.length === 0) return Decision.Absent({ containerId: recorded })
    const what = recorded === null ? "the record names no container" : "the recorded container is gone"
    const message = `${what}, but ${ids.length} carry this game's label, ${ids[0]} among them`
    return Decision.Refused({ code: "container_unrecorded", message })
  })

/** Spans of the steps are made once: each making takes the stack's trace. */
const inspectSpan = Effect.withSpan("rtmanager.cleanup.inspect", { kind: "client" })

type Seen = Decision | { readonly _tag: "Removing" }

const look = Effect.fnUntraced(function* (
  engine: Engine,
  containerId: ContainerId,
  question: Question,
  again: (seen: Seen) => boolean
): Effect.fn.Return<Seen, ContainerEngineError> {
  const first = yield* lookOnce(engine, containerId, question)
  if (!again(first) || !Duration.isPositive(question.patience)) return first
  const later = Effect.repeat(lookOnce(engine, containerId, question), { while: again, schedule: lookAgain(question) })
  return yield* question.aside(Effect.delay(later, betweenLooks))
})

const betweenLooks = Duration.millis(250)

const lookAgain = ({ patience }: Question) =>
  Schedule.spaced(betweenLooks).pipe(Schedule.upTo({ duration: Duration.subtract(patience, betweenLooks) }))

const lookOnce = (engine: Engine, containerId: ContainerId, question: Question) =>
  Effect.gen(function* (): Effect.fn.Return<Seen, ContainerEngineError> {
    const container = yield* engine.inspect(containerId).pipe(inspectSpan)
    if (container === undefined) return Decision.Absent({ containerId })
    const { gameId, maxClockSkew, moment } = question
    const now = yield* Clock.currentTimeMillis
    const verdict = judgeContainer(container, { gameId, maxClockSkew, cutoff: moment.cutoff, now })
    switch (verdict._tag) {
      case "Refused":
        return Decision.Refused(verdict)
      case "Removing":
        return verdict
      case "Removable":
        return Decision.Removable({ containerId, anonymousVolumes: container.anonymousVolumes ?? 0 })
    }
  })
