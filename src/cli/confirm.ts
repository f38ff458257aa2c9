import { Effect } from "effect"
import { Flag, Prompt } from "effect/cli"
import { CommandFailed, exitCode } from "./CommandFailed.ts"

export const yes = Flag.Boolean("yes").pipe(
  Flag.withAlias("y"),
  Flag.withDescription("Do not ask on a terminal"),
  Flag.withDefault(false)
)

const notConfirmed = new CommandFailed({ code: exitCode.refused, message: "not confirmed: nothing was done" })

/** Asks a person before something that may remove containers. A script, which has no terminal, is taken at its word. */
export const confirm = Effect.fnUntraced(function* (question: string, isSure: boolean) {
  if (isSure || !process.stdin.isTTY || !process.stdout.isTTY) return
  const answer = yield* Effect.orElseSucceed(Prompt.run(Prompt.Confirm({ message: question })), () => false)
  if (!answer) return yield* notConfirmed
})
