import { maxHeaderSize } from "node:http"
import { Layer } from "effect"
import { HttpMiddleware, HttpRouter, type HttpServerRequest, UrlParams } from "effect/http"
import { HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import type { Settings } from "../config/Settings.ts"
import { Api } from "./Api.ts"
import * as Acts from "./acts.ts"
import * as Authorized from "./authorized.ts"
import * as Docs from "./docs.ts"
import { Events } from "./Events.ts"
import * as Guard from "./guard.ts"
import * as Health from "./health.ts"
import * as Page from "./page.ts"
import { Readiness } from "./Readiness.ts"
import * as Readings from "./readings.ts"
import { Tokens } from "./tokens.ts"

/** The API, for bearers of the tokens in this file, and the page that uses it. */
const api = (settings: Settings, tokensFile: string) =>
  HttpApiBuilder.layer(Api, { openapiPath: "/api/v1/openapi.json" }).pipe(
    Layer.provide([Readings.layer(settings), Acts.layer(settings)]),
    Layer.provide([
      Authorized.layer,
      Events.layer(settings),
      HttpApiMiddleware.layerProblemDetails({ includeDetails: true })
    ]),
    Layer.provide(Tokens.layer(tokensFile)),
    Layer.merge(Docs.layer),
    Layer.merge(Page.layer(settings.api)),
    Layer.merge(Guard.layer(Guard.hostsOf(settings)))
  )

/**
 * Whether a request gets a span. None for what comes every few seconds, lasts as long as a page is open, or is asked for without a token:
 * a flood of these would crowd out the traces of passes.
 */
const isTraced = ({ headers, url }: HttpServerRequest.HttpServerRequest) =>
  headers["authorization"] !== undefined && !/^\/api\/v1\/events(?![^;?#])/.test(url)

/** One spelling of each path. An id is bounded by its schema, which says so. */
const routerConfig = {
  caseSensitive: true,
  ignoreTrailingSlash: false,
  ignoreDuplicateSlashes: false,
  maxParamLength: maxHeaderSize
}

/** Everything that is served over HTTP: health always, the API and the page only if there is a token file. */
export const layer = (settings: Settings) => {
  const { tokensFile } = settings.api
  const health = Health.routes(settings)
  const routes = tokensFile === undefined ? health : Layer.merge(health, api(settings, tokensFile))
  return HttpRouter.serve(routes, { routerConfig, disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(
      Layer.mergeAll(
        Layer.succeed(HttpMiddleware.TracerDisabledWhen, (request) => !isTraced(request)),
        // A token in a URL counts for nothing, but somebody may try it.
        Layer.succeed(UrlParams.CurrentRedactedNames, ["token", "access_token"])
      )
    ),
    Layer.provide(Readiness.layer(settings))
  )
}
