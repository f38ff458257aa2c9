import { type Duration, Effect, Schema } from "effect"
import { expectedEngine } from "../cleanup/engine/expectedEngine.ts"
import { isStuck } from "../domain/Backoff.ts"
import type { Container } from "../domain/Container.ts"
import { isContainerId } from "../domain/ContainerId.ts"
import { type Due, elsewhere, whenDue } from "../domain/Due.ts"
import type { GameStory, StoryContainer } from "../domain/GameStory.ts"
import { versionOf } from "../domain/GameVersion.ts"
import type { PlacedHold } from "../domain/Hold.ts"
import { printable } from "../domain/printable.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { dateOf } from "../domain/time.ts"
import { Acts } from "../ports/Acts.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { Holds } from "../ports/Holds.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { OperationLog } from "../ports/OperationLog.ts"
import { Overview } from "../ports/Overview.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { passError } from "../ports/StoreError.ts"

/** There is no such game: no record, and nobody has ever asked for or done anything with it. */
export class GameUnknown extends Schema.TaggedError<GameUnknown>()("GameUnknown", { gameId: Schema.String }) {
  override get message() {
    return `no game ${printable(this.gameId)}: no record, hold, act or operation names it`
  }
}

/** How many operations and acts are shown. */
const shown = 10

const without = { state: null, gameId: null, createdAt: null, startedAt: null, finishedAt: null }

const timeOf = (millis: number | null) => (millis === null ? null : new Date(millis))

const present = ({ createdAt, finishedAt, gameId, startedAt, state }: Container): StoryContainer => ({
  found: "present",
  message: null,
  state,
  gameId,
  createdAt: timeOf(createdAt),
  startedAt: timeOf(startedAt),
  finishedAt: timeOf(finishedAt)
})

const absent: StoryContainer = { ...without, found: "absent", message: "not on the engine" }

/** The record's container as the engine has it. That the engine does not answer, or is another one, is an answer too. */
const containerOf = Effect.fnUntraced(
  function* ({ containerId, engine: engineName }: RuntimeRecord) {
    const engine = yield* ContainerEngine
    const known = yield* KnownEngine
    const not = (found: StoryContainer["found"], message: string): StoryContainer => ({ ...without, found, message })
    if (engineName !== known.name) return not("elsewhere", `on another engine: ${printable(engineName)}`)
    if (containerId === null) return not("none", "the record names no container")
    if (!isContainerId(containerId)) return not("none", `not a full container id: ${printable(containerId)}`)
    yield* expectedEngine(engine, known, { touch: false })
    const container = yield* engine.inspect(containerId)
    return container === undefined ? absent : present(container)
  },
  Effect.catchTags({
    ContainerEngineError: ({ message }) => unknown(`the engine does not answer: ${message}`),
    PassRefused: ({ message, reason }) =>
      unknown(reason === "engine_down" ? `the engine does not answer: ${message}` : message)
  })
)

const unknown = (message: string) => Effect.succeed<StoryContainer>({ ...without, found: "unknown", message })

const dueOf = (
  record: RuntimeRecord,
  holds: ReadonlyArray<PlacedHold>,
  retention: Duration.Duration,
  container: StoryContainer | null
): Due =>
  container?.found === "elsewhere" && record.status === "stopped"
    ? elsewhere(record.engine, holds).due
    : whenDue(record, holds, retention)

/**
 * All that is known of one game, whatever its status and its engine: half a dozen statements, each by an index, and at most
 * three questions to the engine. Fails with `GameUnknown` if nothing at all is known.
 */
export const show = Effect.fnUntraced(function* (
  gameId: string,
  { retention }: { readonly retention: Duration.Duration }
) {
  // First of all, because it also says whether the schema is the one that this build knows.
  yield* Effect.mapError((yield* RuntimeRecords).clock, passError)
  const { lease, problem, record } = yield* (yield* Overview).game(gameId)
  const holds = yield* (yield* Holds).of(gameId)
  const { operations } = yield* (yield* OperationLog).list({ gameId, limit: shown })
  const acts = yield* (yield* Acts).list({ target: gameId, limit: shown })
  if ((record ?? problem ?? lease ?? holds[0] ?? operations[0] ?? acts[0]) === undefined) {
    return yield* new GameUnknown({ gameId })
  }
  const story = {
    gameId,
    version: record === undefined ? null : versionOf(record),
    problem: problem ?? null,
    lease: lease ?? null,
    holds,
    operations,
    acts
  }
  if (record === undefined) return { ...story, record: null, container: null, due: null, backoff: null }
  const container = yield* containerOf(record)
  const { backoff, containerId, engine, imageRef, lastOpAt, status } = record
  return {
    ...story,
    record: {
      status,
      engine,
      containerId,
      imageRef,
      lastOpAt: lastOpAt === null ? null : dateOf(Number(lastOpAt) / 1000)
    },
    container,
    due: dueOf(record, holds, retention, container),
    backoff: backoff && {
      ...backoff,
      nextAttemptAt: dateOf(backoff.nextAttemptAt),
      stuck: isStuck(backoff)
    }
  } satisfies GameStory
})
