import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Committed, makeCommit } from "../../../src/adapters/postgres/commit.ts"
import type { CommitResult } from "../../../src/ports/GameLeases.ts"
import { auditRow, containerId } from "../../support/records.ts"

type ReadBack = Record<"ours" | "removed" | "unchanged", boolean>

const done: Committed = { leased: true, seen: true, moved: true }
const nothing: ReadBack = { ours: false, removed: false, unchanged: false }

const cases: ReadonlyArray<[name: string, committed: Committed, found: ReadBack, CommitResult]> = [
  ["the record moved", done, nothing, "committed"],
  [
    "an earlier sending moved it",
    { leased: false, seen: false, moved: false },
    { ...nothing, ours: true },
    "committed"
  ],
  [
    "somebody else has removed it",
    { ...done, seen: false, moved: false },
    { ...nothing, removed: true },
    "already_removed"
  ],
  ["somebody has changed it", { ...done, seen: false, moved: false }, nothing, "record_moved"],
  [
    "somebody had changed it, and back since",
    { ...done, seen: false, moved: false },
    { ...nothing, unchanged: true },
    "record_moved"
  ],
  ["somebody has changed it since", { ...done, moved: false }, nothing, "record_moved"],
  [
    "the lease was another's",
    { leased: false, seen: true, moved: false },
    { ...nothing, unchanged: true },
    "record_moved"
  ],
  [
    "it is as it was, and still did not move",
    { ...done, moved: false },
    { ...nothing, unchanged: true },
    "not_recorded"
  ]
]

describe("the result of a commit", () => {
  it.effect.each(cases)("if %s", ([, committed, found, expected]) =>
    Effect.gen(function* () {
      const commit = makeCommit({
        run: (_operation, _repeat, statement) => Effect.orDie(statement),
        share: ({ alone }) => alone,
        statements: {
          one: () => Effect.succeed([committed]),
          many: () => Effect.succeed([]),
          readBack: () => Effect.succeed([found])
        },
        wait: Effect.void
      })
      const lease = { gameId: "game", owner: "owner", token: 1n, acquiredAt: 0n }
      assert.strictEqual(yield* commit({ lease, containerId: containerId(1), row: auditRow() }), expected)
    })
  )
})
