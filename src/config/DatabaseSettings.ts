import { Effect, Redacted, Schema, SchemaGetter, SchemaIssue } from "effect"
import { accepting, FileText, parsed } from "./codecs.ts"

/** A PostgreSQL server, or the folder in which a private one is kept. */
export const DatabaseLocation = Schema.Union([
  Schema.TaggedStruct("Server", { url: Schema.Redacted(Schema.String) }),
  Schema.TaggedStruct("Embedded", { directory: Schema.NonEmptyString })
])
export type DatabaseLocation = typeof DatabaseLocation.Type

/** A server is also found by the folder of its unix socket: `postgres:///database?host=/folder`. */
const hostOf = (url: URL) => url.hostname || (url.searchParams.get("host") ?? "")

/** Whether a driver will be able to take the URL apart, also its percent-encoded parts. */
const isServerUrl = (text: string): boolean => {
  const url = URL.parse(text)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol) || hostOf(url) === "") return false
  try {
    decodeURIComponent(`${url.username}${url.password}${url.pathname}`)
    return true
  } catch {
    return false
  }
}

const parseLocation = (text: string): (typeof DatabaseLocation)["Encoded"] | undefined => {
  const directory = /^embedded:(\S.*)$/.exec(text)?.[1]
  if (directory !== undefined) return { _tag: "Embedded", directory }
  return isServerUrl(text) ? { _tag: "Server", url: Redacted.make(text, { label: "database url" }) } : undefined
}

const Location = parsed(parseLocation, DatabaseLocation)

const accepted = "postgres://user:password@host:port/database or embedded:DIR"

/** The two ways to say where the database is, of which exactly one is taken. */
export const DatabaseVariables = Schema.Struct({
  RTMANAGER_DATABASE_URL: Schema.optionalKey(Location.pipe(accepting(accepted))),
  RTMANAGER_DATABASE_URL_FILE: Schema.optionalKey(
    FileText.pipe(
      Schema.decodeTo(Location),
      accepting(`the path of a readable file that holds ${accepted}, in place of RTMANAGER_DATABASE_URL`)
    )
  )
})

const problemWith = (variable: keyof typeof DatabaseVariables.Type) =>
  Effect.fail(new SchemaIssue.Pointer([variable], new SchemaIssue.InvalidValue()))

export const Database = DatabaseVariables.pipe(
  Schema.decodeTo(Schema.toType(DatabaseLocation), {
    decode: SchemaGetter.transformEffect(({ RTMANAGER_DATABASE_URL: url, RTMANAGER_DATABASE_URL_FILE: file }) => {
      if (url !== undefined && file !== undefined) return problemWith("RTMANAGER_DATABASE_URL_FILE")
      const location = url ?? file
      return location === undefined ? problemWith("RTMANAGER_DATABASE_URL") : Effect.succeed(location)
    }),
    encode: SchemaGetter.forbiddenEncoding
  })
)

/** The server's host, port and database, or the folder: what may be shown. */
export const describeLocation = (location: DatabaseLocation): string => {
  if (location._tag === "Embedded") return `embedded:${location.directory}`
  const url = new URL(Redacted.value(location.url))
  return `postgres://${hostOf(url)}:${url.port || 5432}${url.pathname}`
}
