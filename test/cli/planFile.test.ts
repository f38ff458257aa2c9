import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FileSystem, Stream } from "effect"
import { systemError } from "effect/PlatformError"
import { headOf, readPlanFile, writePlanFile } from "../../src/cli/planFile.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import type { PlannedGame } from "../../src/domain/PlannedGame.ts"
import { basisOf } from "../../src/operator/plan.ts"
import { EngineId } from "../../src/ports/ContainerEngine.ts"
import { temporaryFolder } from "../support/postgres.ts"
import { containerId, longAgo, micros, momentAt } from "../support/records.ts"

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")
/** What the heap holds once it has no garbage: unlike its size at some moment, no matter of when the collector ran. */
const liveBytes = () => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const head = headOf(
  basisOf({ moment: momentAt(longAgo), engineName: defaultEngine, engineId: EngineId.make("memory/none") })
)

const game = (number: number, changes: Partial<PlannedGame> = {}): PlannedGame => ({
  gameId: `game-${number}`,
  engine: defaultEngine,
  containerId: containerId(number),
  lastOpAt: micros(longAgo) - 1n,
  action: "remove",
  rule: "retention 30d",
  errorCode: null,
  stuck: false,
  message: "its retention is over",
  ...changes
})

const inFolder = <A, E>(name: string, body: (folder: string) => Effect.Effect<A, E, never>) =>
  it.live(name, () => Effect.scoped(Effect.flatMap(temporaryFolder, body)))

const write = (path: string, games: Stream.Stream<PlannedGame>) =>
  Effect.provide(writePlanFile(path, head, games), NodeServices.layer)
const read = (path: string) => Effect.provide(readPlanFile(path), NodeServices.layer)

describe("a plan file", () => {
  inFolder("that a full disk does not take is not there, and the disk is named as the cause", (folder) =>
    Effect.gen(function* () {
      const full = systemError({
        _tag: "Unknown",
        module: "FileSystem",
        method: "writeAll",
        cause: Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })
      })
      const path = join(folder, "plan.json")
      const error = yield* Effect.flip(
        writePlanFile(path, head, Stream.make(game(1))).pipe(
          Effect.updateService(FileSystem.FileSystem, (files) => ({
            ...files,
            open: (path, options) =>
              Effect.map(files.open(path, options), (file) => ({ ...file, writeAll: () => Effect.fail(full) }))
          })),
          Effect.provide(NodeServices.layer)
        )
      )
      assert.deepInclude(error, { code: 3, message: "cannot write the plan: ENOSPC: no space left on device, write" })
      assert.deepStrictEqual(readdirSync(folder), [])
    })
  )

  inFolder("is read as it was written: what a pass would touch, in its order", (folder) =>
    Effect.gen(function* () {
      const path = join(folder, "plan.json")
      const games = [
        game(2),
        game(3, { action: "keep", errorCode: "container_running" }),
        game(1, { action: "mark_removed", containerId: null }),
        game(4, { action: "keep", gameId: null })
      ]
      yield* write(path, Stream.rechunk(Stream.fromIterable(games), 1))
      const plan = yield* read(path)
      assert.deepStrictEqual(
        plan.games.map(({ action, gameId }) => [gameId, action]),
        [
          ["game-2", "remove"],
          ["game-1", "mark_removed"]
        ]
      )
      assert.deepStrictEqual({ ...plan, games: [] }, { ...head, games: [] })
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      assert.deepStrictEqual(readdirSync(folder), ["plan.json"])
    })
  )

  inFolder("of no games is one too", (folder) =>
    Effect.gen(function* () {
      yield* write(join(folder, "plan.json"), Stream.empty)
      assert.deepStrictEqual((yield* read(join(folder, "plan.json"))).games, [])
    })
  )

  inFolder("never replaces a file that is there, nor one that comes meanwhile", (folder) =>
    Effect.gen(function* () {
      const path = join(folder, "plan.json")
      const late = Effect.sync(() => {
        writeFileSync(path, "mine")
        return game(1)
      })
      for (const games of [Stream.fromEffect(late), Stream.make(game(1))]) {
        const error = yield* Effect.flip(write(path, games))
        assert.deepInclude(error, { code: 2, message: `${path} is there already: plans are not written over` })
        assert.strictEqual(readFileSync(path, "utf8"), "mine")
        assert.deepStrictEqual(readdirSync(folder), ["plan.json"])
      }
    })
  )

  inFolder("is not there at all if the plan could not be made to its end", (folder) =>
    Effect.gen(function* () {
      const games = Stream.concat(Stream.make(game(1)), Stream.die("bug"))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(write(join(folder, "plan.json"), games))))
      assert.deepStrictEqual(readdirSync(folder), [])
    })
  )

  inFolder("cannot be written to a folder that is not there", (folder) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(write(join(folder, "none", "plan.json"), Stream.make(game(1))))
      assert.strictEqual(error.code, 2)
      assert.match(error.message, /^cannot write the plan: /)
    })
  )

  inFolder("that is not there or is garbage makes the arguments unusable, and says where", (folder) =>
    Effect.gen(function* () {
      const path = join(folder, "plan.json")
      assert.match((yield* Effect.flip(read(path))).message, /^cannot read the plan: /)
      yield* write(path, Stream.make(game(1), game(2)))
      writeFileSync(path, readFileSync(path, "utf8").replace(containerId(2), "postgres"))
      const error = yield* Effect.flip(read(path))
      assert.strictEqual(error.code, 2)
      assert.match(error.message, /games\[1\]\.container_id: /)
    })
  )

  inFolder("of many games is written in the memory of a few", (folder) =>
    Effect.gen(function* () {
      const path = join(folder, "plan.json")
      const before = liveBytes()
      const live: Array<number> = []
      const games = Stream.range(1, 50_000).pipe(
        Stream.map((number) => game(number)),
        Stream.rechunk(500),
        Stream.tap(({ gameId }) =>
          Effect.sync(() => {
            if (gameId?.endsWith("000") === true) live.push(liveBytes() - before)
          })
        )
      )
      yield* write(path, games)
      assert.isAbove(statSync(path).size, 7_000_000)
      assert.lengthOf(live, 50)
      assert.isBelow(Math.max(...live), 4_000_000)
      assert.lengthOf((yield* read(path)).games, 50_000)
    })
  )
})
