import type { FaultKind } from "./Faults.ts"
import type { Fleet } from "./Fleet.ts"
import { incidents, type Scene } from "./incidents.ts"
import type { People } from "./People.ts"
import type { Sent } from "./Replica.ts"
import type { World } from "./World.ts"

const calls = ["acquire", "reread", "inspect", "remove", "remove", "commit", "settle", "identity", "listDue"]

/** Where some incidents belong to be noticed. */
const preferred: Partial<Record<FaultKind, ReadonlyArray<string>>> = {
  container_hangs: ["acquire", "reread", "inspect"],
  engine_restarted: ["remove", "remove", "inspect", "identity"],
  engine_frozen: ["inspect", "remove"],
  engine_swapped: ["reread", "inspect", "identity"],
  containers_hidden: ["reread", "inspect", "identity"],
  containers_out_of_sight: ["identity", "listDue"],
  record_on_another_engine: ["acquire", "reread", "inspect", "remove", "commit"],
  started_again: ["reread", "inspect", "remove"],
  started_in_new_container: ["reread", "inspect", "remove", "commit"],
  started_without_record: ["reread", "inspect", "remove"],
  paused_or_restarting: ["reread", "inspect", "remove"],
  engine_clock_off: ["listDue"],
  recording_refused: ["listDue", "remove", "commit"],
  commit_refused: ["remove", "remove", "commit"],
  commit_swallowed: ["remove", "remove", "commit"]
}

/** Something that waits for a call of its kind. */
interface Waiting {
  readonly call: string
  readonly happen: (sent?: Sent) => void
  skip: number
}

/**
 * Plans the incidents of a history, and what people want: each at a time of its own, most of them close to the next call of one
 * kind.
 */
export const schedule = (world: World, fleet: Fleet, people: People) => {
  const { universe, plan, faults } = world
  const { rng } = universe
  const kinds = [...plan.faults].filter((kind) => incidents[kind] !== undefined)
  const waiting: Array<Waiting> = []

  const gameOf = (subject: string | undefined) => {
    const { records } = world.database.tables
    if (subject === undefined) return undefined
    if (records.has(subject)) return subject
    return [...records.values()].find(({ containerId }) => containerId === subject)?.gameId
  }
  const at = (happen: (scene: Scene) => void) => (sent?: Sent) => {
    if (!faults.on || fleet.running.length === 0) return
    const process = sent?.process ?? rng.pick(fleet.running)
    const gameId = gameOf(sent?.subject) ?? rng.pick([...world.database.tables.records.keys(), "game-00"])
    const engine = world.witness.evidence.engineOf(process)
    happen({ world, fleet, process, engine, gameId })
  }
  const plans = (call: string | undefined, happen: (sent?: Sent) => void) =>
    universe.after(rng.int(0, plan.length), () => {
      if (call === undefined) return happen()
      const one = { call, happen, skip: rng.int(0, 3) }
      waiting.push(one)
      universe.after(rng.int(0, plan.interval * 3), () => {
        const index = waiting.indexOf(one)
        if (index < 0) return
        waiting.splice(index, 1)
        happen()
      })
    })

  for (let count = 0; kinds.length > 0 && count < plan.incidents; count++) {
    const kind = rng.pick(kinds)
    const call = rng.chance(0.75) ? rng.pick(preferred[kind] ?? calls) : undefined
    plans(
      call,
      at((scene) => incidents[kind]?.(scene))
    )
  }
  for (let count = 0; count < plan.wishes; count++) {
    const { call, want } = people.draw()
    plans(
      call,
      at((scene) => people.want(want, scene))
    )
  }
  fleet.listener = (sent) => {
    for (const one of waiting) {
      if (one.call !== sent.operation || one.skip-- > 0) continue
      waiting.splice(waiting.indexOf(one), 1)
      universe.after(rng.int(0, plan.latency * 3), () => one.happen(sent))
      return
    }
  }
}
