import { createInterface } from "node:readline"
import { Effect, Schema } from "effect"
import { start } from "./processes.ts"
import { BenchFailed } from "./progress.ts"

const Received = Schema.Struct({ requests: Schema.Number, bytes: Schema.Number })
export type Received = typeof Received.Type

/** A collector in a process of its own, so that its work does not count as ours. */
export const sink = Effect.gen(function* () {
  const { child, ended } = yield* start(process.execPath, ["bench/sinkProcess.ts"], {})
  const endpoint = yield* Effect.raceFirst(
    Effect.callback<string>((resume) => {
      if (child.stdout !== null)
        createInterface({ input: child.stdout }).once("line", (line) => resume(Effect.succeed(line)))
    }),
    Effect.flatMap(ended, () => new BenchFailed({ message: "the collector did not start" }))
  )
  return {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
    received: Effect.promise(async () => Schema.decodeUnknownSync(Received)(await (await fetch(endpoint)).json()))
  }
})
