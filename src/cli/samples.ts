import { hash } from "node:crypto"
import { Duration } from "effect"
import type { Container } from "../domain/Container.ts"
import { ContainerId } from "../domain/ContainerId.ts"
import { defaultEngine } from "../domain/EngineName.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"

export interface Sample {
  readonly situation: string
  readonly record: RuntimeRecord
  readonly container: Container | undefined
}

const days = (count: number) => Duration.toMillis(Duration.days(count))

const sample = (
  gameId: string,
  situation: string,
  endedAt: number,
  changes: {
    readonly record?: Partial<RuntimeRecord>
    readonly container?: Partial<Container> | "none"
  } = {}
): Sample => {
  const id = ContainerId.make(hash("sha256", gameId, "hex"))
  const container: Container = {
    id,
    state: "exited",
    gameId,
    createdAt: endedAt - days(1),
    startedAt: endedAt - days(1),
    finishedAt: endedAt
  }
  return {
    situation,
    record: {
      gameId,
      engine: defaultEngine,
      status: "stopped",
      containerId: id,
      imageRef: "galaxy/game:1.4",
      lastOpAt: BigInt(endedAt) * 1000n,
      backoff: null,
      hold: null,
      ...changes.record
    },
    container: changes.container === "none" ? undefined : { ...container, ...changes.container }
  }
}

/** A mixed set of games around a retention of 30 days, at the moment `now` (Unix milliseconds). */
export const samples = (now: number): ReadonlyArray<Sample> => [
  sample("long-expired", "ended 90 days ago", now - days(90)),
  sample("just-expired", "ended 30 days and a minute ago", now - days(30) - 60_000),
  sample("too-young", "ended 29 days ago", now - days(29)),
  sample("running", "still played", now - days(40), {
    record: { status: "running" },
    container: { state: "running", finishedAt: null }
  }),
  sample("drifted", "record says stopped, container runs", now - days(50), { container: { state: "running" } }),
  sample("wrong-label", "container carries another game's label", now - days(60), {
    container: { gameId: "somebody-else" }
  }),
  sample("already-gone", "container was removed by hand", now - days(70), { container: "none" }),
  sample("hostile-id", "record holds a path instead of an id", now - days(80), {
    record: { containerId: "../images/galaxy?force=1" }
  })
]

/** A game that has failed too often, as `drifted` will have. */
export const stuck = (now: number): Sample =>
  sample("stuck", "its container runs, for days already", now - days(45), {
    record: { backoff: { attempts: 12, nextAttemptAt: now + 3_600_000, lastError: "container_running" } },
    container: { state: "running" }
  })

/** One of the platform's many games, which ended at a time (Unix milliseconds) and has nothing wrong with it. */
export const numbered = (number: number, endedAt: number): Sample => sample(`game-${number}`, "ended", endedAt)
