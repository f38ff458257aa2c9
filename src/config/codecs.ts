import { isIPv6 } from "node:net"
import { Duration, Effect, FileSystem, Schema, SchemaGetter, SchemaIssue } from "effect"
import { formatGoDuration, GoDuration, isBetweenDurations } from "./GoDuration.ts"

/** Describes the values that a variable takes; error messages show it. */
export const accepting =
  (accepted: string) =>
  <S extends Schema.Top>(self: S): S["Rebuild"] =>
    self.annotate({ description: accepted })

/** The default of a variable that is not set, as an operator would write it. */
export const otherwise =
  <const Text extends string>(text: Text) =>
  <S extends Schema.Top & (Text extends S["Encoded"] ? unknown : never)>(self: S) =>
    self.pipe(Schema.withDecodingDefaultKey(Effect.succeed(text as S["Encoded"])))

/** Text read by a function that returns `undefined` for text that it does not accept. Decodes only. */
export const parsed = <To extends Schema.Top>(parse: (text: string) => To["Encoded"] | undefined, to: To) =>
  Schema.String.pipe(
    Schema.decodeTo(to, {
      decode: SchemaGetter.transformEffect((text) => {
        const value = parse(text)
        return value === undefined ? Effect.fail(new SchemaIssue.InvalidValue()) : Effect.succeed(value)
      }),
      encode: SchemaGetter.forbiddenEncoding
    })
  )

const plainInteger = /^(?:0|[1-9]\d{0,14})$/

/** A whole number in plain decimal digits. */
export const integer = (minimum: number, maximum: number) =>
  parsed(
    (text) => (plainInteger.test(text) ? Number(text) : undefined),
    Schema.Int.check(Schema.isBetween({ minimum, maximum }))
  ).pipe(accepting(`a whole number from ${minimum} to ${maximum}`))

/** A Go duration. */
export const duration = (shortest: Duration.Input, longest: Duration.Input) => {
  const minimum = Duration.fromInputUnsafe(shortest)
  const maximum = Duration.fromInputUnsafe(longest)
  const range = `from ${formatGoDuration(minimum)} to ${formatGoDuration(maximum)}`
  return GoDuration.check(isBetweenDurations({ minimum, maximum })).pipe(
    accepting(`a duration such as 90s or 1h30m, ${range}`)
  )
}

export const oneOf = <const Words extends ReadonlyArray<string>>(words: Words) =>
  Schema.Literals(words).pipe(accepting(words.join(", ").replace(/, (\w+)$/, " or $1")))

const plainDecimal = /^(0|[1-9]\d{0,5})(?:\.(\d{1,12}))?$/
const dayMillis = 86_400_000n

/** Rounded up to a whole millisecond, so that nothing is ever removed early. */
const parseDays = (text: string): Duration.Duration | undefined => {
  const [, whole, fraction = ""] = plainDecimal.exec(text) ?? []
  if (whole === undefined) return undefined
  const scale = 10n ** BigInt(fraction.length)
  return Duration.millis(Number((BigInt(whole + fraction) * dayMillis + scale - 1n) / scale))
}

/** Days of exactly 24 hours, from one minute to ten years. */
export const RetentionDays = parsed(
  parseDays,
  Schema.Duration.check(isBetweenDurations({ minimum: Duration.minutes(1), maximum: Duration.days(3650) }))
).pipe(accepting("days as a plain decimal such as 30 or 0.5, at least 1 minute (0.000695), at most 3650"))

const addressShape = /^(?:\[([^\]]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/

const parseAddress = (text: string) => {
  const [, ipv6, name, port] = addressShape.exec(text) ?? []
  if (ipv6 !== undefined && !isIPv6(ipv6)) return undefined
  const host = ipv6 ?? name
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) }
}

/** Where to listen; port 0 is any free port. `:8080` is refused, because it would silently mean every interface. */
export const ListenAddress = parsed(parseAddress, Schema.Struct({ host: Schema.String, port: Schema.Int })).pipe(
  accepting("host:port, such as 127.0.0.1:8080 or [::1]:8080")
)

const hostLabel = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
const hostShape = new RegExp(`^(?:${hostLabel}(?:\\.${hostLabel})*|\\[[0-9a-f:.]+\\])$`)

/** A host as the URL of a request has it: in lower case, a number's short forms and an IPv6 address' long ones refused. */
const parseHost = (text: string) => {
  const host = text.trim().toLowerCase()
  const isHost = host.length <= 253 && hostShape.test(host) && URL.parse(`http://${host}`)?.hostname === host
  return isHost ? host : undefined
}

const parseHosts = (text: string) => {
  const hosts = text.split(",").map(parseHost)
  return hosts.every((host) => host !== undefined) ? hosts : undefined
}

/** Names of hosts, in lower case. No wildcard, because any name can be made to lead to this machine. */
export const HostNames = parsed(parseHosts, Schema.Array(Schema.String)).pipe(
  accepting(
    "names of hosts or IP addresses, separated by commas, without port or wildcard: cleanup.example.org,[fd00::1]"
  )
)

const traceUrlShape = /^https?:\/\/[^\s{}@/?#]+\/\S*\{trace_id\}\S*$/

/** A URL with a place for a trace's id, which cannot lead to another host. */
export const TraceUrl = parsed(
  (text) => (traceUrlShape.test(text) && URL.canParse(text) ? text : undefined),
  Schema.String
).pipe(
  accepting("an http or https URL with {trace_id} in its path or query: https://jaeger.example.org/trace/{trace_id}")
)

/** The text of the file that a variable names, without the newline at its end. */
export const FileText = Schema.String.pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transformEffect((path) =>
      FileSystem.FileSystem.use((fs) => fs.readFileString(path)).pipe(
        Effect.map((text) => text.replace(/\r?\n$/, "")),
        Effect.mapError(() => new SchemaIssue.InvalidValue())
      )
    ),
    encode: SchemaGetter.forbiddenEncoding
  })
)
