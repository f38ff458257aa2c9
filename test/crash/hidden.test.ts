import { spawnSync } from "node:child_process"
import { rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { dump, game, type World, world } from "../support/e2e.ts"
import { describeOwnEngine } from "../support/otherEngine.ts"
import { postgresServer } from "../support/postgres.ts"
import { command } from "../support/service.ts"
import * as OwnEngine from "./OwnEngine.ts"

const tables = ["runtime_records", "operation_log", "game_leases", "cleanup_backoff"]
const dumpAll = (here: World) => Effect.forEach(tables, (table) => dump(here, table))

/** Five games to clean and one that runs, on an engine that an earlier version knew and this one knows more of. */
const sixGames = Effect.gen(function* () {
  const here = yield* world()
  const known = Effect.map(
    here.sql<{ id: string }>`select identity as id from cleanup_engines`,
    ([row]) => row?.id ?? ""
  )
  const wide = yield* Effect.andThen(command(["run"], here.env), known)
  assert.match(wide, /^[^/]+\/[0-9a-f]{64}\/(overlay2|vfs):\/./)
  yield* here.sql`update cleanup_engines set identity = split_part(identity, '/', 1) || '/' || split_part(identity, '/', 2)`
  const old = yield* known
  assert.strictEqual((yield* command(["plan"], here.env)).code, 0)
  assert.strictEqual(yield* known, old)
  assert.strictEqual((yield* command(["run"], here.env)).code, 0)
  assert.strictEqual(yield* known, wide)
  yield* Effect.forEach([1, 2, 3, 4, 5], (number) => game(here, `game-${number}`, "exited"))
  const live = yield* game(here, "live", "exited", { status: "running", daysAgo: 0 })
  return { here, live, before: yield* dumpAll(here) }
})

/** A pass that says why it does nothing. */
const refused = Effect.fnUntraced(function* (here: World, reason: string, words: RegExp) {
  const { code, log, stdout } = yield* command(["run", "--json"], here.env)
  assert.include(JSON.parse(stdout), { result: "refused", reason })
  assert.strictEqual(code, 4)
  assert.isTrue(
    log.some(({ message }) => words.test(String(message))),
    log.map((line) => JSON.stringify(line)).join("\n")
  )
})

const removesFive = Effect.fnUntraced(function* (here: World, ...args: ReadonlyArray<string>) {
  const { code, stdout } = yield* command(["run", "--json", ...args], here.env)
  assert.strictEqual(code, 0)
  assert.include(JSON.parse(stdout).outcomes, { removed: 5, already_absent: 0 })
})

/** Not on every file system, nor in every container. */
const canMountOverlay = `d=$(mktemp -d) && mkdir "$d/l" "$d/u" "$d/w" "$d/m" &&
  mount -t overlay overlay -o "lowerdir=$d/l,upperdir=$d/u,workdir=$d/w" "$d/m" && umount "$d/m"
  status=$?; rm -r "$d"; exit $status`
const missing =
  spawnSync("unshare", ["--mount", "sh", "-c", canMountOverlay]).status === 0
    ? undefined
    : "no overlay file system can be mounted"

for (const [driver, other] of [
  ["overlay2", "vfs"],
  ["vfs", "overlay2"]
] as const) {
  const layer = Layer.merge(postgresServer(), OwnEngine.layer(driver))
  const name = `an engine over ${driver} that hides its containers`
  describeOwnEngine(name, missing, () => {
    it.layer(layer, { excludeTestServices: true })((it) => {
      it.effect(`event 28: is refused with ${other} on the same data, and cleaned once it is switched back`, () =>
        Effect.gen(function* () {
          const engine = yield* OwnEngine.OwnEngine
          const { before, here } = yield* sixGames
          yield* engine.restartWith([`--storage-driver=${other}`])
          yield* refused(here, "engine_changed", new RegExp(`storage driver is ${other}, not ${driver}, .*hidden`))
          assert.strictEqual((yield* command(["plan"], here.env)).code, 4)
          assert.deepStrictEqual(yield* dumpAll(here), before)
          yield* engine.restartWith([])
          yield* removesFive(here)
        })
      )

      it.effect("event 28: is refused where its containers are away and all else is as it was", () =>
        Effect.gen(function* () {
          const engine = yield* OwnEngine.OwnEngine
          const { before, here, live } = yield* sixGames
          const containers = join(engine.dataRoot, "containers")
          yield* engine.restartWith(
            [],
            Effect.promise(() => rename(containers, `${containers}.away`))
          )
          yield* refused(here, "absent_brake", /none of 1 others is that should be there.*--accept-absent/)
          yield* here.sql`update cleanup_engines set braked_at = null`
          yield* here.sql`update runtime_records set current_container_id = null where game_id = 'live'`
          yield* refused(here, "absent_brake", /nor is any of 5 due games.*--accept-absent/)
          yield* here.sql`update runtime_records set current_container_id = ${live} where game_id = 'live'`
          assert.deepStrictEqual(yield* dumpAll(here), before)
          yield* engine.restartWith(
            [],
            Effect.promise(async () => {
              await rm(containers, { recursive: true })
              await rename(`${containers}.away`, containers)
            })
          )
          yield* removesFive(here, "--accept-absent", "--reason=a test")
        })
      )
    })
  })
}
