import { Effect, Option, Stream } from "effect"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import { type Cursor, type Page, RuntimeRecords } from "../../ports/RuntimeRecords.ts"
import { Heartbeat } from "./Heartbeat.ts"
import type { Drawing, Games } from "./Selection.ts"

interface DueGamesOptions {
  readonly pageSize: number
  /** The most games that one pass attempts. */
  readonly maxRemovals: number | undefined
}

/** Where the listing stands between two pages. */
interface Place {
  readonly after: Cursor | undefined
  readonly handedOut: number
  /** Games that failed before, kept back under a limit. */
  readonly waiting: ReadonlyArray<RuntimeRecord>
}

const start: Place = { after: undefined, handedOut: 0, waiting: [] }

/** The games of this page that are handed out now, and the place after them; no place after the last page. */
const handOut = (place: Place, page: Page, maxRemovals: number | undefined) => {
  const limit = maxRemovals ?? Infinity
  const waits = ({ backoff }: RuntimeRecord) => backoff !== null && maxRemovals !== undefined
  const waiting = [...place.waiting, ...page.records.filter(waits)].slice(0, limit)
  const first = page.records.filter((record) => !waits(record))
  const games = [...first, ...(page.next === undefined ? waiting : [])].slice(0, limit - place.handedOut)
  const handedOut = place.handedOut + games.length
  const next: Option.Option<Place> =
    page.next === undefined || handedOut === maxRemovals
      ? Option.none()
      : Option.some({ after: page.next, handedOut, waiting })
  return [games, next] as const
}

/**
 * All games that are due, page by page, oldest first. If there is a limit, games that failed before come last, or they would use it
 * up.
 */
export const dueGames = Effect.fnUntraced(function* ({ maxRemovals, pageSize }: DueGamesOptions) {
  const records = yield* RuntimeRecords
  const heartbeat = yield* Heartbeat

  return ({ onPage, opened: { moment }, recording }: Omit<Drawing, "onGame">): Games =>
    Stream.paginate(start, (place) =>
      records.listDue({ moment, after: place.after, limit: pageSize }).pipe(
        Effect.tap(heartbeat.beat),
        Effect.tap(onPage),
        Effect.tap((page) => recording.rehearse(page.records)),
        Effect.map((page) => handOut(place, page, maxRemovals))
      )
    )
})
