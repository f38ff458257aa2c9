import { Clock, Data, type Duration, Effect, Schedule } from "effect"
import type { ContainerId } from "../domain/ContainerId.ts"
import type { Refusal } from "../domain/Outcome.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { judgeContainer, judgeRecord } from "../domain/Verdict.ts"
import type { ContainerEngine, ContainerEngineError } from "../ports/ContainerEngine.ts"
import { PassRefused } from "./PassRefused.ts"

/** What is to be done with a game: leave it, mark its record removed, or remove its container. */
export type Decision = Data.TaggedEnum<{
  Refused: Refusal
  Absent: { readonly containerId: ContainerId | null }
  Removable: { readonly containerId: ContainerId }
}>
export const Decision = Data.taggedEnum<Decision>()

export type NotRemovable = Exclude<Decision, { readonly _tag: "Removable" }>

export interface Question {
  readonly gameId: string
  /** Unix milliseconds. */
  readonly cutoff: number
  /** How long to look again at a container that is neither gone nor certain to stay. */
  readonly patience: Duration.Duration
}

type Engine = ContainerEngine["Service"]

/** Steps 2 to 4 for one record: what the record says, then what its container says. Only asks, changes nothing. */
export const decide = Effect.fnUntraced(function* (
  engine: Engine,
  record: RuntimeRecord | undefined,
  question: Question
): Effect.fn.Return<Decision, ContainerEngineError> {
  const verdict = judgeRecord(record, question.cutoff)
  switch (verdict._tag) {
    case "Refused":
      return Decision.Refused(verdict)
    case "Search":
      return yield* search(engine, question.gameId)
    case "Inspect": {
      const seen = yield* look(engine, verdict.containerId, question, (decision) => decision._tag === "Removing")
      return seen._tag === "Removing" ? unresolved("a removal by someone else is still in progress") : seen
    }
  }
})

/** After a removal whose answer says nothing certain: looks again until what is there decides. */
export const decideAfterRemoval = Effect.fnUntraced(function* (
  engine: Engine,
  containerId: ContainerId,
  question: Question
): Effect.fn.Return<NotRemovable, ContainerEngineError> {
  const undecided = (seen: Seen) => seen._tag === "Removing" || seen._tag === "Removable"
  const seen = yield* look(engine, containerId, question, undecided)
  return seen._tag === "Removing" || seen._tag === "Removable"
    ? unresolved("the removal was sent, its outcome is unknown and the container is still there")
    : seen
})

/** One container's trouble is that game's alone; an engine that does not answer at all refuses the whole pass. */
export const refusalOf = Effect.fnUntraced(function* (
  engine: Engine,
  { reason, message }: ContainerEngineError
): Effect.fn.Return<Refusal, PassRefused> {
  if (reason._tag === "UnexpectedAnswer") return { code: "engine_error", message }
  yield* Effect.mapError(engine.ping, PassRefused.engineDown)
  return { code: "engine_unavailable", message }
})

const unresolved = (message: string) => Decision.Refused({ code: "outcome_unknown", message })

const search = (engine: Engine, gameId: string) =>
  Effect.map(engine.findByGame(gameId), (ids) =>
    ids.length === 0
      ? Decision.Absent({ containerId: null })
      : Decision.Refused({
          code: "container_unrecorded",
          message: `the record names no container, but ${ids.length} carry this game's label, ${ids[0]} among them`
        })
  )

type Seen = Decision | { readonly _tag: "Removing" }

const look = (engine: Engine, containerId: ContainerId, question: Question, again: (seen: Seen) => boolean) =>
  Effect.gen(function* (): Effect.fn.Return<Seen, ContainerEngineError> {
    const container = yield* engine
      .inspect(containerId)
      .pipe(Effect.withSpan("rtmanager.cleanup.inspect", { kind: "client" }))
    if (container === undefined) return Decision.Absent({ containerId })
    const verdict = judgeContainer(container, { ...question, now: yield* Clock.currentTimeMillis })
    switch (verdict._tag) {
      case "Refused":
        return Decision.Refused(verdict)
      case "Removing":
        return verdict
      case "Removable":
        return Decision.Removable({ containerId })
    }
  }).pipe(
    Effect.repeat({
      while: again,
      schedule: Schedule.spaced("250 millis").pipe(Schedule.upTo({ duration: question.patience }))
    })
  )
