import { createServer } from "node:http"
import { isDeepStrictEqual } from "node:util"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { HttpApiBuilder, HttpApiMiddleware, HttpApiSchema } from "effect/http-api"
import { Author } from "../../src/domain/Act.ts"
import type { Caller } from "../../src/domain/Caller.ts"
import type { LoggedOperation } from "../../src/domain/LoggedOperation.ts"
import { Api, Authorized, CurrentCaller, MayAct } from "../../src/http/Api.ts"
import * as Page from "../../src/http/page.ts"
import * as Problems from "../../src/http/problems.ts"
import type { World } from "./world.ts"

const callers: Readonly<Record<string, Caller>> = {
  "token-of-ann": { name: Author.make("ann"), role: "act" },
  "token-of-rita": { name: Author.make("rita"), role: "read" }
}

const authorized = Layer.succeed(
  Authorized,
  Authorized.of({
    bearer: Effect.fnUntraced(function* (handler, { credential }) {
      const caller = callers[Redacted.value(credential)]
      if (caller === undefined) return yield* new Problems.Unauthorized({ detail: "This token is not known." })
      return yield* Effect.provideService(handler, CurrentCaller, caller)
    })
  })
)

const mayAct = Layer.succeed(
  MayAct,
  MayAct.of(
    Effect.fnUntraced(function* (handler) {
      const { role } = yield* CurrentCaller
      if (role !== "act") return yield* new Problems.Forbidden({ detail: "This token may only look." })
      return yield* handler
    })
  )
)

/** A page of rows, and the place of its last row if another follows. */
const paged = <Row, Place>(
  rows: ReadonlyArray<Row>,
  { cursor, limit = 100 }: { readonly cursor?: Place; readonly limit?: number },
  placeOf: (row: Row) => Place
) => {
  const from = cursor === undefined ? 0 : rows.findIndex((row) => isDeepStrictEqual(placeOf(row), cursor)) + 1
  const page = rows.slice(from, from + limit)
  const last = page.at(-1)
  return { rows: page, next: last !== undefined && from + limit < rows.length ? placeOf(last) : null }
}

const logPlace = ({ finishedAt, id }: LoggedOperation) => ({
  finishedAt: finishedAt && BigInt(finishedAt.getTime()) * 1000n,
  id
})

const readings = (world: World) =>
  HttpApiBuilder.group(Api, "readings", (handlers) =>
    handlers.handleAll({
      me: () => CurrentCaller,
      status: () => Effect.sync(world.status),
      engines: () =>
        Effect.sync(() => ({ engines: world.status().engines.map((one) => ({ ...one, due: 0, stopped: 0 })) })),
      passes: () => Effect.sync(() => ({ passes: world.state.passes })),
      pass: () => Effect.fail(new Problems.NotFound({})),
      games: ({ query }) =>
        Effect.sync(() => {
          const all = world.listed(query.state).filter(({ engine }) => !query.engine || engine === query.engine)
          const { next, rows } = paged(all, query, ({ gameId }) => gameId)
          return { games: rows, next }
        }),
      game: ({ params }) =>
        Effect.suspend(() => {
          const story = world.story(params.id)
          return story === undefined
            ? Effect.fail(new Problems.NotFound({ detail: `Nothing is known of ${params.id}.` }))
            : Effect.succeed(HttpApiSchema.withHeaders({ body: story, headers: { etag: '"1"' } }))
        }),
      gameLog: ({ params, query }) =>
        Effect.sync(() => {
          const { next, rows } = paged(
            world.operations.filter(({ gameId }) => gameId === params.id),
            query,
            logPlace
          )
          return { operations: rows, next }
        }),
      log: ({ query }) =>
        Effect.sync(() => {
          const all = world.operations.filter(
            ({ gameId, outcome }) =>
              (!query.outcome || outcome === query.outcome) && (!query.game || gameId === query.game)
          )
          const { next, rows } = paged(all, query, logPlace)
          return { operations: rows, next }
        }),
      plan: () => Effect.fail(new Problems.Unavailable({ detail: "the page does not ask for a plan" })),
      holds: ({ query }) =>
        Effect.sync(() => {
          const { next, rows } = paged(world.holds, query, ({ author, gameId }) => ({ gameId, author }))
          return { holds: rows, next }
        }),
      acts: ({ query }) =>
        Effect.sync(() => {
          const { next, rows } = paged(
            world.acts.filter(({ target }) => !query.target || target === query.target),
            query,
            ({ id }) => id
          )
          return { acts: rows, next }
        }),
      stats: () => Effect.sync(() => ({ hours: world.hours })),
      events: () => Effect.succeed(world.events)
    })
  )

const acts = (world: World) =>
  HttpApiBuilder.group(Api, "acts", (handlers) =>
    handlers.handleAll({
      hold: Effect.fnUntraced(function* ({ params, payload }) {
        const { name } = yield* CurrentCaller
        const until = payload.until ? new Date(Date.now() + 86_400_000) : null
        world.holds.unshift({ gameId: params.id, author: name, reason: payload.reason, until, placedAt: new Date() })
        const game = world.games.get(params.id)
        const rule = `held by ${name} until ${until?.toISOString() ?? "released"}: "${payload.reason}"`
        if (game) world.games.set(params.id, { ...game, blockedBy: "hold", dueAt: until, rule })
        return yield* world.act("hold", params.id, name, payload.reason, "Nothing removes it until then.")
      }),
      release: Effect.fnUntraced(function* ({ params, payload }) {
        const { name } = yield* CurrentCaller
        world.released.push(payload.seen?.map(({ author }) => author) ?? [])
        const kept = world.holds.filter(
          ({ author, gameId }) => gameId !== params.id || (author !== name && !payload.all)
        )
        world.holds.splice(0, world.holds.length, ...kept)
        const game = world.games.get(params.id)
        if (game) world.games.set(params.id, { ...game, blockedBy: null, dueAt: new Date(), rule: "retention 30d" })
        return yield* world.act("release", params.id, name, payload.reason, "The hold has ended.")
      }),
      clean: Effect.fnUntraced(function* ({ params, payload }) {
        const { name } = yield* CurrentCaller
        if (world.holds.some(({ gameId }) => gameId === params.id)) {
          return yield* new Problems.Refused({ detail: "held: a person keeps this game." })
        }
        world.games.delete(params.id)
        yield* world.log(world.operation(2000 + world.operations.length, params.id, 0, { opSource: "admin_rest" }))
        return yield* world.act("clean", params.id, name, payload.reason, "Removed.")
      }),
      pause: Effect.fnUntraced(function* ({ payload }) {
        const { name } = yield* CurrentCaller
        world.state.pause = { author: name, reason: payload.reason, pausedAt: new Date(), until: null }
        return yield* world.act("pause", null, name, payload.reason, "No removal begins any more.")
      }),
      resume: Effect.fnUntraced(function* ({ payload }) {
        const { name } = yield* CurrentCaller
        world.state.pause = null
        return yield* world.act("resume", null, name, payload.reason, "Cleaning goes on.")
      }),
      run: Effect.fnUntraced(function* ({ payload }) {
        const { name } = yield* CurrentCaller
        return yield* world.act("run", null, name, payload.reason, "A pass has begun.")
      }),
      acceptAbsence: Effect.fnUntraced(function* ({ payload }) {
        const { name } = yield* CurrentCaller
        return yield* world.act("absence_accept", null, name, payload.reason, "A pass has begun.")
      }),
      acceptEngine: Effect.fnUntraced(function* ({ params, payload }) {
        const { name } = yield* CurrentCaller
        world.state.braked = false
        return yield* world.act("engine_accept", params.name, name, payload.reason, "The engine is known now.")
      }),
      acceptRetention: Effect.fnUntraced(function* ({ payload }) {
        const { name } = yield* CurrentCaller
        return yield* world.act("retention_accept", null, name, payload.reason, "Passes may use the retention.")
      })
    })
  )

/** The page over this world, on a free port of 127.0.0.1 until the scope closes. Gives its address. */
export const serve = Effect.fnUntraced(function* (world: World) {
  const api = HttpApiBuilder.layer(Api).pipe(
    Layer.provide([readings(world), acts(world)]),
    Layer.provide([authorized, mayAct, HttpApiMiddleware.layerProblemDetails()])
  )
  const page = Page.layer({ traceUrl: "https://traces.example.org/trace/{trace_id}" })
  const server = NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: "1 second" })
  const running = yield* Layer.build(
    HttpRouter.serve(Layer.merge(page, api), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(server)
    )
  )
  return HttpServer.formatAddress(Context.get(running, HttpServer.HttpServer).address)
})
