import { Schema } from "effect"
import { EngineName } from "./EngineName.ts"
import { printable } from "./printable.ts"

/**
 * Which engine this is, and which of its containers it can see: `ID/none/driver:root`. The `/info` ID alone survives a
 * wiped engine, so the id of its network `none` is beside it. An engine silently hides the containers of any other storage
 * driver and of any other data folder; with user namespaces, the data folder is a subfolder.
 */
export const EngineId = Schema.NonEmptyString.pipe(Schema.brand("EngineId"))
export type EngineId = typeof EngineId.Type

/** What accepting an engine did: the one that is known now, and before. Its encoding is the JSON that people and programs get. */
export const AcceptedEngine = Schema.Struct({
  name: EngineName,
  engineId: EngineId,
  knownBefore: Schema.NullOr(EngineId)
}).pipe(Schema.encodeKeys({ engineId: "engine_id", knownBefore: "known_before" }))

export interface EngineParts {
  /** Of `/info`. */
  readonly id: string
  /** The id of the network `none`. */
  readonly none: string
  readonly driver: string
  /** Where containerd keeps the layers, if it does: its drivers have the same names as Docker's own. */
  readonly containerd: { readonly namespace: string; readonly address: string } | undefined
  readonly root: string
}

export const engineId = ({ id, none, driver, containerd, root }: EngineParts): EngineId => {
  const at = containerd === undefined ? "" : `(containerd ${containerd.namespace} ${containerd.address})`
  return EngineId.make(`${id}/${none}/${driver}${at}:${root}`)
}

/** Whether this is the same engine as earlier versions knew it: by its ID and its network alone. */
export const isOldFormOf = (known: EngineId, present: EngineId): boolean =>
  /^[^/]+\/[^/]+$/.test(known) && present.startsWith(`${known}/`)

const parts = /^(?<id>[^/]+)\/(?<none>[^/]+)(?:\/(?<driver>[^:(]+(?:\([^)]*\))?):(?<root>.+))?$/s

/** How the present engine differs from the known one and what may have happened, as a sentence for people. */
export const difference = (known: EngineId, present: EngineId): string => {
  const was = parts.exec(known)?.groups ?? {}
  const is = parts.exec(present)?.groups ?? {}
  const hidden = "so what was made there is hidden, not gone, and back once that is switched back"
  const found = [
    was["id"] === is["id"]
      ? null
      : "its ID is another (another engine, or this one upgraded in place, as from 20.10 to 29)",
    was["none"] === is["none"] ? null : "its network none is another (its data was wiped, or is in another folder)",
    was["driver"] === undefined || was["driver"] === is["driver"]
      ? null
      : `its storage driver is ${printable(`${is["driver"]}`)}, not ${printable(was["driver"])}, ${hidden}`,
    was["root"] === undefined || was["root"] === is["root"]
      ? null
      : `its data root is ${printable(`${is["root"]}`)}, not ${printable(was["root"])}, ${hidden}`
  ]
  return `What differs: ${found.filter((part) => part !== null).join("; ")}`
}
