import { Effect, Random, type Scope } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { open } from "../support/Gate.ts"
import { type PostgresServer, temporaryFolder } from "../support/postgres.ts"
import type { Ended } from "../support/service.ts"
import type { KilledAct } from "./actSteps.ts"
import { type Game, type KindName, recordRows } from "./games.ts"
import { wholePass } from "./recover.ts"
import { violations } from "./violations.ts"
import { add, become, startReplica, type World } from "./World.ts"

type Needs = PostgresServer | Scope.Scope

/** An act that is about to be asked for. */
interface Scene {
  /** Without author and reason. */
  readonly args: ReadonlyArray<string>
  /** Whether the act has taken effect. */
  readonly effect: Effect.Effect<boolean, SqlError>
  /** Whether the same that another has asked for came before what a dead process has sent, which then does nothing. */
  readonly overtaken?: Effect.Effect<boolean, SqlError>
  /** What others do while that arrives which a dead process has sent. */
  readonly meanwhile: Effect.Effect<Ended, never, Needs>
  /** What others do then, by whether it has taken effect; gives what is wrong. A pass must have nothing in its way after it. */
  readonly after: (effect: boolean) => Effect.Effect<ReadonlyArray<string>, SqlError, Needs>
}

export const reason = "a crash run"

/** Runs a command to its end, and what it had sent. */
const ask = (world: World, args: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const replica = yield* startReplica(world, args, { gate: open })
      const ended = yield* replica.process.ended
      yield* replica.quiet
      return ended
    })
  )

const act = (world: World, ...args: ReadonlyArray<string>) =>
  ask(world, [...args, "--author", "another", "--reason", reason])

const expectCode = (what: string, code: number, { code: seen, log, stdout }: Ended) =>
  seen === code
    ? []
    : [`${what} ended with ${seen}, not ${code}: ${stdout}${log.map(({ text, message }) => text ?? message)}`]

const oneGame = (world: World, name: KindName) => Effect.map(add(world, [name]), ([game]) => game as Game)

const isLeft = ({ parts }: World, { containerId }: Game) =>
  Effect.map(parts.engine.left, (left) => left.some(({ id }) => id === containerId))

const statusOf = ({ parts }: World, { gameId }: Game) =>
  Effect.map(recordRows(parts), (rows) => rows.find((row) => row.gameId === gameId)?.status)

/** All that a pass could change. */
const everything = ({ parts }: World) =>
  Effect.all({
    records: Effect.map(recordRows(parts), (rows) => rows.map(({ row }) => row).sort()),
    containers: Effect.map(parts.engine.left, (left) => left.map(({ id }) => String(id)).sort()),
    operations: parts.sql`select count(*)::int from operation_log`
  }).pipe(Effect.map((all) => JSON.stringify(all)))

/** A command that must be refused, and change nothing. */
const refused = Effect.fnUntraced(function* (what: string, world: World, command: Effect.Effect<Ended, never, Needs>) {
  const before = yield* everything(world)
  const ended = yield* command
  const changed = before === (yield* everything(world)) ? [] : [`${what} was to be refused, and changed something`]
  return [...expectCode(what, 4, ended), ...changed]
})

const aPass = (world: World) => ask(world, ["run"])

const hold = Effect.fnUntraced(function* (world: World, author: string) {
  const { sql } = world.parts
  const game = yield* oneGame(world, "contested")
  const { gameId } = game
  const until = (yield* Random.nextBoolean) ? ["--until", "30d"] : []
  return {
    args: ["hold", gameId, ...until],
    effect: Effect.map(
      sql`select from cleanup_holds where game_id = ${gameId} and author = ${author}
        and (until is null or until > clock_timestamp())`,
      (rows) => rows.length > 0
    ),
    meanwhile: aPass(world),
    // A pass can have been there before a hold that came late.
    after: Effect.fnUntraced(function* (effect) {
      become(world, gameId, effect && (yield* isLeft(world, game)) ? "held" : "created")
      return []
    })
  } satisfies Scene
})

const release = Effect.fnUntraced(function* (world: World, author: string) {
  const { sql } = world.parts
  const { gameId } = yield* oneGame(world, "contested")
  const now = yield* Random.nextBoolean
  yield* sql`insert into cleanup_holds (game_id, author, reason, placed_at, until)
    values (${gameId}, ${author}, 'a crash run', now(), null)`
  if (!now) become(world, gameId, "held")
  return {
    args: ["release", gameId, ...(now ? ["--now"] : [])],
    effect: Effect.map(
      sql`select from cleanup_holds where game_id = ${gameId} and author = ${author} and until is null`,
      (rows) => rows.length === 0
    ),
    meanwhile: aPass(world),
    after: (effect) =>
      Effect.sync(() => {
        become(world, gameId, effect && now ? "created" : "held")
        return []
      })
  } satisfies Scene
})

const clean = Effect.fnUntraced(function* (world: World) {
  const { sql } = world.parts
  const game = yield* oneGame(world, "fresh")
  const { gameId } = game
  become(world, gameId, "contested")
  return {
    args: ["clean", gameId],
    effect: Effect.map(isLeft(world, game), (left) => !left),
    meanwhile: aPass(world),
    /** No pass finishes it before its time: a person asks again, or the time comes. */
    after: Effect.fnUntraced(function* (effect) {
      const problems: Array<string> = []
      if (!effect) {
        become(world, gameId, "fresh")
        problems.push(...(yield* wholePass(world)))
        problems.push(...(yield* violations(world, { recovered: false })))
      }
      become(world, gameId, "created")
      const half = effect && (yield* statusOf(world, game)) === "stopped"
      if (half && (yield* Random.nextBoolean)) {
        yield* sql`update runtime_records set last_op_at = last_op_at - interval '40 days' where game_id = ${gameId}`
        problems.push(...(yield* wholePass(world)))
      } else {
        problems.push(...expectCode("clean, asked for again,", 0, yield* act(world, "clean", gameId)))
      }
      const status = yield* statusOf(world, game)
      return status === "removed" ? problems : [...problems, `${gameId} is ${status} after all`]
    })
  } satisfies Scene
})

const plan = Effect.fnUntraced(function* (world: World, author: string) {
  const { sql } = world.parts
  // Nothing else is due: it would be in the plan.
  const said = yield* wholePass(world)
  const games = yield* add(world, ["created", "created", "created"])
  const file = `${yield* temporaryFolder}/plan.json`
  const made = yield* ask(world, ["plan", "--json", "--out", file])
  const { id } = JSON.parse(made.stdout) as { readonly id: string }
  const unplanned = yield* oneGame(world, "unplanned")
  const again = act(world, "run", "--plan", file)
  const applications = Effect.map(
    sql`select from cleanup_acts where act = 'plan_apply' and target = ${id} and result is distinct from 'refused'`,
    (rows) => rows.length
  )
  return {
    args: ["run", "--plan", file],
    effect: Effect.map(
      Effect.forEach(games, (game) => isLeft(world, game)),
      (left) => left.includes(false)
    ),
    overtaken: Effect.map(
      sql`select from cleanup_acts where target = ${id} and author = 'another' and result is distinct from 'refused'`,
      (rows) => rows.length > 0
    ),
    meanwhile: again,
    after: Effect.fnUntraced(function* () {
      const begun = (yield* applications) > 0
      const problems = begun
        ? yield* refused("a plan that was begun", world, again)
        : expectCode("a plan that nobody has begun", 0, yield* again)
      problems.push(...(yield* violations(world, { recovered: false })))
      become(world, unplanned.gameId, "created")
      const times = yield* applications
      return times === 1
        ? [...said, ...problems]
        : [...said, ...problems, `plan of ${author} was applied ${times} times`]
    })
  } satisfies Scene
})

const inPause = (world: World) => refused("a pass in a pause", world, aPass(world))

const resumed = (world: World) => Effect.map(act(world, "resume"), (ended) => expectCode("resume", 0, ended))

const isPaused = ({ parts }: World) =>
  Effect.map(
    parts.sql`select from cleanup_pause where until is null or until > clock_timestamp()`,
    (rows) => rows.length > 0
  )

const pause = Effect.fnUntraced(function* (world: World) {
  yield* oneGame(world, "created")
  return {
    args: ["pause"],
    effect: isPaused(world),
    meanwhile: aPass(world),
    after: Effect.fnUntraced(function* (effect) {
      return effect ? [...(yield* inPause(world)), ...(yield* resumed(world))] : []
    })
  } satisfies Scene
})

const resume = Effect.fnUntraced(function* (world: World, author: string) {
  yield* oneGame(world, "created")
  yield* world.parts.sql`insert into cleanup_pause (engine, author, reason, paused_at, until)
    values ('*', ${author}, ${reason}, now(), null)`
  return {
    args: ["resume"],
    effect: Effect.map(isPaused(world), (paused) => !paused),
    meanwhile: aPass(world),
    after: Effect.fnUntraced(function* (effect) {
      return effect ? [] : [...(yield* inPause(world)), ...(yield* resumed(world))]
    })
  } satisfies Scene
})

/** The pass that stores the engine, unless one has been. */
const knowEngine = Effect.fnUntraced(function* (world: World) {
  const known = yield* world.parts.sql`select from cleanup_engines`
  return known.length > 0 ? [] : yield* wholePass(world)
})

const acceptEngine = Effect.fnUntraced(function* (world: World) {
  const { sql } = world.parts
  const said = yield* knowEngine(world)
  yield* oneGame(world, "created")
  yield* sql`update cleanup_engines set identity = 'another/' || identity`
  return {
    args: ["engine", "accept"],
    effect: Effect.map(sql`select from cleanup_engines where identity like 'another/%'`, (rows) => rows.length === 0),
    meanwhile: aPass(world),
    after: Effect.fnUntraced(function* (effect) {
      if (effect) return said
      const problems = yield* refused("a pass over another engine", world, aPass(world))
      return [...said, ...problems, ...expectCode("engine accept", 0, yield* act(world, "engine", "accept"))]
    })
  } satisfies Scene
})

const acceptAbsent = Effect.fnUntraced(function* (world: World) {
  const { sql } = world.parts
  const said = yield* knowEngine(world)
  const games = yield* add(world, ["absent", "absent"])
  yield* sql`update cleanup_engines set braked_at = now()`
  return {
    args: ["run", "--accept-absent"],
    effect: Effect.map(sql`select from cleanup_engines where braked_at is not null`, (rows) => rows.length === 0),
    meanwhile: aPass(world),
    after: Effect.fnUntraced(function* (effect) {
      if (effect) return said
      const problems = yield* refused("a pass with the brake on", world, aPass(world))
      yield* act(world, "run", "--accept-absent")
      const statuses = yield* Effect.forEach(games, (game) => statusOf(world, game))
      const left = statuses.filter((status) => status !== "removed").map((status) => `absent, accepted, and ${status}`)
      return [...said, ...problems, ...left]
    })
  } satisfies Scene
})

export const scenes: Readonly<
  Record<KilledAct, (world: World, author: string) => Effect.Effect<Scene, SqlError, Needs>>
> = {
  hold,
  release,
  clean,
  pause,
  resume,
  "run --plan": plan,
  "engine accept": acceptEngine,
  "run --accept-absent": acceptAbsent
}
