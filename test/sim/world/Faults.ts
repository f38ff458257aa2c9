import type { Rng } from "../kernel/Rng.ts"

/** Everything that can go wrong in a history. */
export const faultKinds = [
  // The way to the engine, and the engine.
  "engine_slow",
  "engine_request_lost",
  "engine_answer_lost",
  "engine_garbage",
  "engine_frozen",
  "engine_down",
  "engine_restarted",
  "engine_swapped",
  "containers_hidden",
  "containers_out_of_sight",
  "engine_clock_off",
  "container_hangs",
  "removal_slow",
  "removal_failed",
  "removal_late",
  "removal_left_dead",
  // The way to the database, and the database.
  "statement_slow",
  "statement_lost",
  "statement_answer_lost",
  "statement_unanswered",
  "statement_late",
  "statement_rolled_back",
  "database_down",
  "database_frozen",
  "database_read_only",
  "recording_refused",
  "commit_refused",
  "commit_swallowed",
  "database_clock_jumped",
  "failover_lost_commits",
  "token_repeated",
  // Our own processes.
  "killed",
  "killed_in_attempt",
  "stopped",
  "stopped_beyond_lease",
  "terminated",
  "clock_jumped",
  // What others do.
  "started_again",
  "started_in_new_container",
  "started_without_record",
  "paused_or_restarting",
  "ended",
  "pruned",
  "pruned_all",
  "most_containers_lost",
  "lease_of_rtmanager",
  "record_repointed",
  "record_on_another_engine",
  "record_vanished",
  "record_changed_oddly",
  "record_undecodable",
  // What was odd from the beginning.
  "id_missing",
  "id_invalid",
  "id_shared",
  "label_wrong"
] as const
export type FaultKind = (typeof faultKinds)[number]

/** Which faults a history has, and how often each took effect on something. */
export class Faults {
  readonly counts = new Map<FaultKind, number>()
  /** Off in the quiet phase. */
  on = true
  private readonly rng: Rng
  private readonly enabled: ReadonlySet<FaultKind>
  private readonly perCall: number

  constructor(rng: Rng, options: { readonly enabled: Iterable<FaultKind>; readonly perCall: number }) {
    this.rng = rng
    this.enabled = new Set(options.enabled)
    this.perCall = options.perCall
  }

  has(kind: FaultKind) {
    return this.on && this.enabled.has(kind)
  }

  /** Whether it strikes this one call. */
  strikes(kind: FaultKind) {
    return this.has(kind) && this.rng.chance(this.perCall)
  }

  took(kind: FaultKind) {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
  }

  /** For a fault that lasts: counted once, when it first takes effect. */
  once(kind: FaultKind): () => void {
    let taken = false
    return () => {
      if (taken) return
      taken = true
      this.took(kind)
    }
  }
}
