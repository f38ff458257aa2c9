import { Effect, Option, Result, Stream } from "effect"
import { whyNotDue } from "../../domain/Due.ts"
import { isDue } from "../../domain/Expiry.ts"
import { type NotDone, notDoneOf } from "../../domain/NotDone.ts"
import { rules } from "../../domain/Outcome.ts"
import type { PlanRow } from "../../domain/PlanFile.ts"
import { printable } from "../../domain/printable.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import { judgeRecord } from "../../domain/Verdict.ts"
import { RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { Heartbeat } from "./Heartbeat.ts"
import type { OpenedPass } from "./openPass.ts"
import type { Drawing, Games } from "./Selection.ts"

/** Why a row of a plan is passed over, if it is: under the lease its record is asked the same again. */
export const judgeRow = (
  row: PlanRow,
  record: RuntimeRecord,
  { engineName, moment }: Pick<OpenedPass, "engineName" | "moment">
): NotDone | undefined => {
  const { gameId } = row
  const asShown = judgeRecord(record, { engineName, moment, shown: row, byHand: true })
  if (Result.isFailure(asShown)) {
    const { code, message } = asShown.failure
    return notDoneOf({ gameId, outcome: rules[code].outcome, errorCode: code, message })
  }
  return isDue(record, moment) ? undefined : { gameId, why: "no_longer_due", message: whyNotDue(record, moment) }
}

/** Where a plan stands between two pages. */
interface Place {
  readonly next: number
  readonly handedOut: number
}

/** The games that a person names: one, or those of a plan, of which at most `maxRemovals` are attempted. */
export const namedGames = Effect.fnUntraced(function* (options: {
  readonly pageSize: number
  readonly maxRemovals: number | undefined
}) {
  const records = yield* RuntimeRecords
  const heartbeat = yield* Heartbeat

  /** A record that does not decode is found only by asking for it alone. */
  const withoutRecord = Effect.fnUntraced(function* (gameId: string, hasUndecodable: boolean) {
    const [undecodable] = hasUndecodable ? (yield* records.find([gameId])).undecodable : []
    return undecodable === undefined
      ? ({ gameId, why: "gone", message: `there is no record of game ${printable(gameId)}` } satisfies NotDone)
      : ({ gameId, why: "changed", message: `the record does not decode: ${undecodable}` } satisfies NotDone)
  })

  const draw = Effect.fnUntraced(function* <Row extends Pick<PlanRow, "gameId">>(
    rows: ReadonlyArray<Row>,
    { onGame, onPage, recording }: Drawing,
    passOver: (row: Row, record: RuntimeRecord) => NotDone | undefined
  ) {
    const { records: found, undecodable } = yield* records.find(rows.map(({ gameId }) => gameId))
    yield* heartbeat.beat
    const byGame = new Map(found.map((record) => [record.gameId, record]))
    const drawn = yield* Effect.forEach(rows, (row) =>
      Effect.gen(function* () {
        const record = byGame.get(row.gameId)
        const over =
          record === undefined ? yield* withoutRecord(row.gameId, undecodable.length > 0) : passOver(row, record)
        if (over === undefined) return record
        yield* onGame(over)
        return undefined
      })
    )
    const games = drawn.filter((record) => record !== undefined)
    yield* onPage({ records: games, undecodable })
    yield* recording.rehearse(games)
    return games
  })

  const oneGame = (gameId: string, drawing: Drawing): Games =>
    Stream.fromArrayEffect(draw([{ gameId }], drawing, () => undefined))

  const plannedGames = (rows: ReadonlyArray<PlanRow>, drawing: Drawing): Games =>
    Stream.paginate<Place, RuntimeRecord, Effect.Error<ReturnType<typeof draw>>>(
      { next: 0, handedOut: 0 },
      Effect.fnUntraced(function* ({ next, handedOut }) {
        const page = rows.slice(next, next + options.pageSize)
        const due = yield* draw(page, drawing, (row, record) => judgeRow(row, record, drawing.opened))
        const games = due.slice(0, (options.maxRemovals ?? Infinity) - handedOut)
        const after: Place = { next: next + page.length, handedOut: handedOut + games.length }
        const isLast = after.next >= rows.length || after.handedOut === options.maxRemovals
        return [games, isLast ? Option.none() : Option.some(after)] as const
      })
    )

  return { oneGame, plannedGames }
})
