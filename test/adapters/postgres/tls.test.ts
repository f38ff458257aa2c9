import { chmod, copyFile, mkdir } from "node:fs/promises"
import { type AddressInfo, createConnection, createServer } from "node:net"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Database from "../../../src/adapters/postgres/Database.ts"
import { explain } from "../../../src/adapters/postgres/storeError.ts"
import { decode } from "../../../src/config/Settings.ts"
import { describeWith } from "../../support/needs.ts"
import * as TlsServer from "../../support/tlsServer.ts"

const roles = [
  "create role sure login password 'sure'",
  "create role shower login",
  "create role quarter login password U&'abc\\00bc###'",
  "create role umlaut login password U&'gr\\00fcn'",
  "create role emoji login password U&'a\\+01f600'",
  "create role plain login password U&'abc\\00bc###'",
  "set password_encryption = 'md5'",
  "create role hashed login password U&'gr\\00fcn'"
]

class Server extends Context.Service<Server, Effect.Success<ReturnType<typeof TlsServer.make>>>()(
  "rtmanager/test/TlsServer"
) {
  static readonly layer = Layer.effect(
    Server,
    Effect.tap(TlsServer.make(roles), ({ folder }) =>
      Effect.promise(async () => {
        await copyFile(join(folder, "shower.key"), join(folder, "readable.key"))
        await chmod(join(folder, "readable.key"), 0o644)
        await mkdir(join(folder, "home/.postgresql"), { recursive: true })
        await copyFile(join(folder, "other.crt"), join(folder, "home/.postgresql/root.crt"))
        await mkdir(join(folder, "client/.postgresql"), { recursive: true })
        await copyFile(join(folder, "shower.crt"), join(folder, "client/.postgresql/postgresql.crt"))
        await copyFile(join(folder, "shower.key"), join(folder, "client/.postgresql/postgresql.key"))
      })
    )
  )
}

type Environment = Readonly<Record<string, string>>

/** What the server says of a session under these settings, or why there is none. `DIR` is the server's folder. */
const session = Effect.fnUntraced(function* (url: string, env: Environment = {}) {
  const { folder, port } = yield* Server
  const filled = Object.entries({ RTMANAGER_DATABASE_URL: url, ...env }).map(
    ([name, value]) => [name, value.replaceAll("DIR", folder).replaceAll("PORT", String(port))] as const
  )
  return yield* decode(Object.fromEntries(filled)).pipe(
    Effect.mapError(({ message }) => message),
    Effect.flatMap(({ database: { location } }) => {
      assert(location._tag === "Server")
      const layer = Database.layer({ server: location.server, schema: "any", pool: 1, timeout: "5 seconds" })
      return Effect.flatMap(
        SqlClient,
        (sql) => sql<{ said: string }>`
          select case when ssl then 'TLS ' || coalesce(client_dn, '') else 'plain text' end as said
          from pg_stat_ssl where pid = pg_backend_pid()`
      ).pipe(Effect.provide(layer), Effect.mapError(explain))
    }),
    Effect.scoped,
    Effect.match({ onFailure: (reason) => reason, onSuccess: ([row]) => row?.said ?? "" }),
    Effect.provide(NodeServices.layer)
  )
})

const here = "postgres://sure:sure@localhost:PORT/postgres"
/** The same server by a name that its certificate does not have. */
const elsewhere = "postgres://sure:sure@127.0.0.1:PORT/postgres"
const [ca, other] = ["sslrootcert=DIR/ca.crt", "sslrootcert=DIR/other.crt"]
const shower = "postgres://shower@localhost:PORT/postgres?sslmode=require"
const file = (variable: string, name: string) => ({ [variable]: `DIR/${name}` })

const [encrypted, plain] = [/^TLS $/, /^plain text$/]
const [untrusted, misnamed] = [/self-signed certificate in certificate chain/, /does not match certificate's altnames/]
const refused = (reason: string) => new RegExp(`cannot be used:\n.*${reason}`)

const cases: ReadonlyArray<readonly [string, RegExp, string, Environment?]> = [
  ["nothing asked for", plain, here],
  ["disable", plain, `${here}?sslmode=disable`],
  ["allow", refused("its sslmode needs"), `${here}?sslmode=allow`],
  ["prefer", refused("its sslmode needs"), `${here}?sslmode=prefer`],
  ["Require", refused("its sslmode needs"), `${here}?sslmode=Require`],
  ["require", encrypted, `${here}?sslmode=require`],
  ["require, the right authority", encrypted, `${here}?sslmode=require&${ca}`],
  ["require, another authority", untrusted, `${here}?sslmode=require&${other}`],
  ["require, the wrong host", encrypted, `${elsewhere}?sslmode=require&${ca}`],
  ["verify-ca, no authority", refused("its sslmode needs an sslrootcert"), `${here}?sslmode=verify-ca`],
  ["verify-ca, the right authority", encrypted, `${here}?sslmode=verify-ca&${ca}`],
  ["verify-ca, another authority", untrusted, `${here}?sslmode=verify-ca&${other}`],
  ["verify-ca, the wrong host", encrypted, `${elsewhere}?sslmode=verify-ca&${ca}`],
  ["verify-full, no authority", refused("its sslmode needs an sslrootcert"), `${here}?sslmode=verify-full`],
  ["verify-full, the right authority", encrypted, `${here}?sslmode=verify-full&${ca}`],
  ["verify-full, another authority", untrusted, `${here}?sslmode=verify-full&${other}`],
  ["verify-full, the wrong host", misnamed, `${elsewhere}?sslmode=verify-full&${ca}`],
  ["verify-full, the system's authorities", untrusted, `${here}?sslmode=verify-full&sslrootcert=system`],
  ["verify-ca, the system's authorities", refused("is system"), `${here}?sslmode=verify-ca&sslrootcert=system`],
  ["an authority alone", encrypted, `${here}?${ca}`],
  ["an authority alone, the wrong host", misnamed, `${elsewhere}?${ca}`],
  ["ssl=true", untrusted, `${here}?ssl=true`],
  ["ssl=true, the right authority", encrypted, `${here}?ssl=true&${ca}`],
  ["ssl=1 and verify-ca, the wrong host", encrypted, `${elsewhere}?ssl=1&sslmode=verify-ca&${ca}`],
  ["ssl=false", plain, `${here}?ssl=false`],
  ["ssl=false and require", refused("contradict"), `${here}?ssl=false&sslmode=require`],
  ["ssl=true and disable", refused("contradict"), `${here}?ssl=true&sslmode=disable`],
  ["PGSSLMODE=require", encrypted, here, { PGSSLMODE: "require" }],
  ["PGSSLMODE=Require", refused('PGSSLMODE="Require": needs'), here, { PGSSLMODE: "Require" }],
  ["PGSSLMODE=require and disable in the URL", plain, `${here}?sslmode=disable`, { PGSSLMODE: "require" }],
  ["PGSSLROOTCERT", misnamed, elsewhere, { PGSSLMODE: "verify-full", ...file("PGSSLROOTCERT", "ca.crt") }],
  ["PGSSLROOTCERT of another", untrusted, `${here}?sslmode=require`, file("PGSSLROOTCERT", "other.crt")],
  ["~/.postgresql/root.crt of another", untrusted, `${here}?sslmode=require`, { HOME: "DIR/home" }],
  ["an authority that is not there", refused("its sslrootcert .* read"), `${here}?${ca}.gone`],
  ["an authority that is no certificate", refused("its sslrootcert .* PEM"), `${here}?sslrootcert=DIR/ca.key`],
  ["PGSSLROOTCERT not there", refused("PGSSLROOTCERT.* read"), here, { PGSSLROOTCERT: "/gone" }],
  ["no certificate to show", /requires a valid client certificate/, shower],
  ["a certificate to show", /^TLS \/CN=shower$/, `${shower}&sslcert=DIR/shower.crt&sslkey=DIR/shower.key`],
  [
    "a certificate to show in the variables",
    /^TLS \/CN=shower$/,
    shower,
    { ...file("PGSSLCERT", "shower.crt"), ...file("PGSSLKEY", "shower.key") }
  ],
  ["a certificate to show in ~/.postgresql", /^TLS \/CN=shower$/, shower, { HOME: "DIR/client" }],
  ["a certificate of another authority", /unknown ca/, `${shower}&sslcert=DIR/stranger.crt&sslkey=DIR/stranger.key`],
  ["a certificate without a key", refused("its sslcert needs an sslkey"), `${shower}&sslcert=DIR/shower.crt`],
  ["a key without a certificate", refused("its sslkey needs an sslcert"), `${shower}&sslkey=DIR/shower.key`],
  [
    "another certificate's key",
    refused("its sslkey .* not the certificate's"),
    `${shower}&sslcert=DIR/shower.crt&sslkey=DIR/stranger.key`
  ],
  [
    "a key that others can read",
    refused("its sslkey .* 0600"),
    `${shower}&sslcert=DIR/shower.crt&sslkey=DIR/readable.key`
  ],
  ["revocation lists", refused("its sslcrl needs to be left out"), `${here}?sslmode=require&sslcrl=DIR/ca.crl`],
  ["channel binding", refused("its channel_binding"), `${here}?sslmode=require&channel_binding=require`],
  ["a slip of the pen", refused("no parameter sslmdoe"), `${here}?sslmdoe=require`]
]

describeWith(TlsServer.missing, "TLS to a server with a private authority", () => {
  it.layer(Server.layer, { excludeTestServices: true })((it) => {
    it.effect.each(cases)("event 30: %s", ([, expected, url, env]) =>
      Effect.gen(function* () {
        assert.match(yield* session(url, env), expected)
      })
    )

    it.effect("event 30: a variable of Node's cannot turn verification off", () =>
      Effect.gen(function* () {
        process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
        assert.match(yield* session(`${here}?sslmode=verify-full&${other}`), untrusted)
      }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]
          })
        )
      )
    )

    it.effect("event 30: whoever answers that there is no TLS learns nothing, unless plain text was asked for", () =>
      Effect.gen(function* () {
        const { port } = yield* Server
        const heard: Array<Buffer> = []
        const between = createServer((client) => {
          const server = createConnection({ host: "127.0.0.1", port })
          client.on("error", () => server.destroy()).on("close", () => server.destroy())
          server.on("error", () => client.destroy())
          client.on("data", (chunk: Buffer) => {
            const isRequest = chunk.length === 8 && chunk.readInt32BE(4) === 80_877_103
            if (isRequest) return void client.write("N")
            heard.push(chunk)
            server.write(chunk)
          })
          server.pipe(client)
        })
        yield* Effect.acquireRelease(
          Effect.callback<void>((resume) => {
            between.listen(0, "127.0.0.1", () => resume(Effect.void))
          }),
          () => Effect.sync(() => between.close())
        )
        const url = `postgres://sure:sure@localhost:${(between.address() as AddressInfo).port}/postgres`
        for (const mode of ["sslmode=require", `sslmode=verify-ca&${ca}`, `sslmode=verify-full&${ca}`, "ssl=true"]) {
          assert.match(yield* session(`${url}?${mode}`), /does not support TLS/)
        }
        assert.match(yield* session(url, { PGSSLMODE: "require" }), /does not support TLS/)
        assert.deepStrictEqual(heard, [])
        assert.match(yield* session(url), plain)
        assert.isAbove(heard.length, 0)
      }).pipe(Effect.scoped)
    )

    it.effect("event 30: a server without TLS is left, unless plain text was asked for", () =>
      Effect.gen(function* () {
        const { administer } = yield* Server
        const becomes = (ssl: "on" | "off", expected: RegExp) =>
          administer(`alter system set ssl = '${ssl}'`, "select pg_reload_conf()").pipe(
            Effect.andThen(
              Effect.repeat(session(`${here}?sslmode=require`), {
                until: (said) => expected.test(said),
                schedule: Schedule.spaced("20 millis")
              })
            )
          )
        yield* Effect.acquireUseRelease(
          becomes("off", /does not support TLS/),
          () =>
            Effect.gen(function* () {
              assert.match(yield* session(`${here}?sslmode=verify-full&${ca}`), /does not support TLS/)
              assert.match(yield* session(`${here}?sslmode=disable`), plain)
            }),
          () => Effect.orDie(becomes("on", encrypted))
        )
      })
    )

    const login = (user: string, password: string) =>
      session(`postgres://${user}:${encodeURIComponent(password)}@localhost:PORT/postgres?sslmode=require`)

    it.effect.each([
      ["scram-sha-256", "umlaut", "grün"],
      ["scram-sha-256, what SASLprep prohibits", "emoji", "a😀"],
      ["scram-sha-256, in the form of SASLprep", "quarter", "abc1⁄4###"],
      ["password, in the form of SASLprep", "plain", "abc1⁄4###"],
      ["md5", "hashed", "grün"]
    ] as const)("event 33: a password that SASLprep leaves as it is opens the door: %s", ([, user, password]) =>
      Effect.gen(function* () {
        assert.match(yield* login(user, password), encrypted)
        assert.match(yield* login(user, `${password}!`), /authentication failed/)
      })
    )

    it.effect("event 33: a password that SASLprep changes is refused before it is tried", () =>
      Effect.gen(function* () {
        for (const user of ["quarter", "plain"])
          assert.match(yield* login(user, "abc¼###"), refused("its password .*SASLprep"))
      })
    )
  })
})
