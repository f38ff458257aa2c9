/**
 * Plays rtmanager's part, so that the dashboard is not empty at first: makes one small game after another on a real
 * engine and in the real database. For the demo only: it needs the engine's socket to create containers, and access to
 * that socket means root on the machine.
 *
 * It keeps no state. A sample container's labels say which game it is and what will happen to it, and each round
 * updates the records to match the containers. So a later round finds everything that a failed round or a killed
 * process left behind. The service removes the containers. Once the service is gone, after
 * `docker compose --env-file .env --env-file deploy/demo.env down --volumes`, this removes them all:
 *
 *   docker rm --force $(docker ps --all --quiet --filter label=rtmanager.sample)
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Cause, Config, DateTime, Duration, Effect, Logger, Schedule } from "effect"
import * as SampleContainers from "./SampleContainers.ts"

const settings = Config.all({
  /** As the role that owns the tables. */
  databaseUrl: Config.Redacted("DATABASE_URL"),
  schema: Config.NonEmptyString("DATABASE_SCHEMA").pipe(Config.withDefault("rtmanager")),
  image: Config.NonEmptyString("IMAGE"),
  gameLabel: Config.NonEmptyString("GAME_LABEL").pipe(Config.withDefault("com.galaxy.game_id")),
  every: Config.Duration("EVERY").pipe(Config.withDefault(Duration.seconds(10))),
  /** At this many sample containers no more are made: the service is stopped, or its retention is long. */
  mostContainers: Config.Int("MOST_CONTAINERS").pipe(Config.withDefault(50))
})

/** Repeated over and over: the first three show each situation, then most games simply end. */
const situations: ReadonlyArray<SampleContainers.Situation> = [
  "ended",
  "removed_by_hand",
  "still_running",
  ...Array.from({ length: 7 }, () => "ended" as const)
]

/** What the ids of sample games begin with. */
const prefix = "sample-"

const makeRound = Effect.fnUntraced(function* (options: Config.Success<typeof settings>) {
  const containers = SampleContainers.make(options)
  const sql = yield* PgClient.PgClient
  let made = 0
  let hindrance: string | undefined

  /** Writes the record after the container's end, because the retention begins with it. Idempotent. */
  const settle = Effect.fnUntraced(function* (container: SampleContainers.SampleContainer) {
    const { createdAt, gameId, hasEnded, id, situation } = container
    if (!hasEnded && situation !== "still_running") return
    yield* sql`
      insert into ${sql(`${options.schema}.runtime_records`)}
        (game_id, status, current_container_id, current_image_ref, started_at, stopped_at, last_op_at)
      values (${gameId}, 'stopped', ${id}, ${options.image}, to_timestamp(${createdAt}), now(), now())
      on conflict do nothing`
    if (situation === "removed_by_hand") yield* containers.remove(id)
  })

  return Effect.gen(function* () {
    const others = yield* sql`
      select from ${sql(`${options.schema}.runtime_records`)} where not starts_with(game_id, ${prefix}) limit 1`
    const present = yield* containers.list
    const before = hindrance
    hindrance =
      others.length > 0
        ? "the database has real games, and the demo's retention must never apply to them"
        : present.length >= options.mostContainers
          ? `${present.length} sample containers are enough`
          : undefined
    if (hindrance !== undefined && hindrance !== before)
      yield* Effect.annotateLogs(Effect.logWarning("samples.paused"), { reason: hindrance })
    if (others.length > 0) return
    yield* Effect.forEach(present, settle, { discard: true })
    if (hindrance !== undefined) return
    const situation = situations[made % situations.length] ?? "ended"
    const time = DateTime.formatIso(yield* DateTime.now)
    const gameId = `${prefix}${time.replaceAll(/\D/g, "").slice(0, 14)}-${++made}`
    yield* containers.start(gameId, situation)
    yield* Effect.annotateLogs(Effect.logInfo("samples.made"), { game_id: gameId, situation })
  })
})

const main = Effect.gen(function* () {
  const options = yield* settings
  const games = Effect.gen(function* () {
    const round = yield* makeRound(options)
    yield* round.pipe(
      Effect.timeout("30 seconds"),
      Effect.catchCause((cause) =>
        Effect.annotateLogs(Effect.logWarning("samples.failed"), { reason: String(Cause.squash(cause)) })
      ),
      Effect.repeat(Schedule.spaced(options.every))
    )
  })
  const database = PgClient.layer({ url: options.databaseUrl, applicationName: "sample-games", maxConnections: 1 })
  yield* Effect.provide(games, database)
})

/** In the format of the service's own log. */
const logger = Logger.map(Logger.formatStructured, ({ annotations, level, message, timestamp }) =>
  JSON.stringify({ timestamp, level: level.toLowerCase(), event: message, ...annotations })
)

NodeRuntime.runMain(main.pipe(Effect.provide(Logger.layer([Logger.withConsoleError(logger)]))))
