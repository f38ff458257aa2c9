import { assert, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { storedTimes } from "../../src/domain/GameCursor.ts"
import { GameLeases } from "../../src/ports/GameLeases.ts"
import { type LogCursor, type LogPage, type LogQuery, OperationLog } from "../../src/ports/OperationLog.ts"
import { auditRow, containerId, longAgo, stopped } from "../support/records.ts"
import { StoreFixture } from "./StoreFixture.ts"

/** Ends an attempt on the game so many seconds after `longAgo`. */
const ended = Effect.fnUntraced(function* (gameId: string, seconds: number, errorCode: string | null) {
  const leases = yield* GameLeases
  const row = auditRow({
    errorCode,
    containerId: containerId("a"),
    message: `${gameId} at ${seconds}`,
    finishedAt: longAgo + seconds * 1000
  })
  yield* (yield* StoreFixture).put(stopped(gameId))
  const acquired = yield* leases.acquire(gameId)
  assert(acquired._tag === "Leased")
  if (errorCode === null) yield* leases.commit(acquired.lease, { containerId: containerId("a") }, row)
  else yield* leases.settle(acquired.lease, { failure: row, backoff: undefined, keep: false })
})

/** Each test's rows alone. */
const some = Effect.gen(function* () {
  yield* (yield* StoreFixture).clear
  yield* ended("chess", 1, "engine_error")
  yield* ended("go", 2, null)
  yield* ended("shogi", 2, "container_running")
  yield* ended("chess", 4, "outcome_unknown")
  yield* ended("chess", 5, null)
  yield* ended("go", 3, "conflict")
  return yield* OperationLog
})

const messages = ({ operations }: LogPage) => operations.map(({ message }) => message)

/** What every `OperationLog` must do. */
export const suite = <E>(name: string, layer: Layer.Layer<OperationLog | GameLeases | StoreFixture, E>): void => {
  it.layer(layer, { excludeTestServices: true })(name, (it) => {
    it.effect("tells all of a row", () =>
      Effect.gen(function* () {
        const { list } = yield* some
        const [first] = (yield* list({ limit: 1 })).operations
        const { id, ...row } = first ?? assert.fail()
        assert.isAbove(Number(id), 0)
        assert.deepStrictEqual(row, {
          ...{ gameId: "chess", outcome: "success", opSource: "auto_ttl", sourceRef: "test", errorCode: null },
          ...{ containerId: containerId("a"), imageRef: "games/chess:1", message: "chess at 5" },
          traceId: "0af7651916cd43dd8448eb211c80319c",
          startedAt: new Date(longAgo),
          finishedAt: new Date(longAgo + 5000)
        })
      })
    )

    it.effect("goes on from the first and the last place that a cursor can name", () =>
      Effect.gen(function* () {
        const { list } = yield* some
        for (const finishedAt of [storedTimes.minimum, storedTimes.maximum, null]) {
          for (const id of [-(2n ** 63n), 2n ** 63n - 1n]) {
            const before = { finishedAt, id }
            yield* list({ before, limit: 1 })
            yield* list({ before, outcome: "success", limit: 1 })
            yield* list({ before, gameId: "chess", limit: 1 })
          }
        }
      })
    )

    it.effect.each<readonly [LogQuery, ReadonlyArray<string>]>([
      [{}, ["chess at 5", "chess at 4", "go at 3", "shogi at 2", "go at 2", "chess at 1"]],
      [{ outcome: "failure" }, ["chess at 4", "go at 3", "shogi at 2", "chess at 1"]],
      [{ outcome: "success" }, ["chess at 5", "go at 2"]],
      [{ since: longAgo + 3000 }, ["chess at 5", "chess at 4", "go at 3"]],
      [{ outcome: "failure", since: longAgo + 4001 }, []],
      // In the order in which they were written.
      [{ gameId: "go" }, ["go at 3", "go at 2"]],
      [{ gameId: "chess", outcome: "failure", since: longAgo + 2000 }, ["chess at 4"]],
      [{ gameId: "nobody" }, []]
    ])("lists what is asked for, newest first, by pages of any size: %j", ([query, expected]) =>
      Effect.gen(function* () {
        const { list } = yield* some
        for (const limit of [1, 2, 3, 100]) {
          const found: Array<string | null> = []
          let before: LogCursor | undefined
          do {
            const page: LogPage = yield* list({ ...query, before, limit })
            assert.isAtMost(page.operations.length, limit)
            found.push(...messages(page))
            before = page.next
          } while (before !== undefined)
          assert.deepStrictEqual(found, [...expected], `pages of ${limit}`)
        }
      })
    )
  })
}
