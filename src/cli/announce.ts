import { Clock, Effect, Result } from "effect"
import { openPass } from "../cleanup/pass/openPass.ts"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import { isExposed } from "../config/DatabaseSettings.ts"
import { describe } from "../config/describe.ts"
import { version } from "../config/version.ts"
import { momentOf } from "../domain/Expiry.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"

/**
 * Logs one line about what this process will do, before it removes anything: version, settings, cutoff, engine and the
 * number of due games. If database or engine cannot answer yet, the line says so. Never fails.
 */
export const announce = (event: string, more: Readonly<Record<string, unknown>> = {}) =>
  Effect.gen(function* () {
    const settings = yield* CurrentSettings
    const records = yield* RuntimeRecords
    const found = yield* openPass.pipe(
      Effect.flatMap((open) => open({ ...settings, touch: false })),
      Effect.flatMap(({ moment, engineId }) =>
        Effect.map(records.backlog(moment), ({ due, stuck }) => ({ moment, engine_id: engineId, due, stuck }))
      ),
      Effect.result
    )
    const service = yield* Clock.currentTimeMillis
    const unknown = momentOf({ service, database: service }, settings.retention)
    const { moment, ...state } = Result.isSuccess(found)
      ? found.success
      : { moment: unknown, due: "unknown", reason: found.failure.message }
    yield* Effect.logInfo(event).pipe(
      Effect.annotateLogs({
        version,
        ...describe(settings),
        cutoff: new Date(moment.cutoff).toISOString(),
        ...state,
        ...more
      })
    )
    if (isExposed(settings.database.location)) {
      yield* Effect.logWarning("database.plain_text").pipe(
        Effect.annotateLogs({ detail: "the connection is not encrypted and the server is not local: see sslmode" })
      )
    }
    if (settings.unknown.length > 0) {
      yield* Effect.logWarning("settings.unknown").pipe(Effect.annotateLogs({ variables: settings.unknown }))
    }
    if (settings.otel.ignored.length > 0) {
      yield* Effect.logWarning("settings.ignored").pipe(Effect.annotateLogs({ variables: settings.otel.ignored }))
    }
  }).pipe(Effect.withTracerEnabled(false))
