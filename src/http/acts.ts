import { Clock, Effect, Result } from "effect"
import { HttpApiBuilder, HttpApiError } from "effect/http-api"
import type { Settings } from "../config/Settings.ts"
import type { Reason } from "../domain/Act.ts"
import { shownBy, versionOf } from "../domain/GameVersion.ts"
import { acceptEngine } from "../operator/acceptEngine.ts"
import { clean } from "../operator/clean.ts"
import { hold } from "../operator/hold.ts"
import { pause } from "../operator/pause.ts"
import { release } from "../operator/release.ts"
import { resume } from "../operator/resume.ts"
import { runPass } from "../operator/run.ts"
import { parseUntil } from "../operator/time.ts"
import { KnownEngine } from "../ports/KnownEngine.ts"
import { Overview } from "../ports/Overview.ts"
import { Api, CurrentCaller } from "./Api.ts"
import { makeOnce } from "./once.ts"
import { NotFound, PreconditionFailed, Refused, Unavailable } from "./problems.ts"

const unusable = (detail: string) => new HttpApiError.BadRequestProblem({ detail })

/** The handlers of what people do: each is one operator function, done once for its key, in the name of the token. */
export const layer = ({ leaseTtl, mode }: Settings) =>
  HttpApiBuilder.group(
    Api,
    "acts",
    Effect.fnUntraced(function* (handlers) {
      const once = yield* makeOnce
      const overview = yield* Overview
      const known = yield* KnownEngine

      /** What the caller has seen of the game, if the request says so. Fails if it has changed since. */
      const seen = Effect.fnUntraced(function* (gameId: string, match: string | undefined) {
        if (match === undefined || match === "*") return undefined
        const version = /^"(.*)"$/.exec(match)?.[1] ?? ""
        const shown = shownBy(version)
        const { record } = yield* Effect.mapError(
          overview.game(gameId),
          ({ message }) => new Unavailable({ detail: message })
        )
        if (shown === undefined || record === undefined || versionOf(record) !== version) {
          return yield* new PreconditionFailed({ detail: "the game has changed since it was seen" })
        }
        return shown
      })

      const unlessDry =
        mode === "dry_run"
          ? Effect.fail(new Refused({ detail: "this service makes dry runs: it cleans nothing" }))
          : Effect.void

      const asking = (reason: Reason) => Effect.map(CurrentCaller, ({ name }) => ({ author: name, reason }))

      return handlers.handleAll({
        clean: Effect.fnUntraced(function* ({ headers, params: { id }, payload }) {
          yield* unlessDry
          const shown = yield* seen(id, headers["if-match"])
          const request = { ...(yield* asking(payload.reason)), gameId: id, opSource: "admin_rest" as const, shown }
          return yield* once(
            { endpoint: "clean", target: id, payload, key: headers["idempotency-key"] },
            clean(request)
          )
        }),
        hold: Effect.fnUntraced(function* ({ headers, params: { id }, payload }) {
          yield* seen(id, headers["if-match"])
          const { until = null } = payload
          const end = until === null ? Result.succeed(null) : parseUntil(until, yield* Clock.currentTimeMillis)
          if (Result.isFailure(end)) return yield* unusable(`until is ${end.failure}`)
          const request = {
            ...(yield* asking(payload.reason)),
            gameId: id,
            end: end.success,
            leaseTtl,
            onWait: Effect.void
          }
          return yield* once({ endpoint: "hold", target: id, payload, key: headers["idempotency-key"] }, hold(request))
        }),
        release: Effect.fnUntraced(function* ({ headers, params: { id }, payload }) {
          yield* seen(id, headers["if-match"])
          const { all = false, now = false, reason } = payload
          const request = { ...(yield* asking(reason)), gameId: id, all, now }
          return yield* once(
            { endpoint: "release", target: id, payload, key: headers["idempotency-key"] },
            release(request)
          )
        }),
        pause: Effect.fnUntraced(function* ({ headers, payload }) {
          const request = { ...(yield* asking(payload.reason)), duration: payload.for ?? undefined }
          return yield* once({ endpoint: "pause", payload, key: headers["idempotency-key"] }, pause(request))
        }),
        resume: Effect.fnUntraced(function* ({ headers, payload }) {
          return yield* once(
            { endpoint: "resume", payload, key: headers["idempotency-key"] },
            resume(yield* asking(payload.reason))
          )
        }),
        run: Effect.fnUntraced(function* ({ headers, payload }) {
          yield* unlessDry
          const work = runPass(yield* asking(payload.reason))
          return yield* once({ endpoint: "run", payload, key: headers["idempotency-key"] }, work, { waits: false })
        }),
        acceptEngine: Effect.fnUntraced(function* ({ headers, params: { name }, payload }) {
          if (name !== known.name) return yield* new NotFound({ detail: `this is the service of engine ${known.name}` })
          const work = acceptEngine(yield* asking(payload.reason))
          return yield* once({ endpoint: "accept", target: name, payload, key: headers["idempotency-key"] }, work)
        })
      })
    })
  )
