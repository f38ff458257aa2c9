import { Effect, Schema } from "effect"
import { HttpEffect, HttpServerResponse } from "effect/http"
import { HttpApiError } from "effect/http-api"

const blank = "about:blank"

/** No token, or one that does not count. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()(
  "Unauthorized",
  { type: blank, status: 401, title: "Unauthorized" },
  {},
  { description: "No token, or one that does not count" }
) {}

/** The token's role does not allow it. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  { type: blank, status: 403, title: "Forbidden" },
  {},
  { description: "The token's role does not allow it, or a page of another site asks" }
) {}

export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  { type: blank, status: 404, title: "Not Found" },
  {},
  { description: "There is none" }
) {}

/** The guard's answer to a body that is too large: here for the clients. */
export class TooLarge extends HttpApiError.Problem<TooLarge>()(
  "TooLarge",
  { type: blank, status: 413, title: "Payload Too Large" },
  {},
  { description: "The plan has too many games: make it with a limit" }
) {}

/** The game is no longer as it was seen. */
export class PreconditionFailed extends HttpApiError.Problem<PreconditionFailed>()(
  "PreconditionFailed",
  { type: blank, status: 412, title: "Precondition Failed" },
  {},
  { description: "The game is no longer as it was seen" }
) {}

/** A rule or a guard refuses the act, or has ended its pass; nothing was changed, but for what the pass had done before. */
export class Refused extends HttpApiError.Problem<Refused>()(
  "Refused",
  { type: "urn:rtmanager:refused", status: 409, title: "Refused" },
  {},
  { description: "A rule or a guard refuses the act, or has ended its pass early" }
) {}

/** The act began, and something that it needs was away or broke: part of it may have been done. It is over. */
export class ActFailed extends HttpApiError.Problem<ActFailed>()(
  "ActFailed",
  { type: "urn:rtmanager:failed", status: 503, title: "Act Failed" },
  {},
  {
    description:
      "The act began and is over, but something that it needs was away or broke: part of it may have been done"
  }
) {}

/** The first request with this key has not ended. */
export class InFlight extends HttpApiError.Problem<InFlight>()(
  "InFlight",
  { type: "urn:rtmanager:in-flight", status: 409, title: "Not Ended" },
  {},
  { description: "The first request with this key has not ended" }
) {}

/** The first request with this key was killed before it could say how it ended. It may have been done, or part of it. */
export class Killed extends HttpApiError.Problem<Killed>()(
  "Killed",
  { type: "urn:rtmanager:killed", status: 409, title: "Killed" },
  {},
  { description: "The first request with this key was killed; it may have been done, or part of it" }
) {}

/** The key belongs to another request. */
export class KeyReused extends HttpApiError.Problem<KeyReused>()(
  "KeyReused",
  { type: "urn:rtmanager:key-reused", status: 422, title: "Idempotency Key Reused" },
  {},
  { description: "The key belongs to another request" }
) {}

/** `retry_after`: seconds, as in the header. */
export class TooManyRequests extends HttpApiError.Problem<TooManyRequests>()(
  "TooManyRequests",
  { type: blank, status: 429, title: "Too Many Requests" },
  { retry_after: Schema.Int },
  {
    description:
      "Too many requests of this token, too many readers, or too many guesses from this address: see Retry-After"
  }
) {}

/** Fails with `TooManyRequests`, and with its header. */
export const tooManyRequests = (seconds: number) =>
  Effect.andThen(
    HttpEffect.appendPreResponseHandler((_, response) =>
      Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", String(seconds)))
    ),
    Effect.fail(new TooManyRequests({ retry_after: seconds, detail: `try again in ${seconds} s` }))
  )

/** The database or the engine is away, or broke off: part of an act may have been done. */
export class Unavailable extends HttpApiError.Problem<Unavailable>()(
  "Unavailable",
  { type: blank, status: 503, title: "Service Unavailable" },
  {},
  { description: "The database or the engine is away, or broke off: part of an act may have been done" }
) {}
