import { Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { HttpServer } from "effect/http"
import * as CleanupWorker from "../cleanup/CleanupWorker.ts"
import { Cleaner } from "../cleanup/game/Cleaner.ts"
import * as ServiceGauges from "../cleanup/pass/ServiceGauges.ts"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import * as Server from "../http/server.ts"
import { announce } from "./announce.ts"

/**
 * Runs the loop and health until the process is told to stop. Stays up, but not ready, while database or engine are
 * away. When told to stop, it gives the games in flight 4 seconds to finish. Its last log line names the removals that
 * are still unresolved.
 */
export const serve = Command.make("serve", {}, () =>
  Effect.gen(function* () {
    // Being told to stop is this command's success.
    process.exitCode = 0
    const settings = yield* CurrentSettings
    const cleaner = yield* Cleaner
    const { address } = yield* HttpServer.HttpServer
    const started = announce("service.started", { http: HttpServer.formatAddress(address) })
    const loop = Layer.unwrap(Effect.as(started, CleanupWorker.layer(settings)))
    yield* Layer.launch(Layer.mergeAll(Server.layer(settings), loop, ServiceGauges.layer(settings))).pipe(
      Effect.ensuring(
        Effect.flatMap(cleaner.unresolved, (unresolved) =>
          Effect.annotateLogs(Effect.logInfo("service.stopped"), { unresolved_removals: unresolved })
        )
      )
    )
  })
).pipe(
  Command.withDescription("Run the service: a pass at start and after every interval, health, telemetry"),
  Command.withExamples([{ command: "rtmanager-cleanup serve", description: "Until it is told to stop" }])
)
