import { Effect, Layer, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import { Authorized, CurrentCaller, MayAct } from "./Api.ts"
import { failedTokens, tokenRequests } from "./limits.ts"
import { Forbidden, tooManyRequests, Unauthorized, Unavailable } from "./problems.ts"
import { Tokens } from "./tokens.ts"

/** No guess: the bearer cannot mend the file, and the token counts again once it is mended. */
const unusable = () => new Unavailable({ detail: "the service cannot read its tokens: its log says why" })

/** Lets only bearers of a token in, each at a bounded rate, and gives their name and role. */
const layerAuthorized = Layer.effect(
  Authorized,
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const [failed, requests] = [yield* failedTokens, yield* tokenRequests]
    return Authorized.of({
      bearer: Effect.fnUntraced(function* (handler, { credential }) {
        const { remoteAddress } = yield* HttpServerRequest.HttpServerRequest
        const address = String(remoteAddress)
        const blocked = yield* failed.wait(address)
        if (blocked !== undefined) return yield* tooManyRequests(blocked)
        const caller = yield* Effect.mapError(tokens.check(credential), unusable)
        if (caller === undefined) {
          // A page of any site can have its readers' browsers ask without a token. That is no guess, and locks nobody out.
          const late = Redacted.value(credential) === "" ? undefined : yield* failed.count(address)
          if (late !== undefined) return yield* tooManyRequests(late)
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
