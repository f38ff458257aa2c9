import type { Moment } from "../domain/Expiry.ts"
import { type Conclusion, type OpSource, type Outcome, type Refusal, rules } from "../domain/Outcome.ts"
import type { EngineId } from "../ports/ContainerEngine.ts"
import type { Brake } from "./Brake.ts"
import type { PassError } from "./PassRefused.ts"
import type { Recording } from "./Recording.ts"

export interface CleanupRequest {
  readonly gameId: string
  readonly moment: Moment
  /** The engine that the records' containers live on; only its word on absence counts. */
  readonly engineId: EngineId
  readonly brake: Brake
  readonly recording: Recording
  readonly opSource: OpSource
  /** Who or what asked, for the audit row. */
  readonly sourceRef: string
}

export interface Cleaned extends Conclusion {
  readonly imageRef: string | null
  /** Seconds from due to removed, where the record moved to `removed`. */
  readonly lag: number | undefined
  /** A removal that the engine may still carry out: the game's lease is left to expire. */
  readonly unresolved: boolean
  /** Of the container that we removed. */
  readonly anonymousVolumes: number
  /** Nothing more can be cleaned now, and this game was not charged for it. */
  readonly refusal: PassError | undefined
}

/** An attempt that ended like this; what is not known of it is empty. */
export const ended = (
  request: CleanupRequest,
  outcome: Outcome,
  message: string,
  more?: Partial<Omit<Cleaned, "gameId" | "outcome" | "message">>
): Cleaned => ({
  gameId: request.gameId,
  outcome,
  errorCode: null,
  message,
  containerId: null,
  imageRef: null,
  lag: undefined,
  unresolved: false,
  anonymousVolumes: 0,
  refusal: undefined,
  ...more
})

export const refused = (request: CleanupRequest, { code, message }: Refusal, more?: Partial<Cleaned>) =>
  ended(request, rules[code].outcome, message, { ...more, errorCode: code })
