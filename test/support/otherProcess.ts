import { randomUUID } from "node:crypto"
import { Context, Effect, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Adapter from "../../src/adapters/postgres/GameLeases.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import { GameLeases } from "../../src/ports/GameLeases.ts"
import { layerDatabase } from "./postgres.ts"

/** The leases of another process: its own pool and its own owner. */
export const otherProcess = (schema: string, options: Parameters<typeof layerDatabase>[1] = {}) =>
  Effect.map(
    Layer.build(
      Layer.provideMerge(
        Adapter.layer({ owner: randomUUID(), leaseTtl: "1 minute", engineName: defaultEngine }),
        layerDatabase(schema, { applicationName: "other", ...options })
      )
    ),
    (context) => Context.get(context, GameLeases)
  )

/** Asks until a backend of the other process waits for a lock. A transaction sees one picture unless it asks for more. */
export const untilOtherWaits = Effect.gen(function* () {
  const sql = yield* SqlClient
  const waiting = sql<{ pid: number }>`
    select pid from pg_stat_activity
    where datname = current_database() and application_name = 'other' and wait_event_type = 'Lock'`
  const [backend] = yield* Effect.repeat(Effect.andThen(sql`select pg_stat_clear_snapshot()`, waiting), {
    until: (rows) => rows.length > 0,
    schedule: Schedule.spaced("5 millis")
  })
  return backend?.pid ?? 0
})
