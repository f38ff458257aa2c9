import { type ChildProcess, spawn } from "node:child_process"
import { delimiter, dirname } from "node:path"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { parse } from "../test/support/service.ts"
import { BenchFailed, timed } from "./progress.ts"

export type Environment = Readonly<Record<string, string>>

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  /** What it wrote on stderr, line by line; a line that is not JSON has it as its `text`. */
  readonly log: ReadonlyArray<Record<string, unknown>>
}

export interface Process {
  readonly child: ChildProcess
  readonly ended: Effect.Effect<Ended>
}

/** What one of our own processes came to. */
export interface Run extends Ended {
  /** From its start to its end. */
  readonly wallSeconds: number
  /** User and system. */
  readonly cpuMs: number
  /** At its peak. */
  readonly rssMb: number
}

const root = fileURLToPath(new URL("..", import.meta.url))
const usage = new URL("usage.ts", import.meta.url).href

/** What a process needs of our environment to reach the engine, and this Node first of all; it gets nothing else of it. */
const inherited = () => ({
  ...Object.fromEntries(
    ["HOME", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"].flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]]]
    )
  ),
  PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter)
})

/** Told to end with the scope, and killed if it has not after three seconds. Its standard input ends with us. */
export const start = (
  file: string,
  args: ReadonlyArray<string>,
  env: Environment
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(file, args, { cwd: root, env: { ...inherited(), ...env }, stdio: "pipe" })
      const log: Array<Record<string, unknown>> = []
      createInterface({ input: child.stderr }).on("line", (line) => log.push(parse(line)))
      child.stdin.on("error", () => undefined)
      const closed = new Promise<number | null>((resolve) => {
        child.once("close", resolve)
        child.once("error", (error) => {
          log.push({ text: error.message })
          resolve(null)
        })
      })
      const ended = Promise.all([closed, text(child.stdout)]).then(([code, stdout]): Ended => ({ code, stdout, log }))
      return { child, ended: Effect.promise(() => ended) }
    }),
    ({ child, ended }) =>
      Effect.sync(() => child.kill("SIGTERM")).pipe(
        Effect.andThen(Effect.timeoutOption(ended, "3 seconds")),
        Effect.andThen(Effect.sync(() => child.kill("SIGKILL"))),
        Effect.andThen(ended)
      )
  )

/** Runs a program to its end, which must be a good one. */
export const program = Effect.fnUntraced(function* (file: string, args: ReadonlyArray<string>, env: Environment = {}) {
  const ended = yield* Effect.scoped(Effect.flatMap(start(file, args, env), ({ ended }) => ended))
  if (ended.code === 0) return ended
  const last = ended.log.slice(-5).map((line) => String(line["text"] ?? JSON.stringify(line)))
  return yield* new BenchFailed({ message: [`${file} ${args[0]} ended with ${ended.code}`, ...last].join("\n") })
})

type Line = readonly [file: string, args: ReadonlyArray<string>]

/** Node with a TypeScript file. */
export const plain = (...args: ReadonlyArray<string>): Line => [process.execPath, args]

/**
 * The same as `npm start` runs the service, or with a file that stands in for it: a heap that grows slowly, and compiled
 * code that is kept for the next start.
 */
export const likeStart = (...args: ReadonlyArray<string>): Line => [
  "sh",
  ["bin/small-heap.sh", "bin/node26.mjs", ...args]
]

/** Runs Node and says what the process used of the machine. */
export const node = Effect.fnUntraced(function* ([file, args]: Line, env: Environment) {
  const preload = { NODE_OPTIONS: `--import=${usage}` }
  const { value: ended, seconds } = yield* timed(program(file, args, { ...env, ...preload }))
  const used = ended.log.findLast(({ event }) => event === "bench.usage")
  if (used === undefined) return yield* new BenchFailed({ message: `${args.join(" ")} did not say what it used` })
  return { ...ended, wallSeconds: seconds, cpuMs: Number(used["cpuMs"]), rssMb: Number(used["rssMb"]) } satisfies Run
})

/** What was written before is on the disk, so that it is not the next measurement that waits for it. */
export const settled = Effect.andThen(program("sync", []), Effect.sleep("1 second"))
