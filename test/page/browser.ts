import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { assert } from "@effect/vitest"
import axe from "axe-core"
import { Context, Effect, Layer } from "effect"
import { type Browser, chromium, type Page } from "playwright-core"
import { describeWith } from "../support/needs.ts"
import { serve } from "./server.ts"
import { makeWorld, type World } from "./world.ts"

const program = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "chromium"))
  .find((path) => existsSync(path))

/** Tests that need Debian's Chromium. */
export const describePage = (name: string, body: () => void): void =>
  describeWith(program === undefined ? "no chromium on the path" : undefined, name, body)

/** One browser for many tests; each has its own context. */
export class OpenBrowser extends Context.Service<OpenBrowser, Browser>()("test/page/OpenBrowser") {
  static readonly layer = Layer.effect(
    OpenBrowser,
    Effect.acquireRelease(
      // Root has no sandbox, and only the tests' own pages are opened.
      Effect.promise(() => chromium.launch({ executablePath: program ?? "", args: ["--no-sandbox"] })),
      (browser) => Effect.promise(() => browser.close())
    )
  )
}

export interface Visit {
  readonly address: string
  readonly page: Page
  readonly world: World
  /** Makes something happen in the world. */
  readonly run: <A>(effect: Effect.Effect<A>) => Promise<A>
}

export interface Options {
  readonly width?: number
  readonly scheme?: "light" | "dark"
  /** What the browser says on the console about answers that this test asks for: any other error fails it. */
  readonly expected?: RegExp
}

/** Opens the page at an address, and fails if it ever had an error, broke its policy or asked anybody else. */
export const watch = Effect.fnUntraced(function* (
  address: string,
  { expected, scheme = "light", width = 1440 }: Options,
  steps: (page: Page) => Promise<void>
) {
  const browser = yield* OpenBrowser
  const context = yield* Effect.acquireRelease(
    Effect.promise(() => browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme })),
    (context) => Effect.promise(() => context.close())
  )
  const page = yield* Effect.promise(() => context.newPage())
  const wrong: Array<string> = []
  page.on("pageerror", (error) => wrong.push(`${error}`))
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !expected?.test(message.text())) wrong.push(message.text())
  })
  page.on("request", (request) => {
    if (!request.url().startsWith(`${address}/`)) wrong.push(`a request to ${request.url()}`)
  })
  yield* Effect.promise(async () => {
    await page.addInitScript(
      "addEventListener('securitypolicyviolation', ({ violatedDirective }) => console.error('policy', violatedDirective))"
    )
    await page.goto(address)
    await steps(page)
  })
  assert.deepStrictEqual(wrong, [], wrong.join("\n"))
})

/** The same over a world of its own. */
export const visit = Effect.fnUntraced(function* (options: Options, steps: (visit: Visit) => Promise<void>) {
  const world = yield* makeWorld
  const address = yield* serve(world)
  yield* watch(address, options, (page) => steps({ address, page, world, run: Effect.runPromise }))
})

export const tokens = { ann: "token-of-ann", rita: "token-of-rita" }

export const logIn = async (page: Page, token = tokens.ann) => {
  await page.getByLabel("Token").fill(token)
  await page.keyboard.press("Enter")
  await page.getByText("live", { exact: true }).waitFor()
}

/** Goes to a view, and waits until its heading is there. */
export const go = async (page: Page, hash: string, heading: string | RegExp) => {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
  await page.getByRole("heading", { level: 1, name: heading }).waitFor()
}

/** What axe finds that keeps people from using the page. */
export const obstacles = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate("axe.run()")) as axe.AxeResults
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}
