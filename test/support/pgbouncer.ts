import { randomUUID } from "node:crypto"
import { chown, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { serverUser } from "../../src/adapters/embedded/serverUser.ts"
import { serverAt } from "../../src/config/databaseUrl.ts"
import { layerDatabase, PostgresServer, temporaryFolder } from "./postgres.ts"
import { describeServer, serveOn } from "./server.ts"

export const describePgBouncer = describeServer("pgbouncer", "--version")

export const modes = ["session", "transaction"] as const

const manual = await readFile("docs/pgbouncer.md", "utf8")

/** The lines that the manual gives to PgBouncer and to the role. */
export const documented = {
  ignored: manual.match(/^ignore_startup_parameters = (.*)$/m)?.[1]?.split(", ") ?? [],
  settings: Object.fromEntries(
    [...manual.matchAll(/^alter role cleanup set (\w+) = '(.*)';$/gm)].map(([, name = "", value = ""]) => [name, value])
  )
}

export interface PoolerOptions {
  readonly mode: (typeof modes)[number]
  /** Startup parameters that it drops in silence; it refuses all others that it does not know. */
  readonly ignored: ReadonlyArray<string>
  /** The settings of the role that its clients log in as. */
  readonly settings: Readonly<Record<string, string>>
  /** Its sessions at the server, which in transaction mode its clients share. */
  readonly sessions?: number
}

/** A role that may do everything, gone with the scope. */
const makeRole = Effect.fnUntraced(function* (settings: PoolerOptions["settings"]) {
  const sql = Context.get(yield* Layer.build(layerDatabase("any")), SqlClient)
  const [user, password] = [`pooled_${randomUUID()}`, randomUUID()]
  yield* Effect.acquireRelease(
    sql`create role ${sql(user)} login superuser password ${sql.literal(`'${password}'`)}`,
    () => Effect.ignore(Effect.andThen(sql`drop owned by ${sql(user)} cascade`, sql`drop role ${sql(user)}`))
  )
  for (const [name, value] of Object.entries(settings)) {
    yield* sql`alter role ${sql(user)} set ${sql(name)} = ${sql.literal(`'${value}'`)}`
  }
  return { user, password }
})

/** A real PgBouncer before the file's server, for clients of a role of its own, until the scope closes. */
export const servePgBouncer = Effect.fnUntraced(function* ({ ignored, mode, settings, sessions }: PoolerOptions) {
  const { database, host, port } = serverAt((yield* PostgresServer).url)
  const { password, user } = yield* makeRole(settings)
  const folder = yield* temporaryFolder
  const config = `[databases]
* = host=${host} port=${port}
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = ${folder}
auth_type = trust
auth_file = ${folder}/users.txt
pool_mode = ${mode}
default_pool_size = ${sessions ?? (mode === "session" ? 20 : 3)}
ignore_startup_parameters = ${ignored.join(", ")}
`
  yield* Effect.promise(async () => {
    const files = [join(folder, "pgbouncer.ini"), join(folder, "users.txt")] as const
    await writeFile(files[0], config)
    await writeFile(files[1], `"${user}" "${password}"\n`)
    // It does not run as root.
    if (serverUser !== undefined) {
      for (const path of [folder, ...files]) await chown(path, serverUser.uid, serverUser.gid)
    }
  })
  const socketPath = join(folder, ".s.PGSQL.5432")
  yield* serveOn(socketPath, "pgbouncer", ["-q", join(folder, "pgbouncer.ini")], { ...serverUser, cwd: "/" })
  return { url: Redacted.make(`postgres:///${database}?host=${encodeURIComponent(folder)}&user=${user}`) }
})
