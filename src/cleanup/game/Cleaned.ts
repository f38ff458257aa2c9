import { Data, Result } from "effect"
import { type EndedAttempt, type ErrorCode, type OpSource, type Outcome, rules } from "../../domain/Outcome.ts"
import type { Question } from "../../domain/Verdict.ts"
import type { EngineId } from "../../ports/ContainerEngine.ts"
import type { PassError } from "../../ports/StoreError.ts"
import type { Brake } from "../engine/Brake.ts"
import type { PauseGate } from "./PauseGate.ts"
import type { Recording } from "./Recording.ts"

/** The engine is the one that is cleaned: only records that name it are touched, and only its word on absence counts. */
export interface CleanupRequest extends Question {
  readonly gameId: string
  readonly engineId: EngineId
  readonly brake: Brake
  readonly recording: Recording
  readonly pause: PauseGate
  readonly opSource: OpSource
  /** Who or what asked, for the audit row. */
  readonly sourceRef: string
}

/** An attempt that did not fail. */
export interface Cleaned extends EndedAttempt {
  readonly outcome: Exclude<Outcome, "failed">
}

/** What is known about a game at the end of an attempt. */
export type GameFacts = Pick<EndedAttempt, "gameId" | "containerId" | "imageRef" | "unresolved">

interface Why {
  readonly code: ErrorCode
  readonly message: string
}

/** Why an attempt failed, grouped by who has to act, as in the runbook. */
export type Trouble = Data.TaggedEnum<{
  /** The record and its container disagree, so the container is kept: somebody has to look at what writes the records. */
  Mismatch: Why
  /** The engine failed this game alone, or what became of the container cannot be told from its answer. */
  EngineTrouble: Why
  /** The database failed this game. `away`: it does not answer at all, so the pass ends. */
  StoreTrouble: Why & { readonly away: PassError | undefined }
  /** A bug of this service. */
  Defect: Why
}>
const Trouble = Data.taggedEnum<Trouble>()

/** An attempt that failed. */
export class GameFailed extends Data.TaggedError("GameFailed")<GameFacts & { readonly reason: Trouble }> {
  override get message() {
    return this.reason.message
  }
}

/** An attempt that was cut short because no game can be cleaned now. It is not this game's failure. */
export class CutShort extends Data.TaggedError("CutShort")<
  GameFacts & { readonly message: string; readonly reason: PassError }
> {}

export const cleaned = (
  facts: GameFacts,
  outcome: Cleaned["outcome"],
  message: string,
  more?: Partial<Pick<Cleaned, "errorCode" | "lag" | "anonymousVolumes">>
): Conclusion =>
  Result.succeed({ ...facts, outcome, errorCode: null, message, lag: undefined, anonymousVolumes: 0, ...more })

/** The end of an attempt. It is a value until it is stored and told. */
export type Conclusion = Result.Result<Cleaned, GameFailed | CutShort>

/** What a refusal means for the game, by the table of `rules`. `away`: why the database is away, if it is. */
export const concluded = (facts: GameFacts, why: Why, away?: PassError): Conclusion => {
  const { code, message } = why
  const rule = rules[code]
  return rule.outcome === "failed"
    ? Result.fail(new GameFailed({ ...facts, reason: Trouble[rule.trouble]({ code, message, away }) }))
    : cleaned(facts, rule.outcome, message, { errorCode: code })
}

export const cutShort = (facts: GameFacts, message: string, reason: PassError): Conclusion =>
  Result.fail(new CutShort({ ...facts, message, reason }))

/** The attempt that ended in this error. */
export const attemptOf = (error: GameFailed | CutShort): EndedAttempt => {
  const { containerId, gameId, imageRef, message, unresolved } = error
  const attempt = { gameId, containerId, imageRef, unresolved, message, lag: undefined, anonymousVolumes: 0 }
  return error._tag === "CutShort"
    ? { ...attempt, outcome: "interrupted", errorCode: null }
    : { ...attempt, outcome: "failed", errorCode: error.reason.code }
}
