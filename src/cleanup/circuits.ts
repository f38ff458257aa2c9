import { Clock, Context, Duration, Effect, Exit, Layer, Option, Ref, Schedule } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { ContainerEngine, ContainerEngineError, Withheld as EngineWithheld } from "../ports/ContainerEngine.ts"
import { GameLeases } from "../ports/GameLeases.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { PassLog } from "../ports/PassLog.ts"
import { Pauses } from "../ports/Pauses.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { StoreError, Withheld as StoreWithheld } from "../ports/StoreError.ts"

/** How long an open circuit lets nothing through: longer after each failed probe. */
const openDuration = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")]).pipe(
  Schedule.jittered
)

interface Dependency<E> {
  readonly key: string
  /** The failure of a call that was not sent, because of the last probe's. `when` says when the next one is sent. */
  readonly rejected: (operation: string, last: E | undefined, when: string) => E
  /** Whether the dependency is away, rather than answering something unwelcome. */
  readonly isAway: (error: E) => boolean
}

/** A copy of the state of `breaker`, so that the many calls that are no probes need not ask it. */
interface Seen<E> {
  readonly isClosed: boolean
  readonly last: E | undefined
}

const circuit = Effect.fnUntraced(function* <E>(
  breaker: CircuitBreaker.CircuitBreaker,
  { key, rejected, isAway }: Dependency<E>
) {
  const seen = yield* Ref.make<Seen<E>>({ isClosed: true, last: undefined })
  const notSent = (operation: string, when = "") =>
    Effect.flatMap(Ref.get(seen), ({ last }) => Effect.fail(rejected(operation, last, when)))
  return {
    /** A question to the dependency as a whole: a failure opens the circuit, an answer closes it. */
    probe: <A>(operation: string, question: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      question.pipe(
        Effect.tapError((error) => Ref.update(seen, (now) => ({ ...now, last: error }))),
        breaker.execute({
          key,
          classify: (exit) =>
            Exit.isSuccess(exit) || Option.exists(Exit.findErrorOption(exit), (error) => !isAway(error))
              ? CircuitBreaker.success
              : CircuitBreaker.failure()
        }),
        Effect.ensuring(
          Effect.flatMap(Effect.orDie(breaker.state(key)), ({ _tag }) =>
            Ref.update(seen, (now) => ({ ...now, isClosed: _tag === "Closed" }))
          )
        ),
        Effect.catch((error) => {
          if (!(error instanceof CircuitBreaker.CircuitBreakerError)) return Effect.fail(error)
          const { reason } = error
          const when =
            reason._tag === "CircuitOpen" ? `again in ${Math.ceil(Duration.toSeconds(reason.retryAfter))}s` : "just now"
          return notSent(operation, ` (asked ${when})`)
        })
      ),
    /** Any other call is sent only while the circuit is closed. Its failure may concern one container or one row alone. */
    call: <A>(operation: string, call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.flatMap(Ref.get(seen), ({ isClosed }) => (isClosed ? call : notSent(operation)))
  }
})

type EngineOperation = ContainerEngineError["operation"]

const engineDependency: Dependency<ContainerEngineError> = {
  key: "engine",
  rejected: (operation, last, when) =>
    new ContainerEngineError({
      operation: operation as EngineOperation,
      reason: new EngineWithheld({ detail: `${last?.reason.detail ?? ""}${when}` })
    }),
  isAway: () => true
}

const databaseDependency: Dependency<StoreError> = {
  key: "database",
  // Whoever reads it has to migrate, and not to look for a database that is away.
  rejected: (operation, last, when) =>
    new StoreError({
      operation,
      reason:
        last?.reason._tag === "NotMigrated"
          ? last.reason
          : new StoreWithheld({ detail: `${last?.reason.message ?? ""}${when}` })
    }),
  isAway: ({ reason }) => reason._tag !== "CannotRecord" && reason._tag !== "UnsafeSession"
}

const make = Effect.gen(function* () {
  const breaker = yield* CircuitBreaker.make({ tripPolicy: CircuitBreaker.consecutive(1), openDuration })
  const toEngine = yield* circuit(breaker, engineDependency)
  const toDatabase = yield* circuit(breaker, databaseDependency)
  const engine = yield* ContainerEngine
  const records = yield* RuntimeRecords
  const leases = yield* GameLeases
  const known = yield* KnownEngine
  const pauses = yield* Pauses
  const passLog = yield* PassLog

  return Context.make(
    ContainerEngine,
    ContainerEngine.of({
      ping: toEngine.probe("ping", engine.ping),
      identity: toEngine.probe("identity", engine.identity),
      inspect: (id) => toEngine.call("inspect", engine.inspect(id)),
      findByGame: (gameId) => toEngine.call("find", engine.findByGame(gameId)),
      remove: (id) => toEngine.call("remove", engine.remove(id))
    })
  ).pipe(
    Context.add(RuntimeRecords, {
      clock: toDatabase.probe("clock", records.clock),
      listDue: (page) => toDatabase.call("listDue", records.listDue(page)),
      listStopped: (page) => toDatabase.call("listStopped", records.listStopped(page)),
      find: (gameIds) => toDatabase.call("find", records.find(gameIds)),
      backlog: (moment) => toDatabase.call("backlog", records.backlog(moment)),
      countStopped: (ended) => toDatabase.call("countStopped", records.countStopped(ended)),
      unknownEngines: toDatabase.call("unknownEngines", records.unknownEngines),
      witnesses: (moment, byHand) => toDatabase.call("witnesses", records.witnesses(moment, byHand))
    }),
    // What ends an attempt is always sent: a removal must not stay unrecorded because of a probe.
    Context.add(GameLeases, {
      ...leases,
      acquire: (gameId) => toDatabase.call("acquire", leases.acquire(gameId)),
      rehearse: (record, asked) => toDatabase.call("rehearse", leases.rehearse(record, asked))
    }),
    Context.add(KnownEngine, {
      ...known,
      markSeen: toDatabase.call("markSeen", known.markSeen),
      recognize: (id) => toDatabase.call("recognize", known.recognize(id)),
      beginPass: (id) => toDatabase.call("beginPass", known.beginPass(id))
    }),
    Context.add(Pauses, {
      ...pauses,
      current: toDatabase.call("currentPause", pauses.current),
      beginPass: toDatabase.call("beginPassUnpaused", pauses.beginPass)
    }),
    Context.add(PassLog, {
      ...passLog,
      progress: (id, pass) => toDatabase.call("recordProgress", passLog.progress(id, pass)),
      end: (id, pass) => toDatabase.call("recordPass", passLog.end(id, pass))
    })
  )
})

/** An open circuit waits by monotonic time: a wall clock that is set back would keep it open longer. */
const layerStore = Layer.effect(
  CircuitBreaker.CircuitBreakerStore,
  Effect.gen(function* () {
    const store = yield* CircuitBreaker.CircuitBreakerStore
    const monotonic = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.flatMap(Clock.monotonicTimeNanos, (nanos) => {
        const millis = Number(nanos) / 1e6
        return Effect.updateService(self, Clock.Clock, (clock) =>
          Object.assign(Object.create(clock), {
            currentTimeMillis: Effect.succeed(millis),
            currentTimeMillisUnsafe: () => millis
          })
        )
      })
    return CircuitBreaker.CircuitBreakerStore.of({
      admit: (key) => monotonic(store.admit(key)),
      record: (options) => monotonic(store.record(options)),
      state: (key) => monotonic(store.state(key))
    })
  })
).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))

/**
 * The same ports, but while engine or database are away their calls fail at once with the reason, and only an occasional
 * probe gets through. The probes are the engine's identity and ping, and the database's clock.
 */
export const layer = Layer.effectContext(make).pipe(Layer.provide(layerStore))
