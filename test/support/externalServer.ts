import { randomUUID } from "node:crypto"
import type { NetConnectOpts } from "node:net"
import { join } from "node:path"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Database from "../../src/adapters/postgres/Database.ts"
import { serverAt } from "../../src/config/databaseUrl.ts"

/** A superuser's URL of a server that the tests may use, in place of one that they start. */
export const externalUrl = process.env["RTMANAGER_TEST_DATABASE_URL"] || undefined

/** The same user's URL of another database, or of another way to the server. */
export const urlWith = (
  url: Redacted.Redacted,
  changes: { readonly database?: string; readonly host?: string; readonly port?: number }
): Redacted.Redacted => {
  const { database, host, password, port, user } = { ...serverAt(url), ...changes }
  const parameters = new URLSearchParams({
    host,
    port: String(port),
    user,
    ...(password !== undefined && { password: Redacted.value(password) })
  })
  return Redacted.make(`postgres:///${encodeURIComponent(database)}?${parameters.toString().replaceAll("+", "%20")}`)
}

/** Where a program connects to reach the server of this URL. */
export const addressOf = (url: Redacted.Redacted): NetConnectOpts => {
  const { host, port } = serverAt(url)
  return host.startsWith("/") ? { path: join(host, `.s.PGSQL.${port}`) } : { host, port }
}

/** A database of its own on the server of this URL, gone with the scope. */
export const freshDatabase = Effect.fnUntraced(function* (url: Redacted.Redacted, encoding = "UTF8") {
  const admin = Database.layer({ server: serverAt(url), schema: "public", pool: 1, timeout: "1 minute" })
  const sql = Context.get(yield* Layer.build(Layer.fresh(admin)), SqlClient)
  const name = `rtmanager_test_${randomUUID().replaceAll("-", "")}`
  const how = sql.literal(`encoding '${encoding}' template template0 lc_collate 'C' lc_ctype 'C'`)
  yield* Effect.acquireRelease(sql`create database ${sql(name)} ${how}`, () =>
    Effect.orDie(sql`drop database ${sql(name)} with (force)`)
  )
  return { url: urlWith(url, { database: name }) }
})

/** Of `host:port`. */
export const hostAndPort = (address: string) => {
  const [, host = "", port] = /^(.*):(\d+)$/.exec(address) ?? []
  return { host, port: Number(port) }
}
