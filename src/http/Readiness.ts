import { Context, type Duration, Effect, Layer, Ref, Schedule } from "effect"
import { expectedEngine } from "../cleanup/engine/expectedEngine.ts"
import { brakeIsOn } from "../cleanup/engine/StoredBrake.ts"
import { CleanupPass } from "../cleanup/pass/CleanupPass.ts"
import { believableClocks } from "../cleanup/pass/openPass.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"

/** Why this service cannot clean now; `undefined` if nothing is wrong. */
export interface Reasons {
  readonly database: string | undefined
  readonly engine: string | undefined
}

/**
 * The last answers of database and engine. They are asked in the background, so reading never waits. Also tells whether
 * the last pass found that its removals would not be recorded.
 */
export class Readiness extends Context.Service<Readiness, { readonly reasons: Effect.Effect<Reasons> }>()(
  "rtmanager/http/Readiness"
) {
  static readonly layer = (options: { readonly maxClockSkew: Duration.Duration }) =>
    Layer.effect(
      Readiness,
      Effect.gen(function* () {
        const records = yield* RuntimeRecords
        const engine = yield* ContainerEngine
        const known = yield* KnownEngine
        const { cannotRecord } = yield* CleanupPass
        const database = yield* watch(believableClocks(records, options.maxClockSkew))
        const engines = yield* watch(
          Effect.flatMap(expectedEngine(engine, known, { touch: false }), (expected) =>
            expected.braked ? Effect.fail(brakeIsOn) : Effect.void
          )
        )
        return Readiness.of({
          reasons: Effect.all({
            database: Effect.flatMap(Ref.get(database), (reason) =>
              reason === undefined ? cannotRecord : Effect.succeed(reason)
            ),
            engine: Ref.get(engines)
          })
        })
      })
    )
}

const patience = "5 seconds"

/** Probes 5 seconds after each answer or timeout (5 seconds too). The reason is `undefined` after a success. */
const watch = Effect.fnUntraced(function* (probe: Effect.Effect<unknown, { readonly message: string }>) {
  const reason = yield* Ref.make<string | undefined>("not asked yet")
  yield* probe.pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail({ message: `no answer within ${patience}` })
    }),
    Effect.match({ onSuccess: () => undefined, onFailure: ({ message }) => message }),
    Effect.flatMap((answer) => Ref.set(reason, answer)),
    Effect.repeat(Schedule.spaced(patience)),
    Effect.withTracerEnabled(false),
    Effect.forkScoped
  )
  return reason
})
