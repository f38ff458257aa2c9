import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Clock, Console, Effect, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { type HistoryResult, run } from "./History.ts"
import { Tally } from "./Tally.ts"

class Violated extends Schema.TaggedError<Violated>()("Violated", { message: Schema.String }) {}

/** Violations beyond this many are only counted. */
const mostShown = 5

const show = ({ seed, violations, trace }: HistoryResult) =>
  Console.log(
    [
      "",
      ...trace,
      ...violations.map(({ invariant, message }) => `seed ${seed} violates ${invariant}: ${message}`),
      `see all of it: npm run sim -- --seed ${seed} --histories 1 --trace`
    ].join("\n")
  )

const table = (counts: ReadonlyMap<string, number>) =>
  [...counts].sort(([, a], [, b]) => b - a).map(([what, count]) => `${String(count).padStart(10)}  ${what}`)

const report = (tally: Tally, seconds: number) => {
  const { histories, violated } = tally
  return [
    "",
    "how attempts and passes ended:",
    ...table(tally.endings),
    "",
    "what people did:",
    ...table(tally.acts),
    "",
    "faults that took effect:",
    ...table(tally.faults),
    "",
    `${histories} histories in ${seconds.toFixed(1)} s, ${(histories / seconds).toFixed(0)} a second`,
    `${tally.faultsPerHistory.toFixed(1)} faults and ${(tally.removals / histories).toFixed(1)} removals a history`,
    `${violated.length} with a violation`,
    ...violated
      .slice(0, 50)
      .map(({ seed, violations: [first] }) => `seed ${seed}: ${first?.invariant} ${first?.message}`)
  ].join("\n")
}

const sim = Command.make(
  "sim",
  {
    histories: Flag.Int("histories").pipe(Flag.withDescription("How many"), Flag.withDefault(1000)),
    seed: Flag.Int("seed").pipe(
      Flag.withDescription("Of the first; the next has the next number"),
      Flag.withDefault(1)
    ),
    trace: Flag.Boolean("trace").pipe(Flag.withDescription("Print every event"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* ({ histories, seed, trace }) {
    const tally = new Tally()
    const started = yield* Clock.monotonicTimeNanos
    const elapsed = Effect.map(Clock.monotonicTimeNanos, (now) => Number(now - started) / 1e9)
    for (let number = seed; number < seed + histories; number++) {
      const history = run({ seed: number, ...(trace && { kept: Infinity }) })
      tally.add(history)
      if (trace || (history.violations.length > 0 && tally.violated.length <= mostShown)) yield* show(history)
      if (tally.histories % 5000 === 0) {
        yield* Console.error(
          `${tally.histories} histories, ${(yield* elapsed).toFixed(0)} s, ${tally.violated.length} violated`
        )
      }
      // Lets signals through.
      if (tally.histories % 100 === 0) yield* Effect.yieldNow
    }
    yield* Console.log(report(tally, yield* elapsed))
    const missing = [...tally.missing, ...tally.missingActs]
    if (missing.length > 0 && histories >= 1000) yield* Console.log(`never happened: ${missing.join(", ")}`)
    if (tally.violated.length > 0) return yield* new Violated({ message: "something that must hold did not" })
  })
).pipe(Command.withDescription("Run the cleaning through simulated histories; each seed is one of them"))

Command.run(sim, { version: "1" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
