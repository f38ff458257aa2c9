import { mkdir, writeFile } from "node:fs/promises"
import os from "node:os"
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { version } from "../src/config/version.ts"
import { chartsOf } from "./charts.ts"
import type { Goal } from "./goals.ts"
import type { Options } from "./options.ts"
import type { Results } from "./results.ts"

/** What the figures depend on besides the code. */
export const surroundings = Effect.fnUntraced(function* (sql: SqlClient, engine: string | undefined) {
  const [postgres] = yield* sql<{ version: string }>`select current_setting('server_version') as version`
  return {
    version,
    node: process.version,
    postgres: postgres?.version,
    engine,
    kernel: `${os.type()} ${os.release()}`,
    processors: `${os.availableParallelism()} x ${os.cpus()[0]?.model.trim()}`,
    memoryGb: Math.round(os.totalmem() / 1e9),
    /** Of the minute before: others were at work where it is far above 0. */
    loadBefore: os.loadavg()[0]
  }
})

export type Surroundings = Effect.Success<ReturnType<typeof surroundings>>

interface Kept {
  readonly started: Date
  readonly surroundings: Surroundings
  readonly options: Options
  readonly goals: ReadonlyArray<Goal>
  readonly results: Results
}

const folder = new URL("results/", import.meta.url)

/** One file for the result, named by when it began, and the charts of the latest one. */
export const keep = (kept: Kept) =>
  Effect.promise(async () => {
    await mkdir(folder, { recursive: true })
    const name = `${kept.started.toISOString().slice(0, 19).replaceAll(":", "-")}.json`
    await writeFile(new URL(name, folder), `${JSON.stringify(kept, null, 2)}\n`)
    await Promise.all(chartsOf(kept.results).map(([file, svg]) => writeFile(new URL(file, folder), `${svg}\n`)))
    return name
  })
