import { hostname, userInfo } from "node:os"
import { Effect, Option } from "effect"
import { Flag } from "effect/cli"
import { Author, Reason } from "../domain/Act.ts"
import type { ActError } from "../operator/act.ts"
import { CommandFailed, commandFailed, exitCode, passFailed } from "./CommandFailed.ts"

/** The shell's user, in the characters that an author may have. In a container there is often none with a name. */
const shellUser = Effect.try({
  try: () => {
    const text = `${userInfo().username}@${hostname()}`.replaceAll(/[^\x21-\x7e]/g, "_")
    return Author.make(text.slice(0, 100))
  },
  catch: () =>
    new CommandFailed({
      code: exitCode.unusable,
      message: "this shell's user has no name: say who asks, with --author NAME"
    })
})

/** Who and why, which every act is asked with. */
export const asked = {
  author: Flag.String("author").pipe(
    Flag.withSchema(Author),
    Flag.withDescription("Who asks; user@host of the shell by default"),
    Flag.optional
  ),
  reason: Flag.String("reason").pipe(
    Flag.withSchema(Reason),
    Flag.withDescription("Why, in 1 to 500 characters, for whoever reads it later")
  )
}

/** The author that was given, or the shell's user. */
export const authorOf = Option.match({ onNone: () => shellUser, onSome: (author: Author) => Effect.succeed(author) })

/** How a command ends whose act failed or was refused. */
export const actFailed = (error: ActError | CommandFailed) => {
  if (error._tag === "CommandFailed") return error
  if (error._tag === "ActRepeated") return new CommandFailed({ code: exitCode.refused, message: error.message })
  if (error._tag !== "ActRefused") return commandFailed(error)
  const { message, reason } = error
  return reason === undefined ? new CommandFailed({ code: exitCode.refused, message }) : passFailed({ reason, message })
}
