import type { NetConnectOpts } from "node:net"
import { join } from "node:path"
import { Redacted, Result } from "effect"
import { parseEndpoint } from "../../src/adapters/postgres/endpoint.ts"

/** A `postgres://` URL with the database in its path and everything else in its query, as the embedded server's is. */
export const normalized = (text: string): Redacted.Redacted => {
  const given = new URL(Redacted.value(Result.getOrThrow(parseEndpoint(Redacted.make(text))).url))
  const url = new URL("postgres:///")
  url.pathname = given.searchParams.get("dbname") ?? given.pathname
  const authority = {
    host: given.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: given.port,
    user: decodeURIComponent(given.username),
    password: decodeURIComponent(given.password)
  }
  for (const [name, value] of Object.entries(authority)) if (value !== "") url.searchParams.set(name, value)
  for (const [name, value] of given.searchParams) if (name !== "dbname") url.searchParams.set(name, value)
  return Redacted.make(url.href)
}

/** A part of a normalized URL's query. */
export const partOf = (server: Redacted.Redacted, name: string): string | undefined =>
  new URL(Redacted.value(server)).searchParams.get(name) ?? undefined

/** A normalized URL with these parts of its query in place of its own. */
export const withParts = (server: Redacted.Redacted, parts: Readonly<Record<string, string>>): Redacted.Redacted => {
  const url = new URL(Redacted.value(server))
  for (const [name, value] of Object.entries(parts)) url.searchParams.set(name, value)
  return Redacted.make(url.href)
}

/** Another database on the same server. */
export const withDatabase = (server: Redacted.Redacted, database: string): Redacted.Redacted => {
  const url = new URL(Redacted.value(server))
  url.pathname = database
  return Redacted.make(url.href)
}

/** Through a proxy that listens on this `host:port`. */
export const through = (server: Redacted.Redacted, address: string): string => {
  const { hostname, port } = new URL(`tcp://${address}`)
  return Redacted.value(withParts(server, { host: hostname, port }))
}

/** Where a proxy finds the server. */
export const socketOf = (server: Redacted.Redacted): NetConnectOpts => {
  const host = partOf(server, "host") ?? ""
  const port = partOf(server, "port") ?? "5432"
  return host.startsWith("/") ? { path: join(host, `.s.PGSQL.${port}`) } : { host, port: Number(port) }
}
