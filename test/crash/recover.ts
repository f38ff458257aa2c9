import { Effect } from "effect"
import { othersMove } from "./kills.ts"
import { violations } from "./violations.ts"
import { deliverLate, type Env, passTime, startReplica, type World } from "./World.ts"

/** One pass of a process that lives. What it says of itself is a violation too: a defect, a refusal, a code of its own. */
export const wholePass = Effect.fnUntraced(function* (world: World, env: Env = {}) {
  const replica = yield* startReplica(world, ["run"], { gate: othersMove(world), env })
  const { code, log } = yield* replica.process.ended
  yield* replica.quiet
  const said = log.filter(({ event }) => event === "cleanup.game.defect" || event === "cleanup.pass.refused")
  return code === 0 || code === 1 ? said.map((line) => JSON.stringify(line)) : log.map((line) => JSON.stringify(line))
})

/** The leases of the dead have expired: one pass must do, and one more where something of theirs still arrives in it. */
export const recover = Effect.fnUntraced(function* (world: World, env: Env = {}) {
  const passes = world.late.length > 0 ? 2 : 1
  const said: Array<string> = []
  for (let pass = 0; pass < passes; pass++) {
    yield* passTime(world)
    said.push(...(yield* wholePass(world, env)))
    yield* deliverLate(world)
  }
  return [...said, ...(yield* violations(world, { recovered: true }))]
})
