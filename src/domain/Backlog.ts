/** What a stopped game may wait for: also the attribute `state` of `rtmanager.cleanup.backlog`. */
export const backlogStates = ["due", "backing_off", "leased", "held", "stuck"] as const
export type BacklogState = (typeof backlogStates)[number]

/** Due games are told apart by whether somebody has their lease: also the attribute `state` of `rtmanager.cleanup.oldest_due_age`. */
export const dueStates = ["due", "leased"] as const
export type DueState = (typeof dueStates)[number]

/** Why a stopped record cannot be used: also the attribute `reason` of `rtmanager.cleanup.unusable_rows`. */
export const unusableReasons = ["undecodable", "no_time", "future", "engine_unknown"] as const
export type UnusableReason = (typeof unusableReasons)[number]

/** The stopped records at one moment. The counts overlap: a leased or a stuck game can be due too, and a held one stuck. */
export interface Backlog {
  readonly due: number
  /** Expired, but not to be tried again yet, neither stuck nor held. */
  readonly backingOff: number
  /** Due, but somebody's lease on the game has not expired. */
  readonly leased: number
  /** Expired, but a person holds it. */
  readonly held: number
  /** Expired, and failed so often that a person is needed. */
  readonly stuck: number
  /** Up to five of the stuck games, those that failed most often first. */
  readonly stuckGames: ReadonlyArray<string>
  /**
   * The seconds for which a pass could have cleaned the game that it could have cleaned for longest: since its retention, its
   * backoff or the last hold was over. 0 if there is none.
   */
  readonly oldestDueAge: number
  /** The same of the games that are due but leased. */
  readonly oldestLeasedAge: number
  /** Stopped, but with a NULL or infinite `last_op_at`: never due. */
  readonly noTime: number
  /** Stopped, with a `last_op_at` after the database's clock: not due. */
  readonly future: number
}
