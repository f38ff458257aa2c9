import { styleText } from "node:util"
import { Array as Arr, Cause, Context, Formatter, Layer, Logger, type LogLevel, References, Tracer } from "effect"

/** The most characters of one value, and of an error with its stack. */
const limits = { value: 1024, error: 8192 }

const cut = (text: string, limit: number) => (text.length > limit ? `${text.slice(0, limit)}…` : text)

/** Escapes what a terminal obeys or does not show: control, formatting and separator characters, lone surrogates. */
const visible = (text: string) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) =>
    char
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join("")
  )

const plain = (value: unknown): unknown => {
  if (typeof value === "string") return cut(value, limits.value)
  if (typeof value === "bigint") return String(value)
  if (value === null || typeof value === "number" || typeof value === "boolean") return value
  const text = Formatter.formatJson(value)
  return text.length > limits.value ? cut(text, limits.value) : JSON.parse(text)
}

interface Entry {
  readonly time: string
  readonly level: LogLevel.LogLevel
  readonly event: unknown
  readonly fields: Readonly<Record<string, unknown>>
  readonly error: string | undefined
}

/**
 * The convention of every log line: the first message is the event's dotted name, annotations are its fields, and a
 * cause is its error. Further messages, which only libraries write, become the field `message`.
 */
const entryOf = ({ message, logLevel, cause, fiber, date }: Logger.Options<unknown>): Entry => {
  const [event, ...rest] = Arr.ensure(message)
  const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fiber.getRef(References.CurrentLogAnnotations))) {
    fields[name] = plain(value)
  }
  if (rest.length > 0) fields["message"] = plain(rest.length === 1 ? rest[0] : rest)
  if (span !== undefined) {
    fields["trace_id"] = span.traceId
    fields["span_id"] = span.spanId
  }
  return {
    time: date.toISOString(),
    level: logLevel,
    event: plain(event),
    fields,
    error: cause.reasons.length === 0 ? undefined : cut(Cause.pretty(cause), limits.error)
  }
}

/** One JSON object in one line. The line's own fields win over an annotation of the same name. */
export const json: Logger.Logger<unknown, string> = Logger.make((options) => {
  const { time, level, event, fields, error } = entryOf(options)
  const head = { timestamp: time, level: level.toLowerCase(), event }
  return visible(JSON.stringify({ ...head, ...fields, ...head, ...(error === undefined ? {} : { error }) }))
})

const colors = {
  Fatal: "magenta",
  Error: "red",
  Warn: "yellow",
  Info: "green",
  Debug: "blue",
  Trace: "gray",
  All: "gray",
  None: "gray"
} as const

/** For people: time, level, event and fields, then the error in lines of its own. */
export const pretty: Logger.Logger<unknown, string> = Logger.make((options) => {
  const { time, level, event, fields, error } = entryOf(options)
  const show = (value: unknown) =>
    visible(typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value))
  const label = styleText(colors[level], level.toUpperCase().padEnd(5), { stream: process.stderr })
  const words = Object.entries(fields).map(([name, value]) => `${visible(name)}=${show(value)}`)
  const lines = error === undefined ? [] : error.split("\n").map((line) => `    ${visible(line)}`)
  const text = typeof event === "string" ? visible(event) : show(event)
  return [[time.slice(11, 23), label, text, ...words].join(" "), ...lines].join("\n")
})

/** Logs to stderr, and nowhere else: no line becomes an event of a span. Levels below `level` are dropped. */
export const layer = (options: {
  readonly level: LogLevel.LogLevel
  readonly format: "json" | "pretty"
}): Layer.Layer<never> =>
  Layer.merge(
    Logger.layer([Logger.withConsoleError(options.format === "json" ? json : pretty)]),
    Layer.succeed(References.MinimumLogLevel, options.level)
  )
