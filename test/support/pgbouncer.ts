import { spawn, spawnSync } from "node:child_process"
import { chown, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import { Duration, Effect, Redacted, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { serverUser } from "../../src/adapters/embedded/serverUser.ts"
import { settingsFor } from "../../src/adapters/postgres/session.ts"
import { describeWith } from "./needs.ts"
import { PostgresServer, temporaryFolder } from "./postgres.ts"

/** Debian puts it where only root looks. */
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }

const missing = spawnSync("pgbouncer", ["--version"], { env }).status === 0 ? undefined : "no pgbouncer on the path"

export const describePgBouncer = (name: string, body: () => void): void => describeWith(missing, name, body)

/** All that our sessions are started with, but for what PgBouncer itself keeps for each client. */
export const dropped = ["search_path", ...Object.keys(settingsFor(Duration.zero)).filter((name) => name !== "TimeZone")]

/** A role that may do everything, with settings of its own. */
export const makeRole = Effect.fnUntraced(function* (user: string, settings: Readonly<Record<string, string>>) {
  const sql = yield* SqlClient
  yield* sql`create role ${sql(user)} login superuser`
  yield* Effect.forEach(
    Object.entries(settings),
    ([name, value]) =>
      sql`alter role ${sql(user)} set ${sql(name)} = ${sql.literal(name === "search_path" ? value : `'${value}'`)}`,
    { discard: true }
  )
})

export interface PoolerOptions {
  readonly mode: "session" | "transaction"
  /** The role of its clients. */
  readonly user: string
  /** Startup parameters that it drops in silence; it refuses all others that it does not know. */
  readonly ignored: ReadonlyArray<string>
  /** Its sessions at the server, which in transaction mode its clients share. */
  readonly sessions?: number
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

/** A real PgBouncer before the file's server, with fewer sessions than clients, until the scope closes. */
export const servePgBouncer = Effect.fnUntraced(function* ({
  ignored,
  mode,
  sessions = mode === "session" ? 20 : 3,
  user
}: PoolerOptions) {
  const server = new URL(Redacted.value((yield* PostgresServer).url)).searchParams.get("host")
  const folder = yield* temporaryFolder
  const config = `[databases]
* = host=${server}
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = ${folder}
auth_type = trust
auth_file = ${folder}/users.txt
pool_mode = ${mode}
default_pool_size = ${sessions}
ignore_startup_parameters = ${ignored.join(", ")}
`
  yield* Effect.promise(async () => {
    await writeFile(join(folder, "pgbouncer.ini"), config)
    await writeFile(join(folder, "users.txt"), `"${user}" ""\n`)
    // It does not run as root.
    if (serverUser !== undefined) await chown(folder, serverUser.uid, serverUser.gid)
  })
  const pooler = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn("pgbouncer", ["-q", join(folder, "pgbouncer.ini")], {
        env,
        ...serverUser,
        cwd: "/",
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
  yield* Effect.repeat(listens(join(folder, ".s.PGSQL.5432")), {
    until: (listening) => listening || pooler.child.exitCode !== null,
    schedule: Schedule.spaced("5 millis")
  })
  assert.isNull(pooler.child.exitCode, "pgbouncer ended")
  return { url: Redacted.make(`postgres:///postgres?host=${encodeURIComponent(folder)}&user=${user}`) }
})
