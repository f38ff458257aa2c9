import { Schema } from "effect"
import type { ContainerId } from "./ContainerId.ts"

/** Docker's own words for a container's state. */
export const ContainerState = Schema.Literals([
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead"
])
export type ContainerState = typeof ContainerState.Type

/** One container as the engine describes it. Times are Unix milliseconds, rounded down; `null` means never. */
export interface Container {
  readonly id: ContainerId
  readonly state: ContainerState
  /** The game that the container's label names, if it has the label. */
  readonly gameId: string | null
  readonly createdAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** How many anonymous volumes it has. They stay when it is removed. Absent: none. */
  readonly anonymousVolumes?: number
}
