import { Schema } from "effect"
import { RecordedAct } from "./Act.ts"
import { ContainerState } from "./Container.ts"
import { Due } from "./Due.ts"
import { PlacedHold } from "./Hold.ts"
import { LoggedOperation } from "./LoggedOperation.ts"

const Time = Schema.NullOr(Schema.DateFromString)

/** Somebody's lease on a game. `owner`: a process, by its `service.instance.id`. Times are the database's. */
export const LeaseOn = Schema.Struct({
  owner: Schema.String,
  since: Schema.DateFromString,
  until: Schema.DateFromString
})
export type LeaseOn = typeof LeaseOn.Type

/**
 * What the engine says of a game's container. `absent`: it is not there. `none`: the record names no container that could be
 * asked for. `elsewhere`: it is on an engine that another service cleans. `unknown`: no answer, or none that can be believed.
 */
const StoryContainer = Schema.Struct({
  found: Schema.Literals(["present", "absent", "none", "elsewhere", "unknown"]),
  /** Why it is not known, for people. */
  message: Schema.NullOr(Schema.String),
  state: Schema.NullOr(ContainerState),
  /** The game that its label names. */
  gameId: Schema.NullOr(Schema.String),
  createdAt: Time,
  startedAt: Time,
  finishedAt: Time
}).pipe(
  Schema.encodeKeys({
    gameId: "game_id",
    createdAt: "created_at",
    startedAt: "started_at",
    finishedAt: "finished_at"
  })
)
export type StoryContainer = typeof StoryContainer.Type

const StoryRecord = Schema.Struct({
  status: Schema.String,
  engine: Schema.String,
  /** Unchecked text. */
  containerId: Schema.NullOr(Schema.String),
  imageRef: Schema.NullOr(Schema.String),
  lastOpAt: Time
}).pipe(Schema.encodeKeys({ containerId: "container_id", imageRef: "image_ref", lastOpAt: "last_op_at" }))

const StoryBackoff = Schema.Struct({
  attempts: Schema.Int,
  nextAttemptAt: Time,
  lastError: Schema.String,
  /** Failed so often that a person is needed. */
  stuck: Schema.Boolean
}).pipe(Schema.encodeKeys({ nextAttemptAt: "next_attempt_at", lastError: "last_error" }))

/** All that is known of one game. Its encoding is the JSON that people and programs get. */
export const GameStory = Schema.Struct({
  gameId: Schema.String,
  /** Changes with the record's time and container; `null` without a record. */
  version: Schema.NullOr(Schema.String),
  /** `null` if there is none, or if it does not decode. */
  record: Schema.NullOr(StoryRecord),
  /** What is wrong with a record that does not decode. */
  problem: Schema.NullOr(Schema.String),
  /** `null` without a record. */
  container: Schema.NullOr(StoryContainer),
  due: Schema.NullOr(Due),
  backoff: Schema.NullOr(StoryBackoff),
  lease: Schema.NullOr(LeaseOn),
  /** Those that have not ended. */
  holds: Schema.Array(PlacedHold),
  /** The last ten, newest first. */
  operations: Schema.Array(LoggedOperation),
  /** The last ten, newest first. */
  acts: Schema.Array(RecordedAct)
}).pipe(Schema.encodeKeys({ gameId: "game_id" }))
export type GameStory = typeof GameStory.Type
