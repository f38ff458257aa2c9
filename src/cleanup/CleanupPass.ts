import { Clock, Context, Duration, Effect, Exit, Layer, Option, Ref, Result, Stream } from "effect"
import { printable } from "../domain/printable.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import { ContainerEngine } from "../ports/ContainerEngine.ts"
import { GameLeases } from "../ports/GameLeases.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { measure } from "./BacklogGauges.ts"
import { judge } from "./CleanupPlan.ts"
import { dueGames } from "./dueGames.ts"
import * as Brake from "./engine/Brake.ts"
import { testimony } from "./engine/testimony.ts"
import * as Grace from "./Grace.ts"
import { summaryOf } from "./game/Cleaned.ts"
import { Cleaner } from "./game/Cleaner.ts"
import { Heartbeat } from "./Heartbeat.ts"
import { backlogMeasured, LinesLogged, logLimited, passEnded, passGoesOn } from "./observe.ts"
import { braked, type OpenedPass, openPass } from "./openPass.ts"
import { isCannotRecord, type PassError, PassRefused } from "./PassRefused.ts"
import * as Report from "./PassReport.ts"
import type { Progress } from "./Progress.ts"
import * as Recording from "./Recording.ts"

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
  readonly trigger: Report.Trigger
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
    readonly runOnce: (options: RunOptions) => Effect.Effect<Report.PassReport>
    /** Why the last pass found that removals would not be recorded; `undefined` if it did not. */
    readonly cannotRecord: Effect.Effect<string | undefined>
  }
>()("rtmanager/cleanup/CleanupPass") {
  static readonly layer = (options: CleanupPassOptions) => Layer.effect(CleanupPass, make(options))
}

/** The counts of one pass while it is under way. */
const makeCounting = Effect.fnUntraced(function* (trigger: Report.Trigger, dryRun: boolean) {
  const ref = yield* Ref.make(Report.empty(trigger, dryRun))
  return {
    trigger,
    tally: Ref.get(ref),
    update: (change: (tally: Report.Tally) => Report.Tally) => Ref.update(ref, change),
    game: (ended: Parameters<typeof Report.withGame>[1]) => Ref.update(ref, (tally) => Report.withGame(tally, ended)),
    grace: yield* Grace.make
  }
})
type Counting = Effect.Success<ReturnType<typeof makeCounting>>

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

  /** A game's failure is counted and the pass goes on; only what concerns every game ends it. */
  const clean = (
    { moment, engineId }: OpenedPass,
    brake: Brake.Brake,
    recording: Recording.Recording,
    counting: Counting
  ) =>
    Effect.fnUntraced(function* ({ gameId }: RuntimeRecord) {
      const request = {
        gameId,
        moment,
        engineId,
        brake,
        recording,
        opSource: "auto_ttl",
        sourceRef: counting.trigger
      } as const
      const attempt = cleaner.cleanup(request).pipe(
        Effect.tap(counting.game),
        Effect.tapError((error) => counting.game(summaryOf(error))),
        Effect.catchReason("GameFailed", "StoreTrouble", ({ away }) =>
          away === undefined ? Effect.void : Effect.fail(away)
        ),
        Effect.catchTag("GameFailed", () => Effect.void),
        Effect.unwrapReason("CutShort"),
        Effect.tapError(() => counting.grace.forfeit)
      )
      yield* counting.grace.allow(attempt)
    })

  const tryOut = ({ moment }: OpenedPass, recording: Recording.Recording, counting: Counting) =>
    Effect.fnUntraced(function* (record: RuntimeRecord) {
      const { gameId, outcome, errorCode, message } = yield* judge(engine, recording, record, { ...options, moment })
      yield* counting.game({ gameId, outcome, errorCode, unresolved: false, anonymousVolumes: 0 })
      const line = { game_id: printable(gameId), outcome, error_code: errorCode, message }
      yield* logLimited(errorCode ?? outcome, "Info", "cleanup.game.dry_run", line)
    })

  /** A brake that could not be stored holds this process all the same, and is stored by its next pass. */
  const isUnstored = yield* Ref.make(false)
  const storeBrake = Effect.fnUntraced(function* ({ engineId }: OpenedPass) {
    yield* Ref.set(isUnstored, true)
    yield* known.brake(engineId)
    yield* Ref.set(isUnstored, false)
  })

  const work = Effect.fnUntraced(function* (
    counting: Counting,
    { acceptAbsent = false, onProgress = () => Effect.void }: RunOptions
  ) {
    const opened = yield* open({ ...options, touch: !dryRun, acceptAbsent })
    yield* counting.update((tally) => ({ ...tally, cutoff: opened.moment.cutoff }))
    if (acceptAbsent) yield* Ref.set(isUnstored, false)
    if ((yield* Ref.get(isUnstored)) && !dryRun) {
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
      ? tryOut(opened, recording, counting)
      : clean(opened, brake, recording, counting)
    const started = yield* Clock.monotonicTimeNanos
    const toDo = backlog && Math.min(backlog.due, options.maxRemovals ?? Infinity)
    const progress = Effect.gen(function* (): Effect.fn.Return<Progress> {
      const seconds = Number((yield* Clock.monotonicTimeNanos) - started) / 1e9
      return { due: toDo, done: Report.done(yield* counting.tally), seconds }
    })
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
    yield* due(opened.moment, recording, (page) => counting.update((tally) => Report.withPage(tally, page))).pipe(
      Stream.rechunk(gamesPerTrace),
      Stream.chunks,
      Stream.zipWithIndex,
      Stream.mapEffect(
        ([batch, index]) => {
          const games = Effect.forEach(batch, game, { concurrency: "unbounded", discard: true })
          const links = [{ span: pass, attributes: {} }]
          return index === 0 ? games : Effect.withSpan(games, "rtmanager.cleanup.batch", { root: true, links })
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
    if (Report.done(yield* counting.tally) > 0) yield* Effect.ignore(measure(records, opened.moment))
  }, Effect.scoped)

  const runOnce: CleanupPass["Service"]["runOnce"] = Effect.fnUntraced(function* (runOptions) {
    const counting = yield* makeCounting(runOptions.trigger, dryRun)
    const reported = (exit: Exit.Exit<void, PassError>) =>
      Effect.map(counting.tally, (tally) => Report.report(tally, exit))
    const started = yield* Clock.monotonicTimeNanos
    if (options.mode === "paused") {
      const paused = yield* reported(Exit.fail(PassRefused.paused))
      yield* passEnded(paused, started)
      return paused
    }
    const worked = yield* work(counting, runOptions).pipe(
      Effect.onExit((exit) => Effect.flatMap(reported(exit), (report) => passEnded(report, started))),
      Effect.withSpan("rtmanager.cleanup.pass", { root: true }),
      Effect.provideService(LinesLogged, yield* Ref.make<ReadonlyMap<string, number>>(new Map())),
      Effect.result
    )
    const report = yield* reported(Result.isFailure(worked) ? Exit.fail(worked.failure) : Exit.void)
    yield* Ref.set(cannotRecord, isCannotRecord(report.error) ? report.error.message : undefined)
    return report
  })
  return CleanupPass.of({ runOnce, cannotRecord: Ref.get(cannotRecord) })
})
