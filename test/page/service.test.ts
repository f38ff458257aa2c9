import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Page } from "playwright-core"
import { describeEngine } from "../support/docker.ts"
import { game, layerEngine, type World, world } from "../support/e2e.ts"
import type { Gate } from "../support/Gate.ts"
import { postgresServer, temporaryFolder } from "../support/postgres.ts"
import { command, start } from "../support/service.ts"
import { describePage, go, logIn, OpenBrowser, obstacles, watch } from "./browser.ts"

/** Keeps what the engine is asked to remove waiting until it is opened, but for the containers that are let through. */
const valve = () => {
  const through = new Set<string>()
  const opened = Promise.withResolvers<void>()
  const gate: Gate = async ({ side, what }) => {
    const [method, path = ""] = what.split(" ")
    const isHeld = side === "before" && method === "DELETE" && !through.has(path.slice("/containers/".length))
    if (isHeld) await opened.promise
    return "pass" as const
  }
  return { gate, open: opened.resolve, through }
}

const token = Effect.fnUntraced(function* (name: string, role: "act" | "read") {
  const { stdout } = yield* command(["token", name, "--role", role], {})
  const [token = "", line = ""] = stdout.split("\n")
  return { token, line }
})

/** The service as operators run it, at this address, with a token of somebody who may act and one of somebody who may not. */
const serveAs = Effect.fnUntraced(function* ({ env }: World) {
  const [ann, rita] = [yield* token("ann", "act"), yield* token("rita", "read")]
  const tokensFile = join(yield* temporaryFolder, "tokens")
  writeFileSync(tokensFile, `${ann.line}\n${rita.line}\n`, { mode: 0o600 })
  const service = yield* start(["serve"], {
    ...env,
    RTMANAGER_API_TOKENS_FILE: tokensFile,
    // A removal waits until somebody has seen it.
    RTMANAGER_ENGINE_TIMEOUT: "1m",
    RTMANAGER_GAME_LEASE_TTL: "5m"
  })
  const { http } = yield* service.event("service.started")
  return { address: `${http}`, ann: ann.token, rita: rita.token }
})

/** Makes a game that was not due one whose retention was over 10 days ago. */
const becomesDue = ({ sql }: World, gameId: string) =>
  sql`update runtime_records set last_op_at = now() - interval '40 days' where game_id = ${gameId}`

/** Opens the dialog of an act, gives a reason, and waits for the answer. */
const ask = async (page: Page, button: string, answer: RegExp, fill?: (page: Page) => Promise<unknown>) => {
  await page.getByRole("button", { name: `${button}…` }).click()
  const dialog = page.getByRole("dialog")
  await fill?.(page)
  await dialog.getByLabel("Reason").fill("A player disputes it")
  await dialog.getByRole("button", { name: button, exact: true }).click()
  await dialog.getByRole("status").getByText(answer).waitFor()
  await dialog.getByRole("button", { name: "Close" }).click()
  await dialog.waitFor({ state: "hidden" })
}

const views = [
  ["#/now", "Cleaning"],
  ["#/games/stopped", "Games"],
  ["#/game/disputed", "disputed"],
  ["#/log", "Log"],
  ["#/holds", "Holds"],
  ["#/acts", "Acts"]
] as const

const acts = [
  ...["hold", "release", "clean"].map((act) => `/games/disputed/${act}`),
  ...["/pause", "/resume", "/passes", "/engines/default/accept"]
]

describePage("the page of the real service", () =>
  describeEngine("over a real engine", () =>
    layer(Layer.mergeAll(OpenBrowser.layer, postgresServer(), layerEngine), { excludeTestServices: true })((it) => {
      it.effect(
        "shows a pass at work and the story of a game, and lets who may act hold, release, clean, pause and resume",
        () =>
          Effect.gen(function* () {
            const removals = valve()
            const here = yield* world({ gate: removals.gate })
            for (const gameId of ["arena-2", "arena-3"]) yield* game(here, gameId, "exited")
            removals.through.add(yield* game(here, "arena-1", "exited"))
            yield* game(here, "disputed", "exited", { daysAgo: 10 })
            const { address, ann, rita } = yield* serveAs(here)
            const run = Effect.runPromiseWith(yield* Effect.context<never>())
            const left = () => run(Effect.map(here.engine.left, (all) => all.map(({ gameId }) => gameId).sort()))

            // No person asks more than 20 times a second; the page asks again after a 429.
            yield* watch(address, { expected: /status of (403|409|429)/ }, async (page) => {
              await logIn(page, ann)
              // A pass at work.
              await page.getByRole("heading", { name: "Pass under way on default" }).waitFor()
              await page.getByText("1 of 3", { exact: true }).waitFor()
              assert.deepStrictEqual(await left(), ["arena-2", "arena-3", "disputed"])
              removals.open()
              await page.getByRole("heading", { name: "Pass under way on default" }).waitFor({ state: "detached" })
              await page.getByRole("cell", { name: "success" }).first().waitFor()
              await page.getByText("3 containers removed, 0 already absent, 0 failures, in 1 pass.").waitFor()
              assert.deepStrictEqual(await left(), ["disputed"])

              // A game, found by its id, and its story.
              await go(page, "#/games", "Games")
              await page.getByLabel("Game").fill("arena-3")
              await page.keyboard.press("Enter")
              await page.getByRole("heading", { level: 1, name: "arena-3" }).waitFor()
              await page.getByText("Removed", { exact: true }).waitFor()
              await page.getByText("the container was removed").waitFor()

              // Held, it stays, whatever asks for it.
              await go(page, "#/game/disputed", "disputed")
              await page.getByText(/^Goes in (19|20) d/).waitFor()
              await ask(page, "Hold", /done\. disputed is held by ann/)
              await page.getByText("Stays, as it stands").waitFor()
              await run(Effect.orDie(becomesDue(here, "disputed")))
              await go(page, "#/games/held", "Games")
              await page
                .getByRole("row", { name: /disputed.*held by ann/ })
                .getByText("hold", { exact: true })
                .waitFor()
              await run(game(here, "arena-4", "exited"))
              await go(page, "#/now", "Cleaning")
              await ask(page, "Run a pass", /(Begun|done)\./)
              await page.getByText("4 containers removed, 0 already absent, 0 failures, in 2 passes.").waitFor()
              assert.deepStrictEqual(await left(), ["disputed"])
              await go(page, "#/game/disputed", "disputed")
              await ask(page, "Clean now", /Not done\. .*held by ann/)

              // Paused, nothing is offered that would remove it.
              await go(page, "#/now", "Cleaning")
              await ask(page, "Pause", /done\./)
              await page.getByRole("heading", { level: 1, name: "Paused" }).waitFor()
              await page.getByText("A player disputes it").waitFor()
              assert.strictEqual(await page.getByRole("button", { name: "Run a pass…" }).count(), 0)
              await go(page, "#/game/disputed", "disputed")
              await ask(page, "Release", /done\. ann's hold on disputed ends at/, (page) =>
                page.getByLabel("The hold ends").selectOption("at once")
              )
              await page.getByText("Goes with the next pass").waitFor()
              assert.strictEqual(await page.getByRole("button", { name: "Clean now…" }).count(), 0)
              await go(page, "#/now", "Paused")
              await ask(page, "Resume", /done\./)
              await page.getByRole("heading", { level: 1, name: "Cleaning" }).waitFor()

              // By hand.
              await go(page, "#/game/disputed", "disputed")
              await ask(page, "Clean now", /done\. removed/)
              await page.getByText("Removed", { exact: true }).waitFor()
              await page.getByText("admin rest").waitFor()
              assert.deepStrictEqual(await left(), [])
              await go(page, "#/acts", "Acts")
              for (const act of ["hold", "run", "pause", "release", "resume", "clean"]) {
                await page.getByRole("cell", { name: act, exact: true }).first().waitFor()
              }

              // Who may only look is offered nothing, and gets nothing by asking anyway.
              await page.getByRole("button", { name: "Sign out" }).click()
              await logIn(page, rita)
              await page.getByText("only looks").waitFor()
              for (const scheme of ["light", "dark"] as const) {
                await page.emulateMedia({ colorScheme: scheme })
                for (const [hash, heading] of views) {
                  await go(page, hash, heading)
                  assert.strictEqual(await page.getByRole("button", { name: "…" }).count(), 0, hash)
                  assert.deepStrictEqual(await obstacles(page), [], `${hash}, ${scheme}`)
                }
              }
              const answers = await page.evaluate(
                async ({ paths, token }) =>
                  Promise.all(
                    paths.map(async (path) => {
                      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
                      const body = JSON.stringify({ reason: "I may not" })
                      const { status } = await fetch(`/api/v1${path}`, { method: "POST", headers, body })
                      return [path, status] as const
                    })
                  ),
                { paths: acts, token: rita }
              )
              assert.deepStrictEqual(
                answers,
                acts.map((path) => [path, 403] as const)
              )
              await go(page, "#/now", "Cleaning")
            })
          })
      )
    })
  )
)
