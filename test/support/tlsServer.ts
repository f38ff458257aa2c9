import { execFile } from "node:child_process"
import { appendFile, chmod, chown, copyFile, writeFile } from "node:fs/promises"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { binaries, packageFolder } from "../../src/adapters/embedded/binaries.ts"
import * as EmbeddedPostgres from "../../src/adapters/embedded/EmbeddedPostgres.ts"
import { running } from "../../src/adapters/embedded/program.ts"
import { serverUser } from "../../src/adapters/embedded/serverUser.ts"
import * as Database from "../../src/adapters/postgres/Database.ts"
import { serverAt } from "../../src/config/databaseUrl.ts"
import { temporaryFolder } from "./postgres.ts"

const openssl = (...args: ReadonlyArray<string>) => promisify(execFile)("openssl", args)

/** Earlier ones cannot sign in one step. */
export const missing = await openssl("version").then(
  ({ stdout }) => (/^OpenSSL [3-9]/.test(stdout) ? undefined : "the openssl command is not OpenSSL 3"),
  () => "no openssl command"
)

/** A self-signed authority, or a certificate that the authority of that name signed; `name.crt` and `name.key`. */
const makeCertificate = (folder: string, name: string, subject: string, authority?: string, alternative?: string) =>
  Effect.promise(async () => {
    const file = (end: string) => join(folder, end)
    const [key, crt] = [file(`${name}.key`), file(`${name}.crt`)]
    await openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"],
      ...["-subj", `/CN=${subject}`, "-keyout", key, "-out", crt],
      ...(authority === undefined
        ? []
        : [
            "-CA",
            file(`${authority}.crt`),
            "-CAkey",
            file(`${authority}.key`),
            "-addext",
            "basicConstraints=CA:FALSE"
          ]),
      ...(alternative === undefined ? [] : ["-addext", `subjectAltName=${alternative}`])
    )
    await chmod(key, 0o600)
  })

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Who may come in how; but for `shower`, who has to show a certificate, without TLS too. */
const accessRules = `
local   all all        trust
hostssl all shower all cert
host    all shower all reject
host    all hashed all md5
host    all plain  all password
host    all all    all scram-sha-256
`

/**
 * A server on 127.0.0.1 with a certificate for `localhost`, of a private authority `ca`. Its folder also has the
 * authority `other`, and certificates of `ca` for the client `shower` and of `other` for `stranger`.
 */
export const make = Effect.fnUntraced(function* (roles: ReadonlyArray<string>) {
  const [folder, dir] = [yield* temporaryFolder, yield* temporaryFolder]
  const data = join(dir, "data")
  const administer = (url: Redacted.Redacted, ...statements: ReadonlyArray<string>) =>
    Effect.flatMap(SqlClient, (sql) => Effect.forEach(statements, (statement) => sql.unsafe(statement))).pipe(
      Effect.provide(Database.layer({ server: serverAt(url), schema: "public", pool: 1, timeout: "5 seconds" })),
      Effect.scoped
    )
  yield* Effect.scoped(Effect.flatMap(EmbeddedPostgres.make(dir), ({ url }) => administer(url, ...roles)))
  yield* makeCertificate(folder, "ca", "authority")
  yield* makeCertificate(folder, "other", "other authority")
  yield* makeCertificate(folder, "server", "localhost", "ca", "DNS:localhost")
  yield* makeCertificate(folder, "shower", "shower", "ca")
  yield* makeCertificate(folder, "stranger", "shower", "other")
  yield* Effect.promise(async () => {
    for (const name of ["server.key", "server.crt", "ca.crt"]) {
      await copyFile(join(folder, name), join(data, name))
      if (serverUser !== undefined) await chown(join(data, name), serverUser.uid, serverUser.gid)
    }
    await writeFile(join(data, "pg_hba.conf"), accessRules)
  })

  const port = yield* freePort
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: data,
    ssl: "on",
    ssl_ca_file: "ca.crt",
    shared_buffers: "8MB"
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`)
  yield* Effect.promise(() => appendFile(join(data, "postgresql.conf"), lines.join("")))
  const bin = yield* binaries(dir, serverUser, yield* packageFolder)
  const server = yield* running(join(bin, "postgres"), ["-D", data], serverUser)
  yield* Effect.promise(() => server.ready).pipe(Effect.timeout("2 minutes"), Effect.orDie)
  const own = Redacted.make(`postgres://postgres@:${port}/postgres?host=${encodeURIComponent(data)}`)
  return { folder, port, administer: (...statements: ReadonlyArray<string>) => administer(own, ...statements) }
})
