import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Heartbeat } from "../cleanup/pass/Heartbeat.ts"
import type { EngineName } from "../domain/EngineName.ts"
import { Readiness } from "./Readiness.ts"

/** 200 as long as the loop makes progress or sleeps on time, whatever the state of database and engine. */
const healthz = HttpRouter.add(
  "GET",
  "/healthz",
  Effect.gen(function* () {
    const alive = yield* (yield* Heartbeat).alive
    return HttpServerResponse.jsonUnsafe({ status: alive ? "alive" : "stuck" }, { status: alive ? 200 : 503 })
  })
)

interface Options {
  readonly engineName: EngineName
  readonly mode: string
}

/** 200 if a pass could work now, else 503 with the reasons, from the last background probes. */
const readyz = ({ engineName, mode }: Options) =>
  HttpRouter.add(
    "GET",
    "/readyz",
    Effect.gen(function* () {
      const reasons = yield* (yield* Readiness).reasons
      const ready = Object.values(reasons).every((reason) => reason === undefined)
      return HttpServerResponse.jsonUnsafe(
        { status: ready ? "ready" : "not ready", engineName, mode, reasons },
        { status: ready ? 200 : 503 }
      )
    })
  )

/** The pages that orchestrators ask for, open to everybody. */
export const routes = (options: Options) => Layer.merge(healthz, readyz(options))
