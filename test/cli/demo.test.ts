import { chmodSync, readdirSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { eventually } from "../support/eventually.ts"
import { temporaryFolder } from "../support/postgres.ts"
import { start } from "../support/service.ts"

/** Where temporary files go; the database's server may run as another user. */
const folderForAll = Effect.tap(temporaryFolder, (folder) => Effect.sync(() => chmodSync(folder, 0o777)))

/** A port that somebody listens on. */
const takenPort = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return server
  }),
  (server) => Effect.promise(() => new Promise((resolve) => server.close(resolve)))
).pipe(Effect.map((server) => (server.address() as AddressInfo).port))

/** Whoever looks often enough is told to come again in a second. */
const asking = (url: string, token: string) => {
  const ask = (path: string, init: RequestInit = {}) =>
    Effect.repeat(askOnce(path, init), { until: ({ status }) => status !== 429, schedule: Schedule.spaced("1 second") })
  const askOnce = (path: string, init: RequestInit) =>
    Effect.promise(async () => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
      const response = await fetch(new URL(path, url), { ...init, headers })
      // biome-ignore lint/suspicious/noExplicitAny: the API's own tests know its types.
      return { status: response.status, body: (await response.json()) as any }
    })
  return { get: ask, post: (path: string, body: object) => ask(path, { method: "POST", body: JSON.stringify(body) }) }
}

describe("demo --serve", () => {
  it.live("shows how games go by themselves, lets one be held, and leaves nothing behind when it is told to stop", () =>
    Effect.gen(function* () {
      const folder = yield* folderForAll
      const port = yield* takenPort
      const demo = yield* start(["demo", "--serve", "--port", String(port)], { TMPDIR: folder })
      const said = yield* demo.printed
      assert.isTrue(said.startsWith(`Port ${port} is taken`), said)
      const [url = "", token = ""] = /(http:\S+).*\n\n\s+(rtm_\S+)\n/.exec(said)?.slice(1) ?? []
      const { get, post } = asking(url, token)

      const page = yield* Effect.promise(() => fetch(url))
      assert.strictEqual(page.headers.get("content-type"), "text/html; charset=utf-8")
      yield* Effect.promise(() => page.text())
      assert.strictEqual((yield* asking(url, `${token}x`).get("/api/v1/status")).status, 401)
      assert.deepStrictEqual((yield* get("/api/v1/me")).body, { name: "you", role: "act" })

      const next = (status: { readonly next: ReadonlyArray<{ readonly game_id: string }> }) =>
        status.next.map(({ game_id }) => game_id).filter((gameId) => gameId.startsWith("game-"))
      // At first its special games go next, one of which has no container to hold.
      const { body: status } = yield* eventually(get("/api/v1/status"), ({ body }) => next(body).length > 2)
      assert.deepInclude(status.backlog.stuck, { count: 1 })
      assert.deepInclude(status.backlog.held, { count: 1 })
      const games = next(status)
      const [soon, ...later] = games
      const kept = later.at(-1)
      assert.strictEqual((yield* post(`/api/v1/games/${kept}/hold`, { reason: "to see it blocked" })).status, 200)
      const { body: story } = yield* get(`/api/v1/games/${kept}`)
      assert.match(story.due.rule, /^held by you until released: "to see it blocked"$/)

      const removed = yield* eventually(get(`/api/v1/games/${soon}`), ({ body }) => body.record.status === "removed")
      assert.deepInclude(removed.body.operations[0], { outcome: "success", message: "the container was removed" })
      const stopped = Effect.map(
        get("/api/v1/games?state=stopped&limit=500"),
        ({ body }) => new Set<string>(body.games.map(({ game_id }: { readonly game_id: string }) => game_id))
      )
      const before = yield* stopped
      yield* eventually(stopped, (games) => games.difference(before).size > 0)

      const { body: stats } = yield* get("/api/v1/stats?hours=168")
      const quiet = stats.hours.filter(({ removed }: { readonly removed: number }) => removed === 0)
      // The present hour may have just begun.
      assert.isAtMost(quiet.length, 1)

      yield* demo.signal("SIGINT")
      const { code, log } = yield* demo.ended
      assert.deepStrictEqual([code, log], [0, []])
      assert.deepStrictEqual(readdirSync(folder), [])
    })
  )

  it.live("gives a program the address and the token as JSON", () =>
    Effect.gen(function* () {
      const demo = yield* start(["demo", "--serve", "--json", "--port", "0"], { TMPDIR: yield* folderForAll })
      const { token, url } = JSON.parse(yield* demo.printed)
      assert.strictEqual((yield* asking(url, token).get("/api/v1/status")).status, 200)
      yield* demo.signal("SIGTERM")
      assert.strictEqual((yield* demo.ended).code, 0)
    })
  )
})
