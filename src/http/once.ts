import { createHash, randomUUID } from "node:crypto"
import { Duration, Effect, Exit, Fiber, Option, Result, Schedule } from "effect"
import type { RecordedAct } from "../domain/Act.ts"
import { type ActError, ActKey } from "../operator/act.ts"
import { Acts } from "../ports/Acts.ts"
import { RuntimeRecords } from "../ports/RuntimeRecords.ts"
import { CurrentCaller } from "./Api.ts"
import { ActFailed, InFlight, KeyReused, Killed, Refused, Unavailable } from "./problems.ts"

/** The request of an act, as far as it decides whether another one is the same. */
export interface ActRequest {
  readonly endpoint: string
  readonly target?: string
  readonly payload: object
  /** `Idempotency-Key`, if there was one. */
  readonly key: string | undefined
}

const plain = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value)

const hashOf = ({ endpoint, payload, target }: ActRequest) =>
  createHash("sha256")
    .update(JSON.stringify([endpoint, target ?? null, Object.entries(payload).toSorted()], plain))
    .digest("hex")

/** The answer, from the act's row alone: so the same request has the same answer later. */
const answerOf = (act: RecordedAct) => {
  const detail = act.message ?? ""
  switch (act.result) {
    case "done":
      return Effect.succeed(act)
    case "refused":
      return Effect.fail(new Refused({ detail }))
    case "failed":
    case "interrupted":
      return Effect.fail(new ActFailed({ detail }))
    case null:
      return Effect.fail(new InFlight({ detail: `act ${act.id} of ${act.askedAt.toISOString()} has not ended yet` }))
  }
}

const killed = ({ askedAt, id }: RecordedAct) =>
  new Killed({
    detail: `act ${id} of ${askedAt.toISOString()} has not ended, because it was killed or waits far too long: see what it has done, and ask with another key`
  })

const isRepeated = (exit: Exit.Exit<unknown, ActError>) =>
  Option.exists(Exit.findErrorOption(exit), ({ _tag }) => _tag === "ActRepeated")

/** The act is over, but its row does not say so. */
const unknown = ({ id }: RecordedAct, exit: Exit.Exit<unknown, ActError>) => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  const how = error === undefined ? (Exit.isSuccess(exit) ? "it is done" : "it broke off") : error.message
  return new ActFailed({ detail: `the result of act ${id} could not be recorded: ${how}` })
}

const unavailable = ({ message }: { readonly message: string }) => new Unavailable({ detail: message })

const betweenLooks = "20 millis"

/**
 * Does acts in the name of whoever asks, each once for its key, and answers from their rows. `prepare` gives the act's work, or the
 * reason why it does not begin; it is not asked again for a request that has its row, because the act itself may have changed the
 * answer. An act goes on when the connection is lost, until it ends or the service stops. `waits`: after so long the answer is the row
 * as it is then, of an act that goes on. One that has not ended after `longest` counts as killed, and that is its answer.
 */
export const makeOnce = Effect.fnUntraced(function* (longest: Duration.Duration) {
  const acts = yield* Acts
  const { clock } = yield* RuntimeRecords
  const scope = yield* Effect.scope

  return Effect.fnUntraced(function* <E, R, R2>(
    request: ActRequest,
    prepare: Effect.Effect<Effect.Effect<unknown, ActError, R>, E, R2>,
    { waits }: { readonly waits?: Duration.Input } = {}
  ) {
    const { name } = yield* CurrentCaller
    const { key = randomUUID() } = request
    const requestHash = hashOf(request)
    const find = Effect.mapError(acts.keyed(name, key), unavailable)

    const begin = Effect.gen(function* () {
      const prepared = yield* Effect.result(prepare)
      if (Result.isFailure(prepared)) {
        // The same request may have been done meanwhile, and have changed what it was prepared by.
        const done = request.key === undefined ? undefined : yield* find
        return done ?? (yield* Effect.fail(prepared.failure))
      }
      const work = prepared.success
      const fiber = yield* Effect.forkIn(Effect.provideService(work, ActKey, { key, requestHash }), scope)
      const ended = Effect.asSome(Fiber.await(fiber))
      const hasRow = find.pipe(
        Effect.repeat({ until: (row) => row !== undefined, schedule: Schedule.spaced(betweenLooks) }),
        Effect.as(Option.none())
      )
      const exit = yield* waits === undefined ? ended : Effect.raceFirst(ended, Effect.delay(hasRow, waits))
      const row = yield* find
      if (row?.act.result === null && row.requestHash === requestHash && Option.isSome(exit) && !isRepeated(exit.value))
        return yield* unknown(row.act, exit.value)
      if (row !== undefined) return row
      const error = Option.flatMap(exit, Exit.findErrorOption)
      return yield* unavailable(Option.getOrElse(error, () => ({ message: "the act has left no row" })))
    })

    const before = request.key === undefined ? undefined : yield* find
    const { act, requestHash: sent } = before ?? (yield* begin)
    if (sent !== requestHash)
      return yield* new KeyReused({ detail: `the key ${key} was sent with another request before` })
    if (act.result === null && waits !== undefined) return act
    const now = yield* act.result === null ? Effect.mapError(clock, unavailable) : Effect.succeed(0)
    if (now - act.askedAt.getTime() > Duration.toMillis(longest)) return yield* killed(act)
    return yield* answerOf(act)
  })
})
