import { Effect, identity } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { isNoText } from "./storeError.ts"

/** Words as they are sent. Escaping makes them longer, so it cuts them after `most` characters. */
type Words = (text: string, most?: number) => string

/** Escapes every character beyond ASCII. */
const escaped: Words = (text, most) =>
  text.replaceAll(/[^\0-~]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`).slice(0, most)

/** Sends somebody's words as they are, or escaped if the database's encoding lacks one of their characters. */
export const inWords = <A>(statement: (words: Words) => Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
  Effect.catchIf(statement(identity), isNoText, () => statement(escaped))
