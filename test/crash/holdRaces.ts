import { Array as Arr, Context, Deferred, Duration, Effect, Exit, Layer, Logger, Random } from "effect"
import * as Docker from "../../src/adapters/docker/ContainerEngine.ts"
import { Author, Reason } from "../../src/domain/Act.ts"
import { hold } from "../../src/operator/hold.ts"
import { Holds } from "../../src/ports/Holds.ts"
import type { Gate, Passage } from "../support/Gate.ts"
import { layerDatabase, layerPorts } from "../support/postgres.ts"
import { isAct } from "./actSteps.ts"
import { type Step, stepOf } from "./failpoints.ts"
import { type Game, recordRows } from "./games.ts"
import { later } from "./races.ts"
import { type Round, someConcurrency } from "./rounds.ts"
import { violations } from "./violations.ts"
import { add, become, startReplica, type World } from "./World.ts"

/**
 * When a hold is asked for: at most so many milliseconds after the pass has listed its first games, or has come to a step of this
 * one. The two last steps are too late for sure.
 */
const moments: ReadonlyArray<{ readonly step: Step; readonly side: Passage["side"]; readonly most: number }> = [
  { step: "list", side: "after", most: 500 },
  { step: "list", side: "after", most: 2000 },
  { step: "acquire", side: "before", most: 20 },
  { step: "acquire", side: "after", most: 20 },
  { step: "reread", side: "before", most: 20 },
  { step: "reread", side: "after", most: 20 },
  { step: "remove", side: "before", most: 20 },
  { step: "commit", side: "before", most: 20 }
]

/** Milliseconds by which a passage is late at most for which a hold is asked, so that either may be the first at the database. */
const mostLate = 100

/** So many of a round's games have a second hold, asked for by the command line in a process of its own. */
const byCommandLine = 1

/** The process waits for its moment in the middle of a statement. */
const patient = { RTMANAGER_DATABASE_TIMEOUT: "2m", RTMANAGER_GAME_LEASE_TTL: "10m" }

/** An engine with many requests at once is given its time: here nothing but a hold keeps a game from being removed. */
const leaseTtl = Duration.seconds(60)
const unhurried = { RTMANAGER_ENGINE_TIMEOUT: "20s", RTMANAGER_GAME_LEASE_TTL: "60s" }

/** What a hold answered. */
type Answer =
  | { readonly _tag: "Held" }
  | { readonly _tag: "Refused"; readonly message: string }
  | { readonly _tag: "Failed"; readonly message: string }

const answerOf = (code: number | null, message: string): Answer =>
  code === 0 ? { _tag: "Held" } : code === 4 ? { _tag: "Refused", message } : { _tag: "Failed", message }

interface Race {
  readonly game: Game
  readonly author: Author
  /** Asks for the hold. */
  readonly start: Effect.Effect<void>
  readonly answer: Effect.Effect<Answer>
}

const reason = Reason.make("a race")

/** So many processes there seem to be that ask for the others. */
const handsPerRound = 4

/** The ports of a process that has connections of its own, for holds that need no process each. */
const layerHands = ({ parts }: World) => {
  const { engine, engineName, proxy, schema } = parts
  const host = { socketPath: proxy.socketPath }
  return Layer.mergeAll(
    layerPorts({ engineName, leaseTtl }),
    Docker.layer({ host, timeout: "20 seconds", gameLabel: engine.gameLabel })
  ).pipe(Layer.provide(layerDatabase(schema)))
}

type Hands = Layer.Success<ReturnType<typeof layerHands>> extends infer Ports ? Context.Context<Ports> : never

/** A connection for each hold, so that none of them is late because of that. */
const connect = (hands: Hands) => {
  const { count } = Context.get(hands, Holds)
  return Effect.all(
    Array.from({ length: 8 }, () => count),
    { concurrency: "unbounded", discard: true }
  )
}

/** A hold that this process asks for, over real connections. */
const inProcess = Effect.fnUntraced(function* (hands: Hands, game: Game, author: Author) {
  const { gameId } = game
  const started = yield* Deferred.make<void>()
  const answer = yield* Deferred.make<Answer>()
  const request = { gameId, author, reason, end: null, leaseTtl, onWait: Effect.void }
  yield* Deferred.await(started).pipe(
    Effect.andThen(Effect.exit(Effect.provide(hold(request), hands))),
    Effect.map(
      Exit.match({
        onSuccess: () => answerOf(0, ""),
        onFailure: (cause) => {
          const [reason] = cause.reasons
          const error = reason?._tag === "Fail" ? reason.error : undefined
          return answerOf(error?._tag === "ActRefused" ? 4 : 3, error?.message ?? String(cause))
        }
      })
    ),
    Effect.flatMap((said) => Deferred.succeed(answer, said)),
    Effect.provide(Logger.layer([])),
    Effect.forkScoped
  )
  return {
    game,
    author,
    start: Effect.asVoid(Deferred.succeed(started, undefined)),
    answer: Deferred.await(answer)
  } satisfies Race
})

/** The same by the command: its process is ready, with its row written, and places the hold once it is started. */
const byCommand = Effect.fnUntraced(function* (world: World, game: Game, author: Author) {
  const started = yield* Deferred.make<void>()
  const ready = yield* Deferred.make<void>()
  const gate: Gate = (passage) => {
    if (passage.side === "after" || !isAct("place", passage)) return "pass"
    Deferred.doneUnsafe(ready, Effect.void)
    return Effect.runPromise(Effect.as(Deferred.await(started), "pass"))
  }
  const args = ["hold", game.gameId, "--author", author, "--reason", reason]
  const replica = yield* startReplica(world, args, { gate, env: patient })
  yield* Effect.raceFirst(Deferred.await(ready), replica.process.ended)
  return {
    game,
    author,
    start: Effect.asVoid(Deferred.succeed(started, undefined)),
    answer: Effect.map(replica.process.ended, ({ code, log }) =>
      answerOf(code, log.map(({ text }) => text ?? "").join(" "))
    )
  } satisfies Race
})

const isOf = ({ parameters, what }: Passage, { containerId = "", gameId }: Game) =>
  what.includes(containerId) || parameters.some((text) => text === gameId || text.includes(JSON.stringify(gameId)))

/** What is wrong with one answer, by what is there when all is over. */
const wrong = (
  { game: { gameId }, author }: Race,
  answer: Answer,
  seen: {
    readonly containerLeft: boolean
    readonly status: string | undefined
    readonly operation: string | undefined
    readonly isHeld: boolean
    readonly results: ReadonlyArray<string | null>
  }
): ReadonlyArray<string> => {
  const { containerLeft, isHeld, operation, results, status } = seen
  const told = /too late: .* \(operation (\d+)[,)]/.exec(answer._tag === "Refused" ? answer.message : "")?.[1]
  const rules: Readonly<Record<string, boolean>> = {
    [`the hold failed: ${answer._tag === "Failed" ? answer.message : ""}`]: answer._tag === "Failed",
    [`held, and its container is ${containerLeft ? "there" : "gone"}, its record ${status}`]:
      answer._tag === "Held" && !(containerLeft && status === "stopped" && isHeld && operation === undefined),
    [`refused (${answer._tag === "Refused" ? answer.message : ""}), and its container is ${containerLeft ? "there" : "gone"}, its record ${status}, by operation ${operation}`]:
      answer._tag === "Refused" && !(!containerLeft && status === "removed" && !isHeld && told === operation),
    [`the acts say ${results}`]: results.length !== 1 || results[0] !== (answer._tag === "Held" ? "done" : "refused")
  }
  return Object.keys(rules)
    .filter((rule) => rules[rule])
    .map((rule) => `${gameId}, ${author}: ${rule}`)
}

/**
 * Holds for games that a pass is about to clean, each as the pass comes to some step of its game. An answer that the game is held
 * is true for good; one that it is too late names the operation that removed the container.
 */
export const holdRound = Effect.fnUntraced(function* (world: World, races: number) {
  const { engine, sql } = world.parts
  const games = yield* add(
    world,
    Array.from({ length: races }, () => "contested" as const)
  )
  const hands = yield* Effect.forEach(Array.from({ length: handsPerRound }), () =>
    Effect.tap(Layer.build(Layer.fresh(layerHands(world))), connect)
  )
  const byHand = yield* Effect.forEach(games, (game, index) =>
    inProcess(Arr.getUnsafe(hands, index % handsPerRound), game, Author.make(`hand-${game.gameId}`))
  )
  const byProcess = yield* Effect.forEach(
    games.slice(0, byCommandLine),
    (game) => byCommand(world, game, Author.make(`command-${game.gameId}`)),
    { concurrency: "unbounded" }
  )
  const all: ReadonlyArray<Race> = [...byHand, ...byProcess]
  const pending = new Set(
    yield* Effect.forEach(all, (race) =>
      Effect.gen(function* () {
        const { most, side, step } = Arr.getUnsafe(moments, yield* Random.nextIntBetween(0, moments.length - 1))
        const [delay, lateness] = [yield* Random.nextBetween(0, most), yield* Random.nextBetween(0, mostLate)]
        return { race, step, side, delay, lateness }
      })
    )
  )
  const gate: Gate = (passage) => {
    const step = stepOf(passage)
    const now = [...pending].filter(
      (one) => one.step === step && one.side === passage.side && (step === "list" || isOf(passage, one.race.game))
    )
    if (now.length === 0) return "pass"
    for (const one of now) {
      pending.delete(one)
      void later(one.delay, () => Effect.runPromise(one.race.start))
    }
    return step === "list" ? "pass" : later(Math.max(...now.map(({ lateness }) => lateness)), () => "pass")
  }
  const replica = yield* startReplica(world, ["run"], { gate, env: { ...(yield* someConcurrency), ...unhurried } })
  yield* replica.quiet
  // Their moment did not come: they are late.
  for (const { race } of pending) yield* race.start
  const answers = yield* Effect.forEach(all, ({ answer }) => answer, { concurrency: "unbounded" })

  const problems: Array<string> = []
  const left = new Set((yield* engine.left).map(({ id }) => String(id)))
  const statuses = new Map((yield* recordRows(world.parts)).map(({ gameId, status }) => [gameId, status]))
  const operations = yield* sql<{ gameId: string; id: string }>`
    select game_id as "gameId", id::text from operation_log where outcome = 'success'`
  const holds = yield* sql<{ gameId: string; author: string }>`select game_id as "gameId", author from cleanup_holds`
  const acts = yield* sql<{ author: string; result: string | null }>`select author, result from cleanup_acts`
  const happened = { "hold race: held": 0, "hold race: too late": 0, "hold race: by command line": 0 }
  all.forEach((race, index) => {
    const { author, game } = race
    const answer = Arr.getUnsafe(answers, index)
    const { containerId = "", gameId } = game
    const found = wrong(race, answer, {
      containerLeft: left.has(containerId),
      status: statuses.get(gameId),
      operation: operations.find((row) => row.gameId === gameId)?.id,
      isHeld: holds.some((row) => row.gameId === gameId && row.author === author),
      results: acts.filter((row) => row.author === author).map(({ result }) => result)
    })
    problems.push(...found)
    if (answer._tag === "Held") happened["hold race: held"]++
    if (answer._tag === "Refused") happened["hold race: too late"]++
    if (author.startsWith("command")) happened["hold race: by command line"]++
    become(world, gameId, left.has(containerId) ? "held" : "created")
  })
  problems.push(...(yield* violations(world, { recovered: true })))
  return { happened, problems: problems.map((problem) => `hold against pass: ${problem}`) } satisfies Round
}, Effect.scoped)
