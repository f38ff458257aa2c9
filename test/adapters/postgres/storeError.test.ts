import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"
import * as Database from "../../../src/adapters/postgres/Database.ts"
import { storeError } from "../../../src/adapters/postgres/storeError.ts"
import { serverAt } from "../../../src/config/databaseUrl.ts"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { layerPorts } from "../../support/postgres.ts"
import { asked, auditRow, containerId, stopped } from "../../support/records.ts"

/** As the driver reports them: the socket's own error, or the fields that the server sent. */
const socket = (code: string) =>
  new SqlError({ reason: new ConnectionError({ cause: Object.assign(new Error(`read ${code}`), { code }) }) })
const server = (code: string) =>
  new SqlError({ reason: new UnknownError({ cause: Object.assign(new Error("no"), { code, severity: "ERROR" }) }) })

describe("an error of the driver", () => {
  it.each([
    ["commit", "a trigger's", server("P0001"), "CannotRecord"],
    ["settle", "a missing right's", server("42501"), "CannotRecord"],
    ["readBack", "a missing right's", server("42501"), "CannotRecord"],
    ["clock", "a trigger's", server("P0001"), "Unavailable"],
    ["clock", "a missing table's", server("42P01"), "NotMigrated"],
    ["commit", "a shutdown's", server("57P01"), "Unavailable"],
    ["commit", "a lost connection's", socket("ECONNRESET"), "Unavailable"],
    ["settle", "a broken pipe's", socket("EPIPE"), "Unavailable"],
    ["readBack", "a closed port's", socket("ECONNREFUSED"), "Unavailable"]
  ] as const)("from %s, %s, says what it means for the pass", (operation, _, error, expected) => {
    assert.strictEqual(storeError(operation)(error).reason._tag, expected)
  })
})

const nobodyThere = serverAt(Redacted.make("postgres://user@127.0.0.1:1/db"))

describe("a server that cannot be reached", () => {
  it.live("event 17: is away, and not one that refuses to record", () =>
    Effect.gen(function* () {
      const leases = yield* GameLeases
      const lease = { gameId: "game", owner: "00000000-0000-0000-0000-000000000000", token: 1n, acquiredAt: 0n }
      const record = stopped("game", { containerId: containerId("a") })
      for (const call of [
        Effect.asVoid(leases.commit(lease, record, auditRow())),
        Effect.asVoid(leases.rehearse(record, asked)),
        leases.settle(lease, { failure: auditRow(), backoff: undefined, keep: false })
      ]) {
        assert.strictEqual((yield* Effect.flip(call)).reason._tag, "Unavailable")
      }
    }).pipe(
      Effect.provide(
        Layer.provide(
          layerPorts(),
          Database.layer({ server: nobodyThere, schema: "any", pool: 1, timeout: "5 seconds" })
        )
      )
    )
  )
})
