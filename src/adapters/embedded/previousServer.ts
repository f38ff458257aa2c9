import { execFile } from "node:child_process"
import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, Schedule } from "effect"
import { attempt, EmbeddedError } from "./EmbeddedError.ts"

interface Process {
  readonly parent: number
  readonly command: string
}

/** A server's command line says who started it. If that process is no longer the parent, it is gone. */
export const ownerSetting = "rtmanager.owner"

const lookUp = async (pid: number): Promise<Process | undefined> => {
  if (process.platform === "linux") {
    const status = await readFile(`/proc/${pid}/status`, "utf8")
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8")
    return { parent: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]), command: command.replaceAll("\0", " ") }
  }
  const { stdout } = await promisify(execFile)("ps", ["-o", "ppid=,command=", "-p", String(pid)])
  const [, parent, command] = /^\s*(\d+)\s+(.*)/.exec(stdout) ?? []
  return command === undefined ? undefined : { parent: Number(parent), command }
}

const find = (pid: number) => Effect.promise(() => lookUp(pid).catch(() => undefined))

const signal = (pid: number, name: NodeJS.Signals) =>
  attempt(`cannot stop the server that an earlier process left behind (pid ${pid})`, async () => {
    try {
      process.kill(pid, name)
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
    }
  })

/**
 * Deals with what an earlier run left in the data folder. If a server's starter is alive, fails with the starter's pid.
 * If not, stops the server, which might be stopping already. Removes a `postmaster.pid` whose number now belongs to
 * another program, for example after a reboot, because it would block the server.
 */
export const clearPrevious = Effect.fnUntraced(function* (data: string) {
  const pidFile = join(data, "postmaster.pid")
  const text = yield* Effect.promise(() => readFile(pidFile, "utf8").catch(() => ""))
  const pid = Number.parseInt(text, 10)
  if (!(pid > 0)) return
  const found = yield* find(pid)
  // The server itself detects a dead pid.
  if (found === undefined) return
  const isOurs = (candidate: Process | undefined) => candidate?.command.includes(data) ?? false
  if (!isOurs(found)) return yield* attempt("cannot remove a stale postmaster.pid", () => rm(pidFile, { force: true }))

  const owner = new RegExp(`${ownerSetting}=(\\d+)`).exec(found.command)?.[1]
  if (owner !== undefined && Number(owner) === found.parent) {
    return yield* new EmbeddedError({ detail: `${data} is in use by process ${owner}` })
  }

  const gone = Effect.repeat(find(pid), {
    schedule: Schedule.spaced("20 millis"),
    until: (candidate) => !isOurs(candidate)
  })
  yield* signal(pid, "SIGINT")
  yield* gone.pipe(
    Effect.timeoutOrElse({
      duration: "10 seconds",
      orElse: () => Effect.andThen(signal(pid, "SIGQUIT"), gone)
    }),
    Effect.timeoutOrElse({
      duration: "15 seconds",
      orElse: () =>
        Effect.fail(
          new EmbeddedError({ detail: `the server that an earlier process left behind (pid ${pid}) does not stop` })
        )
    })
  )
})
