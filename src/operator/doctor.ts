import { Clock, Context, type Duration, Effect, Option, Result } from "effect"
import { expectedEngine } from "../cleanup/engine/expectedEngine.ts"
import { believableClocks } from "../cleanup/pass/openPass.ts"
import type { Check, checks } from "../domain/Check.ts"
import { ContainerId, isContainerId } from "../domain/ContainerId.ts"
import { momentOf } from "../domain/Expiry.ts"
import { printable } from "../domain/printable.ts"
import { ContainerEngine, type ContainerEngineError } from "../ports/ContainerEngine.ts"
import { GameLeases } from "../ports/GameLeases.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { RoleRights } from "../ports/RoleRights.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import type { StoreError } from "../ports/StoreError.ts"

type Name = (typeof checks)[number]
type Signal = Extract<Name, "traces" | "metrics" | "logs">

/** Sends nothing to the receiver of a signal, as the service would send something. */
export class TelemetryProbe extends Context.Service<
  TelemetryProbe,
  { readonly send: (signal: Signal, url: string) => Effect.Effect<void, Error> }
>()("rtmanager/operator/TelemetryProbe") {}

export interface DoctorOptions {
  readonly retention: Duration.Duration
  readonly maxClockSkew: Duration.Duration
  readonly gameLabel: string
  /** Where each signal goes; `undefined` if it is off. */
  readonly otel: Readonly<Record<Signal, string | undefined>>
}

interface Wrong {
  readonly message: string
  readonly mend: string
}

/** What is in order, in words, or why that could not be seen. */
type Found = string | { readonly skipped: string }

const unasked = (why: string): Effect.Effect<Found> => Effect.succeed({ skipped: why })

const check = (name: Name, look: Effect.Effect<Found, Wrong>): Effect.Effect<Check> =>
  Effect.match(look, {
    onSuccess: (found) =>
      typeof found === "string"
        ? { check: name, result: "ok", message: found, mend: null }
        : { check: name, result: "skipped", message: found.skipped, mend: null },
    onFailure: ({ mend, message }) => ({ check: name, result: "wrong", message, mend })
  })

const mends: Readonly<Record<StoreError["reason"]["_tag"], string>> = {
  Unavailable: "see that PostgreSQL runs and that RTMANAGER_DATABASE_URL names it",
  Withheld: "see that PostgreSQL runs and that RTMANAGER_DATABASE_URL names it",
  NotMigrated: "run: migrate",
  UnsafeSession: "let the pooler keep these settings, or connect past it",
  CannotRecord: "let the role see every row"
}

/** No engine has a container with this id, so a request about it changes nothing. */
const noContainer = ContainerId.make("0".repeat(64))

const wrong = (mend: string) => (error: { readonly message: string }) => ({ message: error.message, mend })

/** Why one of the requests that cleaning sends is not answered by the engine itself; a proxy's filter shows here. */
const notPassed = (engine: ContainerEngine["Service"]) => {
  const removal = Effect.map(engine.remove(noContainer), (result) =>
    result === "absent" ? [] : [`DELETE /containers/{id}: ${typeof result === "string" ? result : result.words}`]
  )
  const passes = (what: string, request: Effect.Effect<unknown, ContainerEngineError>) =>
    Effect.match(request, { onSuccess: () => [], onFailure: ({ reason }) => [`${what}: ${reason.detail}`] })
  return Effect.map(
    Effect.all([
      passes("GET /containers/{id}/json", engine.inspect(noContainer)),
      passes("GET /containers/json", engine.findByGame("rtmanager-doctor")),
      Effect.catch(removal, ({ reason }) => Effect.succeed([`DELETE /containers/{id}: ${reason.detail}`]))
    ]),
    (found) => found.flat()
  )
}

/**
 * Looks at everything that the service needs, and says of each what is wrong and what to do. Changes nothing: the rehearsal is
 * rolled back, and the one removal that is sent is of a container that cannot exist. Never fails.
 */
export const doctor = Effect.fnUntraced(function* ({ gameLabel, maxClockSkew, otel, retention }: DoctorOptions) {
  const records = yield* RuntimeRecords
  const leases = yield* GameLeases
  const engine = yield* ContainerEngine
  const known = yield* KnownEngine
  const rights = yield* RoleRights
  const telemetry = yield* TelemetryProbe

  const answered = yield* Effect.result(records.clock)
  const reason = Result.isFailure(answered) ? answered.failure.reason : undefined
  const isAway = reason?._tag === "Unavailable" || reason?._tag === "Withheld"
  const moment = momentOf(
    { service: yield* Clock.currentTimeMillis, database: Result.getOrElse(answered, () => Infinity) },
    retention
  )

  const database = isAway
    ? Effect.fail({ message: reason.message, mend: mends[reason._tag] })
    : Effect.succeed("it answers")
  const schema =
    reason === undefined
      ? Effect.succeed("it has this build's version, and the session keeps what the service sets")
      : isAway
        ? unasked("the database does not answer")
        : Effect.fail({ message: reason.message, mend: mends[reason._tag] })
  /** What can be asked only of a database in order. */
  const inOrder = (look: Effect.Effect<Found, Wrong>) =>
    reason === undefined ? look : unasked("the database is not in order")

  const role = rights.look.pipe(
    Effect.mapError(wrong("see that the role may read the catalog")),
    Effect.flatMap(({ missing, role }) =>
      missing.length === 0
        ? Effect.succeed(`role ${role} has all rights that it needs`)
        : Effect.fail({
            message: `role ${role} lacks ${missing.join(", ")}`,
            mend: "run deploy/roles.sql as the tables' owner"
          })
    )
  )
  const recording = Effect.gen(function* () {
    const { records: due } = yield* records.listDue({ moment, after: undefined, limit: 10 })
    const [first] = due.filter(({ containerId }) => containerId === null || isContainerId(containerId))
    if (first === undefined) return yield* unasked("no game is due that a removal could be rehearsed with")
    yield* leases.rehearse(first, { opSource: "auto_ttl", sourceRef: "schedule" })
    return `the removal of game ${printable(first.gameId)} could be recorded`
  }).pipe(
    Effect.mapError(({ message }) => ({ message, mend: "mend what the database says; nothing is removed before" }))
  )
  const clock = believableClocks(records, maxClockSkew).pipe(
    Effect.as("this service's and the database's agree"),
    Effect.mapError(wrong("set both machines' clocks by NTP"))
  )

  const identity = yield* Effect.result(engine.identity)
  const isThere = Result.isSuccess(identity)
  const asked = (look: Effect.Effect<Found, Wrong>) => (isThere ? look : unasked("the engine does not answer"))
  const itself = isThere
    ? inOrder(
        expectedEngine(engine, known, { touch: false }).pipe(
          Effect.mapError(wrong("see docs/runbooks.md, engine_changed")),
          Effect.flatMap(({ braked, id }) =>
            braked
              ? Effect.fail({ message: `its brake is on: ${id}`, mend: "see docs/runbooks.md, absent_brake" })
              : Effect.succeed(`${known.name} is ${id}`)
          )
        )
      )
    : Effect.fail({ message: identity.failure.message, mend: "see that the engine runs and that DOCKER_HOST names it" })
  const label = Effect.gen(function* () {
    const { due, others } = yield* Effect.mapError(records.witnesses(moment), wrong(mends.Unavailable))
    const looks = yield* Effect.forEach([...others, ...due], (id) => Effect.option(engine.inspect(id)))
    const there = looks.flatMap((look) => Option.getOrUndefined(look) ?? [])
    if (there.length === 0)
      return yield* unasked("none of the records' containers that were looked for is on the engine")
    const labelled = there.filter(({ gameId }) => gameId !== null).length
    if (labelled > 0) return `${labelled} of ${there.length} containers carry ${gameLabel}`
    return yield* Effect.fail({
      message: `none of ${there.length} containers carries ${gameLabel}`,
      mend: "set RTMANAGER_GAME_LABEL to the label that rtmanager gives its containers"
    })
  })
  const requests = Effect.flatMap(notPassed(engine), (refused) =>
    refused.length === 0
      ? Effect.succeed("the engine answers each that cleaning sends")
      : Effect.fail({ message: refused.join("; "), mend: "let the proxy pass them: see deploy/haproxy.cfg" })
  )
  const sent = (signal: Signal) => {
    const url = otel[signal]
    if (url === undefined) return unasked("it is off: no endpoint is set")
    return telemetry.send(signal, url).pipe(
      Effect.as(`${url} takes them`),
      Effect.mapError(({ message }) => ({
        message: `${url}: ${message}`,
        mend: "see the OTEL_EXPORTER_OTLP_* variables"
      }))
    )
  }

  return yield* Effect.all([
    check("database", database),
    check("schema", schema),
    check("rights", inOrder(role)),
    check("recording", inOrder(recording)),
    check("clock", inOrder(clock)),
    check("engine", itself),
    check("label", asked(inOrder(label))),
    check("requests", asked(requests)),
    check("traces", sent("traces")),
    check("metrics", sent("metrics")),
    check("logs", sent("logs"))
  ])
})
