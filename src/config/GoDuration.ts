import { Duration, Effect, Schema, SchemaGetter, SchemaIssue } from "effect"

const nanosOf = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  ns: 1n
}
type Unit = keyof typeof nanosOf

const shape = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|s|m|h))+$/
const part = /(\d+)(?:\.(\d+))?(ns|us|µs|μs|ms|s|m|h)/g

/** Go's own limit: 64 bits of nanoseconds, about 292 years. */
const limit = 2n ** 63n - 1n

const toDuration = (nanos: bigint) =>
  nanos % nanosOf.ms === 0n ? Duration.millis(Number(nanos / nanosOf.ms)) : Duration.nanos(nanos)

/**
 * Reads `90s`, `1h30m`, `1.5h` or `250µs` exactly; digits below a nanosecond are dropped. `undefined` for anything
 * else, including a sign, a space, a number without a unit and a value beyond Go's 64 bits.
 */
export const parseGoDuration = (text: string): Duration.Duration | undefined => {
  if (text.length > 100 || !shape.test(text)) return undefined
  let nanos = 0n
  for (const [, whole = "", fraction = "", unit = ""] of text.matchAll(part)) {
    const size = nanosOf[unit.replace(/[µμ]/, "u") as Unit]
    nanos += (BigInt(whole + fraction) * size) / 10n ** BigInt(fraction.length)
  }
  return nanos > limit ? undefined : toDuration(nanos)
}

/** The short form, such as `1h30m`, that `parseGoDuration` reads back without loss. Takes finite durations only. */
export const formatGoDuration = (duration: Duration.Duration): string => {
  let rest = Duration.toNanosUnsafe(duration)
  let text = ""
  for (const [unit, size] of Object.entries(nanosOf)) {
    if (rest >= size) text += `${rest / size}${unit}`
    rest %= size
  }
  return text === "" ? "0s" : text
}

/** A duration in the form that Go programs read and write. */
export const GoDuration = Schema.String.pipe(
  Schema.decodeTo(Schema.Duration, {
    decode: SchemaGetter.transformEffect((text) => {
      const duration = parseGoDuration(text)
      return duration === undefined ? Effect.fail(new SchemaIssue.InvalidValue()) : Effect.succeed(duration)
    }),
    encode: SchemaGetter.transform(formatGoDuration)
  })
)

/** Both bounds are allowed values. */
export const isBetweenDurations = Schema.makeIsBetween({ order: Duration.Order, formatter: formatGoDuration })
