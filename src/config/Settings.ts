import { type Duration, Effect, type FileSystem, type LogLevel, Schema, SchemaIssue } from "effect"
import type { EngineName } from "../domain/EngineName.ts"
import type { Mode } from "../domain/Mode.ts"
import { printable } from "../domain/printable.ts"
import type { DatabaseLocation } from "./DatabaseSettings.ts"
import type { EngineAddress } from "./EngineSettings.ts"
import { type OtelSettings, otelSettings } from "./OtelSettings.ts"
import { type Problem, SettingsError } from "./SettingsError.ts"
import { acceptedForms, Groups } from "./variables.ts"

/** Every setting of the service, checked. */
export interface Settings {
  readonly database: {
    readonly location: DatabaseLocation
    readonly schema: string
    /** Most connections. */
    readonly pool: number
    /** Per statement. */
    readonly timeout: Duration.Duration
  }
  readonly retention: Duration.Duration
  readonly mode: Mode
  readonly interval: Duration.Duration
  readonly concurrency: number
  readonly pageSize: number
  /** Most games attempted in one pass; `undefined` is no limit. */
  readonly maxRemovals: number | undefined
  /** The largest accepted difference between this service's clock and the database's. */
  readonly maxClockSkew: Duration.Duration
  readonly leaseTtl: Duration.Duration
  /** Per engine call. */
  readonly engineTimeout: Duration.Duration
  readonly engineName: EngineName
  readonly gameLabel: string
  readonly http: { readonly host: string; readonly port: number }
  readonly api: {
    /** `undefined`: there is no API. */
    readonly tokensFile: string | undefined
    /** Further hosts that requests may name, in lower case and without port. */
    readonly hosts: ReadonlyArray<string>
    /** Where a trace can be looked at, with `{trace_id}` for its id; `undefined`: nowhere. */
    readonly traceUrl: string | undefined
  }
  readonly log: { readonly level: LogLevel.Severity; readonly format: "json" | "pretty" }
  readonly engine: EngineAddress
  readonly otel: OtelSettings
  /** `RTMANAGER_` variables that are not ours, sorted: one warning names them. */
  readonly unknown: ReadonlyArray<string>
}

type Environment = Readonly<Record<string, string | undefined>>

const isOurs = (name: string) => name.startsWith("RTMANAGER_")

/** Of the tests, and of commands with `--server`. */
const elsewhere = /^RTMANAGER_(?:TEST_.*|TOKEN_FILE)$/

/** For Docker and OpenTelemetry an empty variable is not set. An empty variable of ours is an error. */
const present = (env: Environment): Environment =>
  Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== undefined && (value !== "" || isOurs(name)))
  )

/** A URL can hold a password, even a malformed URL or one in the wrong variable. */
const shown = (variable: string, value: string | undefined) => {
  if (value === undefined) return undefined
  const isSecret = variable === "RTMANAGER_DATABASE_URL" || variable === "PGPASSWORD" || value.includes("@")
  return isSecret ? "<redacted>" : JSON.stringify(printable(value))
}

/** Takes only an issue's path (variable and reason), because the issue itself can hold a secret. */
const problems = (issue: SchemaIssue.Issue, env: Environment): ReadonlyArray<Problem> => {
  const paths = SchemaIssue.makeFormatterStandardSchemaV1()(issue).issues.map(({ path = [] }) => path)
  return [...acceptedForms].flatMap(([variable, accepted]) => {
    const about = paths.filter((path) => path[1] === variable)
    const reasons = about.flatMap(([, , reason]) => (typeof reason === "string" ? [reason] : []))
    if (about.length === 0) return []
    return [{ variable, value: shown(variable, env[variable]), accepted: [accepted, ...reasons].join("; ") }]
  })
}

/**
 * Reads all settings, or fails with everything that is wrong with them. Reads only the files that variables name, and
 * changes nothing. `isTerminal`: the log goes to a terminal, which decides its format if none is set.
 */
export const decode = Effect.fnUntraced(function* (
  environment: Environment,
  options?: { readonly isTerminal?: boolean }
): Effect.fn.Return<Settings, SettingsError, FileSystem.FileSystem> {
  const env = present(environment)
  const { database, own, lease, engine, otel } = yield* Schema.decodeUnknownEffect(Groups, { errors: "all" })({
    database: env,
    own: env,
    lease: env,
    engine: env,
    otel: env
  }).pipe(Effect.mapError(({ issue }) => new SettingsError({ problems: problems(issue, env) })))
  return {
    database: {
      location: database,
      schema: own.RTMANAGER_DATABASE_SCHEMA,
      pool: own.RTMANAGER_DATABASE_POOL,
      timeout: own.RTMANAGER_DATABASE_TIMEOUT
    },
    retention: own.RTMANAGER_CONTAINER_RETENTION_DAYS,
    mode: own.RTMANAGER_CLEANUP_MODE,
    interval: own.RTMANAGER_CLEANUP_INTERVAL,
    concurrency: own.RTMANAGER_CLEANUP_CONCURRENCY,
    pageSize: own.RTMANAGER_CLEANUP_PAGE_SIZE,
    maxRemovals: own.RTMANAGER_CLEANUP_MAX_REMOVALS,
    maxClockSkew: own.RTMANAGER_CLEANUP_MAX_CLOCK_SKEW,
    leaseTtl: lease.RTMANAGER_GAME_LEASE_TTL,
    engineTimeout: lease.RTMANAGER_ENGINE_TIMEOUT,
    engineName: own.RTMANAGER_ENGINE_NAME,
    gameLabel: own.RTMANAGER_GAME_LABEL,
    http: own.RTMANAGER_HTTP_ADDR,
    api: {
      tokensFile: own.RTMANAGER_API_TOKENS_FILE,
      hosts: own.RTMANAGER_HTTP_HOSTS ?? [],
      traceUrl: own.RTMANAGER_TRACE_URL
    },
    log: {
      level: own.RTMANAGER_LOG_LEVEL,
      format: own.RTMANAGER_LOG_FORMAT ?? (options?.isTerminal === true ? "pretty" : "json")
    },
    engine,
    otel: otelSettings(otel),
    unknown: Object.keys(env)
      .filter((name) => isOurs(name) && !elsewhere.test(name) && !acceptedForms.has(name))
      .sort()
  }
})
