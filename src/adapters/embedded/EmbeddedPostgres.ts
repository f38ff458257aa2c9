import { spawnSync } from "node:child_process"
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { Effect, Redacted } from "effect"
import { binaries, packageFolder } from "./binaries.ts"
import { attempt, EmbeddedError } from "./EmbeddedError.ts"
import { clearPrevious, ownerSetting } from "./previousServer.ts"
import { failure, running, stopProgram } from "./program.ts"
import { blockedAt, type ServerUser, serverUser } from "./serverUser.ts"

/** Long enough for recovery after a crash. */
const startTimeout = "1 minute"

const exists = (path: string) =>
  Effect.promise(() =>
    lstat(path).then(
      () => true,
      () => false
    )
  )

const makeFolder = (path: string, user: ServerUser) =>
  attempt(`cannot create ${path}`, async () => {
    await mkdir(path, { mode: 0o700 })
    if (user !== undefined) await chown(path, user.uid, user.gid)
  })

/** The folders from `first` down to `last`. */
const between = (first: string, last: string): ReadonlyArray<string> =>
  first === last ? [last] : [...between(first, dirname(last)), last]

/** Creates the folder if it is missing, and makes it reachable for the server's user whatever the umask. */
const prepare = Effect.fnUntraced(function* (dir: string) {
  const created = yield* attempt(`cannot create ${dir}`, () => mkdir(dir, { recursive: true }))
  if (serverUser === undefined) return
  const entries = yield* attempt(`cannot read ${dir}`, () => readdir(dir))
  if (entries.length === 0) {
    yield* Effect.forEach(between(created ?? dir, dir), (path) =>
      attempt(`cannot open ${path}`, () => chmod(path, 0o711))
    )
  }
  const blocked = yield* attempt(`cannot look at ${dir}`, () => blockedAt(dir, serverUser))
  if (blocked === undefined) return
  return yield* new EmbeddedError({
    detail: `as root the server runs as uid ${serverUser.uid}, which cannot enter ${blocked}; choose another folder than ${dir}`
  })
})

/**
 * Runs `initdb` beside the data folder and then renames the result, so an interrupted run leaves nothing that looks
 * like data.
 */
const initialize = Effect.fnUntraced(function* (bin: string, data: string) {
  const partial = `${data}.${process.pid}.new`
  yield* attempt(`cannot clear ${partial}`, () => rm(partial, { recursive: true, force: true }))
  yield* makeFolder(partial, serverUser)
  const args = ["-D", partial, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]
  const initdb = yield* running(join(bin, "initdb"), args, serverUser)
  const code = yield* Effect.promise(() => initdb.exited)
  if (code !== 0) return yield* failure(`initdb failed (${code})`, initdb)
  yield* attempt(`cannot create ${data}`, () => rename(partial, data))
}, Effect.scoped)

const remove = (path: string) => Effect.promise(() => rm(path, { recursive: true, force: true }).catch(() => undefined))

/** A short path, because a socket's path is limited to 107 bytes. */
const socketFolder = Effect.acquireRelease(
  attempt("cannot create a folder for the socket", async () => {
    const folder = await mkdtemp(join(tmpdir(), "rtmanager-pg-"))
    if (serverUser !== undefined) await chown(folder, serverUser.uid, serverUser.gid)
    return folder
  }),
  remove
)

/**
 * Removes what killed processes left behind. Call it only once our server runs, because another process could be
 * starting.
 */
const cleanUp = Effect.fnUntraced(function* (dir: string, socket: string) {
  const note = join(dir, "socket")
  const old = yield* Effect.promise(() => readFile(note, "utf8").catch(() => ""))
  if (/rtmanager-pg-\w{6}$/.test(old)) yield* remove(old)
  yield* attempt(`cannot write ${note}`, () => writeFile(note, socket))
  const names = yield* attempt(`cannot read ${dir}`, () => readdir(dir))
  yield* Effect.forEach(
    names.filter((name) => /\.\d+\.new$/.test(name)),
    (name) => remove(join(dir, name)),
    { discard: true }
  )
})

/** On Linux the server dies with us, even after `kill -9`; elsewhere the next start stops it. */
const withParent = (command: string, args: ReadonlyArray<string>): [string, ReadonlyArray<string>] =>
  process.platform === "linux" && spawnSync("setpriv", ["--pdeathsig=INT", "true"]).status === 0
    ? ["setpriv", ["--pdeathsig=INT", command, ...args]]
    : [command, args]

/**
 * A private PostgreSQL that keeps its data in `folder` and listens only on a unix socket, until the scope closes. It is
 * a real server, so the data survives a kill of either process. A second process on the same folder is refused at once.
 */
export const make = Effect.fnUntraced(function* (folder: string) {
  const dir = resolve(folder)
  const data = join(dir, "data")
  yield* prepare(dir)
  yield* clearPrevious(data)
  const bin = yield* binaries(dir, serverUser, yield* packageFolder)
  if (!(yield* exists(data))) yield* initialize(bin, data)

  const socket = yield* socketFolder
  const settings = {
    listen_addresses: "",
    unix_socket_directories: socket,
    unix_socket_permissions: "0700",
    max_connections: "120",
    [ownerSetting]: String(process.pid)
  }
  const args = ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])]
  const server = yield* running(...withParent(join(bin, "postgres"), args), serverUser)
  const ended = Effect.flatMap(
    Effect.promise(() => server.exited),
    (code) => Effect.fail(failure(`the server ended (${code})`, server))
  )
  yield* Effect.raceFirst(
    Effect.promise(() => server.ready),
    ended
  ).pipe(
    Effect.timeoutOrElse({
      duration: startTimeout,
      orElse: () => Effect.fail(failure(`not ready within ${startTimeout}`, server))
    })
  )
  yield* cleanUp(dir, socket)
  const url = Redacted.make(`postgres:///postgres?host=${encodeURIComponent(socket)}&user=postgres`)
  return { url, stop: stopProgram(server) }
})
