import { Clock, Context, Duration, Effect, HashMap, Layer, Option, Ref, Schema, type Scope, Stream } from "effect"
import { Sse } from "effect/encoding"
import type { Settings } from "../config/Settings.ts"
import type { LoggedOperation } from "../domain/LoggedOperation.ts"
import type { PassUnderWay, Status } from "../domain/Status.ts"
import { status, underWay } from "../operator/status.ts"
import type { KnownEngine } from "../ports/KnownEngine.ts"
import { OperationLog } from "../ports/OperationLog.ts"
import type { Overview } from "../ports/Overview.ts"
import type { PassLog } from "../ports/PassLog.ts"
import { Pauses } from "../ports/Pauses.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import type { PassError } from "../ports/StoreError.ts"
import { ServiceEvent } from "./Api.ts"

/** What is cheap to ask for, and tells whether something has happened. */
export interface Glance {
  readonly pause: Status["pause"]
  readonly underWay: ReadonlyArray<PassUnderWay>
  /** Newest first. */
  readonly operations: ReadonlyArray<LoggedOperation>
}

/** What the readers have been told. */
export interface Told extends Glance {
  /** When they were last told the whole status: Unix milliseconds; `undefined`: not since something was unavailable. */
  readonly statusAt: number | undefined
  /** Operations have been logged since, which change the backlog. */
  readonly isStale: boolean
}

/** How often is looked, while somebody reads. */
const betweenGlances = Duration.seconds(2)

/** For how long a status stands in which nothing seems to have changed: it counts the backlog, which costs more than a glance. */
const statusLasts = 15_000

const staleStatusLasts = 5_000

/** How many operations are looked at, and told at most. */
const mostOperations = 50

const sinceOf = (pause: Status["pause"]) => pause?.pausedAt.getTime()
const idsOf = (passes: ReadonlyArray<PassUnderWay>) => passes.map(({ pass }) => pass.id).join()

/** What the readers have to be told after a glance. `now`: Unix milliseconds. */
export const newsOf = (told: Told | undefined, { operations, pause, underWay }: Glance, now: number) => {
  const seen = new Set(told?.operations.map(({ id }) => id))
  const fresh = told === undefined ? [] : operations.filter(({ id }) => !seen.has(id))
  const isStale = told?.isStale === true || fresh.length > 0
  const isStatusOver =
    told?.statusAt === undefined ||
    now - told.statusAt >= (isStale ? staleStatusLasts : statusLasts) ||
    sinceOf(told.pause) !== sinceOf(pause) ||
    idsOf(told.underWay) !== idsOf(underWay)
  return {
    status: isStatusOver,
    isStale: isStale && !isStatusOver,
    progress: !isStatusOver && underWay.some(({ done }, i) => done !== told.underWay[i]?.done),
    operations: fresh
  }
}

const encode = Schema.encodeSync(ServiceEvent)

const textOf = (event: ServiceEvent): string => Sse.encoder.write({ _tag: "Event", ...encode(event) })

/** After that a reader has to come again, with a token that still counts. */
const readingLasts = "5 minutes"

/** How many may read at once with one token: a page has one stream. */
const mostReaders = 128

export class TooManyReaders extends Schema.TaggedError<TooManyReaders>()("TooManyReaders", {}) {
  override get message() {
    return `${mostReaders} read already with this token`
  }
}

/** Readers by the name of their token. */
type Readers = HashMap.HashMap<string, number>

const readersOf = (readers: Readers, name: string) => Option.getOrElse(HashMap.get(readers, name), () => 0)

/** Whether there is a place for another reader, and the readers with it. */
const withReader =
  (name: string) =>
  (readers: Readers): [boolean, Readers] => {
    const count = readersOf(readers, name)
    return count < mostReaders ? [true, HashMap.set(readers, name, count + 1)] : [false, readers]
  }

const withoutReader = (name: string) => (readers: Readers) => {
  const count = readersOf(readers, name)
  return count > 1 ? HashMap.set(readers, name, count - 1) : HashMap.remove(readers, name)
}

/** What is told to whoever reads along. One look serves all readers, and nobody looks while nobody reads. */
export class Events extends Context.Service<
  Events,
  {
    /**
     * Server-sent events as text, the whole status first, for a bearer of this token, who has a place until the scope ends. Fails if
     * there is no status to begin with, and if too many read with this token: nobody takes the places of others.
     */
    readonly open: (name: string) => Effect.Effect<Stream.Stream<string>, PassError | TooManyReaders, Scope.Scope>
  }
>()("rtmanager/http/Events") {
  static readonly layer = (settings: Settings) =>
    Layer.effect(
      Events,
      Effect.gen(function* () {
        const context = yield* Effect.context<
          KnownEngine | OperationLog | Overview | PassLog | Pauses | RuntimeRecords
        >()
        const records = yield* RuntimeRecords
        const pauses = yield* Pauses
        const log = yield* OperationLog
        // Many pages that are opened at once ask once.
        const statusNow = yield* Effect.cachedWithTTL(Effect.provideContext(status(settings), context), "1 second")

        const glance = Effect.gen(function* () {
          const now = yield* records.clock
          const pause = (yield* pauses.current) ?? null
          const { operations } = yield* log.list({ limit: mostOperations })
          return { pause, underWay: yield* underWay(now), operations } satisfies Glance
        }).pipe(Effect.provideContext(context))

        const look = Effect.fnUntraced(function* (told: Told | undefined) {
          const seen = yield* glance
          const now = yield* Clock.currentTimeMillis
          const id = String(now)
          const news = newsOf(told, seen, now)
          const events: ReadonlyArray<ServiceEvent> = [
            ...(news.status ? [{ id, event: "status" as const, data: yield* statusNow }] : []),
            ...(news.progress ? [{ id, event: "progress" as const, data: { under_way: seen.underWay } }] : []),
            ...(news.operations.length > 0
              ? [{ id, event: "operations" as const, data: { operations: news.operations } }]
              : [])
          ]
          return [
            events,
            { ...seen, statusAt: news.status ? now : told?.statusAt, isStale: news.isStale } satisfies Told
          ] as const
        })

        /**
         * What happens goes on being told once the database answers again, with a status first. Its statements have no spans: they are
         * sent every few seconds for as long as a page is open.
         */
        const lookAgain = ({ told, wait }: { readonly told: Told | undefined; readonly wait: Duration.Duration }) =>
          look(told).pipe(
            Effect.catch((error) =>
              Effect.map(Clock.currentTimeMillis, (now) => {
                const event: ServiceEvent = { id: String(now), event: "unavailable", data: { detail: error.message } }
                return [[event], told && { ...told, statusAt: undefined }] as const
              })
            ),
            Effect.map(([events, told]) => [events.map(textOf), Option.some({ told, wait: betweenGlances })] as const),
            Effect.delay(wait),
            Effect.withTracerEnabled(false)
          )

        // The first look is at once, so that nothing is missed between a reader's own status and it.
        const shared = yield* Stream.share(Stream.paginate({ told: undefined, wait: Duration.zero }, lookAgain), {
          capacity: 64,
          strategy: "sliding"
        })
        const readers = yield* Ref.make<Readers>(HashMap.empty())
        const place = (name: string) =>
          Effect.acquireRelease(
            Effect.filterOrFail(Ref.modify(readers, withReader(name)), Boolean, () => new TooManyReaders()),
            () => Ref.update(readers, withoutReader(name))
          )
        const comments = Stream.tick("15 seconds").pipe(Stream.drop(1), Stream.as(":\n\n"))
        return Events.of({
          open: Effect.fnUntraced(function* (name) {
            yield* place(name)
            const data = yield* statusNow
            const first = textOf({ id: String(yield* Clock.currentTimeMillis), event: "status", data })
            const rest = Stream.haltWhen(Stream.merge(shared, comments), Effect.sleep(readingLasts))
            return Stream.concat(Stream.make(first), rest)
          })
        })
      })
    )
}
