import { Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { AcceptedEngine } from "../domain/EngineId.ts"
import { PassRefused } from "../domain/PassRefused.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { passError } from "../ports/StoreError.ts"
import { commandFailed } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(AcceptedEngine))

const accept = Command.make("accept", { json }, ({ json }) =>
  Effect.gen(function* () {
    const known = yield* KnownEngine
    yield* Effect.mapError((yield* RuntimeRecords).clock, passError)
    const present = yield* Effect.mapError((yield* ContainerEngine).identity, PassRefused.engineDown)
    const before = (yield* known.read)?.id ?? null
    yield* known.accept(present)
    return json
      ? toJson({ engineId: present, knownBefore: before })
      : `accepted engine ${present}${before === null || before === present ? "" : `, replacing ${before}`}`
  }).pipe(Effect.mapError(commandFailed), Effect.flatMap(print))
).pipe(Command.withDescription("Make the engine that answers now the known one, whatever was known before"))

/** Commands about the engine that the records' containers live on. */
export const engine = Command.make("engine").pipe(
  Command.withDescription("The engine that the records' containers live on"),
  Command.withSubcommands([accept])
)
