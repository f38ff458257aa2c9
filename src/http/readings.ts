import { Clock, Effect, Option, Semaphore, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiError, HttpApiSchema } from "effect/http-api"
import type { Settings } from "../config/Settings.ts"
import { engines } from "../operator/engines.ts"
import { games } from "../operator/games.ts"
import { planPage } from "../operator/plan.ts"
import { show } from "../operator/show.ts"
import { status } from "../operator/status.ts"
import { parseSince, sinceForms } from "../operator/time.ts"
import { Acts } from "../ports/Acts.ts"
import { Holds } from "../ports/Holds.ts"
import { type LogCursor, type LogQuery, OperationLog } from "../ports/OperationLog.ts"
import { PassLog } from "../ports/PassLog.ts"
import { Api, CurrentCaller } from "./Api.ts"
import { Events } from "./Events.ts"
import { NotFound, tooManyRequests, Unavailable } from "./problems.ts"

/** How many rows a page has that asks for no number. */
const pageSize = 100

const hoursOfAWeek = 168

/** The database or the engine is away, or does not have the schema of this version. */
const away = ({ message }: { readonly message: string }) => Effect.fail(new Unavailable({ detail: message }))

const unusable = ({ message }: { readonly message: string }) =>
  Effect.fail(new HttpApiError.BadRequestProblem({ detail: message }))

const available = <A, R>(reading: Effect.Effect<A, { readonly message: string }, R>) => Effect.catch(reading, away)

/** For what costs the more, the more games there are: one at a time, so that those who look take little from a pass. */
const makeOneAtATime = Effect.map(
  Semaphore.make(1),
  (place) =>
    <A, E, R>(reading: Effect.Effect<A, E, R>) =>
      Effect.flatMap(
        place.withPermitsIfAvailable(1)(reading),
        Option.match({ onNone: () => tooManyRequests(1), onSome: (answer) => Effect.succeed(answer) })
      )
)

/** A page of rows, and the place of its last one if another may follow. */
const upTo = <Row, Place>(limit: number, rows: ReadonlyArray<Row>, placeOf: (row: Row) => Place) => {
  const last = rows.length < limit ? undefined : rows.at(-1)
  return { rows, next: last === undefined ? null : placeOf(last) }
}

/** The handlers of what people and programs look at: each asks one operator function or port. */
export const layer = (settings: Settings) =>
  HttpApiBuilder.group(
    Api,
    "readings",
    Effect.fnUntraced(function* (handlers) {
      const acts = yield* Acts
      const holds = yield* Holds
      const operations = yield* OperationLog
      const oneAtATime = yield* makeOneAtATime
      const passes = yield* PassLog
      const events = yield* Events

      const logPage = Effect.fnUntraced(function* (
        query: LogQuery,
        { cursor, limit = pageSize }: { readonly cursor?: LogCursor; readonly limit?: number }
      ) {
        const page = yield* available(operations.list({ ...query, before: cursor, limit }))
        return { operations: page.operations, next: page.next ?? null }
      })

      const opened = Effect.fnUntraced(function* () {
        const { name } = yield* CurrentCaller
        const stream = yield* events.open(name).pipe(
          Effect.catchTag("TooManyReaders", () => tooManyRequests(15)),
          Effect.catchTags({ StoreError: away, PassRefused: away })
        )
        return HttpServerResponse.stream(Stream.encodeText(stream), { contentType: "text/event-stream" })
      })

      return handlers.handleRaw("events", opened).handleAll({
        me: () => CurrentCaller,
        status: () => available(status(settings)),
        engines: () => oneAtATime(Effect.map(available(engines(settings.retention)), (engines) => ({ engines }))),
        passes: ({ query: { limit = 20 } }) => Effect.map(available(passes.recent(limit)), (passes) => ({ passes })),
        pass: ({ params: { id } }) =>
          Effect.filterOrFail(
            available(passes.find(id)),
            (pass) => pass !== undefined,
            () => new NotFound({ detail: "no pass has this id" })
          ),
        games: ({ query: { cursor, engine, limit = pageSize, state } }) =>
          games({ cursor, engine, limit, state, retention: settings.retention }).pipe(
            Effect.catchTags({ CursorRefused: unusable, StoreError: away, PassRefused: away })
          ),
        game: ({ params: { id } }) =>
          show(id, settings).pipe(
            Effect.catchTags({
              GameUnknown: ({ message }) => Effect.fail(new NotFound({ detail: message })),
              StoreError: away,
              PassRefused: away
            }),
            Effect.map((body) =>
              HttpApiSchema.withHeaders({ body, headers: body.version === null ? {} : { etag: `"${body.version}"` } })
            )
          ),
        gameLog: ({ params: { id }, query }) => logPage({ gameId: id }, query),
        log: Effect.fnUntraced(function* ({ query: { game, outcome, since, ...page } }) {
          const from = since === undefined ? undefined : parseSince(since, yield* Clock.currentTimeMillis)
          if (since !== undefined && from === undefined) {
            return yield* unusable({ message: `since: expected ${sinceForms}` })
          }
          return yield* logPage({ gameId: game, outcome, since: from }, page)
        }),
        plan: ({ query: { cursor, game, limit = pageSize } }) =>
          oneAtATime(
            planPage({ ...settings, after: cursor, gameId: game, limit }).pipe(
              Effect.catchTags({ CursorRefused: unusable, StoreError: away, PassRefused: away })
            )
          ),
        holds: ({ query: { cursor, limit = pageSize } }) =>
          Effect.map(available(holds.list({ after: cursor, limit })), (listed) => {
            const { next, rows } = upTo(limit, listed, ({ author, gameId }) => ({ author, gameId }))
            return { holds: rows, next }
          }),
        acts: ({ query: { cursor, limit = pageSize, target } }) =>
          Effect.map(
            available(
              acts.list({
                limit,
                ...(target !== undefined && { target }),
                ...(cursor !== undefined && { before: cursor })
              })
            ),
            (listed) => {
              const { next, rows } = upTo(limit, listed, ({ id }) => id)
              return { acts: rows, next }
            }
          ),
        stats: ({ query: { hours = hoursOfAWeek } }) =>
          Effect.map(available(passes.hours(hours)), (hours) => ({ hours }))
      })
    })
  )
