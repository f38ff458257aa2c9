import { assert, layer } from "@effect/vitest"
import { Author, Reason } from "../../src/domain/Act.ts"
import { describePage, go, logIn, OpenBrowser, type Options, obstacles, tokens, type Visit, visit } from "./browser.ts"
import { hostile } from "./world.ts"

const views = [
  ["#/now", "Cleaning"],
  ["#/games", "Games"],
  ["#/games/held", "Games"],
  ["#/game/arena-4011", "arena-4011"],
  [`#/game/${encodeURIComponent(hostile)}`, hostile],
  ["#/log", "Log"],
  ["#/holds", "Holds"],
  ["#/acts", "Acts"]
] as const

describePage("the page", () =>
  layer(OpenBrowser.layer, { excludeTestServices: true })((it) => {
    const test = (name: string, steps: (visit: Visit) => Promise<void>, options: Options = {}) =>
      it.effect(name, () => visit(options, steps))

    test(
      "asks for a token, says that one does not count, and keeps one that does for this tab",
      async ({ page }) => {
        await page.getByLabel("Token").fill("mistyped")
        await page.getByRole("button", { name: "Open" }).click()
        await page.getByRole("alert").getByText("This token is not known.").waitFor()
        await logIn(page)
        await page.reload()
        await page.getByRole("heading", { name: "What goes next" }).waitFor()
        assert.strictEqual(await page.evaluate("document.cookie + localStorage.length"), "0")
        await page.getByRole("button", { name: "Sign out" }).click()
        await page.getByLabel("Token").waitFor()
        assert.strictEqual(await page.evaluate("sessionStorage.length"), 0)
      },
      { expected: /status of 401/ }
    )

    for (const scheme of ["light", "dark"] as const) {
      for (const width of [1440, 360]) {
        test(
          `shows every view, ${scheme} and ${width} px wide, without an obstacle or a horizontal scroll`,
          async ({ page }) => {
            const look = async (what: string) => {
              assert.deepStrictEqual(await obstacles(page), [], what)
              assert.strictEqual(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0, what)
            }
            await look("login")
            await logIn(page)
            for (const [hash, heading] of views) {
              await go(page, hash, heading)
              await look(hash)
            }
            await go(page, "#/game/arena-3977", "arena-3977")
            await page.getByRole("button", { name: "Release…" }).click()
            await look("dialog")
          },
          { scheme, width }
        )
      }
    }

    test("weighs less than 100 kB as it is sent, libraries and all", async ({ page }) => {
      await logIn(page)
      for (const [hash, heading] of views) await go(page, hash, heading)
      const sizes = (await page.evaluate(
        "performance.getEntries().filter(({ name }) => !name.includes('/api/')).map(({ encodedBodySize }) => encodedBodySize ?? 0)"
      )) as ReadonlyArray<number>
      const weight = sizes.reduce((sum, size) => sum + size, 0)
      assert.isAbove(sizes.length, 20)
      assert.isAbove(weight, 40_000)
      assert.isBelow(weight, 100_000, "bytes")
    })

    test("shows a week of removals, failures and lag, and whoever points at an hour sees what all of them have of it", async ({
      page,
      world
    }) => {
      await logIn(page)
      const over = page.locator("hour-chart[kind=failed] .u-over")
      await over.waitFor()
      const { height, width } = (await over.boundingBox()) ?? { height: 0, width: 0 }
      await over.hover({ position: { x: (width * 104) / 167, y: height / 2 } })
      for (const [kind, text] of [
        ["removed", `Removed${world.hours[104]?.removed}`],
        ["failed", "Failed0"],
        ["lag", "Longest lag4 h"]
      ] as const) {
        const legend = page.locator(`hour-chart[kind=${kind}] .u-legend tr:last-child`)
        await legend.locator(".u-value", { hasText: /./ }).waitFor()
        assert.strictEqual((await legend.textContent())?.replace(/\s+/g, " "), text)
      }
      await page.getByText("Longest lag from due to removed: 4 h.").waitFor()
      await page.getByText("By day", { exact: true }).click()
      await page.getByRole("table", { name: "The last 7 days by day" }).getByRole("cell", { name: "4 h" }).waitFor()
    })

    test("counts a pass that ended while the hours were read", async ({ page, run, world }) => {
      await page.route(
        "**/stats?*",
        async (route) => {
          const response = await route.fetch()
          world.state.passes = world.state.passes.map((one, i) => (i === 0 ? { ...one, endedAt: new Date() } : one))
          await route.fulfill({ response })
        },
        { times: 1 }
      )
      await logIn(page)
      await page.locator("hour-chart").first().waitFor()
      const again = page.waitForRequest("**/stats?*")
      await run(world.tellStatus)
      await again
    })

    test("shows every text of the API as text", async ({ page }) => {
      await logIn(page)
      await go(page, "#/holds", "Holds")
      await page.getByRole("link", { name: hostile }).click()
      await page.getByRole("heading", { level: 1, name: hostile }).waitFor()
      assert.strictEqual(await page.locator("main img, main script").count(), 0)
      assert.match(await page.title(), /^Game <img/)
    })

    test("holds a game by the keyboard alone, with the version that was seen and a key", async ({ page, world }) => {
      await logIn(page)
      await go(page, "#/game/arena-4300", "arena-4300")
      const press = async (...keys: ReadonlyArray<string>) => {
        for (const key of keys) await page.keyboard.press(key)
      }
      // The heading of a new view has the focus, and what can be done with the game comes first.
      await press("Tab")
      assert.strictEqual(await page.evaluate("document.activeElement.textContent"), "Hold…")
      await press("Enter")
      await page.getByRole("dialog", { name: "Hold arena-4300" }).waitFor()
      assert.strictEqual(await page.evaluate("document.activeElement.name"), "reason")
      await press("Enter")
      assert.deepStrictEqual(world.acts[0]?.act, "hold")
      assert.strictEqual(world.acts.length, 3, "nothing is asked for without a reason")
      await page.keyboard.type("A player disputes it")
      const asked = page.waitForRequest("**/hold")
      await press("Enter")
      const headers = await (await asked).allHeaders()
      assert.strictEqual(headers["if-match"], '"1"')
      assert.match(headers["idempotency-key"] ?? "", /^[0-9a-f]{32}$/)
      await page.getByRole("status").getByText("done.").waitFor()
      assert.strictEqual(await page.evaluate("document.activeElement.textContent"), "Close")
      await press("Enter")
      await page.getByText("Stays, as it stands").waitFor()
      assert.strictEqual(await page.evaluate("document.activeElement.textContent"), "Hold…")
      assert.strictEqual(world.acts[0]?.reason, "A player disputes it")
      assert.strictEqual(world.acts[0]?.author, "ann")
    })

    test("keeps the dialog open until the answer is seen", async ({ page }) => {
      const answer = Promise.withResolvers<void>()
      await page.route("**/hold", async (route) => {
        await answer.promise
        await route.continue()
      })
      await logIn(page)
      await go(page, "#/game/arena-4300", "arena-4300")
      await page.getByRole("button", { name: "Hold…" }).click()
      const dialog = page.getByRole("dialog")
      await dialog.getByLabel("Reason").fill("A player disputes it")
      await page.keyboard.press("Enter")
      await dialog.getByText("Waiting for the answer").waitFor()
      for (const key of ["Escape", "Escape", "Escape"]) await page.keyboard.press(key)
      assert.isTrue(await dialog.getByRole("button", { name: "Close" }).isDisabled())
      answer.resolve()
      await dialog.getByRole("status").getByText("done.").waitFor()
      await page.keyboard.press("Escape")
      await dialog.waitFor({ state: "detached" })
    })

    test(
      "releases a hold and cleans a game, and says what the service says",
      async ({ page, world }) => {
        await logIn(page)
        await go(page, "#/game/arena-3977", "arena-3977")
        const ask = async (button: string, reason: string) => {
          await page.getByRole("button", { name: `${button}…` }).click()
          const dialog = page.getByRole("dialog")
          await dialog.getByLabel("Reason").fill(reason)
          await dialog.getByRole("button", { name: button }).click()
          return dialog
        }
        const refused = await ask("Clean now", "Too early")
        await refused.getByText("held: a person keeps this game.").waitFor()
        await refused.getByRole("button", { name: "Close" }).click()
        const released = await ask("Release", "The dispute is over")
        await released.getByText("The hold has ended.").waitFor()
        assert.deepStrictEqual(world.released, [["ann"]])
        await released.getByRole("button", { name: "Close" }).click()
        await page.getByText("Goes with the next pass").waitFor()
        const cleaned = await ask("Clean now", "Its host is going away")
        await cleaned.getByText("Removed.").waitFor()
        await page.keyboard.press("Escape")
        await page.getByText("admin rest").waitFor()
        assert.isFalse(world.games.has("arena-3977"))
      },
      { expected: /status of 409/ }
    )

    test("says whose holds a release may end, and ends those of others only if that is chosen", async ({
      page,
      world
    }) => {
      await logIn(page)
      await go(page, "#/game/finals-2026-semi", "finals-2026-semi")
      await page.getByRole("button", { name: "Release…" }).click()
      const others = page.getByLabel("Also 1 hold of others: tournament-bot")
      assert.isFalse(await others.isChecked())
      await others.check()
      await page.getByLabel("Reason").fill("The finals are over")
      await page.keyboard.press("Enter")
      await page.getByRole("dialog").getByRole("status").getByText("The hold has ended.").waitFor()
      assert.isFalse(world.holds.some(({ gameId }) => gameId === "finals-2026-semi"))
      assert.deepStrictEqual(world.released, [["tournament-bot"]])
    })

    test("pauses and resumes all cleaning, runs a pass and accepts an engine", async ({ page, world }) => {
      await logIn(page)
      const ask = async (button: string, answer: string) => {
        await page.getByRole("button", { name: `${button}…` }).click()
        const dialog = page.getByRole("dialog")
        await dialog.getByLabel("Reason").fill("The database moves")
        await page.keyboard.press("Enter")
        await dialog.getByText(answer).waitFor()
        await page.keyboard.press("Escape")
      }
      await ask("Pause", "No removal begins any more.")
      await page.getByRole("heading", { level: 1, name: "Paused" }).waitFor()
      await ask("Resume", "Cleaning goes on.")
      await page.getByRole("heading", { level: 1, name: "Cleaning" }).waitFor()
      await ask("Run a pass", "A pass has begun.")
      await page.getByText("The brake of us-east-1 is on").waitFor()
      await ask("Accept", "The engine is known now.")
      await page.getByRole("button", { name: "Accept…" }).waitFor({ state: "detached" })
      await page.getByText("The brake of us-east-1 is on").waitFor()
      assert.deepStrictEqual(
        world.acts.slice(0, 2).map(({ act, target }) => [act, target]),
        [
          ["engine_accept", "eu-west-1"],
          ["run", null]
        ]
      )
    })

    for (const [when, change] of [
      [
        "it is paused",
        { pause: { author: Author.make("ben"), reason: Reason.make("Wait"), pausedAt: new Date(), until: null } }
      ],
      ["it makes dry runs", { mode: "dry_run" }],
      ["its settings pause it", { mode: "paused" }]
    ] as const) {
      test(`offers neither a pass nor a clean while the service removes nothing: ${when}`, async ({
        page,
        run,
        world
      }) => {
        await logIn(page)
        await page.getByRole("button", { name: "Run a pass…" }).waitFor()
        Object.assign(world.state, change)
        await run(world.tellStatus)
        await page.getByRole("button", { name: "Run a pass…" }).waitFor({ state: "detached" })
        await go(page, "#/game/arena-4300", "arena-4300")
        await page.getByRole("button", { name: "Hold…" }).waitFor()
        assert.strictEqual(await page.getByRole("button", { name: "Clean now…" }).count(), 0)
      })
    }

    test("offers no act to who may only look", async ({ page }) => {
      await logIn(page, tokens.rita)
      await page.getByText("only looks").waitFor()
      for (const [hash, heading] of views) {
        await go(page, hash, heading)
        assert.deepStrictEqual(await page.getByRole("button", { name: "…" }).count(), 0, hash)
      }
    })

    test("shows what happens while it is looked at", async ({ page, run, world }) => {
      await logIn(page)
      await go(page, "#/games/stopped", "Games")
      await page.getByRole("link", { name: "arena-4250" }).waitFor()
      await run(world.log(world.operation(1500, "arena-4250", 0)))
      await page.getByRole("link", { name: "arena-4250" }).waitFor({ state: "detached" })
      await go(page, "#/log?outcome=success", "Log")
      await run(world.log(world.operation(1501, "arena-4251", 0)))
      await page.getByRole("link", { name: "arena-4251" }).waitFor()
      await run(world.log({ ...world.operation(1502, "arena-4252", 0), outcome: "failure" }))
      await run(world.log(world.operation(1504, "arena-4254", 0)))
      await page.getByRole("link", { name: "arena-4254" }).waitFor()
      assert.strictEqual(await page.getByRole("link", { name: "arena-4252" }).count(), 0)
      await go(page, "#/game/arena-4253", "arena-4253")
      await run(world.log({ ...world.operation(1503, "arena-4253", 0), message: "removed just now" }))
      await page.getByText("removed just now").waitFor()
      assert.strictEqual(
        await page.getByRole("link", { name: "trace" }).getAttribute("href"),
        "https://traces.example.org/trace/4bf92f3577b34da6a3ce929d0e0e4736"
      )
    })

    test("shows new acts, holds and what becomes of a game, and leaves the focus and what is typed as they are", async ({
      page,
      run,
      world
    }) => {
      const ben = Author.make("ben")
      const focused = () => page.evaluate("document.activeElement.name || document.activeElement.textContent")
      await logIn(page)
      await go(page, "#/acts", "Acts")
      await page.getByLabel("Concerns").fill("arena-43")
      await run(world.act("hold", "arena-4300", ben, Reason.make("It is disputed"), "held"))
      await page.getByRole("cell", { name: "It is disputed" }).waitFor()
      assert.strictEqual(await page.getByLabel("Concerns").inputValue(), "arena-43")
      assert.strictEqual(await focused(), "target")
      await page.getByLabel("Concerns").fill("")
      await go(page, "#/holds", "Holds")
      await page.getByRole("link", { name: "arena-3977" }).focus()
      const hold = { author: ben, reason: Reason.make("A bug is looked into"), until: null, placedAt: new Date() }
      world.holds.unshift({ ...hold, gameId: "arena-4301" })
      await run(world.tellStatus)
      await page.getByRole("link", { name: "arena-4301" }).waitFor()
      assert.strictEqual(await focused(), "arena-3977")
      await go(page, "#/game/arena-4302", "arena-4302")
      await page.getByRole("button", { name: "Hold…" }).focus()
      world.holds.unshift({ ...hold, gameId: "arena-4302" })
      await run(world.tellStatus)
      await page.getByText("A bug is looked into").waitFor()
      assert.strictEqual(await focused(), "Hold…")
    })

    test("shows what happened while a connection that the service ended was made again", async ({
      page,
      run,
      world
    }) => {
      await logIn(page)
      await go(page, "#/log", "Log")
      await run(world.disconnect)
      world.operations.unshift(world.operation(1600, "arena-4260", 0))
      await page.getByRole("link", { name: "arena-4260" }).waitFor()
    })

    test("shows what was loaded last, also if an older answer comes after it", async ({ page, run, world }) => {
      const read = Promise.withResolvers<void>()
      const answer = Promise.withResolvers<void>()
      await logIn(page)
      await go(page, "#/holds", "Holds")
      await page.route(
        "**/holds?*",
        async (route) => {
          const response = await route.fetch()
          read.resolve()
          await answer.promise
          await route.fulfill({ response })
        },
        { times: 1 }
      )
      await run(world.tellStatus)
      await read.promise
      const hold = { author: Author.make("ben"), reason: Reason.make("A bug"), until: null, placedAt: new Date() }
      world.holds.unshift({ ...hold, gameId: "arena-4301" })
      await run(world.tellStatus)
      await page.getByRole("link", { name: "arena-4301" }).waitFor()
      const late = page.waitForResponse("**/holds?*")
      answer.resolve()
      await (await late).finished()
      await page.evaluate("new Promise(requestAnimationFrame)")
      assert.strictEqual(await page.getByRole("link", { name: "arena-4301" }).count(), 1)
    })

    test(
      "lets no late answer to a former token end the session of the present one",
      async ({ page }) => {
        const answer = Promise.withResolvers<void>()
        await logIn(page)
        await page.route(
          "**/holds?*",
          async (route) => {
            await answer.promise
            await route.fulfill({ status: 401, json: { detail: "This token is not known." } })
          },
          { times: 1 }
        )
        const asked = page.waitForRequest("**/holds?*")
        await page.evaluate("location.hash = '#/holds'")
        await asked
        await page.getByRole("button", { name: "Sign out" }).click()
        await logIn(page, tokens.rita)
        await page.getByRole("heading", { level: 1, name: "Holds" }).waitFor()
        const late = page.waitForResponse("**/holds?*")
        answer.resolve()
        await (await late).finished()
        await page.evaluate("new Promise(requestAnimationFrame)")
        assert.isTrue(await page.getByText("only looks").isVisible())
      },
      { expected: /status of 401/ }
    )

    for (const hash of ["#/nowhere", "#/constructor"]) {
      test(`leads an address that nobody made to the first view: ${hash}`, async ({ page }) => {
        await logIn(page)
        await go(page, "#/holds", "Holds")
        await go(page, hash, "Cleaning")
      })
    }

    test("counts the games of a state only where it lists those of the engine that was counted", async ({ page }) => {
      const due = page.getByRole("navigation", { name: "States" }).getByRole("link", { name: "due" })
      await logIn(page)
      await page.getByRole("list", { name: "Backlog" }).getByRole("link", { name: "Held" }).click()
      await page.getByRole("heading", { level: 1, name: "Games" }).waitFor()
      await page.getByRole("link", { name: "due 241" }).click()
      await page.getByRole("link", { name: "arena-4200" }).waitFor()
      assert.match((await due.textContent()) ?? "", /241/)
      await page.getByLabel("Engine").selectOption("us-east-1")
      await page.getByText("Nothing is due.").waitFor()
      assert.strictEqual((await due.textContent())?.trim(), "due")
      await page.getByLabel("Engine").selectOption("all")
      await page.getByRole("link", { name: "arena-4200" }).waitFor()
      assert.strictEqual((await due.textContent())?.trim(), "due")
    })

    test("leaves the focus where it is when a list is filtered", async ({ page }) => {
      await logIn(page)
      await go(page, "#/log", "Log")
      await page.getByLabel("Outcome").focus()
      await page.getByLabel("Outcome").selectOption("failure")
      await page.getByRole("link", { name: "arena-4199" }).waitFor({ state: "detached" })
      assert.strictEqual(await page.evaluate("document.activeElement.name"), "outcome")
    })

    test("shows how far a pass has come, which one was killed, and that nothing can be said while the database is away", async ({
      page,
      run,
      world
    }) => {
      await logIn(page)
      await page.getByText("161 of 400").waitFor()
      await page.getByRole("cell", { name: "killed" }).waitFor()
      const [one] = world.status().underWay
      assert.isDefined(one)
      const underWay = [{ ...one, done: 300, secondsLeft: 59 }]
      await run(world.tell({ id: "1", event: "progress", data: { under_way: underWay } }))
      await page.getByText("300 of 400").waitFor()
      assert.strictEqual(await page.getByRole("progressbar").getAttribute("value"), "300")
      await run(world.tell({ id: "2", event: "unavailable", data: { detail: "the database is away" } }))
      await page.getByRole("status").getByText("the database is away").waitFor()
      await run(world.tellStatus)
      await page.getByText("the database is away").waitFor({ state: "detached" })
    })

    test(
      "says since when it is not connected, and comes back by itself",
      async ({ page, run, world }) => {
        await logIn(page)
        await page.route("**/events", (route) => route.abort())
        await run(world.disconnect)
        await page.getByRole("status").getByText("Not connected since").waitFor()
        await page.unroute("**/events")
        await page.getByText("live", { exact: true }).waitFor()
        await page.getByText("Not connected since").waitFor({ state: "detached" })
      },
      { expected: /ERR_FAILED/ }
    )

    test("pages through all games, and finds one by its id", async ({ page }) => {
      await logIn(page)
      await go(page, "#/games/stopped", "Games")
      const seen = new Set<string>()
      for (const pageOf of [1, 2, 3, 4]) {
        for (const id of await page.locator("td .id").allTextContents()) seen.add(id)
        if (pageOf < 4) {
          const loaded = page.waitForResponse("**/games?*")
          await page.getByRole("link", { name: "Next page" }).click()
          await loaded
          await page.getByRole("link", { name: [...seen].at(-1) ?? "" }).waitFor({ state: "detached" })
        }
      }
      assert.strictEqual(seen.size, 304)
      await page.getByText("The last page").waitFor()
      await page.goBack()
      await page.getByRole("link", { name: "Next page" }).waitFor()
      await page.getByLabel("Game").fill("finals-2026-semi")
      await page.keyboard.press("Enter")
      await page.getByRole("heading", { level: 1, name: "finals-2026-semi" }).waitFor()
    })
  })
)
