import { Duration, Redacted, Result, Schema } from "effect"
import { parameters } from "./databaseParameters.ts"

/** Which variable is wrong, and why. Never quotes a URL or a password. */
export interface DatabaseProblem {
  readonly variable: string
  readonly reason?: string
}

/** A server, and the user to connect as. */
export const DatabaseServer = Schema.Struct({
  /** A host, or the folder of a unix socket. */
  host: Schema.String,
  port: Schema.Int,
  user: Schema.String,
  password: Schema.UndefinedOr(Schema.Redacted(Schema.String)),
  database: Schema.String,
  applicationName: Schema.UndefinedOr(Schema.String),
  /** Command-line options for the server, sent when each session starts. */
  options: Schema.UndefinedOr(Schema.String),
  /** The limit for one attempt to connect; absent means no limit of its own. */
  connectTimeout: Schema.UndefinedOr(Schema.Duration)
})
export type DatabaseServer = typeof DatabaseServer.Type

/** A parameter's value, and the variable that it comes from. */
export interface Given {
  readonly name: string
  readonly value: string
  readonly variable: string
  readonly inUrl: boolean
}

/** What the URL and the standard variables say together. */
export interface Connection {
  readonly server: DatabaseServer
  readonly given: ReadonlyMap<string, Given>
}

type Environment = Readonly<Record<string, string | undefined>>

/** `postgres://user:password@host:port/database?name=value`. As in libpq, only the first part is required. */
const shape = /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?(\[[^\]]*\]|[^/?#:@]*)(?::([^/?#@]*))?(?:\/([^?#]*))?(?:\?([^#]*))?$/

const hint = "write / ? # @ : and % in a user or password as %2F %3F %23 %40 %3A and %25"

/** A blank or line break at the start or end, or characters that an editor does not show. */
const isPadded = (text: string) => /^\s|\s$|\p{Cc}/u.test(text)

/** Why a text is not a URL, as far as that can be said without quoting it. */
const whyMalformed = (text: string) => {
  if (isPadded(text)) return "it has a blank or line break at its start or end, or a control character"
  if (text.includes("#")) return `it is cut off by a #: ${hint}`
  return /^postgres(?:ql)?:\/\/.*@/.test(text) ? hint : undefined
}

/** Whether the text after a `?` could be the rest of a password, which must not be shown. */
const isCutOff = (text: string) => /\?.*@/.test(text)

/** The URL's parts by parameter name, still percent-encoded. A later part wins over an earlier one. */
const partsOf = (text: string): Result.Result<ReadonlyArray<readonly [string, string]>, string | undefined> => {
  const [matched, userinfo = "", host = "", port = "", database = "", query = ""] = shape.exec(text) ?? []
  if (matched === undefined || isPadded(text)) return Result.fail(whyMalformed(text))
  // Left behind by a / or ? in the password.
  if (database.includes("@")) return Result.fail(hint)
  const [user = "", ...password] = userinfo.split(":")
  const pairs = query === "" ? [] : query.split("&").map((pair) => pair.split("="))
  if (pairs.some(([name, ...value]) => name === "" || value.length === 0))
    return Result.fail(isCutOff(text) ? hint : "each of its parameters needs the form name=value")
  const authority = {
    host: host.replace(/^\[(.*)\]$/, "$1"),
    port,
    user,
    password: password.join(":"),
    dbname: database
  }
  return Result.succeed([
    ...Object.entries(authority).filter(([, value]) => value !== ""),
    ...pairs.map(([name = "", ...value]) => [name, value.join("=")] as const)
  ])
}

const decoded = (parts: ReadonlyArray<readonly [string, string]>) =>
  Result.try({
    try: () => parts.map((part) => part.map(decodeURIComponent)),
    catch: () => `its percent-encoding is broken: ${hint}`
  })

const whyUnknown = (name: string, text: string) =>
  isCutOff(text) || !/^\w{1,40}$/.test(name) ? `it has an unknown parameter: ${hint}` : `it has no parameter ${name}`

/** The URL's parameters, and the standard variables for parameters that it leaves out. */
const given = (text: string, variable: string, env: Environment): Result.Result<Connection["given"], DatabaseProblem> =>
  partsOf(text).pipe(
    Result.flatMap(decoded),
    Result.flatMap((parts) => {
      const unknown = parts.find(([name = ""]) => !parameters.has(name))?.[0]
      if (unknown !== undefined) return Result.fail(whyUnknown(unknown, text))
      return parts.some((part) => part.join("").includes("\0")) ? Result.fail("it holds %00") : Result.succeed(parts)
    }),
    Result.map((parts) => {
      const inEnvironment = [...parameters].flatMap(([name, parameter]): ReadonlyArray<Given> => {
        const value = env[parameter.variable ?? ""]
        return value === undefined || parameter.variable === undefined
          ? []
          : [{ name, value, variable: parameter.variable, inUrl: false }]
      })
      const inUrl = parts.map(([name = "", value = ""]) => ({ name, value, variable, inUrl: true }))
      return new Map([...inEnvironment, ...inUrl].map((each) => [each.name, each]))
    }),
    Result.mapError((reason) => (reason === undefined ? { variable } : { variable, reason }))
  )

const problemsOf = (all: Connection["given"], variable: string): ReadonlyArray<DatabaseProblem> => [
  ...[...all.values()].flatMap((each): ReadonlyArray<DatabaseProblem> => {
    const parameter = parameters.get(each.name)
    if (parameter === undefined || parameter.isAccepted(each.value)) return []
    if (each.name === "passfile" && all.has("password")) return []
    return [
      each.inUrl ? { variable, reason: `its ${each.name} needs ${parameter.accepted}` } : { variable: each.variable }
    ]
  }),
  ...(["host", "user"] as const)
    .filter((name) => !all.has(name))
    .map((name) => ({ variable, reason: `it names no ${name}` }))
]

/**
 * Reads a URL as libpq does: query parameters win over the parts before them, and the standard variables of `env` fill
 * in what the URL leaves out. `variable` is the one that holds the URL. Fails with everything that is wrong.
 */
export const parseDatabaseUrl = (
  text: string,
  variable: string,
  env: Environment
): Result.Result<Connection, ReadonlyArray<DatabaseProblem>> =>
  given(text, variable, env).pipe(
    Result.mapError((problem) => [problem]),
    Result.flatMap((all) => {
      const problems = problemsOf(all, variable)
      if (problems.length > 0) return Result.fail(problems)
      const value = (name: string) => all.get(name)?.value
      const [user = "", password = "", seconds = "0"] = ["user", "password", "connect_timeout"].map(value)
      return Result.succeed({
        given: all,
        server: {
          host: value("host") ?? "",
          port: Number(value("port") ?? 5432),
          user,
          password: password === "" ? undefined : Redacted.make(password, { label: "database password" }),
          database: value("dbname") ?? user,
          applicationName: value("application_name"),
          options: value("options"),
          connectTimeout: Number(seconds) === 0 ? undefined : Duration.seconds(Number(seconds))
        }
      })
    })
  )

/** The server of a URL that we made ourselves, so errors need no readable report. Without TLS. */
export const serverAt = (url: Redacted.Redacted): DatabaseServer & { readonly tls: undefined } => {
  const { server } = Result.getOrThrowWith(
    parseDatabaseUrl(Redacted.value(url), "url", {}),
    (problems) => new Error(problems.map(({ reason }) => reason).join("; "))
  )
  return { ...server, tls: undefined }
}
