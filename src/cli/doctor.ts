import { Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import { Check } from "../domain/Check.ts"
import { printableEnds } from "../domain/printable.ts"
import * as Doctor from "../operator/doctor.ts"
import { CommandFailed, exitCode } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(Schema.Array(Check)))

/** The server's words can be long, and begin and end with what matters. */
const words = printableEnds(256)

const toText = ({ check, mend, message, result }: Check) =>
  [
    `${result.padEnd(8)}${check.padEnd(10)} ${words(message)}`,
    ...(mend === null ? [] : [`${" ".repeat(19)}${mend}`])
  ].join("\n")

/** Ends with 1 if something is wrong. */
export const doctor = Command.make("doctor", { json }, ({ json }) =>
  Effect.gen(function* () {
    const found = yield* Doctor.doctor(yield* CurrentSettings)
    yield* print(json ? toJson(found) : found.map(toText).join("\n"))
    if (found.some(({ result }) => result === "wrong")) {
      return yield* new CommandFailed({ code: exitCode.someGameFailed, message: "" })
    }
  })
).pipe(
  Command.withDescription(
    "Look at database, schema, rights, clock, engine, label, proxy and telemetry, and say what to mend; changes nothing"
  ),
  Command.withExamples([
    { command: "rtmanager-cleanup doctor", description: "Before the first start, and after each change" }
  ])
)
