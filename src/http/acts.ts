import { Clock, Duration, Effect, Result } from "effect"
import { HttpApiBuilder, HttpApiError } from "effect/http-api"
import type { Settings } from "../config/Settings.ts"
import type { Reason } from "../domain/Act.ts"
import { shownBy, versionOf } from "../domain/GameVersion.ts"
import { acceptAbsence } from "../operator/acceptAbsence.ts"
import { acceptEngine } from "../operator/acceptEngine.ts"
import { acceptRetention } from "../operator/acceptRetention.ts"
import { applyPlan } from "../operator/applyPlan.ts"
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

/** How long whoever begins a pass waits for its end: long enough to be told that a guard has refused it. */
const aMoment = Duration.seconds(1)

/** The handlers of what people do: each is one operator function, done once for its key, in the name of the token. */
export const layer = ({ leaseTtl, mode, retention }: Settings) =>
  HttpApiBuilder.group(
    Api,
    "acts",
    Effect.fnUntraced(function* (handlers) {
      // An act waits for a lease at most, and then has one.
      const once = yield* makeOnce(Duration.sum(Duration.times(leaseTtl, 2), Duration.minutes(1)))
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
        clean: ({ headers, params: { id }, payload }) =>
          once(
            { endpoint: "clean", target: id, payload, key: headers["idempotency-key"] },
            Effect.gen(function* () {
              yield* unlessDry
              const shown = yield* seen(id, headers["if-match"])
              return clean({ ...(yield* asking(payload.reason)), gameId: id, opSource: "admin_rest", shown })
            })
          ),
        hold: ({ headers, params: { id }, payload }) =>
          once(
            { endpoint: "hold", target: id, payload, key: headers["idempotency-key"] },
            Effect.gen(function* () {
              yield* seen(id, headers["if-match"])
              const { until = null } = payload
              const end = until === null ? Result.succeed(null) : parseUntil(until, yield* Clock.currentTimeMillis)
              if (Result.isFailure(end)) return yield* unusable(`until is ${end.failure}`)
              const asked = yield* asking(payload.reason)
              return hold({ ...asked, gameId: id, end: end.success, leaseTtl, onWait: Effect.void })
            })
          ),
        release: ({ headers, params: { id }, payload }) =>
          once(
            { endpoint: "release", target: id, payload, key: headers["idempotency-key"] },
            Effect.gen(function* () {
              yield* seen(id, headers["if-match"])
              const { all = false, now = false, reason, seen: holds } = payload
              return release({ ...(yield* asking(reason)), gameId: id, all, now, seen: holds })
            })
          ),
        pause: ({ headers, payload }) =>
          once(
            { endpoint: "pause", payload, key: headers["idempotency-key"] },
            Effect.map(asking(payload.reason), (asked) => pause({ ...asked, duration: payload.for ?? undefined }))
          ),
        resume: ({ headers, payload }) =>
          once(
            { endpoint: "resume", payload, key: headers["idempotency-key"] },
            Effect.map(asking(payload.reason), resume)
          ),
        run: ({ headers, payload }) =>
          once(
            { endpoint: "run", payload, key: headers["idempotency-key"] },
            Effect.andThen(
              unlessDry,
              Effect.map(asking(payload.reason), (asked) =>
                payload.plan === undefined
                  ? runPass(asked)
                  : applyPlan({ ...asked, plan: payload.plan, opSource: "admin_rest" })
              )
            ),
            { waits: aMoment }
          ),
        acceptAbsence: ({ headers, payload }) =>
          once(
            { endpoint: "acceptAbsence", payload, key: headers["idempotency-key"] },
            Effect.andThen(unlessDry, Effect.map(asking(payload.reason), acceptAbsence)),
            { waits: aMoment }
          ),
        acceptEngine: Effect.fnUntraced(function* ({ headers, params: { name }, payload }) {
          if (name !== known.name) return yield* new NotFound({ detail: `this is the service of engine ${known.name}` })
          return yield* once(
            { endpoint: "accept", target: name, payload, key: headers["idempotency-key"] },
            Effect.map(asking(payload.reason), acceptEngine)
          )
        }),
        acceptRetention: ({ headers, payload }) =>
          once(
            { endpoint: "acceptRetention", payload, key: headers["idempotency-key"] },
            Effect.map(asking(payload.reason), (asked) => acceptRetention({ ...asked, retention }))
          )
      })
    })
  )
