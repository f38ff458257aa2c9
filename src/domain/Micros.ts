import { Schema, SchemaGetter } from "effect"

/** How far a `Date` reaches in either direction from 1970, in microseconds. */
const furthest = 8_640_000_000_000_000_000n

const shape = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/

/**
 * A time within a `Date`'s reach, exact to the microsecond: RFC 3339 in UTC with six digits, `2026-01-31T23:59:59.123456Z`. A year that
 * RFC 3339 lacks is written as ISO 8601 has it, `-000044-03-15T…`.
 */
export const microsText = (micros: bigint): string => {
  const millis = (micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n
  const rest = String(micros - millis * 1000n).padStart(3, "0")
  return new Date(Number(millis)).toISOString().replace("Z", `${rest}Z`)
}

const parse = (text: string) => BigInt(Date.parse(text.replace(/\d{3}Z$/, "Z"))) * 1000n + BigInt(text.slice(-4, -1))

/** Only the one form that `microsText` gives: `Date.parse` also takes days that no month has. */
const isMicrosText = (text: string) => {
  if (!shape.test(text) || Number.isNaN(Date.parse(text))) return false
  const micros = parse(text)
  return micros <= furthest && microsText(micros) === text
}

/** Whether a `Date` reaches so far. */
export const isReached = (micros: bigint): boolean => micros >= -furthest && micros <= furthest

/** Whole microseconds since 1970, encoded by `microsText`. */
export const Micros = Schema.String.check(
  Schema.makeFilter((text) => isMicrosText(text) || "not a time such as 2026-01-31T23:59:59.123456Z")
).pipe(
  Schema.decodeTo(Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -furthest, maximum: furthest })), {
    decode: SchemaGetter.transform(parse),
    encode: SchemaGetter.transform(microsText)
  })
)
