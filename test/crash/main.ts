import { randomInt } from "node:crypto"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Array as Arr, Console, Effect, Layer, Option, Random, Schema, type Scope } from "effect"
import { Command, Flag } from "effect/cli"
import { layer as layerEngine, type TestEngine } from "../support/docker.ts"
import { OtherEngine } from "../support/otherEngine.ts"
import { layerServer, type PostgresServer } from "../support/postgres.ts"
import { actFailpoints, nameOfAct } from "./actSteps.ts"
import { actRound } from "./acts.ts"
import { backendRound } from "./backends.ts"
import { engineRound } from "./engineFaults.ts"
import { failpoints, nameOf } from "./failpoints.ts"
import { stillFixtures } from "./games.ts"
import { holdRound } from "./holdRaces.ts"
import * as OwnEngine from "./OwnEngine.ts"
import { raceRound } from "./races.ts"
import { recover } from "./recover.ts"
import { besideName, enginesRound, failpointRound, type Round, randomRound } from "./rounds.ts"
import { makeTwoWorlds, makeWorld, type World } from "./World.ts"

type Needs = PostgresServer | TestEngine | Scope.Scope

/** Rounds of one sort, until what they show has happened often enough. */
interface Part<W, R> {
  readonly title: string
  /** Together as often as is wanted, and each at least once where that can be. */
  readonly shows: ReadonlyArray<string>
  readonly wanted: number
  /** Makes the next world, with what must survive in it. */
  readonly make: Effect.Effect<W, unknown, R | Needs>
  readonly round: (world: W, index: number) => Effect.Effect<Round, unknown, R | Needs>
  /** What is wrong in a world after its last round and a recovery. */
  readonly recover: (world: W) => Effect.Effect<ReadonlyArray<string>, unknown, R | Needs>
}

/** Rounds in one world: its log and its games stay small enough to be looked through after each of them. */
const roundsPerWorld = 50

/** So many worlds that went wrong are enough to look at. */
const mostUnsound = 3

/** Containers that one pass is raced for. */
const racesPerRound = 25

class CrashFailed extends Schema.TaggedError<CrashFailed>()("CrashFailed", { message: Schema.String }) {}

class Figures {
  readonly happened = new Map<string, number>()
  readonly problems: Array<string> = []
  unsound = 0

  count(names: ReadonlyArray<string>) {
    return names.reduce((sum, name) => sum + (this.happened.get(name) ?? 0), 0)
  }

  add({ happened, problems }: Round) {
    for (const [name, times] of Object.entries(happened)) this.happened.set(name, this.count([name]) + times)
    this.problems.push(...problems)
    if (problems.length > 0) this.unsound++
  }
}

const runPart = <W, R>(seed: string, figures: Figures, { title, shows, wanted, make, round, recover }: Part<W, R>) =>
  Effect.gen(function* () {
    if (wanted === 0) return
    const started = performance.now()
    const enough = (index: number) =>
      figures.count(shows) >= wanted || index >= 3 * wanted + 10 || figures.unsound >= mostUnsound
    const before = new Set(figures.happened.keys())
    let index = 0
    const roundsInOneWorld = Effect.gen(function* () {
      const world = yield* make
      const stop = index + roundsPerWorld
      let sound = true
      const note = Effect.fnUntraced(function* (result: Round) {
        figures.add(result)
        sound = result.problems.length === 0
        for (const problem of result.problems) yield* Console.error(`seed ${seed}, ${title} ${index}: ${problem}`)
      })
      // What is wrong in a world stays wrong, so the next round gets another.
      while (index < stop && sound && !enough(index)) {
        yield* Effect.flatMap(Random.withSeed(round(world, index), `${seed} ${title} ${index}`), note)
        index++
      }
      if (sound) yield* note({ happened: {}, problems: yield* recover(world) })
    })
    while (!enough(index)) {
      yield* Effect.scoped(roundsInOneWorld)
      yield* Console.error(`${title}: ${figures.count(shows)} of ${wanted}, ${figures.problems.length} violations`)
    }
    const minutes = (performance.now() - started) / 60_000
    const done = figures.count(shows)
    yield* Console.log(`${title}: ${done} in ${minutes.toFixed(1)} minutes, ${(done / minutes).toFixed(1)} a minute`)
    const seen = [...figures.happened.keys()].filter((name) => !before.has(name))
    for (const name of new Set([...shows, ...seen])) yield* Console.log(`  ${name}: ${figures.count([name])}`)
    const never = wanted < shows.length ? [] : shows.filter((name) => figures.count([name]) === 0)
    if (never.length > 0) figures.problems.push(`${title}: never happened: ${never.join(", ")}`)
  })

/** What most parts have their rounds in. */
const oneWorld = { make: makeWorld(), recover: (world: World) => recover(world) }

const times = (name: string, description: string) =>
  Flag.Int(name).pipe(Flag.withDescription(description), Flag.withDefault(0))

const crash = Command.make(
  "crash",
  {
    kills: times("kills", "Kills of the service at failpoints, each in its turn"),
    random: times("random", "Kills of the service at random moments"),
    races: times("races", "Starts of a container against its removal"),
    acts: times("acts", "Kills of people's acts at failpoints, each in its turn"),
    holdRaces: times("hold-races", "Holds of games against a pass over them"),
    backendKills: times("backend-kills", "Sessions that the database server ends"),
    engineKills: times("engine-kills", "Engines of our own killed or frozen in the middle of removals, as root"),
    engines: times(
      "engines",
      "Kills at failpoints by turns of two services, each with an engine, over one schema, as root"
    ),
    seed: Flag.String("seed").pipe(Flag.withDescription("Replays the choices of a run"), Flag.optional)
  },
  Effect.fnUntraced(function* (wanted) {
    const seed = Option.getOrElse(wanted.seed, () => String(randomInt(1_000_000)))
    const figures = new Figures()
    yield* Console.log(`seed ${seed}`)
    yield* Effect.gen(function* () {
      yield* runPart(seed, figures, {
        ...oneWorld,
        title: "kills at failpoints",
        shows: failpoints.map(nameOf),
        wanted: wanted.kills,
        round: (world, index) => failpointRound(world, Arr.getUnsafe(failpoints, index % failpoints.length))
      })
      yield* runPart(seed, figures, {
        ...oneWorld,
        title: "kills at random moments",
        shows: ["random moment"],
        wanted: wanted.random,
        round: randomRound
      })
      yield* runPart(seed, figures, {
        ...oneWorld,
        title: "start against delete",
        shows: ["race: removed", "race: kept running"],
        wanted: wanted.races,
        round: (world) => raceRound(world, Math.min(racesPerRound, wanted.races))
      })
      yield* runPart(seed, figures, {
        ...oneWorld,
        title: "acts killed",
        shows: actFailpoints.map(nameOfAct),
        wanted: wanted.acts,
        round: (world, index) => actRound(world, Arr.getUnsafe(actFailpoints, index % actFailpoints.length))
      })
      yield* runPart(seed, figures, {
        ...oneWorld,
        title: "hold against pass",
        shows: ["hold race: held", "hold race: too late"],
        wanted: wanted.holdRaces,
        round: (world) => holdRound(world, Math.min(racesPerRound, wanted.holdRaces))
      })
      yield* runPart(seed, figures, {
        ...oneWorld,
        title: "database backends killed",
        shows: ["backend killed"],
        wanted: wanted.backendKills,
        round: backendRound
      })
    }).pipe(Effect.provide(layerEngine))
    if (wanted.engineKills > 0) {
      yield* runPart(seed, figures, {
        ...oneWorld,
        title: "engine killed or frozen",
        shows: ["engine killed", "engine frozen"],
        wanted: wanted.engineKills,
        make: makeWorld(stillFixtures),
        round: (world, index) => engineRound(world, index % 2 === 0 ? "SIGKILL" : "SIGSTOP")
      }).pipe(Effect.provide(OwnEngine.layer()))
    }
    if (wanted.engines > 0) {
      yield* runPart(seed, figures, {
        title: "kills beside another engine",
        shows: failpoints.map(besideName),
        wanted: wanted.engines,
        make: makeTwoWorlds(),
        round: ([one, other], index) =>
          enginesRound(
            index % 2 === 0 ? [one, other] : [other, one],
            Arr.getUnsafe(failpoints, index % failpoints.length)
          ),
        recover: (worlds) =>
          Effect.map(
            Effect.forEach(worlds, (world) => recover(world)),
            Arr.flatten
          )
      }).pipe(Effect.provide(Layer.merge(layerEngine, OtherEngine.layer)))
    }
    yield* Console.log(`violations: ${figures.problems.length}`)
    for (const problem of figures.problems) yield* Console.log(`  ${problem}`)
    if (figures.problems.length > 0) return yield* new CrashFailed({ message: `seed ${seed} replays it` })
  })
).pipe(Command.withDescription("Crashes of the real service over real PostgreSQL and a real engine, and what is left"))

Command.run(crash, { version: "1" }).pipe(
  Effect.provide(Layer.merge(layerServer, NodeServices.layer)),
  NodeRuntime.runMain
)
