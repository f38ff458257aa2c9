import * as PgClient from "@effect/sql-pg/PgClient"
import { Clock, Context, Duration, Effect, Exit, Fiber, Layer, Option, Redacted, Ref, Tracer } from "effect"
import { isSqlError, SqlError, StatementTimeoutError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import { type Run, repeating } from "./run.ts"
import { settingsFor } from "./session.ts"
import { sqlStateOf } from "./storeError.ts"

/** Where the server is, whom to be there, and what it has to prove. */
export interface Server {
  /** A host, or the folder of a unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Redacted.Redacted | undefined
  readonly database: string
  readonly applicationName: string | undefined
  /** Command-line options for the server. */
  readonly options: string | undefined
  /** Connecting never takes longer than a statement. */
  readonly connectTimeout: Duration.Duration | undefined
  /** Absent: in plain text. */
  readonly tls:
    | {
        /** `none`: any certificate will do. `ca`: one of a trusted authority. `full`: that, and for this host. */
        readonly verify: "none" | "ca" | "full"
        /** As PEM. */
        readonly ca: ReadonlyArray<string> | undefined
        readonly client: { readonly cert: string; readonly key: Redacted.Redacted } | undefined
      }
    | undefined
}

export interface Options {
  readonly server: Server
  /** The schema of every table. */
  readonly schema: string
  /** The most connections at once. */
  readonly pool: number
  /** Per statement, kept by the server. */
  readonly timeout: Duration.Input
  readonly applicationName?: string
  /** No timeouts, because building an index can take long, and at least the two connections that `migrate` needs. */
  readonly forMigration?: true
}

/** How much longer than the server's own timeout we wait for its word. */
const grace = Duration.seconds(1)

/** The database as the adapters use it: nothing waits without a bound, and every failure is a `StoreError`. */
export class Database extends Context.Service<
  Database,
  {
    readonly schema: string
    /** The schema as SQL. Every statement puts it before its tables, so no search path can make another stand in for ours. */
    readonly quotedSchema: string
    /** Per statement, as the server was asked to keep it. */
    readonly timeout: Duration.Duration
    readonly run: Run
  }
>()("rtmanager/adapters/postgres/Database") {}

/**
 * Ends the waiting after `limit`, which `isLate` then says, or at once when interrupted. The statement itself is cancelled in
 * the background: on a connection that no longer answers, that alone takes the driver several seconds.
 */
const bounded = <A>(
  statement: Effect.Effect<A, SqlError>,
  limit: Duration.Duration,
  isLate: Ref.Ref<boolean>
): Effect.Effect<A, SqlError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkDetach(Effect.interruptible(statement))
      const exit = yield* restore(Fiber.await(fiber).pipe(Effect.timeoutOption(limit))).pipe(
        Effect.tap((exit) => Ref.set(isLate, Option.isNone(exit))),
        Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
      )
      if (Option.isSome(exit)) return yield* exit.value
      const message = `no answer from the database within ${Duration.format(limit)}`
      const reason = new StatementTimeoutError({ cause: new Error(message), message, operation: "await" })
      return yield* new SqlError({ reason })
    })
  )

const spanName = (operation: string) =>
  `rtmanager.cleanup.${operation.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`

/** The server's SQLSTATE, or what else went wrong. */
const errorType = (exit: Exit.Exit<unknown, unknown>, isLate: boolean) => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (isSqlError(error)) return sqlStateOf(error) ?? error.reason._tag
  return isLate ? "StatementTimeoutError" : undefined
}

/**
 * Effect names the span of every statement after the database, and its failures after the class of all of them, which says
 * nothing. This names it after the operation, and a failure after what failed.
 */
const named = <A>(
  operation: string,
  statement: Effect.Effect<A, SqlError>,
  isLate: Ref.Ref<boolean>
): Effect.Effect<A, SqlError> =>
  Effect.updateService(statement, Tracer.Tracer, (tracer) => ({
    context: tracer.context,
    span: (options) => {
      if (options.kind !== "client") return tracer.span(options)
      const span = tracer.span({ ...options, name: spanName(operation) })
      span.attribute("db.operation.name", operation)
      const end = span.end.bind(span)
      return Object.assign(span, {
        end: (time: bigint, exit: Exit.Exit<unknown, unknown>) => {
          const type = errorType(exit, Ref.getUnsafe(isLate))
          if (type !== undefined) span.attribute("error.type", type)
          end(time, exit)
        }
      })
    }
  }))

const quoted = Statement.defaultEscape('"')

const layerDatabase = (schema: string, timeout: Duration.Duration) =>
  Layer.effect(
    Database,
    Effect.gen(function* () {
      // Waiting on a real server goes by the clock of the place that connects, whatever clock the caller runs under.
      const clock = yield* Clock.Clock
      const limit = Duration.sum(timeout, grace)
      return Database.of({
        schema,
        quotedSchema: quoted(schema),
        timeout,
        run: (operation, repeat, statement) =>
          Effect.clockWith((callers) =>
            repeating(
              operation,
              repeat,
              Effect.flatMap(Ref.make(false), (isLate) =>
                bounded(Effect.provideService(named(operation, statement, isLate), Clock.Clock, callers), limit, isLate)
              )
            ).pipe(Effect.provideService(Clock.Clock, clock))
          )
      })
    })
  )

/** What the driver is told of TLS. Said in full, so that no variable of Node's can weaken it. */
const tlsOptions = ({ ca, client, verify }: NonNullable<Server["tls"]>) => ({
  rejectUnauthorized: verify !== "none",
  ...(verify === "ca" ? { checkServerIdentity: () => undefined } : {}),
  ...(ca === undefined ? {} : { ca: [...ca] }),
  ...(client === undefined ? {} : { cert: client.cert, key: Redacted.value(client.key) })
})

/**
 * A lazy pool: the layer is built whether or not the server answers, and recovers when it returns.
 *
 * The settings travel in the start of each connection. A pooler may drop them, so the first question of a pass looks at
 * what the session really has.
 */
export const layer = ({ server, ...options }: Options) => {
  const timeout = Duration.fromInputUnsafe(options.timeout)
  const client = PgClient.layer({
    host: server.host,
    port: server.port,
    username: server.user,
    password: server.password,
    database: server.database,
    ssl: server.tls === undefined ? false : tlsOptions(server.tls),
    startupOptions: server.options,
    maxConnections: options.forMigration ? Math.max(2, options.pool) : options.pool,
    applicationName: options.applicationName ?? server.applicationName ?? "rtmanager-cleanup",
    connectTimeout: Duration.min(timeout, server.connectTimeout ?? timeout),
    keepAlive: "30 seconds",
    startupParameters: {
      // For the triggers of an adopted table. No statement of ours needs it.
      search_path: `${quoted(options.schema)}, pg_temp`,
      ...settingsFor(options.forMigration ? Duration.zero : timeout)
    }
  })
  return Layer.provideMerge(layerDatabase(options.schema, timeout), Layer.orDie(client))
}
