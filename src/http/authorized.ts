import { Effect, Layer, Metric, Option, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import * as Metrics from "../observability/Metrics.ts"
import { Authorized, CurrentCaller, MayAct } from "./Api.ts"
import { blockWarnings, clientOf, failedTokens, tokenRequests } from "./limits.ts"
import { Forbidden, tooManyRequests, Unauthorized, Unavailable } from "./problems.ts"
import { Tokens } from "./tokens.ts"

/** No guess: the bearer cannot mend the file, and the token counts again once it is mended. */
const unusable = () => new Unavailable({ detail: "the service cannot read its tokens: its log says why" })

/** Lets only bearers of a token in, each at a bounded rate, and gives their name and role. */
const layerAuthorized = Layer.effect(
  Authorized,
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const [failed, requests, warnings] = [yield* failedTokens, yield* tokenRequests, yield* blockWarnings]

    const blockedFor = (seconds: number) =>
      Effect.andThen(Metric.update(Metrics.tokensRefusedFor("blocked"), 1), tooManyRequests(seconds))

    /** One warning a minute for each client whose last guess has blocked it. */
    const warnIfBlocked = Effect.fnUntraced(function* (client: string) {
      const seconds = yield* failed.wait(client)
      if (seconds === undefined || (yield* warnings.count(client)) !== undefined) return
      yield* Effect.logWarning("api.client_blocked").pipe(Effect.annotateLogs({ client, seconds }))
    })

    return Authorized.of({
      bearer: Effect.fnUntraced(function* (handler, { credential }) {
        const { remoteAddress } = yield* HttpServerRequest.HttpServerRequest
        const client = clientOf(Option.getOrElse(remoteAddress, () => ""))
        const blocked = yield* failed.wait(client)
        if (blocked !== undefined) return yield* blockedFor(blocked)
        const caller = yield* Effect.mapError(tokens.check(credential), unusable)
        if (caller === undefined) {
          // A page of any site can have its readers' browsers ask without a token. That is no guess, and locks nobody out.
          if (Redacted.value(credential) !== "") {
            const late = yield* failed.count(client)
            if (late !== undefined) return yield* blockedFor(late)
            yield* Metric.update(Metrics.tokensRefusedFor("unknown"), 1)
            yield* warnIfBlocked(client)
          }
          return yield* new Unauthorized({
            detail: "no token, or one that does not count: Authorization: Bearer TOKEN"
          })
        }
        const busy = yield* requests.count(caller.name)
        if (busy !== undefined) return yield* tooManyRequests(busy)
        return yield* Effect.provideService(handler, CurrentCaller, caller)
      })
    })
  })
)

const layerMayAct = Layer.succeed(
  MayAct,
  MayAct.of(
    Effect.fnUntraced(function* (handler) {
      const { role } = yield* CurrentCaller
      if (role !== "act") return yield* new Forbidden({ detail: "this token may look, but not act" })
      return yield* handler
    })
  )
)

export const layer = Layer.merge(layerAuthorized, layerMayAct)
