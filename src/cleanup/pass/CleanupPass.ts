import { Clock, Context, Duration, Effect, Exit, Layer, Option, Ref, Stream } from "effect"
import type { Mode } from "../../domain/Mode.ts"
import type { GameEnd } from "../../domain/NotDone.ts"
import { PassRefused } from "../../domain/PassRefused.ts"
import * as Report from "../../domain/PassReport.ts"
import type { Progress } from "../../domain/Progress.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import { LinesLogged } from "../../observability/gameTelemetry.ts"
import { passBegan, passEnded, passGoesOn, passWorks } from "../../observability/passTelemetry.ts"
import { ContainerEngine } from "../../ports/ContainerEngine.ts"
import { GameLeases } from "../../ports/GameLeases.ts"
import { KnownEngine } from "../../ports/KnownEngine.ts"
import { PassLog } from "../../ports/PassLog.ts"
import { Pauses } from "../../ports/Pauses.ts"
import { RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { earlyEnd, type PassError } from "../../ports/StoreError.ts"
import * as Brake from "../engine/Brake.ts"
import * as StoredBrake from "../engine/StoredBrake.ts"
import { testimony } from "../engine/testimony.ts"
import * as PauseGate from "../game/PauseGate.ts"
import * as Recording from "../game/Recording.ts"
import { type Attempts, cleaning, tryingOut } from "./attempts.ts"
import { dueGames } from "./dueGames.ts"
import * as Grace from "./Grace.ts"
import { Heartbeat } from "./Heartbeat.ts"
import { namedGames } from "./namedGames.ts"
import { openPass } from "./openPass.ts"
import * as PassRow from "./PassRow.ts"
import { askedOf, byHandOf, countOf, type Drawing, type Games, retentionIs, Selection } from "./Selection.ts"
import { measure } from "./ServiceGauges.ts"

/** How often a long pass logs its progress. */
const progressEvery = Duration.minutes(1)

/** A larger trace can be exported but not read: each further hundred games get a trace of their own. */
const gamesPerTrace = 100

export interface CleanupPassOptions {
  readonly retention: Duration.Duration
  /** How far this service's clock and the database's may be apart. */
  readonly maxClockSkew: Duration.Duration
  readonly mode: Mode
  readonly pageSize: number
  /** The most games that one pass attempts. */
  readonly maxRemovals: number | undefined
  /** The most games at the engine at once. */
  readonly concurrency: number
}

export interface RunOptions {
  readonly trigger: Report.Trigger
  /** Everything that is due by default. */
  readonly selection?: Selection
  /** A person says that containers may be absent: releases the brake, and this pass has none. */
  readonly acceptAbsent?: boolean
  /** Told of each attempt that has ended, and of each named game that is passed over. */
  readonly onGame?: (end: GameEnd) => Effect.Effect<void>
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
}

/** One pass over everything that is due, or over what a person names. The loop and every command call this same function. */
export class CleanupPass extends Context.Service<
  CleanupPass,
  {
    /**
     * Never fails: what went wrong is in the report. A game's failure is that game's alone. Only this ends the pass early: an
     * engine or a database that does not answer, a database that does not record removals, another engine, an engine
     * without the containers that should be there, a retention that has become much shorter, or a person's pause. When
     * interrupted, the pass claims nothing more, lets the games in flight go on for 4 seconds, and has no report. `onProgress`
     * runs after each game.
     */
    readonly runOnce: (options: RunOptions) => Effect.Effect<Report.PassReport>
    /** What its passes do. */
    readonly mode: Mode
    /** Why the last pass found that removals would not be recorded; `undefined` if it did not. */
    readonly cannotRecord: Effect.Effect<string | undefined>
  }
>()("rtmanager/cleanup/CleanupPass") {
  static readonly layer = (options: CleanupPassOptions) => Layer.effect(CleanupPass, make(options))
}

/** Why removals would not be recorded, after this pass. One that a person asked for clears it only by recording something. */
const cannotRecordAfter = ({ message, outcomes, reason, trigger }: Report.PassReport, before: string | undefined) => {
  if (reason === "cannot_record") return message ?? undefined
  return trigger === "manual" && outcomes.removed + outcomes.already_absent === 0 ? before : undefined
}

const make = Effect.fnUntraced(function* (options: CleanupPassOptions) {
  const records = yield* RuntimeRecords
  const engine = yield* ContainerEngine
  const leases = yield* GameLeases
  const pauses = yield* Pauses
  const passLog = yield* PassLog
  const heartbeat = yield* Heartbeat
  const open = yield* openPass
  const stored = yield* StoredBrake.make(yield* KnownEngine)
  const due = yield* dueGames(options)
  const { oneGame, plannedGames } = yield* namedGames(options)
  const drawn = (selection: Selection, drawing: Drawing): Games =>
    Selection.$match(selection, {
      Due: () => due(drawing),
      Game: ({ gameId }) => oneGame(gameId, drawing),
      Plan: ({ rows }) => plannedGames(rows, drawing)
    })
  const dryRun = options.mode === "dry_run"
  const { atOnce, attempt, withRoom }: Attempts = yield* dryRun ? tryingOut(options) : cleaning
  const cannotRecord = yield* Ref.make<string | undefined>(undefined)

  const work = Effect.fnUntraced(function* (
    tally: Ref.Ref<Report.Tally>,
    row: PassRow.PassRow,
    {
      acceptAbsent = false,
      onGame = () => Effect.void,
      onProgress = () => Effect.void,
      selection = Selection.Due(),
      trigger
    }: RunOptions
  ) {
    const opened = yield* open({ ...options, touch: !dryRun, acceptAbsent, retentionIs: retentionIs(selection) })
    const { engineId, moment } = opened
    yield* Ref.update(tally, (now) => ({ ...now, cutoff: new Date(moment.cutoff) }))
    if (acceptAbsent) yield* stored.release
    if (!dryRun) yield* stored.refuseIfUnstored(engineId)
    yield* heartbeat.beat
    // Counting a large backlog can time out. The pass goes on without the count.
    const backlog = Option.getOrUndefined(yield* Effect.option(measure(records, moment)))
    yield* passBegan(backlog)

    const brake = acceptAbsent
      ? Brake.released
      : yield* Brake.make(testimony(engine, records, { ...opened, byHand: byHandOf(selection) }))
    const isProbing = (yield* Ref.get(cannotRecord)) !== undefined
    const recording = yield* Recording.make(leases, records, { asked: askedOf(selection, trigger), isProbing })
    const pause = yield* PauseGate.make(pauses.current)
    const grace = yield* Grace.make
    const shared = { selection, trigger, opened, brake, recording, pause, grace, tally, onGame }

    const started = yield* Clock.monotonicTimeNanos
    const selected = countOf(selection, backlog?.due)
    const toDo = selected && Math.min(selected, options.maxRemovals ?? Infinity)
    const progress = Effect.gen(function* (): Effect.fn.Return<Progress> {
      const seconds = Number((yield* Clock.monotonicTimeNanos) - started) / 1e9
      return { due: toDo, done: Report.done(yield* Ref.get(tally)), seconds }
    })
    yield* Effect.flatMap(Effect.all([progress, atOnce]), passGoesOn).pipe(
      Effect.delay(progressEvery),
      Effect.forever,
      Effect.forkScoped
    )
    const game = (record: RuntimeRecord) =>
      attempt(record, shared).pipe(
        Effect.tap(() => Effect.andThen(heartbeat.beat, Effect.flatMap(progress, onProgress))),
        withRoom
      )
    const links = [{ span: yield* Effect.orDie(Effect.currentSpan), attributes: {} }]
    const onPage: Drawing["onPage"] = (page) => Ref.update(tally, (now) => Report.withPage(now, page))
    yield* drawn(selection, { opened, recording, onPage, onGame }).pipe(
      Stream.onFirst(() => (dryRun ? passWorks : Effect.andThen(passWorks, row.keep(toDo)))),
      Stream.rechunk(gamesPerTrace),
      Stream.chunks,
      Stream.zipWithIndex,
      Stream.mapEffect(
        ([batch, index]) => {
          const games = Effect.forEach(batch, game, { concurrency: "unbounded", discard: true })
          return index === 0 ? games : Effect.withSpan(games, "rtmanager.cleanup.batch", { root: true, links })
        },
        { concurrency: 2 }
      ),
      Stream.runDrain,
      Effect.onExit(() => Effect.andThen(brake.refused, (refused) => (refused ? stored.putOn(engineId) : Effect.void)))
    )
    yield* recording.conclude
    // The work is done: gauges that cannot be set now are set within a minute.
    if (Report.done(yield* Ref.get(tally)) > 0) yield* Effect.ignore(measure(records, moment))
  }, Effect.scoped)

  const runOnce: CleanupPass["Service"]["runOnce"] = Effect.fnUntraced(function* (runOptions) {
    const tally = yield* Ref.make(Report.empty(runOptions.trigger, dryRun))
    const row = yield* PassRow.make(passLog, tally)
    const started = yield* Clock.monotonicTimeNanos
    const reported = (exit: Exit.Exit<void, PassError>) => {
      const ended = Exit.mapError(exit, earlyEnd)
      return Effect.map(Ref.get(tally), (now) => Report.report(now, ended))
    }
    const tell = (exit: Exit.Exit<void, PassError>) =>
      Effect.flatMap(reported(exit), (report) => passEnded(report, started))
    const worked =
      options.mode === "paused"
        ? Effect.onExit(Effect.fail(PassRefused.paused), tell)
        : work(tally, row, runOptions).pipe(
            Effect.onExit(tell),
            Effect.withSpan("rtmanager.cleanup.pass", { root: true }),
            Effect.onExit((exit) => Effect.flatMap(reported(exit), row.end)),
            Effect.provideServiceEffect(LinesLogged, Ref.make<ReadonlyMap<string, number>>(new Map()))
          )
    const report = yield* Effect.matchEffect(worked, {
      onSuccess: () => reported(Exit.void),
      onFailure: (error) => reported(Exit.fail(error))
    })
    yield* Ref.update(cannotRecord, (before) => cannotRecordAfter(report, before))
    return report
  })
  return CleanupPass.of({ mode: options.mode, runOnce, cannotRecord: Ref.get(cannotRecord) })
})
