import { Duration, Effect, Schedule } from "effect"
import { CannotRecord, StoreError, Unavailable } from "../../../src/ports/StoreError.ts"
import type { Process } from "../kernel/Process.ts"
import type { Repeat, Send, Statement } from "../model/stores.ts"
import type { DatabaseRequest, DatabaseServer, Failure } from "./DatabaseServer.ts"
import type { Network } from "./Network.ts"

const repeated: Record<Repeat, ReadonlySet<Failure>> = {
  never: new Set<Failure>(),
  rolled_back: new Set<Failure>(["rolled_back"]),
  disconnected: new Set<Failure>(["rolled_back", "disconnected"]),
  unanswered: new Set<Failure>(["rolled_back", "disconnected", "timed_out"])
}

const backoff = Schedule.exponential("50 millis").pipe(Schedule.jittered)

/** How much longer than the server's own timeout a process waits, as in the PostgreSQL adapter. */
const grace = Duration.toMillis("1 second")

export interface DatabasePortOptions {
  /** Milliseconds, per statement. */
  readonly timeout: number
  /** Hears of every statement as it leaves. */
  readonly onSend: (request: DatabaseRequest) => void
}

/** Sends statements from this process, and again after the same failures as the PostgreSQL adapter. */
export const makeSend = (
  process: Process,
  server: DatabaseServer,
  network: Network,
  { timeout, onSend }: DatabasePortOptions
): Send => {
  const once = <A>(statement: Statement<A>) =>
    Effect.callback<A, Failure>((resume) => {
      const { operation, writes } = statement
      const request: DatabaseRequest = { from: process, operation, writes, statement, late: false }
      let awaited = true
      const settle = (effect: Effect.Effect<A, Failure>) => {
        if (!awaited) return
        awaited = false
        cancel()
        resume(effect)
      }
      const cancel = process.timer(timeout + grace, () => settle(Effect.fail("timed_out")))
      onSend(request)
      const generation = server.currentGeneration
      network.toDatabase(request, {
        arrive: (answer) => server.receive(request, generation, answer),
        answer: (answer) =>
          process.deliver(() =>
            settle(answer.kind === "ok" ? Effect.succeed(answer.value as A) : Effect.fail(answer.why))
          )
      })
      return Effect.sync(() => {
        awaited = false
        cancel()
      })
    })

  return (statement) => {
    const again = repeated[statement.repeat]
    return Effect.catch(once(statement), (failure) =>
      again.has(failure)
        ? Effect.retry(once(statement), { while: (failure) => again.has(failure), times: 2, schedule: backoff }).pipe(
            Effect.delay("50 millis")
          )
        : Effect.fail(failure)
    ).pipe(
      Effect.mapError((failure) => {
        const reason =
          failure === "cannot_record"
            ? new CannotRecord({ detail: failure })
            : new Unavailable({ cause: new Error(failure) })
        return new StoreError({ operation: statement.operation, reason })
      })
    )
  }
}
