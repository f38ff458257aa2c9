import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { Effect, type Scope } from "effect"

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  /** The log, line by line; a line that is not JSON has it as its `text`. */
  readonly log: ReadonlyArray<Record<string, unknown>>
}

export interface Process {
  readonly pid: number
  /** Waits for the first log line with this event. */
  readonly event: (name: string) => Effect.Effect<Record<string, unknown>>
  /** Waits for the first result on stdout, which is printed at once; empty if there was none. */
  readonly printed: Effect.Effect<string>
  readonly signal: (name: NodeJS.Signals) => Effect.Effect<void>
  readonly ended: Effect.Effect<Ended>
}

/** A line of the log; one that is not JSON is its `text`. */
export const parse = (line: string): Record<string, unknown> => {
  try {
    return JSON.parse(line)
  } catch {
    return { text: line }
  }
}

/** A process with nothing of this one's environment but what it needs to start, killed with the scope. It has ended once nothing writes its log. */
export const launch = (
  program: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  user?: { readonly uid: number; readonly gid: number }
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(program, args, {
        ...user,
        env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"], ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
      const log: Array<Record<string, unknown>> = []
      const waiting: Array<() => void> = []
      const wake = () => {
        for (const look of waiting.splice(0)) look()
      }
      createInterface({ input: child.stderr }).on("line", (line) => {
        log.push(parse(line))
        wake()
      })
      const stdout: Array<string> = []
      child.stdout.setEncoding("utf8").on("data", (chunk) => stdout.push(chunk))
      const printed = new Promise<void>((resolve) => child.stdout.once("data", resolve).once("close", resolve))
      const closed = new Promise<number | null>((resolve) => child.once("close", resolve))
      const ended = closed.then((code): Ended => ({ code, stdout: stdout.join(""), log }))
      let over = false
      void ended.then(() => {
        over = true
        wake()
      })
      const event = (name: string) =>
        Effect.callback<Record<string, unknown>>((resume) => {
          const look = () => {
            const line = log.find((line) => line["event"] === name)
            if (line !== undefined) return resume(Effect.succeed(line))
            if (over)
              return resume(Effect.die(new Error(`no ${name} in:\n${log.map((l) => JSON.stringify(l)).join("\n")}`)))
            waiting.push(look)
          }
          look()
        })
      return {
        child,
        pid: child.pid ?? 0,
        event,
        printed: Effect.promise(() => printed.then(() => stdout.join(""))),
        signal: (name: NodeJS.Signals) => Effect.sync(() => void child.kill(name)),
        ended: Effect.promise(() => ended)
      }
    }),
    ({ child, ended }) =>
      Effect.andThen(
        Effect.sync(() => child.kill("SIGKILL")),
        ended
      )
  )

/** The service as operators run it. */
export const start = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  program = "src/main.ts"
): Effect.Effect<Process, never, Scope.Scope> => launch(process.execPath, [program, ...args], env)

/** Runs a command to its end. */
export const command = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): Effect.Effect<Ended> =>
  Effect.scoped(Effect.flatMap(start(args, env), ({ ended }) => ended))
