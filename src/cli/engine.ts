import { Effect } from "effect"
import { Command } from "effect/cli"
import { PassRefused } from "../domain/PassRefused.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { passError } from "../ports/StoreError.ts"
import { commandFailed } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"

const accept = Command.make("accept", { json }, ({ json }) =>
  Effect.gen(function* () {
    const known = yield* KnownEngine
    yield* Effect.mapError((yield* RuntimeRecords).clock, passError)
    const present = yield* Effect.mapError((yield* ContainerEngine).identity, PassRefused.engineDown)
    const before = yield* known.read
    yield* known.accept(present)
    return json
      ? JSON.stringify({ engine_id: present, known_before: before?.id ?? null })
      : `accepted engine ${present}${before === undefined || before.id === present ? "" : `, replacing ${before.id}`}`
  }).pipe(Effect.mapError(commandFailed), Effect.flatMap(print))
).pipe(Command.withDescription("Make the engine that answers now the known one, whatever was known before"))

/** Commands about the engine that the records' containers live on. */
export const engine = Command.make("engine").pipe(
  Command.withDescription("The engine that the records' containers live on"),
  Command.withSubcommands([accept])
)
