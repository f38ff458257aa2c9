import { execFile } from "node:child_process"
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Duration, Effect, Option, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { type Mutant, mutants } from "./mutants.ts"

/** What vitest's JSON says of a run, as far as it is needed here. */
const Report = Schema.fromJsonString(
  Schema.Struct({
    numPassedTests: Schema.Int,
    success: Schema.Boolean,
    testResults: Schema.Array(
      Schema.Struct({
        assertionResults: Schema.Array(Schema.Struct({ status: Schema.String, fullName: Schema.String }))
      })
    )
  })
)

/** A copy of the project that may be changed: nothing of a mutant ever gets into the real one. */
const workshop = Effect.acquireRelease(
  Effect.promise(async () => {
    const folder = await mkdtemp(join(tmpdir(), "rtmanager-mutants-"))
    for (const name of [
      "src",
      "test",
      "docs",
      "deploy",
      "package.json",
      "vitest.config.ts",
      "tsconfig.json",
      "README.md"
    ]) {
      await cp(name, join(folder, name), { recursive: true })
    }
    await symlink(join(process.cwd(), "node_modules"), join(folder, "node_modules"))
    return folder
  }),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

/** Longer than the tests of one mutant take. What makes them hang does not go unnoticed either. */
const patience = Duration.minutes(3)

/** Longer than the tests of all mutants take, one after the other. */
const healthyPatience = Duration.hours(1)

/** The tests that failed, by name, and how many passed. A file that does not load fails no test, and so kills nothing. */
const runTests = Effect.fnUntraced(function* (
  folder: string,
  tests: ReadonlyArray<string>,
  patience: Duration.Duration
) {
  const results = join(folder, "results.json")
  // One test that fails is enough.
  const options = ["--bail=1", "--testTimeout=60000", "--reporter=json", `--outputFile=${results}`]
  const args = ["node_modules/vitest/vitest.mjs", "run", ...options, ...tests]
  const ended = yield* Effect.callback<void>((resume) => {
    const child = execFile(process.execPath, args, { cwd: folder, maxBuffer: 2 ** 28 }, () => resume(Effect.void))
    return Effect.sync(() => void child.kill("SIGKILL"))
  }).pipe(Effect.timeoutOption(patience))
  if (Option.isNone(ended)) return { failed: [`no end within ${Duration.format(patience)}`], passed: 0, success: false }
  const report = yield* Schema.decodeUnknownEffect(Report)(yield* Effect.promise(() => readFile(results, "utf8")))
  yield* Effect.promise(() => rm(results))
  const failed = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName)
  )
  return { failed, passed: report.numPassedTests, success: report.success }
})

const mutate = (folder: string, { file, from, to }: Mutant) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const text = await readFile(join(folder, file), "utf8")
      await writeFile(
        join(folder, file),
        text.replace(from, () => to)
      )
      return text
    }),
    (text) => Effect.promise(() => writeFile(join(folder, file), text))
  )

const command = Command.make(
  "mutants",
  {
    names: Argument.String("name").pipe(
      Argument.withDescription("Parts of names; all mutants if none"),
      Argument.variadic()
    )
  },
  Effect.fnUntraced(function* ({ names }) {
    const chosen = mutants.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)))
    const folder = yield* workshop
    const healthy = yield* runTests(folder, [...new Set(chosen.flatMap(({ tests }) => tests))], healthyPatience)
    // A file that does not load is seen here, or it would let every mutant live.
    if (!healthy.success || healthy.passed === 0) {
      yield* Console.error(`the tests fail without any mutant: ${healthy.failed.join("; ")}`)
      return yield* Effect.fail("unhealthy")
    }
    let survivors = 0
    for (const mutant of chosen) {
      const { failed } = yield* Effect.scoped(
        Effect.andThen(mutate(folder, mutant), runTests(folder, mutant.tests, patience))
      )
      if (failed.length === 0) survivors++
      yield* Console.log(
        failed.length === 0 ? `SURVIVED  ${mutant.name}` : `killed    ${mutant.name}: by "${failed[0]}"`
      )
    }
    yield* Console.log(`${chosen.length - survivors} of ${chosen.length} mutants killed`)
    if (survivors > 0) return yield* Effect.fail("survivors")
  }, Effect.scoped)
).pipe(Command.withDescription("Change the code in each way that a test must notice, and see whether one does"))

NodeRuntime.runMain(Command.run(command, { version: "0" }).pipe(Effect.provide(NodeServices.layer)))
