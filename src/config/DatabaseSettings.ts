import { BlockList, isIP } from "node:net"
import { Effect, type FileSystem, Schema, SchemaGetter, SchemaIssue } from "effect"
import { accepting, FileText } from "./codecs.ts"
import { parameters } from "./databaseParameters.ts"
import { DatabaseTls, databaseTls } from "./databaseTls.ts"
import { type DatabaseProblem, DatabaseServer, parseDatabaseUrl } from "./databaseUrl.ts"

/** A PostgreSQL server, or the folder in which a private one is kept. */
export const DatabaseLocation = Schema.Union([
  Schema.TaggedStruct("Server", {
    server: Schema.Struct({ ...DatabaseServer.fields, tls: Schema.UndefinedOr(DatabaseTls) })
  }),
  Schema.TaggedStruct("Embedded", { directory: Schema.NonEmptyString })
])
export type DatabaseLocation = typeof DatabaseLocation.Type

const accepted = "postgres://user:password@host:port/database or embedded:DIR"

/** The standard variables, used for the parts that the URL leaves out. */
const standardVariables = Object.fromEntries(
  [...parameters.values()].flatMap(({ accepted, variable }) =>
    variable === undefined ? [] : [[variable, Schema.optionalKey(Schema.String.pipe(accepting(accepted)))] as const]
  )
)

/** The two ways to name the database; exactly one must be set. `HOME` is used only to find `~/.postgresql`. */
export const DatabaseVariables = Schema.Struct({
  RTMANAGER_DATABASE_URL: Schema.optionalKey(Schema.NonEmptyString.pipe(accepting(accepted))),
  RTMANAGER_DATABASE_URL_FILE: Schema.optionalKey(
    FileText.pipe(accepting(`the path of a readable file that holds ${accepted}, instead of RTMANAGER_DATABASE_URL`))
  ),
  HOME: Schema.optionalKey(Schema.String),
  ...standardVariables
})

/** The reason is put into the path, because only an issue's path is ever shown. */
const issueOf = ({ reason, variable }: DatabaseProblem) =>
  new SchemaIssue.Pointer(reason === undefined ? [variable] : [variable, reason], new SchemaIssue.InvalidValue())

const locate = Effect.fnUntraced(function* (
  env: typeof DatabaseVariables.Type
): Effect.fn.Return<DatabaseLocation, ReadonlyArray<DatabaseProblem>, FileSystem.FileSystem> {
  const { HOME: home, RTMANAGER_DATABASE_URL: url, RTMANAGER_DATABASE_URL_FILE: file } = env
  if (url !== undefined && file !== undefined) return yield* Effect.fail([{ variable: "RTMANAGER_DATABASE_URL_FILE" }])
  const text = url ?? file
  if (text === undefined) return yield* Effect.fail([{ variable: "RTMANAGER_DATABASE_URL" }])
  const directory = /^embedded:(\S.*)$/.exec(text)?.[1]
  if (directory !== undefined) return { _tag: "Embedded", directory }
  const variable = url === undefined ? "RTMANAGER_DATABASE_URL_FILE" : "RTMANAGER_DATABASE_URL"
  const connection = yield* Effect.fromResult(parseDatabaseUrl(text, variable, env))
  const tls = yield* databaseTls(connection, home).pipe(Effect.mapError((problem) => [problem]))
  return { _tag: "Server", server: { ...connection.server, tls } }
})

export const Database = DatabaseVariables.pipe(
  Schema.decodeTo(Schema.toType(DatabaseLocation), {
    decode: SchemaGetter.transformEffect((env) =>
      locate(env).pipe(
        Effect.mapError((problems) => {
          const [first = issueOf({ variable: "RTMANAGER_DATABASE_URL" }), ...rest] = problems.map(issueOf)
          return new SchemaIssue.Composite(DatabaseVariables.ast, [first, ...rest])
        })
      )
    ),
    encode: SchemaGetter.forbiddenEncoding
  })
)

/** The server's host, port and database, or the folder. Holds no secret. */
export const describeLocation = (location: DatabaseLocation): string => {
  if (location._tag === "Embedded") return `embedded:${location.directory}`
  const { database, host, port } = location.server
  return `postgres://${isIP(host) === 6 ? `[${host}]` : host}:${port}/${database}`
}

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

const isLocal = (host: string) => {
  const family = isIP(host)
  if (family === 0) return host === "localhost" || host.startsWith("/")
  return loopback.check(host, family === 6 ? "ipv6" : "ipv4")
}

/** Whether the traffic to the database, including the password, can be read on a network. */
export const isExposed = (location: DatabaseLocation): boolean =>
  location._tag === "Server" && location.server.tls === undefined && !isLocal(location.server.host)
