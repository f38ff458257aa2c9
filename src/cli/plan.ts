import { Console, Effect, Option, Ref, Schema, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import * as CleanupPlan from "../cleanup/pass/CleanupPlan.ts"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import type { PlanBasis } from "../domain/PlanFile.ts"
import { PlannedGame } from "../domain/PlannedGame.ts"
import { printable } from "../domain/printable.ts"
import { basisOf } from "../operator/plan.ts"
import { CommandFailed, commandFailed, exitCode } from "./CommandFailed.ts"
import { headOf, writePlanFile } from "./planFile.ts"
import { print } from "./print.ts"
import { printPages } from "./printPages.ts"
import { json } from "./run.ts"
import { type Client, hereOrThere } from "./server.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(PlannedGame))

const toText = ({ action, engine, errorCode, gameId, message, rule, stuck }: PlannedGame) =>
  [
    action.padEnd(12),
    printable(gameId ?? `engine ${engine}`).padEnd(24),
    (rule ?? "-").padEnd(14),
    stuck ? "stuck" : null,
    errorCode,
    message
  ]
    .filter((part) => part !== null)
    .join("  ")

/** How many entries there were, and of how many games of this engine a pass would do what. */
type Counts = Readonly<Record<PlannedGame["action"] | "entries", number>>

const none: Counts = { entries: 0, remove: 0, mark_removed: 0, keep: 0 }

const withGame = (counts: Counts, { action, engine }: PlannedGame, engineName: string): Counts => ({
  ...counts,
  entries: counts.entries + 1,
  ...(engine === engineName && { [action]: counts[action] + 1 })
})

const countsText = ({ entries, keep, mark_removed, remove }: Counts, limit: number | undefined) =>
  `${remove} to remove, ${mark_removed} to mark removed, ${keep} kept${entries === limit ? "; there may be more games" : ""}`

const game = Flag.String("game").pipe(Flag.withDescription("Only this game, whatever its status"), Flag.optional)

const limit = Flag.Int("limit").pipe(
  Flag.filter(
    (count) => count > 0,
    (count) => `needs a number from 1, not ${count}`
  ),
  Flag.withDescription("Stop after so many games"),
  Flag.optional
)

const out = Flag.File("out").pipe(
  Flag.withDescription("Write what a pass would touch to a file that is not there yet, for: run --plan FILE"),
  Flag.optional
)

/** A plan under way: its games come as they are judged. */
interface Made<E, R> {
  readonly basis: PlanBasis
  readonly games: Stream.Stream<PlannedGame, E, R>
}

interface Flags {
  readonly game: Option.Option<string>
  readonly json: boolean
  readonly limit: Option.Option<number>
  readonly out: Option.Option<string>
}

/** Prints games as they come, so that a large backlog needs no memory, and takes no more of them when nobody reads on. */
const printPlan = Effect.fnUntraced(function* <E, R>({ basis, games }: Made<E, R>, { json, ...flags }: Flags) {
  const gameId = Option.getOrUndefined(flags.game)
  const limit = Option.getOrUndefined(flags.limit)
  const counts = yield* Ref.make(none)
  const count = (game: PlannedGame) => Ref.updateAndGet(counts, (now) => withGame(now, game, basis.engine))
  const counted = Effect.filterOrFail(
    Ref.get(counts),
    ({ entries }) => gameId === undefined || entries > 0,
    () =>
      new CommandFailed({
        code: exitCode.someGameFailed,
        message: `there is no record of game ${printable(gameId ?? "")}`
      })
  )

  const limited = Stream.take(games, limit ?? Infinity)
  const all = Stream.concat(Stream.tap(limited, count), Stream.fromEffectDrain(counted))
  if (Option.isSome(flags.out)) {
    const head = headOf(basis)
    const file = flags.out.value
    yield* writePlanFile(file, head, all)
    const { entries, ...actions } = yield* counted
    const text = `${countsText({ entries, ...actions }, limit)}\nplan ${head.id} is in ${file}`
    yield* print(json ? JSON.stringify({ id: head.id, file, ...actions }) : text)
    return
  }

  const pages = Stream.map(all, (game) => [game])
  const printed = yield* printPages(pages, { json, toJson, toText: (page) => page.map(toText).join("\n") })
  if (!json && printed !== undefined) yield* print(countsText(yield* counted, limit))
})

/** How many games a service is asked for at once. */
const pageSize = 500

/** Each page is asked for once the one before has been taken. */
const madeThere = Effect.fnUntraced(function* ({ readings }: Client, { game, limit }: Flags) {
  const query = {
    ...(Option.isSome(game) && { game: game.value }),
    limit: Math.min(
      Option.getOrElse(limit, () => pageSize),
      pageSize
    )
  }
  const { games, next, wouldRefuse, ...basis } = yield* readings.plan({ query })
  if (wouldRefuse !== null) yield* Console.error(`a pass would be refused now: ${wouldRefuse.message}`)
  const others = Stream.paginate(next, (cursor) =>
    cursor === null
      ? Effect.succeed([[], Option.none()] as const)
      : Effect.map(
          readings.plan({ query: { ...query, cursor } }),
          ({ games, next }) => [games, next === null ? Option.none() : Option.some(next)] as const
        )
  )
  return { basis, games: Stream.concat(Stream.fromIterable(games), others) }
})

export const plan = Command.make(
  "plan",
  { json, game, limit, out },
  hereOrThere(
    (flags) =>
      Effect.gen(function* () {
        const settings = yield* CurrentSettings
        const pageSize = Math.min(
          settings.pageSize,
          Option.getOrElse(flags.limit, () => Infinity)
        )
        const { games, opened } = yield* CleanupPlan.plan({
          ...settings,
          pageSize,
          gameId: Option.getOrUndefined(flags.game)
        })
        const { wouldRefuse } = opened
        if (wouldRefuse !== undefined) {
          const { message, reason } = wouldRefuse
          yield* Effect.annotateLogs(Effect.logWarning("plan.pass_would_be_refused"), { reason, message })
        }
        yield* printPlan({ basis: basisOf(opened), games }, flags)
      }).pipe(Effect.mapError((error) => (error._tag === "CommandFailed" ? error : commandFailed(error)))),
    (client, flags) => Effect.flatMap(madeThere(client, flags), (made) => printPlan(made, flags))
  )
).pipe(
  Command.withDescription("Say what a pass would do now with each stopped game, and why; touches nothing"),
  Command.withExamples([
    {
      command: "rtmanager-cleanup plan --out plan.json",
      description: "Keep the plan, to look at it and apply it later"
    }
  ])
)
