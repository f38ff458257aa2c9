import { createHash, randomUUID } from "node:crypto"
import { Effect, Exit, Fiber, Option, Schedule } from "effect"
import type { RecordedAct } from "../domain/Act.ts"
import { type ActError, ActKey } from "../operator/act.ts"
import { Acts } from "../ports/Acts.ts"
import { CurrentCaller } from "./Api.ts"
import { InFlight, KeyReused, Refused, Unavailable } from "./problems.ts"

/** The request of an act, as far as it decides whether another one is the same. */
export interface ActRequest {
  readonly endpoint: string
  readonly target?: string
  readonly payload: object
  /** `Idempotency-Key`, if there was one. */
  readonly key: string | undefined
}

const hashOf = ({ endpoint, payload, target }: ActRequest) =>
  createHash("sha256")
    .update(JSON.stringify([endpoint, target ?? null, Object.entries(payload).toSorted()]))
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
      return Effect.fail(new Unavailable({ detail }))
    case null:
      return Effect.fail(new InFlight({ detail: `act ${act.id} has not ended, or was killed before it could say how` }))
  }
}

const unavailable = ({ message }: { readonly message: string }) => new Unavailable({ detail: message })

const betweenLooks = "20 millis"

/**
 * Does acts in the name of whoever asks, each once for its key, and answers from their rows. An act goes on when the connection is
 * lost, until it ends or the service stops. With `waits: false` the answer comes as soon as the act has its row.
 */
export const makeOnce = Effect.gen(function* () {
  const acts = yield* Acts
  const scope = yield* Effect.scope

  return Effect.fnUntraced(function* <R>(
    request: ActRequest,
    work: Effect.Effect<unknown, ActError, R>,
    { waits = true }: { readonly waits?: boolean } = {}
  ) {
    const { name } = yield* CurrentCaller
    const { key = randomUUID() } = request
    const requestHash = hashOf(request)
    const find = Effect.mapError(acts.keyed(name, key), unavailable)

    const begin = Effect.gen(function* () {
      const fiber = yield* Effect.forkIn(Effect.provideService(work, ActKey, { key, requestHash }), scope)
      const ended = Effect.asSome(Fiber.await(fiber))
      const hasRow = find.pipe(
        Effect.repeat({ until: (row) => row !== undefined, schedule: Schedule.spaced(betweenLooks) }),
        Effect.as(Option.none())
      )
      const exit = yield* waits ? ended : Effect.raceFirst(ended, hasRow)
      const row = yield* find
      if (row !== undefined) return row
      const error = Option.flatMap(exit, Exit.findErrorOption)
      return yield* unavailable(Option.getOrElse(error, () => ({ message: "the act has left no row" })))
    })

    const before = request.key === undefined ? undefined : yield* find
    const { act, requestHash: sent } = before ?? (yield* begin)
    if (sent !== requestHash)
      return yield* new KeyReused({ detail: `the key ${key} was sent with another request before` })
    return act.result === null && !waits ? act : yield* answerOf(act)
  })
})
