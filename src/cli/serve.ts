import { Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { HttpServer } from "effect/http"
import * as CleanupWorker from "../cleanup/CleanupWorker.ts"
import { Cleaner } from "../cleanup/game/Cleaner.ts"
import * as BacklogGauges from "../cleanup/pass/BacklogGauges.ts"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import * as Health from "../http/health.ts"
import { Readiness } from "../http/Readiness.ts"
import { announce } from "./announce.ts"

/**
 * Loop and health until the process is told to stop. It stays up, not ready, while database or engine are away. When
 * told to stop, it lets the games in flight finish for 4 seconds, and its last line names what is still unresolved.
 */
export const serve = Command.make("serve", {}, () =>
  Effect.gen(function* () {
    // Being told to stop is how this command ends well.
    process.exitCode = 0
    const settings = yield* CurrentSettings
    const cleaner = yield* Cleaner
    const { address } = yield* HttpServer.HttpServer
    const started = announce("service.started", { http: HttpServer.formatAddress(address) })
    const loop = Layer.unwrap(Effect.as(started, CleanupWorker.layer(settings)))
    const health = Health.layer(settings).pipe(Layer.provide(Readiness.layer(settings)))
    yield* Layer.launch(Layer.mergeAll(health, loop, BacklogGauges.layer(settings))).pipe(
      Effect.ensuring(
        Effect.flatMap(cleaner.unresolved, (unresolved) =>
          Effect.annotateLogs(Effect.logInfo("service.stopped"), { unresolved_removals: unresolved })
        )
      )
    )
  })
).pipe(Command.withDescription("Run the service: a pass at once and then at every interval, health, telemetry"))
