import { Context, Schema } from "effect"
import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  HttpApiSecurity,
  OpenApi
} from "effect/http-api"
import { version } from "../config/version.ts"
import { Reason, RecordedAct } from "../domain/Act.ts"
import { Caller } from "../domain/Caller.ts"
import { storedTimes } from "../domain/GameCursor.ts"
import { GamePage, GamesLimit, gameStates } from "../domain/GamePage.ts"
import { GameStory } from "../domain/GameStory.ts"
import { PlacedHold, SeenHold } from "../domain/Hold.ts"
import { ListedEngine } from "../domain/ListedEngine.ts"
import { LoggedOperation, loggedOutcomes } from "../domain/LoggedOperation.ts"
import { refusals } from "../domain/PassRefused.ts"
import { PlanFile, planBasis, planBasisKeys } from "../domain/PlanFile.ts"
import { PlannedGame } from "../domain/PlannedGame.ts"
import { RecordedPass } from "../domain/RecordedPass.ts"
import { Stats, StatsHours } from "../domain/Stats.ts"
import { PassUnderWay, Status } from "../domain/Status.ts"
import { PauseLength } from "../operator/pause.ts"
import { readable } from "./openApi.ts"
import * as Problems from "./problems.ts"

/** Whoever asks, by the token of the request. */
export class CurrentCaller extends Context.Service<CurrentCaller, Caller>()("rtmanager/http/CurrentCaller") {}

/** `Authorization: Bearer`, and no other way: no cookie, nothing in the URL. */
export class Authorized extends HttpApiMiddleware.Service<Authorized, { provides: CurrentCaller }>()(
  "rtmanager/http/Authorized",
  {
    requiredForClient: true,
    security: { bearer: HttpApiSecurity.bearer },
    error: [Problems.Unauthorized, Problems.TooManyRequests, Problems.Unavailable]
  }
) {}

/** Only for tokens of the role `act`. */
export class MayAct extends HttpApiMiddleware.Service<MayAct, { requires: CurrentCaller }>()("rtmanager/http/MayAct", {
  error: Problems.Forbidden
}) {}

const described = (description: string) => OpenApi.annotations({ description })

/** What the OpenAPI document calls these. */
const Act = RecordedAct.annotate({ identifier: "Act" })
const Operation = LoggedOperation.annotate({ identifier: "Operation" })
const Pass = RecordedPass.annotate({ identifier: "Pass" })
const Hold = PlacedHold.annotate({ identifier: "Hold" })
const Plan = PlanFile.annotate({ identifier: "Plan" })

/** Text that a table can hold. */
const Text = Schema.String.check(Schema.makeFilter((text) => !text.includes("\0") || "Expected a text without NUL"))
const GameId = Text.check(Schema.isNonEmpty(), Schema.isMaxLength(1000))
/** Where a page goes on: `next` of the one before. What it holds is nobody's business but the server's. */
const cursorOf = <S extends Schema.Top>(place: S) =>
  Schema.StringFromBase64Url.pipe(Schema.decodeTo(Schema.fromJsonString(place)))
/** The `id` of a row. */
const RowId = Schema.BigIntFromString.check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n }))
const StoredTime = Schema.BigIntFromString.check(Schema.isBetweenBigInt(storedTimes))
const LogPlace = cursorOf(Schema.Struct({ finishedAt: Schema.NullOr(StoredTime), id: RowId }))
const HoldPlace = cursorOf(Schema.Struct({ gameId: Text, author: Text }))
const ActPlace = cursorOf(RowId)

const pageOf = <S extends Schema.Top>(place: S) => ({
  cursor: Schema.optionalKey(place),
  limit: Schema.optionalKey(GamesLimit)
})

/** A store writes an id that is no text as NUL and its bytes in hex. */
const PlanPlace = cursorOf(
  Schema.Struct({
    lastOpAt: Schema.NullOr(StoredTime),
    gameId: Schema.String.check(Schema.isPattern(/^(?:[^\0]*|\0(?:[0-9a-f]{2})+)$/))
  })
)

/** `next` is the `cursor` of the page that follows; `null` on the last one. */
const LogPage = Schema.Struct({ operations: Schema.Array(Operation), next: Schema.NullOr(LogPlace) })

const eventOf = <const Event extends string, S extends Schema.Top>(event: Event, data: S) =>
  Schema.Struct({ id: Schema.String, event: Schema.Literal(event), data: Schema.fromJsonString(data) })

/**
 * What is told as it happens. `status` comes first, and again when it has changed; `progress`: the passes under way; `operations`:
 * what was logged since, newest first, at most 50; `unavailable`: why nothing can be said for now.
 */
export const ServiceEvent = Schema.Union([
  eventOf("status", Status),
  eventOf("progress", Schema.Struct({ under_way: Schema.Array(PassUnderWay) })),
  eventOf("operations", Schema.Struct({ operations: Schema.Array(Operation) })),
  eventOf("unavailable", Schema.Struct({ detail: Schema.String }))
])
export type ServiceEvent = typeof ServiceEvent.Type

const away = { error: Problems.Unavailable }

/** `would_refuse`: the guard that would refuse a pass now. */
const PlanPage = Schema.Struct({
  ...planBasis,
  wouldRefuse: Schema.NullOr(Schema.Struct({ reason: Schema.Literals(refusals), message: Schema.String })),
  games: Schema.Array(PlannedGame),
  next: Schema.NullOr(PlanPlace)
}).pipe(Schema.encodeKeys({ ...planBasisKeys, wouldRefuse: "would_refuse" }))

/** What people and programs look at. */
const readings = HttpApiGroup.make("readings")
  .add(
    HttpApiEndpoint.get("me", "/me", { success: Caller }).annotateMerge(described("Whose token this is")),
    HttpApiEndpoint.get("status", "/status", { success: Status, ...away }).annotateMerge(
      described("Where the cleaning stands: mode, pause, backlog, what goes next, engines, passes")
    ),
    HttpApiEndpoint.get("engines", "/engines", {
      success: Schema.Struct({ engines: Schema.Array(ListedEngine) }),
      error: [Problems.TooManyRequests, Problems.Unavailable]
    }).annotateMerge(
      described(
        "All engines by name, with how many of their games are due and stopped. Counts them, so one request at a time is answered"
      )
    ),
    HttpApiEndpoint.get("passes", "/passes", {
      query: { limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))) },
      success: Schema.Struct({ passes: Schema.Array(Pass) }),
      ...away
    }).annotateMerge(described("The last passes of all engines, newest first")),
    HttpApiEndpoint.get("pass", "/passes/:id", {
      params: { id: Schema.String },
      success: Pass,
      error: [Problems.NotFound, Problems.Unavailable]
    }).annotateMerge(described("One pass")),
    HttpApiEndpoint.get("games", "/games", {
      query: {
        state: Schema.Literals(gameStates),
        engine: Schema.optionalKey(Text),
        ...pageOf(Schema.String)
      },
      success: GamePage,
      error: [HttpApiError.BadRequestProblem, Problems.Unavailable]
    }).annotateMerge(
      described(
        "Stopped games by what they wait for, of all engines or of one. The retention is that of the service that is asked; when a game of another engine is due is for that one's service to say. A page can have fewer games than its limit although another follows"
      )
    ),
    HttpApiEndpoint.get("game", "/games/:id", {
      params: { id: GameId },
      success: HttpApiSchema.WithHeaders(GameStory, { etag: Schema.optionalKey(Schema.String) }),
      error: [Problems.NotFound, Problems.Unavailable]
    }).annotateMerge(described("All that is known of one game. `ETag`: the version of its record, for `If-Match`")),
    HttpApiEndpoint.get("gameLog", "/games/:id/log", {
      params: { id: GameId },
      query: pageOf(LogPlace),
      success: LogPage,
      ...away
    }).annotateMerge(described("What became of one game's containers, newest first")),
    HttpApiEndpoint.get("log", "/log", {
      query: {
        game: Schema.optionalKey(GameId),
        outcome: Schema.optionalKey(Schema.Literals(loggedOutcomes)),
        since: Schema.optionalKey(Schema.String),
        ...pageOf(LogPlace)
      },
      success: LogPage,
      ...away
    }).annotateMerge(
      described("What became of all games' containers, newest first. `since`: RFC 3339, or `36h` or `30d` before now")
    ),
    HttpApiEndpoint.get("plan", "/plan", {
      query: { game: Schema.optionalKey(GameId), ...pageOf(PlanPlace) },
      success: PlanPage,
      error: [HttpApiError.BadRequestProblem, Problems.TooManyRequests, Problems.Unavailable]
    }).annotateMerge(
      described(
        "What a pass would do now with each stopped game of this service's engine, by which rule and why; on the last page also the engines that no service cleans. Looks at the containers and changes nothing. One request at a time is answered"
      )
    ),
    HttpApiEndpoint.get("holds", "/holds", {
      query: pageOf(HoldPlace),
      success: Schema.Struct({ holds: Schema.Array(Hold), next: Schema.NullOr(HoldPlace) }),
      ...away
    }).annotateMerge(described("The holds that have not ended, by game and author")),
    HttpApiEndpoint.get("acts", "/acts", {
      query: { target: Schema.optionalKey(GameId), ...pageOf(ActPlace) },
      success: Schema.Struct({ acts: Schema.Array(Act), next: Schema.NullOr(ActPlace) }),
      ...away
    }).annotateMerge(described("What people asked for, newest first")),
    HttpApiEndpoint.get("stats", "/stats", {
      query: { hours: Schema.optionalKey(StatsHours) },
      success: Stats,
      ...away
    }).annotateMerge(
      described(
        "What the passes of each hour came to, oldest first; 168 hours by default. The longest lag is of the games that they removed because these were due"
      )
    ),
    HttpApiEndpoint.get("events", "/events", {
      success: HttpApiSchema.StreamSse({ events: ServiceEvent }),
      error: [Problems.TooManyRequests, Problems.Unavailable]
    }).annotateMerge(described("Server-sent events: a status first, then what changes. A comment every 15 seconds"))
  )
  .annotateMerge(OpenApi.annotations({ title: "Readings" }))

const headers = { "idempotency-key": Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,100}$/))) }
const gameHeaders = { ...headers, "if-match": Schema.optionalKey(Schema.String) }

const actErrors = [
  Problems.ActFailed,
  Problems.Refused,
  Problems.InFlight,
  Problems.Killed,
  Problems.KeyReused,
  Problems.Unavailable
] as const
const gameErrors = [...actErrors, Problems.PreconditionFailed] as const

const asked = { reason: Reason }
/** A time in RFC 3339, or how long from now: `90s`, `36h`, `30d`. */
const End = Schema.optionalKey(
  Schema.NullOr(Schema.String.check(Schema.isMaxLength(100))).annotate({
    description: "A time in RFC 3339, or how long from now: `90s`, `36h`, `30d`. Without it: until it is released"
  })
)

/** What people do. Each answers with its row, once it has ended. Who lets go of the connection does not end it. */
const acts = HttpApiGroup.make("acts")
  .add(
    HttpApiEndpoint.post("clean", "/games/:id/clean", {
      params: { id: GameId },
      headers: gameHeaders,
      payload: Schema.Struct(asked),
      success: Act,
      error: gameErrors
    }).annotateMerge(described("Cleans one game now, by every guard but the retention and the backoff")),
    HttpApiEndpoint.post("hold", "/games/:id/hold", {
      params: { id: GameId },
      headers: gameHeaders,
      payload: Schema.Struct({ ...asked, until: End }),
      success: Act,
      error: gameErrors
    }).annotateMerge(described("Keeps a game until a time, or until it is released")),
    HttpApiEndpoint.post("release", "/games/:id/release", {
      params: { id: GameId },
      headers: gameHeaders,
      payload: Schema.Struct({
        ...asked,
        now: Schema.optionalKey(Schema.Boolean),
        all: Schema.optionalKey(Schema.Boolean),
        seen: Schema.optionalKey(
          Schema.Array(SeenHold).annotate({
            description: "The holds that it is to end, as they were seen: refused if it would end another one"
          })
        )
      }),
      success: Act,
      error: gameErrors
    })
      // With the name of what was seen misspelt, it would end holds that nobody has seen.
      .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })
      .annotateMerge(described("Ends the caller's hold, or `all`, in 24 hours or `now`")),
    HttpApiEndpoint.post("pause", "/pause", {
      headers,
      payload: Schema.Struct({ ...asked, for: Schema.optionalKey(Schema.NullOr(PauseLength)) }),
      success: Act,
      error: actErrors
    }).annotateMerge(described("Pauses all cleaning over this database, `for` so long or until somebody resumes")),
    HttpApiEndpoint.post("resume", "/resume", {
      headers,
      payload: Schema.Struct(asked),
      success: Act,
      error: actErrors
    }).annotateMerge(described("Ends the pause")),
    HttpApiEndpoint.post("run", "/passes", {
      headers,
      payload: Schema.Struct({ ...asked, plan: Schema.optionalKey(Plan) }),
      success: Act.pipe(HttpApiSchema.status(202)),
      error: [...actErrors, Problems.TooLarge]
    })
      // With the name of its plan misspelt, it would be a pass over everything.
      .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })
      .annotateMerge(
        described(
          "Begins a pass over what is due, or with a `plan` over those of its games that are due and as it shows them. Waits a second for its end, and then answers with the act that goes on"
        )
      ),
    HttpApiEndpoint.post("acceptAbsence", "/absence/accept", {
      headers,
      payload: Schema.Struct(asked),
      success: Act.pipe(HttpApiSchema.status(202)),
      error: actErrors
    }).annotateMerge(
      described(
        "Releases the brake and begins a pass that takes the engine's word for containers that are gone. Answers as `/passes` does"
      )
    ),
    HttpApiEndpoint.post("acceptEngine", "/engines/:name/accept", {
      params: { name: Schema.String },
      headers,
      payload: Schema.Struct(asked),
      success: Act,
      error: [...actErrors, Problems.NotFound]
    }).annotateMerge(described("Makes the engine that answers now the known one of this name, and releases its brake")),
    HttpApiEndpoint.post("acceptRetention", "/retention/accept", {
      headers,
      payload: Schema.Struct(asked),
      success: Act,
      error: actErrors
    }).annotateMerge(
      described("Lets passes use the retention that this service is set to, although it makes many games due at once")
    )
  )
  .middleware(MayAct)
  .annotateMerge(OpenApi.annotations({ title: "Acts" }))

/** The HTTP API: one contract for the server, the clients, the tests and the OpenAPI document. Names are as in `--json`. */
export class Api extends HttpApi.make("rtmanager-cleanup")
  .add(readings, acts)
  .prefix("/api/v1")
  .middleware(Authorized)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotateMerge(
    OpenApi.annotations({
      title: "RTManager container cleanup",
      version,
      description:
        "Look at the cleaning, and steer it. Every error is a problem of RFC 9457. Any request may also be answered by 404 (no such path), 405 (no such method), 421 (not a name of this service), and an act by 413 (its body is over 64 KiB, with a plan over 1 MiB) and 415 (it is not application/json).",
      transform: readable
    })
  ) {}
