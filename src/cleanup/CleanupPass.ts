import { Clock, Context, Duration, Effect, Exit, Fiber, Layer, Option, Ref, Result, Stream } from "effect"
import { printable } from "../domain/printable.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { GameLeases } from "../ports/GameLeases.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { measure } from "./BacklogGauges.ts"
import * as Brake from "./Brake.ts"
import { Cleaner } from "./Cleaner.ts"
import { rehearse } from "./CleanupPlan.ts"
import { dueGames } from "./dueGames.ts"
import { Heartbeat } from "./Heartbeat.ts"
import { backlogMeasured, LinesLogged, logLimited, passEnded, passGoesOn } from "./observe.ts"
import { braked, type OpenedPass, openPass } from "./openPass.ts"
import { isCannotRecord, type PassError, PassRefused } from "./PassRefused.ts"
import { type PassReport, Tally, type Trigger } from "./PassReport.ts"
import type { Progress } from "./Progress.ts"
import * as Recording from "./Recording.ts"
import { testimony } from "./testimony.ts"

/** How long the games in flight may go on when a pass is interrupted. */
const grace = Duration.seconds(4)

/** How often the log of a long pass says how far it has come. */
const progressEvery = Duration.minutes(1)

/** A larger trace can be exported but not read: each further hundred games get a trace of their own. */
const gamesPerTrace = 100

export interface CleanupPassOptions {
  readonly retention: Duration.Duration
  /** How far this service's clock and the database's may be apart. */
  readonly maxClockSkew: Duration.Duration
  /** `dry_run` decides and reports but touches nothing; `paused` refuses every pass. */
  readonly mode: "enforce" | "dry_run" | "paused"
  readonly pageSize: number
  /** The most games that one pass attempts. */
  readonly maxRemovals: number | undefined
}

export interface RunOptions {
  readonly trigger: Trigger
  /** A person says that most containers may be absent: the brake is let go of, and this pass has none. */
  readonly acceptAbsent?: boolean
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
}

/** One pass over everything that is due: the loop, the command line and later the API call this same function. */
export class CleanupPass extends Context.Service<
  CleanupPass,
  {
    /**
     * Never fails: what went wrong is in the report. A game's failure is that game's; only an engine or a database that
     * does not answer, a database that does not record removals, another engine, or one that most containers are absent
     * on, ends the pass early. When interrupted it claims nothing more and lets the games in flight go on for 4 seconds.
     * `onProgress` runs after each game.
     */
    readonly runOnce: (options: RunOptions) => Effect.Effect<PassReport>
    /** Why the last pass found that removals would not be recorded; `undefined` if it did not. */
    readonly cannotRecord: Effect.Effect<string | undefined>
  }
>()("rtmanager/cleanup/CleanupPass") {
  static readonly layer = (options: CleanupPassOptions) => Layer.effect(CleanupPass, make(options))
}

const make = Effect.fnUntraced(function* (options: CleanupPassOptions) {
  const records = yield* RuntimeRecords
  const engine = yield* ContainerEngine
  const known = yield* KnownEngine
  const leases = yield* GameLeases
  const cleaner = yield* Cleaner
  const heartbeat = yield* Heartbeat
  const open = yield* openPass
  const due = yield* dueGames(options)
  const dryRun = options.mode === "dry_run"
  const cannotRecord = yield* Ref.make<string | undefined>(undefined)

  const clean =
    ({ moment, engineId }: OpenedPass, brake: Brake.Brake, recording: Recording.Recording, tally: Tally) =>
    (record: RuntimeRecord) =>
      Effect.uninterruptibleMask(
        Effect.fnUntraced(function* (restore) {
          const request = {
            gameId: record.gameId,
            moment,
            engineId,
            brake,
            recording,
            opSource: "auto_ttl",
            sourceRef: tally.trigger
          } as const
          const fiber = yield* Effect.forkDetach(cleaner.cleanup(request), { uninterruptible: true })
          const waited = yield* Effect.exit(restore(Fiber.await(fiber)))
          if (Exit.isFailure(waited)) {
            const patience = tally.refused ? Duration.zero : grace
            const late = yield* Effect.timeoutOption(Fiber.await(fiber), patience)
            if (Option.isNone(late)) fiber.interruptUnsafe()
          }
          const cleaned = yield* Fiber.join(fiber)
          tally.game(cleaned)
          if (cleaned.refusal !== undefined) {
            tally.refused = true
            return yield* cleaned.refusal
          }
        })
      )

  const tryOut = ({ moment }: OpenedPass, recording: Recording.Recording, tally: Tally) =>
    Effect.fnUntraced(function* (record: RuntimeRecord) {
      const { gameId, outcome, errorCode, message } = yield* rehearse(engine, recording, record, { ...options, moment })
      tally.game({ gameId, outcome, errorCode, unresolved: false, anonymousVolumes: 0 })
      const line = { game_id: printable(gameId), outcome, error_code: errorCode, message }
      yield* logLimited(errorCode ?? outcome, "Info", "cleanup.game.dry_run", line)
    })

  /** A brake that could not be stored holds this process all the same, and is stored by its next pass. */
  let unstored = false
  const storeBrake = Effect.fnUntraced(function* ({ engineId }: OpenedPass) {
    unstored = true
    yield* known.brake(engineId)
    unstored = false
  })

  const work = Effect.fnUntraced(function* (
    tally: Tally,
    { acceptAbsent = false, onProgress = () => Effect.void }: RunOptions
  ) {
    const opened = yield* open({ ...options, touch: !dryRun, acceptAbsent })
    tally.cutoff = opened.moment.cutoff
    if (acceptAbsent) unstored = false
    if (unstored && !dryRun) {
      yield* storeBrake(opened)
      return yield* braked
    }
    yield* heartbeat.beat
    // Counting a large backlog may take longer than a statement may. That is no reason to let it grow.
    const backlog = Option.getOrUndefined(yield* Effect.option(measure(records, opened.moment)))
    yield* backlogMeasured(backlog)

    const brake = acceptAbsent ? Brake.released : yield* Brake.make(testimony(engine, records, opened))
    const isProbing = (yield* Ref.get(cannotRecord)) !== undefined
    const recording = yield* Recording.make(leases, records, { isProbing })
    const act: (record: RuntimeRecord) => Effect.Effect<void, PassError> = dryRun
      ? tryOut(opened, recording, tally)
      : clean(opened, brake, recording, tally)
    const started = yield* Clock.monotonicTimeNanos
    const toDo = backlog && Math.min(backlog.due, options.maxRemovals ?? Infinity)
    const progress = Effect.map(
      Clock.monotonicTimeNanos,
      (now): Progress => ({ due: toDo, done: tally.done, seconds: Number(now - started) / 1e9 })
    )
    yield* Effect.flatMap(Effect.all([progress, cleaner.atOnce]), passGoesOn).pipe(
      Effect.delay(progressEvery),
      Effect.forever,
      Effect.forkScoped
    )
    const game = (record: RuntimeRecord) =>
      act(record).pipe(
        Effect.tap(() => Effect.andThen(heartbeat.beat, Effect.flatMap(progress, onProgress))),
        cleaner.withRoom
      )
    const pass = yield* Effect.orDie(Effect.currentSpan)
    let traces = 0
    yield* due(opened.moment, tally, recording).pipe(
      Stream.rechunk(gamesPerTrace),
      Stream.chunks,
      Stream.mapEffect(
        (batch) => {
          const games = Effect.forEach(batch, game, { concurrency: "unbounded", discard: true })
          const links = [{ span: pass, attributes: {} }]
          return traces++ === 0 ? games : Effect.withSpan(games, "rtmanager.cleanup.batch", { root: true, links })
        },
        { concurrency: 2 }
      ),
      Stream.runDrain,
      Effect.onExit(() =>
        Effect.flatMap(brake.refused, (refused) => (refused ? storeBrake(opened) : Effect.void)).pipe(
          Effect.catch(({ message }) =>
            Effect.annotateLogs(Effect.logError("cleanup.pass.brake_not_stored"), { message })
          )
        )
      )
    )
    yield* recording.conclude
    // The work is done: gauges that cannot be set now are set within a minute.
    if (tally.done > 0) yield* Effect.ignore(measure(records, opened.moment))
  }, Effect.scoped)

  const runOnce: CleanupPass["Service"]["runOnce"] = Effect.fnUntraced(function* (runOptions) {
    const tally = new Tally(runOptions.trigger, dryRun)
    const started = yield* Clock.monotonicTimeNanos
    if (options.mode === "paused") {
      const paused = tally.report(Exit.fail(PassRefused.paused))
      yield* passEnded(paused, started)
      return paused
    }
    const worked = yield* work(tally, runOptions).pipe(
      Effect.onExit((exit) => passEnded(tally.report(exit), started)),
      Effect.withSpan("rtmanager.cleanup.pass", { root: true }),
      Effect.provideService(LinesLogged, new Map()),
      Effect.result
    )
    const report = tally.report(Result.isFailure(worked) ? Exit.fail(worked.failure) : Exit.void)
    yield* Ref.set(cannotRecord, isCannotRecord(report.error) ? report.error.message : undefined)
    return report
  })
  return CleanupPass.of({ runOnce, cannotRecord: Ref.get(cannotRecord) })
})
