import { isContainerId } from "./ContainerId.ts"
import type { Shown } from "./PlanFile.ts"
import type { RuntimeRecord } from "./RuntimeRecord.ts"

const shape = /^(\d{1,19}|-\d{1,19}|none)\.([0-9a-f]{64}|none)$/

/** Text that changes whenever another part of the product works on the game's record: its time and its container. */
export const versionOf = ({ containerId, lastOpAt }: Pick<RuntimeRecord, "containerId" | "lastOpAt">): string =>
  `${lastOpAt ?? "none"}.${isContainerId(containerId) ? containerId : "none"}`

/** The record that has this version; `undefined`: no record ever had. */
export const shownBy = (version: string): Shown | undefined => {
  const [, time, containerId] = shape.exec(version) ?? []
  if (time === undefined || containerId === undefined) return undefined
  return {
    lastOpAt: time === "none" ? null : BigInt(time),
    containerId: containerId === "none" ? null : containerId
  }
}
