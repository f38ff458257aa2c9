import { Clock, Duration, Effect } from "effect"
import { whenDue } from "../domain/Due.ts"
import { momentOf } from "../domain/Expiry.ts"
import type { Mode } from "../domain/Mode.ts"
import { rate, secondsLeft } from "../domain/Progress.ts"
import { isUnderWay, type RecordedPass } from "../domain/RecordedPass.ts"
import type { NextGame, PassUnderWay, Status } from "../domain/Status.ts"
import { dateOf } from "../domain/time.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { Overview, type Waiting } from "../ports/Overview.ts"
import { PassLog } from "../ports/PassLog.ts"
import { Pauses } from "../ports/Pauses.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { passError } from "../ports/StoreError.ts"

/** How many passes and how many of the games that go next are shown. */
const shown = 5

/** How many passes without a result are looked at: each engine has one under way at most, and a killed one stays. */
const unendedLimit = 100

const progressOf = (pass: RecordedPass): PassUnderWay => {
  const { alreadyAbsent, conflict, due, failed, removed, startedAt, updatedAt } = pass
  const progress = {
    due: due ?? undefined,
    done: removed + alreadyAbsent + conflict + failed,
    seconds: (updatedAt.getTime() - startedAt.getTime()) / 1000
  }
  return { pass, done: progress.done, rate: rate(progress), secondsLeft: secondsLeft(progress) ?? null }
}

const nextGame = ({ gameId, hold, lastOpAt, nextAttemptAt }: Waiting, retention: Duration.Duration) => {
  const waits = { status: "stopped", lastOpAt, backoff: nextAttemptAt === null ? null : { nextAttemptAt } }
  const { at, rule } = whenDue(waits, hold === null ? [] : [hold], retention)
  return at === null ? [] : [{ gameId, at, rule } satisfies NextGame]
}

/** A pass begins once the interval after the end of the last one is over, so not before this time. */
export const nextPassAt = ({
  interval,
  isWaiting,
  lastPassAt
}: {
  readonly interval: Duration.Duration
  readonly isWaiting: boolean
  readonly lastPassAt: Date | null
}): Date | null =>
  lastPassAt !== null && isWaiting ? dateOf(lastPassAt.getTime() + Duration.toMillis(interval)) : null

/** The passes under way, of all engines. `now`: Unix milliseconds by the database's clock. */
export const underWay = Effect.fnUntraced(function* (now: number) {
  const unended = yield* (yield* PassLog).unended(unendedLimit)
  return unended.filter((pass) => isUnderWay(pass, now)).map(progressOf)
})

/**
 * Where the cleaning stands: half a dozen statements to the database, none to the engine, whose cost is the same however many
 * games there are.
 */
export const status = Effect.fnUntraced(function* ({
  interval,
  mode,
  retention
}: {
  readonly interval: Duration.Duration
  readonly mode: Mode
  readonly retention: Duration.Duration
}) {
  const overview = yield* Overview
  const database = yield* Effect.mapError((yield* RuntimeRecords).clock, passError)
  const moment = momentOf({ service: yield* Clock.currentTimeMillis, database }, retention)
  const pause = yield* (yield* Pauses).current
  const { counts, next } = yield* overview.backlog(moment, { next: shown })
  const engines = yield* overview.engines
  const passesNow = yield* underWay(database)
  const engine = (yield* KnownEngine).name
  const recent = yield* (yield* PassLog).recent(shown)
  return {
    now: new Date(database),
    mode,
    engine,
    cutoff: new Date(moment.cutoff),
    backlog: counts,
    next: next.flatMap((game) => nextGame(game, retention)),
    pause: pause ?? null,
    nextPassAt: nextPassAt({
      lastPassAt: engines.find(({ name }) => name === engine)?.lastPassAt ?? null,
      isWaiting: mode !== "paused" && pause === undefined && passesNow.every(({ pass }) => pass.engine !== engine),
      interval
    }),
    engines,
    underWay: passesNow,
    passes: recent
  } satisfies Status
})
