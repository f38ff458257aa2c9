import { execFile, spawn } from "node:child_process"
import { chmod, chown, mkdir, readdir, symlink, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { binaries, packageFolder } from "../../../src/adapters/embedded/binaries.ts"
import { make } from "../../../src/adapters/embedded/EmbeddedPostgres.ts"
import { blockedAt, type ServerUser, serverUser } from "../../../src/adapters/embedded/serverUser.ts"
import * as Database from "../../../src/adapters/postgres/Database.ts"
import { serverAt } from "../../../src/config/databaseUrl.ts"
import { temporaryFolder } from "../../support/postgres.ts"

const ownerScript = fileURLToPath(new URL("../../support/embeddedOwner.ts", import.meta.url))

const query = (url: Redacted.Redacted, statement: string) =>
  Effect.flatMap(SqlClient, (sql) => sql.unsafe(statement)).pipe(
    Effect.provide(Database.layer({ server: serverAt(url), schema: "public", pool: 1, timeout: "5 seconds" }))
  )

/** One run of the service: the database is started, asked, and stopped again. */
const run = (folder: string, statement: string) =>
  Effect.scoped(Effect.flatMap(make(folder), ({ url }) => query(url, statement)))

/** Another process that has the folder's database open, killed at the latest when the scope closes. */
const owner = Effect.fnUntraced(function* (
  folder: string,
  options: { user?: ServerUser; path?: string; umask?: number } = {}
) {
  const child = spawn(process.execPath, [ownerScript, folder, String(options.umask ?? process.umask())], {
    ...options.user,
    env: { PATH: options.path ?? process.env["PATH"] },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const exited = new Promise<void>((done) => child.once("exit", () => done()))
  const killed = Effect.promise(() => {
    child.kill("SIGKILL")
    return exited
  })
  // One more run, so that neither the server nor its socket stays behind.
  yield* Effect.addFinalizer(() => Effect.andThen(killed, Effect.ignore(run(folder, "select 1"))))
  const said = yield* Effect.callback<string>((resume) => {
    createInterface({ input: child.stdout }).once("line", (line) => resume(Effect.succeed(line)))
  })
  return { pid: child.pid, said, killed }
})

/** As root, an ordinary user to test with too, if it can reach this checkout. Else the user that we are is one. */
const reachable = await Promise.all([dirname(ownerScript), process.execPath].map((path) => blockedAt(path, serverUser)))
const ordinaryUser = reachable.every((blocked) => blocked === undefined) ? serverUser : undefined

const fill = "create table kept as select 1 as one"
const look = "select one from kept"

describe("The embedded PostgreSQL", { timeout: 300_000 }, () => {
  it.live("keeps its data from one run to the next, in a folder that it creates", () =>
    Effect.gen(function* () {
      const folder = join(yield* temporaryFolder, "deep", "folder")
      yield* Effect.promise(() => chmod(join(folder, "..", ".."), 0o755))
      yield* run(folder, fill)
      assert.deepStrictEqual(yield* run(folder, look), [{ one: 1 }])
    })
  )

  it.live("opens the folders that it creates to its user, whatever the umask", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* Effect.promise(() => chmod(folder, 0o755))
      const { said } = yield* owner(join(folder, "deep", "folder"), { umask: 0o077 })
      yield* query(Redacted.make(said), fill)
    })
  )

  it.live("refuses a second process at once and with the first one's pid, which goes on", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const first = yield* owner(folder)
      const error = yield* Effect.flip(run(folder, look))
      assert.include(error.message, `in use by process ${first.pid}`)
      yield* query(Redacted.make(first.said), fill)
    })
  )

  it.live("refuses itself while it is running", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* make(folder)
      assert.include((yield* Effect.flip(make(folder))).message, `in use by process ${process.pid}`)
    })
  )

  it.live("survives a kill -9 of the service", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { killed, said } = yield* owner(folder)
      yield* query(Redacted.make(said), fill)
      yield* killed
      assert.deepStrictEqual(yield* run(folder, look), [{ one: 1 }])
    })
  )

  if (ordinaryUser !== undefined) {
    it.live("works for an ordinary user as it does for root", () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        yield* Effect.promise(() => chown(folder, ordinaryUser.uid, ordinaryUser.gid))
        const { said } = yield* owner(folder, { user: ordinaryUser })
        yield* query(Redacted.make(said), fill)
      })
    )
  }

  it.live("stops a server that outlived its service, where nothing made them die together", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { killed, said } = yield* owner(folder, { path: "/nowhere" })
      yield* query(Redacted.make(said), fill)
      yield* killed
      assert.deepStrictEqual(yield* query(Redacted.make(said), look), [{ one: 1 }])
      assert.deepStrictEqual(yield* run(folder, look), [{ one: 1 }])
    })
  )

  it.live("is not stopped by the pid of another program, as after a reboot", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* run(folder, fill)
      yield* Effect.promise(() => writeFile(join(folder, "data", "postmaster.pid"), `${process.pid}\n`))
      assert.deepStrictEqual(yield* run(folder, look), [{ one: 1 }])
    })
  )

  it.live("starts over when the first start was interrupted, and clears away what it left", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* Effect.promise(() => mkdir(join(folder, "data.12345.new", "base"), { recursive: true }))
      yield* Effect.promise(() => chmod(folder, 0o755))
      yield* run(folder, fill)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(folder)), ["data", "socket"])
    })
  )

  it.live("names the folder that it can not get into", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      // Root gets in anywhere, but its server does not.
      const closed = join(folder, "closed")
      yield* Effect.promise(() => mkdir(join(closed, "database"), { recursive: true }))
      yield* Effect.acquireRelease(
        Effect.promise(() => chmod(closed, 0o600)),
        () => Effect.promise(() => chmod(closed, 0o700))
      )
      yield* Effect.promise(() => chmod(folder, 0o755))
      const error = yield* Effect.flip(run(join(closed, "database"), look))
      assert.include(error.message, closed)
    })
  )

  it.live("says what the server said when it does not start", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* run(folder, fill)
      yield* Effect.promise(() => writeFile(join(folder, "data", "PG_VERSION"), "9.1\n"))
      const error = yield* Effect.flip(run(folder, look))
      assert.include(error.message, "incompatible")
    })
  )

  it.live("copies the server where its user can not reach the package, and links its libraries", () =>
    Effect.gen(function* () {
      const source = yield* packageFolder
      const closed = yield* temporaryFolder
      yield* Effect.promise(() => symlink(source, join(closed, "package")))
      const open = yield* temporaryFolder
      yield* Effect.promise(() => chmod(open, 0o755))
      const bin = yield* binaries(open, serverUser, join(closed, "package"))
      assert.strictEqual(bin.startsWith(open), serverUser !== undefined)
      assert.isUndefined(yield* Effect.promise(() => blockedAt(join(bin, "postgres"), serverUser)))
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(join(bin, "postgres"), ["--version"], { ...serverUser, cwd: "/" })
      )
      assert.include(stdout, "PostgreSQL")
    })
  )
})
