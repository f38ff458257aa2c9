import { Clock, Console, Duration, Effect, Redacted } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { roles } from "../domain/Caller.ts"
import { newToken, TokenName } from "../http/tokenFile.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"
import { endOf } from "./until.ts"

const name = Argument.String("name").pipe(
  Argument.withSchema(TokenName),
  Argument.withDescription("Whose it is: the author of the acts that are asked for with it")
)

const role = Flag.Literals("role", roles).pipe(
  Flag.withDescription("read lets its bearer look, act also hold, clean, pause and so on")
)

const expires = Flag.String("expires").pipe(
  Flag.withDescription("A time (2027-01-31T12:00:00Z) or how long from now (12h, 90d); it never expires by default"),
  Flag.optional
)

const whatToDo =
  "the first line is the token: hand it over, it is not shown again; append the second to the file that RTMANAGER_API_TOKENS_FILE names (chmod 600)"

/** Writes no file and needs no settings. The token is on stdout alone. */
export const token = Command.make("token", { expires, json, name, role }, ({ expires, json, name, role }) =>
  Effect.gen(function* () {
    const end = yield* endOf("--expires", expires)
    const now = yield* Clock.currentTimeMillis
    const expiry = end === null || end instanceof Date ? end : new Date(now + Duration.toMillis(end))
    const made = yield* newToken({ name, role }, expiry ?? undefined)
    const secret = Redacted.value(made.token)
    const all = { name, role, expires: expiry, token: secret, line: made.line }
    yield* print(json ? JSON.stringify(all) : `${secret}\n${made.line}`)
    if (!json) yield* Console.error(whatToDo)
  })
).pipe(
  Command.withDescription("Make a token for the HTTP API, shown once, and its line for the token file"),
  Command.withExamples([
    { command: "rtmanager-cleanup token ann --role act --expires 90d", description: "For 90 days" }
  ])
)
