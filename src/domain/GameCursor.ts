import { Schema } from "effect"
import { GameState } from "./GamePage.ts"

/** PostgreSQL's first and last microsecond since 1970. */
export const storedTimes = { minimum: -210_866_803_200_000_000n, maximum: 9_224_318_015_999_999_999n }

const isTime = (text: string) => {
  if (text === "infinity" || text === "-infinity") return true
  return /^-?\d{1,19}$/.test(text) && BigInt(text) >= storedTimes.minimum && BigInt(text) <= storedTimes.maximum
}

/** Text as the database has it: its bytes in hex. */
const Bytes = Schema.String.check(Schema.isPattern(/^(?:[0-9a-f]{2})*$/))

/** The place after a game in a list. Only a store knows its order. */
export const GamePlace = Schema.Struct({
  state: GameState,
  engine: Bytes,
  /** Microseconds since 1970 or an infinity. */
  lastOpAt: Schema.NullOr(Schema.String.check(Schema.makeFilter((text) => isTime(text) || "no time"))),
  gameId: Bytes
})
export type GamePlace = typeof GamePlace.Type

/** A place as the text that a page gives and takes, in characters that a URL can have. */
export const GameCursor = Schema.StringFromBase64Url.pipe(Schema.decodeTo(Schema.fromJsonString(GamePlace)))
