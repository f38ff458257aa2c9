import { Clock, Effect, Option, Result } from "effect"
import { parseUntil } from "../operator/time.ts"
import { CommandFailed, exitCode } from "./CommandFailed.ts"

/** The end that a flag such as `--until` gives; `null` if it is not given. */
export const endOf = Effect.fnUntraced(function* (flag: string, text: Option.Option<string>) {
  if (Option.isNone(text)) return null
  const end = parseUntil(text.value, yield* Clock.currentTimeMillis)
  if (Result.isSuccess(end)) return end.success
  return yield* new CommandFailed({ code: exitCode.unusable, message: `${flag} is ${end.failure}` })
})
