import { Duration, Effect } from "effect"
import { ConnectionError, DeadlockError, SqlError, StatementTimeoutError } from "effect/sql/SqlError"
import { repeating } from "../../../src/adapters/postgres/run.ts"
import type { Process } from "../kernel/Process.ts"
import { Operation, refusal, type Statement, type Way } from "../model/stores.ts"
import type { DatabaseRequest, DatabaseServer, Failure } from "./DatabaseServer.ts"
import type { Network } from "./Network.ts"

/** What the driver makes of each failure. */
const errors: Record<Failure, SqlError> = {
  rolled_back: new SqlError({
    reason: new DeadlockError({
      cause: Object.assign(new Error("deadlock detected"), { code: "40P01", severity: "ERROR" })
    })
  }),
  disconnected: new SqlError({
    reason: new ConnectionError({ cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) })
  }),
  timed_out: new SqlError({ reason: new StatementTimeoutError({ cause: new Error("no answer") }) }),
  refused: refusal("cannot execute in a read-only transaction", "25006"),
  cannot_record: refusal("refused by a trigger", "P0001")
}

/** How much longer than the server's own timeout a process waits, as in the PostgreSQL adapter. */
const grace = Duration.toMillis("1 second")

export interface DatabasePortOptions {
  /** Milliseconds, per statement. */
  readonly timeout: number
  /** Hears of every statement as it leaves. */
  readonly onSend: (request: DatabaseRequest) => void
}

/** How this process reaches the database. Statements are sent again by the code of the PostgreSQL adapter. */
export const makeWay = (
  process: Process,
  server: DatabaseServer,
  network: Network,
  { timeout, onSend }: DatabasePortOptions
): Way => ({
  run: (operation, repeat, statement) =>
    repeating(operation, repeat, Effect.provideService(statement, Operation, operation)),
  send: <A>(statement: Statement<A>) =>
    Effect.flatMap(Operation, (operation) =>
      Effect.callback<A, SqlError>((resume) => {
        const request: DatabaseRequest = { from: process, operation, statement, late: false }
        let awaited = true
        const settle = (effect: Effect.Effect<A, SqlError>) => {
          if (!awaited) return
          awaited = false
          cancel()
          resume(effect)
        }
        const fail = (why: Failure) => settle(Effect.fail(errors[why]))
        const cancel = process.timer(timeout + grace, () => fail("timed_out"))
        onSend(request)
        const generation = server.currentGeneration
        network.toDatabase(request, {
          arrive: (answer) => server.receive(request, generation, answer),
          answer: (answer) =>
            process.deliver(() => (answer.kind === "ok" ? settle(Effect.succeed(answer.value as A)) : fail(answer.why)))
        })
        return Effect.sync(() => {
          awaited = false
          cancel()
        })
      })
    )
})
