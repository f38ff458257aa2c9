import { chmodSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Logger, Option, Redacted, References, Runtime, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Author } from "../../src/domain/Act.ts"
import { newToken } from "../../src/http/tokenFile.ts"
import { Tokens, TokensUnusable } from "../../src/http/tokens.ts"
import { temporaryFolder } from "../support/postgres.ts"

const made = (name: string, expires?: Date) => newToken({ name: Author.make(name), role: "act" }, expires)

const aFile = Effect.map(temporaryFolder, (folder) => join(folder, "tokens"))

/** As an editor or a shell does it: the file stays the same one. */
const write = (path: string, ...lines: ReadonlyArray<string>) =>
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 })

interface Running {
  readonly name: (token: Redacted.Redacted) => Effect.Effect<string | undefined>
  readonly log: ReadonlyArray<readonly [unknown, unknown]>
}

/** The tokens of the file, and what is logged about it. */
const running = <E>(path: string, steps: (running: Running) => Effect.Effect<void, E, Scope.Scope>) => {
  const log: Array<readonly [unknown, unknown]> = []
  const memory = Logger.make(({ fiber, message }) => {
    log.push([message, fiber.getRef(References.CurrentLogAnnotations)["reason"]])
  })
  return Effect.gen(function* () {
    const { check } = yield* Tokens
    yield* steps({
      name: (token) =>
        check(token).pipe(
          Effect.orElseSucceed(() => undefined),
          Effect.map((caller) => caller?.name)
        ),
      log
    })
  }).pipe(
    Effect.provide(Tokens.layer(path)),
    Effect.provide(Logger.layer([memory])),
    Effect.provide(NodeFileSystem.layer)
  )
}

const refusal = (path: string) =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(running(path, () => Effect.void))
    assert.instanceOf(error, TokensUnusable)
    assert.strictEqual(error[Runtime.errorExitCode], 2)
    assert.isTrue(error.message.startsWith(`RTMANAGER_API_TOKENS_FILE="${path}" cannot be used:\n  `))
    return error.problems.join("; ")
  })

describe("the tokens of the API", () => {
  it.effect("are those of the file, and a change of it counts within a second", () =>
    Effect.gen(function* () {
      const path = yield* aFile
      const [ann, bob] = [yield* made("ann"), yield* made("bob")]
      write(path, ann.line)
      yield* running(path, ({ log, name }) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* name(ann.token), "ann")
          assert.isUndefined(yield* name(bob.token))
          write(path, ann.line, bob.line)
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* name(bob.token), "bob")
          write(`${path}.new`, bob.line)
          renameSync(`${path}.new`, path)
          yield* TestClock.adjust("1 second")
          assert.isUndefined(yield* name(ann.token))
          assert.strictEqual(yield* name(bob.token), "bob")
          assert.deepStrictEqual(log, [])
        })
      )
    })
  )

  it.effect("change with a file that keeps its size and its time", () =>
    Effect.gen(function* () {
      const path = yield* aFile
      const [old, next] = [yield* made("ann"), yield* made("ann")]
      write(path, old.line)
      const { atime, mtime } = statSync(path)
      yield* running(path, ({ name }) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* name(old.token), "ann")
          write(path, next.line)
          utimesSync(path, atime, mtime)
          yield* TestClock.adjust("1 second")
          assert.isUndefined(yield* name(old.token))
          assert.strictEqual(yield* name(next.token), "ann")
        })
      )
    })
  )

  it.effect("are read at most once a second, however many ask at once, and also after the clock was set back", () =>
    Effect.gen(function* () {
      const path = yield* aFile
      const ann = yield* made("ann")
      write(path, ann.line)
      yield* TestClock.setTime(Date.UTC(2027, 0, 1))
      const fs = yield* FileSystem.FileSystem
      let readings = 0
      const open: FileSystem.FileSystem["open"] = (...args) =>
        Effect.suspend(() => {
          readings += 1
          return fs.open(...args)
        })
      yield* Effect.gen(function* () {
        const { check } = yield* Tokens
        const crowd = Effect.replicateEffect(check(ann.token), 100, { concurrency: "unbounded" })
        yield* crowd
        assert.strictEqual(readings, 1)
        yield* TestClock.adjust("1 second")
        yield* crowd
        assert.strictEqual(readings, 2)
        yield* TestClock.setTime(0)
        yield* TestClock.adjust("1 second")
        assert.isTrue((yield* crowd).every((caller) => caller?.name === "ann"))
        assert.strictEqual(readings, 3)
      }).pipe(Effect.provide(Tokens.layer(path)), Effect.provideService(FileSystem.FileSystem, { ...fs, open }))
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("expire by the clock, whether or not the file is read again", () =>
    Effect.gen(function* () {
      const path = yield* aFile
      const ann = yield* made("ann", new Date(1500))
      write(path, ann.line)
      yield* running(path, ({ name }) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("1499 millis")
          assert.strictEqual(yield* name(ann.token), "ann")
          yield* TestClock.adjust("1 millis")
          assert.isUndefined(yield* name(ann.token))
        })
      )
    })
  )

  it.effect.each<readonly [string, (path: string) => void, RegExp]>([
    ["has a wrong line", (path) => write(path, "ann"), /line 1: its role/],
    ["is readable by others", (path) => chmodSync(path, 0o604), /mode 604/],
    ["is gone", (path) => rmSync(path), /cannot be read: NotFound/]
  ])("are none while the file %s, which one warning says", ([, spoil, why]) =>
    Effect.gen(function* () {
      const path = yield* aFile
      const ann = yield* made("ann")
      write(path, ann.line)
      yield* running(path, ({ log, name }) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* name(ann.token), "ann")
          spoil(path)
          for (const _ of [1, 2, 3]) {
            yield* TestClock.adjust("1 second")
            assert.isUndefined(yield* name(ann.token))
          }
          assert.lengthOf(log, 1)
          assert.deepStrictEqual(log[0]?.[0], ["api.tokens_unusable"])
          assert.match(String(log[0]?.[1]), why)
          write(path, ann.line)
          chmodSync(path, 0o600)
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* name(ann.token), "ann")
          assert.deepStrictEqual(log[1]?.[0], ["api.tokens_usable"])
          assert.lengthOf(log, 2)
        })
      )
    })
  )

  it.effect.each(["640", "604", "620", "602", "610", "601", "644", "777"])(
    "are refused at start if the file's group or others have a right to it: mode %s",
    (mode) =>
      Effect.gen(function* () {
        const path = yield* aFile
        write(path, (yield* made("ann")).line)
        chmodSync(path, Number.parseInt(mode, 8))
        assert.include(yield* refusal(path), `its group or others may use it (mode ${mode}): chmod 600 it`)
      })
  )

  it.effect.each(["600", "400", "700"])("are taken if its owner alone has: mode %s", (mode) =>
    Effect.gen(function* () {
      const path = yield* aFile
      const ann = yield* made("ann")
      write(path, ann.line)
      chmodSync(path, Number.parseInt(mode, 8))
      yield* running(path, ({ name }) => Effect.map(name(ann.token), (found) => assert.strictEqual(found, "ann")))
    })
  )

  it.effect.each<readonly [string, (path: string) => void, RegExp]>([
    ["is not there", () => {}, /^it cannot be read: NotFound$/],
    ["is a folder", (path) => mkdirSync(path, { mode: 0o700 }), /^it is not a file$/],
    ["is a device", (path) => symlinkSync("/dev/zero", path), /^it is not a file$/],
    ["has wrong lines", (path) => write(path, "# ours", "ann", "bob act x"), /^line 2: .*; line 3: /],
    ["is too large", (path) => write(path, "#".repeat(65_536)), /^it has more than 65536 bytes$/]
  ])("are refused at start if the file %s", ([, prepare, why]) =>
    Effect.gen(function* () {
      const path = yield* aFile
      prepare(path)
      assert.match(yield* refusal(path), why)
    })
  )

  it.effect("are refused at start if the file belongs to another user, but not if to root", () =>
    Effect.gen(function* () {
      const path = yield* aFile
      write(path, (yield* made("ann")).line)
      const fs = yield* FileSystem.FileSystem
      const ownedBy = (uid: number) => {
        const open: FileSystem.FileSystem["open"] = (...args) =>
          Effect.map(fs.open(...args), (file) =>
            Object.create(file, {
              stat: { value: Effect.map(file.stat, (info) => ({ ...info, uid: Option.some(uid) })) }
            })
          )
        return Tokens.pipe(
          Effect.provide(Tokens.layer(path)),
          Effect.provideService(FileSystem.FileSystem, { ...fs, open })
        )
      }
      yield* ownedBy(0)
      const { problems } = yield* Effect.flip(ownedBy(4_242))
      const user = process.getuid?.()
      assert.deepStrictEqual(problems, [`it belongs to user 4242, not to user ${user} of this service or root`])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("may be none at all, and name the first 20 problems at most", () =>
    Effect.gen(function* () {
      const path = yield* aFile
      write(path, "# nobody yet")
      yield* running(path, ({ name }) => Effect.map(name(Redacted.make("rtm_")), (found) => assert.isUndefined(found)))
      write(path, ...Array<string>(100).fill("ann"))
      const { message } = yield* Effect.flip(running(path, () => Effect.void))
      assert.lengthOf(message.split("\n"), 22)
      assert.match(message, /\n {2}and 80 more$/)
    })
  )
})
