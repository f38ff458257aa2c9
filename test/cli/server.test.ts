import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { StoreState } from "../adapters/memory/StoreState.ts"
import { ApiServer, inApi } from "../support/apiServer.ts"
import { temporaryFolder } from "../support/postgres.ts"
import { command } from "../support/service.ts"
import { actRows, atEngine, runOnce, seed, seedMany, storeDown, unreachable } from "../support/world.ts"

const why = ["--reason", "a player complains"]

/** A command that is told of the service alone. */
const at = Effect.fnUntraced(function* (args: ReadonlyArray<string>, who: "ann" | "bob" | "nobody" = "ann") {
  const { port, tokens } = yield* ApiServer
  const file = join(yield* temporaryFolder, "token")
  writeFileSync(file, `${who === "nobody" ? "rtm_nobody" : tokens[who]}\n`, { mode: 0o600 })
  const { code, log, stdout } = yield* command([...args, "--server", `http://127.0.0.1:${port}`], {
    RTMANAGER_TOKEN_FILE: file
  })
  return { code, stdout, said: log.map(({ text }) => text ?? "").join("\n") }
})

const done = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const { code, said, stdout } = yield* at(args)
  assert.strictEqual(code, 0, said)
  return stdout
})

describe("a command with --server", () => {
  inApi("reads what it prints from the service", function* () {
    yield* seedMany(2)
    assert.match(yield* done("status"), /^mode: +enforce, engine default\n[\s\S]*2 stopped, 2 due/)
    assert.strictEqual(JSON.parse(yield* done("status", "--json")).backlog.due.count, 2)
    assert.match(yield* done("show", "game-0"), /^game: +game-0\nrecord: +stopped on engine default/)
    assert.strictEqual(JSON.parse(yield* done("show", "game-1", "--json")).game_id, "game-1")
    assert.strictEqual(yield* done("log"), "no operation is logged\n")
    assert.strictEqual(yield* done("holds", "--json"), "[]\n")
    assert.match(yield* done("engine", "list"), /^name +identity [\s\S]*\ndefault +unknown until the first pass /)
    yield* runOnce
    const [engine] = JSON.parse(yield* done("engine", "list", "--json"))
    assert.deepInclude(engine, { name: "default", braked: false, due: 0, stopped: 0 })
    assert.match(yield* done("engine", "list"), /^name +identity [\s\S]*\ndefault /)
  })

  inApi("has the service do its act, in the name of the token", function* () {
    yield* seedMany(2)
    assert.match(yield* done("hold", "game-0", "--until", "30d", ...why), /^game-0 is held by ann until /)
    assert.match(yield* done("holds"), /^game-0 +held by ann until /)
    assert.match(yield* done("release", "game-0", "--now", ...why), /^ann's hold on game-0 ends at /)
    assert.match(yield* done("pause", "--for", "2h", ...why), /^paused until /)
    assert.strictEqual(JSON.parse(yield* done("resume", "--json", ...why)).result, "done")
    assert.match(yield* done("clean", "game-0", ...why), /^removed: /)
    assert.match(yield* done("engine", "accept", "default", ...why), /^accepted engine /)
    assert.match(yield* done("retention", "accept", ...why), /^accepted a retention of 30d for engine default: /)
    assert.deepStrictEqual(
      (yield* actRows).map(({ act, author }) => `${act} by ${author}`),
      ["hold", "release", "pause", "resume", "clean", "engine_accept", "retention_accept"].map((act) => `${act} by ann`)
    )
    assert.match(yield* done("log", "--outcome", "success"), /game-0 +success/)
  })

  inApi("prints a plan of more than a page as it is printed here, and keeps it in a file", function* () {
    yield* seedMany(700)
    yield* seed("running", 700, { container: { state: "running" } })
    const text = yield* done("plan")
    assert.match(text, /^remove +game-0 +retention 30d +its retention is over\n/)
    assert.match(text, /\n700 to remove, 0 to mark removed, 1 kept\n$/)
    assert.lengthOf(JSON.parse(yield* done("plan", "--json")), 701)
    assert.match(yield* done("plan", "--limit", "600"), /\n600 to remove, [^\n]*; there may be more games\n$/)
    assert.match(yield* done("plan", "--game", "running"), /^keep +running .*container_running/)
    const file = join(yield* temporaryFolder, "plan.json")
    assert.match(yield* done("plan", "--out", file), /^700 to remove, .*\nplan [-0-9a-f]+ is in /)
    const { engine, games, version } = JSON.parse(readFileSync(file, "utf8"))
    assert.deepStrictEqual([engine, games.length, version], ["default", 700, 1])
    assert.deepStrictEqual(yield* actRows, [])
  })

  inApi("says of a plan that its pass would be refused, and prints it all the same", function* () {
    yield* seedMany(1)
    yield* done("pause", ...why)
    const { code, said, stdout } = yield* at(["plan"], "bob")
    assert.strictEqual(code, 0)
    assert.match(said, /a pass would be refused now: ann has paused cleaning/)
    assert.match(stdout, /1 to remove/)
  })

  inApi("applies a plan once, and nothing else", function* () {
    yield* seedMany(2)
    const file = join(yield* temporaryFolder, "plan.json")
    yield* done("plan", "--out", file)
    yield* seed("later", 9)
    const run = ["run", "--plan", file, ...why]
    assert.strictEqual(yield* done(...run), "2 of 2 games done\n")
    const { records } = yield* StoreState
    assert.strictEqual(records.get("later")?.status, "stopped")
    const again = yield* at(run)
    assert.strictEqual(again.code, 4)
    assert.match(again.said, /was applied before/)
    writeFileSync(file, readFileSync(file, "utf8").replace('"version":1', '"version":2'))
    const other = yield* at(run)
    assert.strictEqual(other.code, 2)
    assert.match(other.said, /is not a plan that this version can apply: version/)
  })

  inApi("refuses a plan that is too large to be sent, and says so", function* () {
    yield* seedMany(6000)
    const file = join(yield* temporaryFolder, "plan.json")
    yield* done("plan", "--out", file)
    const { code, said } = yield* at(["run", "--plan", file, ...why])
    assert.match(said, /too large: .* 1 MiB/)
    assert.strictEqual(code, 2)
    assert.deepStrictEqual(yield* actRows, [])
  })

  inApi("accepts that containers are gone", function* () {
    yield* seedMany(30, { container: null })
    const braked = yield* at(["run", ...why])
    assert.strictEqual(braked.code, 4)
    assert.match(braked.said, /run --accept-absent/)
    assert.match(yield* done("run", "--accept-absent", ...why), /^pass: success; already_absent /)
  })

  it.live("asks again after a second if the service has no place for it now", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const asked: Array<string | undefined> = []
        const busy = createServer(({ url }, response) => {
          asked.push(url)
          const isFirst = asked.length === 1
          response.writeHead(isFirst ? 429 : 200, { "content-type": "application/json", "retry-after": "1" })
          response.end(isFirst ? "{}" : '{"holds":[],"next":null}')
        })
        const port = yield* Effect.acquireRelease(
          Effect.callback<number>((resume) => {
            busy.listen(0, "127.0.0.1", () => resume(Effect.succeed((busy.address() as AddressInfo).port)))
          }),
          () => Effect.sync(() => busy.close())
        )
        const file = join(yield* temporaryFolder, "token")
        writeFileSync(file, "rtm_x", { mode: 0o600 })
        const { code, stdout } = yield* command(["holds", "--json", "--server", `http://127.0.0.1:${port}`], {
          RTMANAGER_TOKEN_FILE: file
        })
        assert.deepStrictEqual([code, stdout], [0, "[]\n"])
        assert.deepStrictEqual(
          asked.map((url) => url?.replace(/\?.*/, "")),
          ["/api/v1/holds", "/api/v1/holds"]
        )
      })
    )
  )

  inApi("prints all rows of a log that has more than a page", function* () {
    const { log } = yield* StoreState
    yield* seed("chess", 1)
    yield* done("clean", "chess", ...why)
    const [row] = log
    assert(row !== undefined)
    for (let i = 0; i < 700; i++) log.push({ ...row, gameId: `game-${i}`, finishedAt: row.finishedAt - i })
    assert.lengthOf(JSON.parse(yield* done("log", "--json", "--limit", "650")), 650)
  })

  const failing: ReadonlyArray<readonly [string, number, ReadonlyArray<string>, RegExp, ("ann" | "bob" | "nobody")?]> =
    [
      ["a game that is unknown", 1, ["show", "nobody"], /no game nobody/],
      ["an act that a rule refuses", 4, ["clean", "nobody", ...why], /no record of game nobody/],
      ["a token that may only look", 4, ["pause", ...why], /may look, but not act/, "bob"],
      ["a token that is nobody's", 2, ["status"], /no token, or one that does not count/, "nobody"],
      [
        "a hold until yesterday",
        2,
        ["hold", "chess", "--until", "2020-01-01T00:00:00Z", ...why],
        /until is in the past/
      ],
      ["an author", 2, ["pause", "--author", "eve", ...why], /--author does not go with --server/],
      ["a plan that is not there", 2, ["run", "--plan", "plan.json", ...why], /cannot read the plan/],
      ["a pass without a reason", 2, ["run", "--accept-absent"], /--server needs --reason/],
      ["a command that a service cannot do", 2, ["doctor"], /does not go with --server/],
      ["a plan of a game without a record", 1, ["plan", "--game", "nobody"], /there is no record of game nobody/],
      ["an engine without its name", 2, ["engine", "accept", ...why], /--server needs the engine's name/]
    ]
  inApi.each(failing)("ends for %s with %i, says why and does nothing", function* ([, code, args, message, who]) {
    const ended = yield* at(args, who)
    assert.match(ended.said, message)
    assert.strictEqual(ended.code, code)
    assert.deepStrictEqual(
      (yield* actRows).filter(({ result }) => result === "done"),
      []
    )
  })

  inApi("ends with 3 if the service's engine or database is away, as without --server", function* () {
    yield* seed("chess", 1)
    yield* atEngine("identity", Effect.fail(unreachable))
    const acts = [
      ["clean", "chess"],
      ["engine", "accept", "default"]
    ]
    for (const act of acts) assert.strictEqual((yield* at([...act, ...why])).code, 3)
    ;(yield* StoreState).intercept = () => storeDown
    for (const act of [...acts, ["hold", "chess"], ["pause"]]) {
      assert.strictEqual((yield* at([...act, ...why])).code, 3)
    }
    assert.strictEqual((yield* at(["status"])).code, 3)
  })

  inApi("ends with 3 if nobody answers there, and with 2 without a token", function* () {
    const { code, log } = yield* command(["status", "--server", "http://127.0.0.1:1"], {})
    assert.strictEqual(code, 2)
    assert.match(JSON.stringify(log), /RTMANAGER_TOKEN_FILE/)
    const file = join(yield* temporaryFolder, "token")
    writeFileSync(file, "rtm_x", { mode: 0o600 })
    const away = yield* command(["status", "--server", "http://127.0.0.1:1"], { RTMANAGER_TOKEN_FILE: file })
    assert.strictEqual(away.code, 3)
    assert.strictEqual((yield* command(["status", "--server", "ftp://x"], {})).code, 2)
  })
})
