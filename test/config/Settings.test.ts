import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FileSystem, Option, PlatformError, Redacted, Runtime, Schema } from "effect"
import fc from "fast-check"
import { describe as describeSettings } from "../../src/config/describe.ts"
import { decode } from "../../src/config/Settings.ts"
import { acceptedForms } from "../../src/config/variables.ts"

const password = "hunter2-s3cret"
const url = `postgres://rt:${password}@db.internal:5433/games`
const required = { RTMANAGER_DATABASE_URL: url }

const files: Record<string, string> = {
  "/run/secrets/url": `${url}\n`,
  "/run/secrets/bad": `mysql://rt:${password}@db/games\n`,
  "/run/secrets/changed": `postgres://rt:${password}¼@db/games\n`,
  "/certs/ca.pem": "CA",
  "/certs/cert.pem": "CERT",
  "/certs/key.pem": password,
  "/home/op/.docker/ca.pem": "CA",
  "/home/op/.docker/cert.pem": "CERT",
  "/home/op/.docker/key.pem": password,
  // Nobody's home.
  "/.docker/ca.pem": "CA",
  "/.docker/cert.pem": "CERT",
  "/.docker/key.pem": password
}
const notFound = PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method: "readFileString" })
const withFiles = Effect.provide(
  FileSystem.layerNoop({
    readFileString: (path) => {
      const text = files[path]
      return text === undefined ? Effect.fail(notFound) : Effect.succeed(text)
    }
  })
)

const settingsOf = (env: Record<string, string | undefined>) => decode({ ...required, ...env }).pipe(withFiles)
const errorOf = (env: Record<string, string | undefined>) => decode(env).pipe(withFiles, Effect.flip)
const problemsOf = (env: Record<string, string | undefined>) =>
  errorOf({ ...required, ...env }).pipe(Effect.map(({ problems }) => problems.map(({ variable }) => variable)))

/** Each has meant "remove everything now" to somebody's parser. */
const hostileNumbers = [
  ...["0", "-0", "-1", "NaN", "", " ", "1 month", "Infinity", "-Infinity", "1e9", "1e-9", "0x10", "0b1", "1_000", "+1"],
  ...["３０", "٣٠", "30d", "30 ", " 30", "1,5", "1.", ".5", "99999999999999999999", "1h1", "-1h", "1h-1m", "null"]
]

describe("Settings", () => {
  it.effect("has the documented defaults", () =>
    Effect.gen(function* () {
      const settings = yield* settingsOf({})
      assert.deepStrictEqual(settings.database.schema, "rtmanager")
      assert.deepStrictEqual(settings.database.pool, 10)
      assert.deepStrictEqual(settings.database.timeout, Duration.seconds(5))
      assert.deepStrictEqual(settings.retention, Duration.days(30))
      assert.deepStrictEqual(settings.mode, "enforce")
      assert.deepStrictEqual(settings.interval, Duration.hours(1))
      assert.deepStrictEqual(settings.concurrency, 8)
      assert.deepStrictEqual(settings.pageSize, 500)
      assert.deepStrictEqual(settings.maxRemovals, undefined)
      assert.deepStrictEqual(settings.maxClockSkew, Duration.minutes(1))
      assert.deepStrictEqual(settings.leaseTtl, Duration.seconds(60))
      assert.deepStrictEqual(settings.engineTimeout, Duration.seconds(15))
      assert.deepStrictEqual(settings.gameLabel, "com.galaxy.game_id")
      assert.deepStrictEqual(settings.http, { host: "127.0.0.1", port: 8080 })
      assert.deepStrictEqual(settings.api, { tokensFile: undefined, hosts: [], traceUrl: undefined })
      assert.deepStrictEqual(settings.log, { level: "Info", format: "json" })
      assert.deepStrictEqual(settings.engine, { socketPath: "/var/run/docker.sock" })
      assert.deepStrictEqual(settings.otel.traces, undefined)
      assert.deepStrictEqual(settings.unknown, [])
    })
  )

  it.effect("tells everything that is wrong in one error with exit code 2, in a fixed order", () =>
    Effect.gen(function* () {
      const error = yield* errorOf({
        RTMANAGER_GAME_LEASE_TTL: "39s",
        RTMANAGER_CLEANUP_INTERVAL: "1 month",
        RTMANAGER_CONTAINER_RETENTION_DAYS: "NaN",
        RTMANAGER_GAME_LABEL: "",
        DOCKER_HOST: "ssh://engine"
      })
      assert.strictEqual(error[Runtime.errorExitCode], 2)
      assert.deepStrictEqual(
        error.message.split("\n  ").map((line) => line.split(": needs ")[0]),
        [
          "these settings cannot be used:",
          "RTMANAGER_DATABASE_URL is not set",
          'RTMANAGER_CONTAINER_RETENTION_DAYS="NaN"',
          'RTMANAGER_CLEANUP_INTERVAL="1 month"',
          'RTMANAGER_GAME_LABEL=""',
          'RTMANAGER_GAME_LEASE_TTL="39s"',
          'DOCKER_HOST="ssh://engine"'
        ]
      )
    })
  )

  it.effect.each([
    ["RTMANAGER_DATABASE_URL", "mysql://host/db"],
    ["RTMANAGER_DATABASE_URL", "postgres://"],
    ["RTMANAGER_DATABASE_URL", "postgres://u:%ZZ@host/db"],
    ["RTMANAGER_DATABASE_URL", "embedded:"],
    ["RTMANAGER_DATABASE_SCHEMA", "pg_games"],
    ["RTMANAGER_DATABASE_SCHEMA", "Games"],
    ["RTMANAGER_DATABASE_SCHEMA", 'x"; drop schema public; --'],
    ["RTMANAGER_DATABASE_POOL", "0"],
    ["RTMANAGER_DATABASE_POOL", "101"],
    ["RTMANAGER_DATABASE_TIMEOUT", "99ms"],
    ["RTMANAGER_CONTAINER_RETENTION_DAYS", "0"],
    ["RTMANAGER_CONTAINER_RETENTION_DAYS", "-1"],
    ["RTMANAGER_CONTAINER_RETENTION_DAYS", "\uff13\uff10"],
    ["RTMANAGER_CONTAINER_RETENTION_DAYS", "1e9"],
    ["RTMANAGER_CONTAINER_RETENTION_DAYS", "Infinity"],
    ["RTMANAGER_CLEANUP_MODE", "ENFORCE"],
    ["RTMANAGER_CLEANUP_INTERVAL", "0s"],
    ["RTMANAGER_CLEANUP_INTERVAL", "25h"],
    ["RTMANAGER_CLEANUP_CONCURRENCY", "65"],
    ["RTMANAGER_CLEANUP_PAGE_SIZE", "10001"],
    ["RTMANAGER_CLEANUP_MAX_REMOVALS", "0"],
    ["RTMANAGER_CLEANUP_MAX_CLOCK_SKEW", "0s"],
    ["RTMANAGER_CLEANUP_MAX_CLOCK_SKEW", "61m"],
    ["RTMANAGER_GAME_LEASE_TTL", "39999ms"],
    ["RTMANAGER_GAME_LEASE_TTL", "61m"],
    ["RTMANAGER_ENGINE_TIMEOUT", "6m"],
    ["RTMANAGER_GAME_LABEL", "a b"],
    ["RTMANAGER_HTTP_ADDR", ":8080"],
    ["RTMANAGER_HTTP_HOSTS", "*"],
    ["RTMANAGER_HTTP_HOSTS", "*.example.org"],
    ["RTMANAGER_HTTP_HOSTS", "example.org:8080"],
    ["RTMANAGER_HTTP_HOSTS", "https://example.org"],
    ["RTMANAGER_HTTP_HOSTS", "example.org,"],
    ["RTMANAGER_HTTP_HOSTS", "example.org example.com"],
    ["RTMANAGER_HTTP_HOSTS", "-a.example.org"],
    ["RTMANAGER_HTTP_HOSTS", "ann@example.org"],
    ["RTMANAGER_HTTP_HOSTS", "fd00::1"],
    ["RTMANAGER_HTTP_HOSTS", "[fd00:0::1]"],
    ["RTMANAGER_HTTP_HOSTS", "0x7f.1"],
    ["RTMANAGER_HTTP_HOSTS", "127.1"],
    ["RTMANAGER_TRACE_URL", "https://jaeger.example.org/trace/"],
    ["RTMANAGER_TRACE_URL", "https://{trace_id}.example.org/"],
    ["RTMANAGER_TRACE_URL", "https://ann:secret@jaeger.example.org/trace/{trace_id}"],
    ["RTMANAGER_TRACE_URL", "//jaeger.example.org/trace/{trace_id}"],
    ["RTMANAGER_TRACE_URL", "javascript://jaeger.example.org/{trace_id}"],
    ["RTMANAGER_TRACE_URL", "https://jaeger:port/trace/{trace_id}"],
    ["RTMANAGER_TRACE_URL", "https://jaeger.example.org/a trace/{trace_id}"],
    ["RTMANAGER_LOG_LEVEL", "verbose"],
    ["RTMANAGER_LOG_FORMAT", "xml"],
    ["DOCKER_HOST", "npipe:////./pipe/docker_engine"],
    ["DOCKER_HOST", "unix://relative"],
    ["DOCKER_HOST", "tcp://host:0"],
    ["DOCKER_HOST", "tcp://host:2375/path"],
    ["DOCKER_CONTEXT", "remote"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
    ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "thrift"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"],
    ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "ftp://collector"]
  ] as const)("event 22: refuses %s=%s and names nothing else", ([variable, value]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problemsOf({ [variable]: value }), [variable])
    })
  )

  it.effect("refuses every one of its own variables when empty, and takes empty foreign ones as not set", () =>
    Effect.gen(function* () {
      const empty = Object.fromEntries([...acceptedForms.keys()].map((name) => [name, ""]))
      const problems = yield* problemsOf(empty)
      assert.deepStrictEqual(
        problems,
        [...acceptedForms.keys()].filter((name) => name.startsWith("RTMANAGER_"))
      )
    })
  )

  it.effect.each(
    [...acceptedForms.keys()].filter((name) =>
      /RETENTION|CLEANUP|LEASE|ENGINE_TIMEOUT|POOL|DATABASE_TIMEOUT/.test(name)
    )
  )("event 22: takes %s only as a setting that is in range, whatever text it holds", (variable) =>
    Effect.gen(function* () {
      for (const text of [...hostileNumbers, ...fc.sample(fc.string({ maxLength: 12 }), 200)]) {
        const settings = yield* Effect.option(settingsOf({ [variable]: text }))
        if (Option.isNone(settings)) continue
        const { concurrency, database, engineTimeout, interval, leaseTtl, maxClockSkew, pageSize, retention } =
          settings.value
        const bounds: ReadonlyArray<readonly [number, number, number]> = [
          [60_000, Duration.toMillis(retention), 3650 * 86_400_000],
          [1000, Duration.toMillis(interval), 86_400_000],
          [1000, Duration.toMillis(engineTimeout), 300_000],
          [Math.max(16_000, 2 * Duration.toMillis(engineTimeout) + 10_000), Duration.toMillis(leaseTtl), 3_600_000],
          [1000, Duration.toMillis(maxClockSkew), 3_600_000],
          [100, Duration.toMillis(database.timeout), 300_000],
          [1, database.pool, 100],
          [1, concurrency, 64],
          [1, pageSize, 10_000],
          [1, settings.value.maxRemovals ?? 1, 1_000_000_000]
        ]
        for (const [least, value, most] of bounds) assert.isTrue(value >= least && value <= most, `${variable}=${text}`)
      }
    })
  )

  it.effect("takes the hosts that requests may name in any case, and files and URLs as they are", () =>
    Effect.gen(function* () {
      const { api } = yield* settingsOf({
        RTMANAGER_HTTP_HOSTS: "Cleanup.Example.ORG, localhost,10.0.0.7,[FD00::1],xn--bcher-kva.example",
        RTMANAGER_API_TOKENS_FILE: "/run/secrets/api tokens",
        RTMANAGER_TRACE_URL: "http://127.0.0.1:16686/trace/{trace_id}?uiFind=a"
      })
      assert.deepStrictEqual(api, {
        tokensFile: "/run/secrets/api tokens",
        traceUrl: "http://127.0.0.1:16686/trace/{trace_id}?uiFind=a",
        hosts: ["cleanup.example.org", "localhost", "10.0.0.7", "[fd00::1]", "xn--bcher-kva.example"]
      })
    })
  )

  it.effect("judges the lease by the engine timeout", () =>
    Effect.gen(function* () {
      const settings = yield* settingsOf({ RTMANAGER_ENGINE_TIMEOUT: "5m", RTMANAGER_GAME_LEASE_TTL: "10m10s" })
      assert.deepStrictEqual(settings.leaseTtl, Duration.seconds(610))
      assert.deepStrictEqual(yield* problemsOf({ RTMANAGER_ENGINE_TIMEOUT: "26s" }), ["RTMANAGER_GAME_LEASE_TTL"])
    })
  )

  it.effect("names unknown variables of its prefix but those of tests", () =>
    Effect.gen(function* () {
      const settings = yield* settingsOf({ RTMANAGER_ZONE: "", RTMANAGER_API: "x", RTMANAGER_TEST_X: "1", OTHER: "1" })
      assert.deepStrictEqual(settings.unknown, ["RTMANAGER_API", "RTMANAGER_ZONE"])
    })
  )

  it.effect("writes the log for people where a person looks, unless told otherwise", () =>
    Effect.gen(function* () {
      const onTerminal = yield* decode(required, { isTerminal: true }).pipe(withFiles)
      assert.deepStrictEqual(onTerminal.log.format, "pretty")
      const told = yield* decode({ ...required, RTMANAGER_LOG_FORMAT: "json" }, { isTerminal: true }).pipe(withFiles)
      assert.deepStrictEqual(told.log.format, "json")
    })
  )
})

describe("the database's location", () => {
  it.effect("comes from the variable, from a file without its last newline, or is a folder", () =>
    Effect.gen(function* () {
      const direct = yield* settingsOf({})
      const fromFile = yield* settingsOf({
        RTMANAGER_DATABASE_URL: undefined,
        RTMANAGER_DATABASE_URL_FILE: "/run/secrets/url"
      })
      for (const { database } of [direct, fromFile]) {
        assert(database.location._tag === "Server")
        const { host, password: secret, port, user } = database.location.server
        assert.deepStrictEqual({ host, port, user }, { host: "db.internal", port: 5433, user: "rt" })
        assert.strictEqual(secret && Redacted.value(secret), password)
      }
      const embedded = yield* settingsOf({ RTMANAGER_DATABASE_URL: "embedded:./data" })
      assert.deepStrictEqual(embedded.database.location, { _tag: "Embedded", directory: "./data" })
    })
  )

  it.effect.each([
    ["a file that cannot be read", { RTMANAGER_DATABASE_URL: undefined, RTMANAGER_DATABASE_URL_FILE: "/gone" }],
    [
      "a file with something else",
      { RTMANAGER_DATABASE_URL: undefined, RTMANAGER_DATABASE_URL_FILE: "/run/secrets/bad" }
    ],
    ["both", { RTMANAGER_DATABASE_URL_FILE: "/run/secrets/url" }]
  ] as const)("is refused for %s", ([_, env]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problemsOf(env), ["RTMANAGER_DATABASE_URL_FILE"])
    })
  )
})

describe("the database's parameters", () => {
  it.effect("event 33: are explained where they are wrong, in the URL's file and in the standard variables alike", () =>
    Effect.gen(function* () {
      const { message } = yield* errorOf({
        RTMANAGER_DATABASE_URL_FILE: "/run/secrets/changed",
        PGPORT: "abc",
        PGPASSFILE: "",
        PGSSLMODE: "Require"
      })
      assert.match(message, /RTMANAGER_DATABASE_URL_FILE="\/run\/secrets\/changed": needs .*; its password .*SASLprep/)
      assert.match(message, /PGPORT="abc": needs a whole number from 1 to 65535/)
      assert.match(message, /PGSSLMODE="Require": needs disable, require, verify-ca or verify-full/)
      assert.strictEqual(message.split("\n").length, 4)
      assert.notInclude(message, password)
    })
  )

  it.effect("event 33: do not show a password that comes from a variable of its own", () =>
    Effect.gen(function* () {
      const { message } = yield* errorOf({ RTMANAGER_DATABASE_URL: "postgres://rt@db", PGPASSWORD: `${password}¼` })
      assert.match(message, /PGPASSWORD=<redacted>: needs .*SASLprep/)
      assert.notInclude(message, password)
    })
  )
})

describe("the engine's address", () => {
  it.effect.each([
    [{ DOCKER_HOST: "unix:///run/user/1000/docker.sock" }, { socketPath: "/run/user/1000/docker.sock" }],
    [{ DOCKER_CONTEXT: "default" }, { socketPath: "/var/run/docker.sock" }],
    [{ DOCKER_CONTEXT: "remote", DOCKER_HOST: "unix:///engine.sock" }, { socketPath: "/engine.sock" }],
    [{ DOCKER_HOST: "tcp://proxy" }, { protocol: "http", host: "proxy", port: 2375 }],
    [{ DOCKER_HOST: "tcp://[::1]:4243" }, { protocol: "http", host: "::1", port: 4243 }],
    [{ DOCKER_HOST: "http://proxy:2375/" }, { protocol: "http", host: "proxy", port: 2375 }],
    [{ DOCKER_HOST: "https://proxy" }, { protocol: "https", host: "proxy", port: 443 }],
    [
      { DOCKER_HOST: "tcp://proxy", DOCKER_TLS_VERIFY: "" },
      { protocol: "http", host: "proxy", port: 2375 }
    ]
  ] as const)("is read as Docker's own clients read it: %j", ([env, expected]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* settingsOf(env)).engine, expected)
    })
  )

  it.effect.each([[{ DOCKER_CERT_PATH: "/certs" }], [{ HOME: "/home/op" }]] as const)(
    "has the certificates of %j with DOCKER_TLS_VERIFY",
    ([env]) =>
      Effect.gen(function* () {
        const { engine } = yield* settingsOf({ DOCKER_HOST: "tcp://engine", DOCKER_TLS_VERIFY: "1", ...env })
        assert.isTrue("tls" in engine && engine.tls !== undefined && Redacted.value(engine.tls.key) === password)
        assert.isTrue("port" in engine && engine.port === 2376 && engine.protocol === "https")
        assert.notInclude(JSON.stringify(engine), password)
      })
  )

  it.effect.each([[{ DOCKER_CERT_PATH: "/nowhere" }], [{}]])(
    "needs the certificates to be readable in the folder that %j names",
    ([env]) =>
      Effect.gen(function* () {
        const asked = { DOCKER_HOST: "tcp://engine", DOCKER_TLS_VERIFY: "1", ...env }
        assert.deepStrictEqual(yield* problemsOf(asked), ["DOCKER_CERT_PATH"])
      })
  )
})

describe("the OpenTelemetry variables", () => {
  it.effect("give each signal its own endpoint or the general one with its path", () =>
    Effect.gen(function* () {
      const { otel } = yield* settingsOf({
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/",
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "https://logs.example/in"
      })
      assert.strictEqual(otel.traces, "http://collector:4318/v1/traces")
      assert.strictEqual(otel.metrics, "http://collector:4318/v1/metrics")
      assert.strictEqual(otel.logs, "https://logs.example/in")
    })
  )

  it.effect("turn telemetry off with OTEL_SDK_DISABLED", () =>
    Effect.gen(function* () {
      const { otel } = yield* settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector", OTEL_SDK_DISABLED: "True" })
      assert.deepStrictEqual([otel.traces, otel.metrics, otel.logs], [undefined, undefined, undefined])
    })
  )

  it.effect("event 35: turn a signal off whose exporter is none, and take the protocols that OTLP/HTTP has", () =>
    Effect.gen(function* () {
      const { otel } = yield* settingsOf({
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
        OTEL_TRACES_EXPORTER: "none",
        OTEL_METRICS_EXPORTER: "otlp"
      })
      assert.deepStrictEqual(
        [otel.traces, otel.metrics, otel.logs],
        [undefined, "http://collector:4318/v1/metrics", "http://collector:4318/v1/logs"]
      )
    })
  )

  it.effect("are ignored and named where they are malformed, as the specification asks", () =>
    Effect.gen(function* () {
      const { otel } = yield* settingsOf({
        OTEL_RESOURCE_ATTRIBUTES: "team=%ZZ",
        OTEL_METRIC_EXPORT_INTERVAL: "often",
        OTEL_BSP_MAX_QUEUE_SIZE: "-1",
        OTEL_TRACES_EXPORTER: "jaeger"
      })
      assert.deepStrictEqual(otel.ignored, [
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_METRIC_EXPORT_INTERVAL",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_TRACES_EXPORTER"
      ])
      assert.deepStrictEqual(otel.resource, {})
      assert.deepStrictEqual(otel.metricInterval, Duration.seconds(60))
      assert.deepStrictEqual(otel.spanQueue, 8192)
    })
  )

  it.effect("give resource attributes in their decoded form", () =>
    Effect.gen(function* () {
      const { otel } = yield* settingsOf({ OTEL_RESOURCE_ATTRIBUTES: "team=a%20b, deployment.environment=prod" })
      assert.deepStrictEqual(otel.resource, { team: "a b", "deployment.environment": "prod" })
    })
  )
})

describe("a password", () => {
  const slips = Schema.Literals([
    url,
    ` ${url}`,
    `postgres:/rt:${password}@db`,
    `mysql://rt:${password}@db/games`,
    `rt:${password}@db`,
    `postgres://rt:${password}@db:99999/games`
  ])
  const variable = Schema.Literals([...acceptedForms.keys()])

  it.effect.prop("appears in no error message, whichever variable it was put into", [variable, slips], ([name, slip]) =>
    Effect.gen(function* () {
      const error = yield* errorOf({ [name]: slip, RTMANAGER_CLEANUP_MODE: "off" })
      assert.notInclude(`${error.message} ${JSON.stringify(error)} ${error.stack} ${error}`, password)
    })
  )

  it.effect("appears neither in the settings' text nor in what the start's log line tells", () =>
    Effect.gen(function* () {
      const settings = yield* settingsOf({})
      assert.notInclude(JSON.stringify(settings), password)
      assert.notInclude(JSON.stringify(describeSettings(settings)), password)
      assert.strictEqual(describeSettings(settings)["database"], "postgres://db.internal:5433/games")
    })
  )
})
