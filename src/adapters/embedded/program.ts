import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { Effect } from "effect"
import { EmbeddedError } from "./EmbeddedError.ts"
import type { ServerUser } from "./serverUser.ts"

const environment = { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" }

/** A started program, its last lines on stderr, and promises for its readiness and its end. */
export interface Program {
  readonly child: ChildProcess
  readonly lines: Array<string>
  /** An exit code, or why there is none. */
  readonly exited: Promise<number | string>
  readonly ready: Promise<void>
}

const start = (command: string, args: ReadonlyArray<string>, user: ServerUser): Program => {
  // Not in a folder that the user cannot enter, and out of reach of the terminal's Ctrl-C.
  const child = spawn(command, args, {
    ...user,
    env: environment,
    cwd: "/",
    detached: true,
    stdio: ["ignore", "ignore", "pipe"]
  })
  const lines: Array<string> = []
  const exited = new Promise<number | string>((done) => {
    child.once("error", (error) => done(error.message))
    child.once("exit", (code, signal) => done(code ?? `killed by ${signal}`))
  })
  const ready = new Promise<void>((done) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      lines.push(line)
      lines.splice(0, lines.length - 20)
      if (line.includes("ready to accept connections")) done()
    })
  })
  return { child, lines, exited, ready }
}

/** What was wrong, with the program's last lines. */
export const failure = (what: string, { lines }: Program) =>
  new EmbeddedError({ detail: [what, ...lines].join("\n  ") })

/** Fast shutdown, then harder ones. Never fails, and can be called twice. */
export const stopProgram = ({ child, exited }: Program) =>
  Effect.gen(function* () {
    for (const [signal, patience] of [
      ["SIGINT", "10 seconds"],
      ["SIGQUIT", "3 seconds"],
      ["SIGKILL", "3 seconds"]
    ] as const) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
      child.kill(signal)
      yield* Effect.promise(() => exited).pipe(Effect.timeoutOption(patience))
    }
  })

/** The program, stopped when the scope closes. */
export const running = (command: string, args: ReadonlyArray<string>, user: ServerUser) =>
  Effect.acquireRelease(
    Effect.sync(() => start(command, args, user)),
    stopProgram
  )
