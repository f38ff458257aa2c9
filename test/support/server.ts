import { type SpawnOptions, spawn, spawnSync } from "node:child_process"
import { connect } from "node:net"
import { assert } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { describeWith } from "./needs.ts"

/** Debian puts such programs where only root looks. */
const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` }

/** `describe` where this program is, and a skipped line elsewhere. */
export const describeServer = (program: string, askVersion: string) => {
  const missing = spawnSync(program, [askVersion], { env }).status === 0 ? undefined : `no ${program} on the path`
  return (name: string, body: () => void): void => describeWith(missing, name, body)
}

const listens = (path: string) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })

/** Runs a program until the scope closes; it listens on this socket by then. */
export const serveOn = Effect.fnUntraced(function* (
  socketPath: string,
  program: string,
  args: ReadonlyArray<string>,
  options: Pick<SpawnOptions, "cwd" | "env" | "gid" | "uid"> = {}
) {
  const { child } = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(program, args, {
        ...options,
        env: { ...env, ...options.env },
        stdio: ["ignore", "ignore", "inherit"]
      })
      return { child, ended: new Promise<void>((resolve) => child.once("close", () => resolve())) }
    }),
    ({ child, ended }) =>
      Effect.andThen(
        Effect.sync(() => child.kill("SIGKILL")),
        Effect.promise(() => ended)
      )
  )
  yield* Effect.repeat(listens(socketPath), {
    until: (listening) => listening || child.exitCode !== null,
    schedule: Schedule.spaced("5 millis")
  })
  assert.isNull(child.exitCode, `${program} ended`)
})
