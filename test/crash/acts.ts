import { Effect, Random } from "effect"
import { reason, scenes } from "./actScenes.ts"
import { type ActFailpoint, doneBy, isAct, nameOfAct } from "./actSteps.ts"
import { killWhere, othersMove } from "./kills.ts"
import { recover } from "./recover.ts"
import type { Round } from "./rounds.ts"
import { violations } from "./violations.ts"
import { deliverLate, type Env, passTime, type World } from "./World.ts"

/** One game after another, so that it is known what was done before a place. */
const oneByOne: Env = { RTMANAGER_CLEANUP_CONCURRENCY: "1" }

/** What the rows of the act and its effect are not as the place says. */
const wrong = Effect.fnUntraced(function* (
  world: World,
  author: string,
  seen: { readonly effect: boolean },
  expected: ReturnType<typeof doneBy>
) {
  const rows = yield* world.parts.sql<{ result: string | null }>`
    select result from cleanup_acts where author = ${author}`
  const [row] = rows
  const rules: Readonly<Record<string, boolean>> = {
    [`${rows.length} rows`]: rows.length !== (expected.row ? 1 : 0),
    [`its result is ${row?.result}`]: row !== undefined && row.result !== (expected.result ? "done" : null),
    [seen.effect ? "it took effect" : "it took no effect"]: seen.effect !== expected.effect,
    "it took effect without a row": seen.effect && row === undefined
  }
  return Object.keys(rules).filter((rule) => rules[rule])
})

/**
 * Kills the process of an act at one place, looks at the act's row and its effect, lets others go on from there, and looks whether what
 * the act had come to stands.
 */
export const actRound = Effect.fnUntraced(function* (world: World, failpoint: ActFailpoint) {
  const { act, step, when } = failpoint
  const name = nameOfAct(failpoint)
  const author = `killed-${world.games.size}`
  const scene = yield* scenes[act](world, author)
  const args = [...scene.args, "--author", author, "--reason", reason]
  // A plan here has three games.
  const repeats = act === "run --plan" && ["acquire", "remove", "commit"].includes(step)
  const occurrence = repeats ? yield* Random.nextIntBetween(1, 3) : 1
  const place = { when, occurrence, is: (passage: Parameters<typeof isAct>[1]) => isAct(step, passage) }
  const killed = yield* killWhere(world, args, place, { env: oneByOne, others: othersMove(world) })
  const problems: Array<string> = killed ? [] : ["it did not come there"]

  const look = Effect.fnUntraced(function* (delivered: boolean) {
    const expected = doneBy(failpoint, delivered)
    const effect = yield* scene.effect
    problems.push(
      ...(yield* wrong(world, author, { effect }, { ...expected, effect: expected.effect || occurrence > 1 }))
    )
    problems.push(...(yield* violations(world, { recovered: false })))
    return effect
  })
  let effect = yield* look(false)
  yield* passTime(world)
  if (world.late.length > 0) {
    const { code, log } = yield* scene.meanwhile
    if (code !== 0 && code !== 1 && code !== 4) problems.push(...log.map((line) => JSON.stringify(line)))
    yield* deliverLate(world)
    const overtaken = (yield* scene.overtaken ?? Effect.succeed(false)) && step === "begin"
    effect = overtaken ? yield* scene.effect : yield* look(true)
    yield* passTime(world)
  }
  problems.push(...(yield* scene.after(effect)))
  const found = (yield* Random.next) < 0.25 ? yield* recover(world) : yield* violations(world, { recovered: false })
  return {
    happened: { [name]: killed ? 1 : 0 },
    problems: [...problems, ...found].map((problem) => `killed ${name}, occurrence ${occurrence}: ${problem}`)
  } satisfies Round
})
