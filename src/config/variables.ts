import { Duration, Schema } from "effect"
import { defaultEngine, EngineName } from "../domain/EngineName.ts"
import { modes } from "../domain/Mode.ts"
import {
  accepting,
  duration,
  HostNames,
  integer,
  ListenAddress,
  oneOf,
  otherwise,
  RetentionDays,
  TraceUrl
} from "./codecs.ts"
import { Database, DatabaseVariables } from "./DatabaseSettings.ts"
import { Engine, EngineVariables } from "./EngineSettings.ts"
import { OtelVariables } from "./OtelSettings.ts"

const identifier = /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/
const labelKey = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/
const level = Schema.Literals(["trace", "debug", "info", "warn", "error"])

const Own = Schema.Struct({
  RTMANAGER_DATABASE_SCHEMA: Schema.String.check(Schema.isPattern(identifier)).pipe(
    accepting("an identifier of a-z, 0-9 and _, at most 63 characters, that does not start with pg_"),
    otherwise("rtmanager")
  ),
  RTMANAGER_DATABASE_POOL: integer(1, 100).pipe(otherwise("10")),
  RTMANAGER_DATABASE_TIMEOUT: duration("100 millis", "5 minutes").pipe(otherwise("5s")),
  RTMANAGER_CONTAINER_RETENTION_DAYS: RetentionDays.pipe(otherwise("30")),
  RTMANAGER_CLEANUP_MODE: oneOf(modes).pipe(otherwise("enforce")),
  RTMANAGER_CLEANUP_INTERVAL: duration("1 second", "24 hours").pipe(otherwise("1h")),
  RTMANAGER_CLEANUP_CONCURRENCY: integer(1, 64).pipe(otherwise("8")),
  RTMANAGER_CLEANUP_PAGE_SIZE: integer(1, 10_000).pipe(otherwise("500")),
  RTMANAGER_CLEANUP_MAX_REMOVALS: Schema.optionalKey(integer(1, 1_000_000_000)),
  RTMANAGER_CLEANUP_MAX_CLOCK_SKEW: duration("1 second", "1 hour").pipe(otherwise("1m")),
  RTMANAGER_ENGINE_NAME: EngineName.pipe(
    accepting("1 to 63 characters of a-z, 0-9, - and ."),
    otherwise(defaultEngine)
  ),
  RTMANAGER_GAME_LABEL: Schema.String.check(Schema.isPattern(labelKey)).pipe(
    accepting("a container label's key of letters, digits and . _ - /, at most 128 characters"),
    otherwise("com.galaxy.game_id")
  ),
  RTMANAGER_HTTP_ADDR: ListenAddress.pipe(otherwise("127.0.0.1:8080")),
  RTMANAGER_HTTP_HOSTS: Schema.optionalKey(HostNames),
  RTMANAGER_API_TOKENS_FILE: Schema.optionalKey(Schema.NonEmptyString.pipe(accepting("the path of a file"))),
  RTMANAGER_TRACE_URL: Schema.optionalKey(TraceUrl),
  RTMANAGER_LOG_LEVEL: level
    .transform(["Trace", "Debug", "Info", "Warn", "Error"])
    .pipe(accepting("trace, debug, info, warn or error"), otherwise("info")),
  RTMANAGER_LOG_FORMAT: Schema.optionalKey(oneOf(["json", "pretty"]))
})

/**
 * A lease must outlast a look and a removal that both time out, and leave time to commit; and, a second after a renewal was asked
 * for, the question for a pause and a removal: one that just outlasts those is used up by the renewal's own answer.
 */
const shortestLease = (engineTimeout: Duration.Duration) =>
  Duration.max(Duration.seconds(16), Duration.sum(Duration.times(engineTimeout, 2), Duration.seconds(10)))

const LeaseTimes = Schema.Struct({
  RTMANAGER_GAME_LEASE_TTL: duration(shortestLease(Duration.seconds(1)), "1 hour").pipe(
    accepting("a duration such as 60s, from 16s to 1h and at least twice RTMANAGER_ENGINE_TIMEOUT plus 10s"),
    otherwise("60s")
  ),
  RTMANAGER_ENGINE_TIMEOUT: duration("1 second", "5 minutes").pipe(otherwise("15s"))
}).check(
  Schema.makeFilter((times) =>
    Duration.isGreaterThanOrEqualTo(times.RTMANAGER_GAME_LEASE_TTL, shortestLease(times.RTMANAGER_ENGINE_TIMEOUT))
      ? undefined
      : { path: ["RTMANAGER_GAME_LEASE_TTL"], issue: "too short" }
  )
)

/**
 * Every variable with its rule. Variables that are checked together form one group, so an error in one group never
 * hides another's.
 */
export const Groups = Schema.Struct({
  database: Database,
  own: Own,
  lease: LeaseTimes,
  engine: Engine,
  otel: OtelVariables
})

const fields = {
  ...DatabaseVariables.fields,
  ...Own.fields,
  ...LeaseTimes.fields,
  ...EngineVariables.fields,
  ...OtelVariables.fields
}

/** The values that each variable takes, in words, in the order in which problems are reported. */
export const acceptedForms: ReadonlyMap<string, string> = new Map(
  Object.entries(fields).map(([name, field]) => [name, Schema.resolveAnnotations(field)?.description ?? "any text"])
)
