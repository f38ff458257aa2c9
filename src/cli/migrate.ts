import { Context, Effect } from "effect"
import { Command } from "effect/cli"
import type { StoreError } from "../ports/StoreError.ts"
import { commandFailed } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"

/** What `migrate` needs from outside. */
export class Migrations extends Context.Service<
  Migrations,
  {
    /** Brings the schema to this build's version, or changes nothing and names everything that does not fit. */
    readonly migrate: Effect.Effect<
      { readonly schema: string; readonly version: number; readonly changes: ReadonlyArray<string> },
      StoreError
    >
  }
>()("rtmanager/cli/Migrations") {}

export const migrate = Command.make("migrate", { json }, ({ json }) =>
  Effect.gen(function* () {
    const { schema, version, changes } = yield* (yield* Migrations).migrate
    return json
      ? JSON.stringify({ schema, version, changes })
      : [...changes, `schema ${schema} is at version ${version}`].join("\n")
  }).pipe(Effect.mapError(commandFailed), Effect.flatMap(print))
).pipe(
  Command.withDescription("Apply migrations; concurrent runs are safe, and a second run changes nothing"),
  Command.withExamples([{ command: "rtmanager-cleanup migrate", description: "Before the first start of a version" }])
)
