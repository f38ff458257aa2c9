import { randomBytes } from "node:crypto"
import { Clock, Duration, Effect } from "effect"
import type { CreatableState } from "../support/docker.ts"
import type { World as Parts } from "../support/e2e.ts"
import { micros } from "../support/records.ts"

/** What a kind of game has on the engine and in its record, and what may become of it. */
interface Kind {
  readonly container?: CreatableState
  /** The container's label, if not this game's. */
  readonly label?: string
  /** In the record, in place of the container's id; `gone` is the id of no container. */
  readonly recorded?: "gone" | "invalid" | "none"
  readonly status?: string
  readonly daysAgo?: number
  /** The container's times are not made older. */
  readonly unaged?: true
  /** `cleaned`: it must end as removed. `kept`: it stays as it is, record and container. `either`: one of the two. */
  readonly fate: "cleaned" | "kept" | "either"
  /** What `operation_log` may say of its failures. */
  readonly codes: ReadonlyArray<string>
}

export const kinds = {
  created: { container: "created", fate: "cleaned", codes: [] },
  exited: { container: "exited", fate: "cleaned", codes: [] },
  absent: { recorded: "gone", fate: "cleaned", codes: [] },
  unnamed: { recorded: "none", fate: "cleaned", codes: [] },
  moved: { recorded: "gone", fate: "cleaned", codes: [] },
  raced: { container: "created", fate: "either", codes: ["container_running"] },
  invalid: { recorded: "invalid", fate: "kept", codes: ["invalid_container_id"] },
  running: { container: "running", fate: "kept", codes: ["container_running"] },
  paused: { container: "paused", fate: "kept", codes: ["container_running"] },
  mislabelled: { container: "exited", label: "somebody-else", fate: "kept", codes: ["identity_mismatch"] },
  unrecorded: { container: "created", recorded: "none", fate: "kept", codes: ["container_unrecorded"] },
  recent: { container: "created", unaged: true, fate: "kept", codes: ["conflict"] },
  young: { container: "exited", daysAgo: 29, fate: "kept", codes: [] },
  contested: { container: "created", fate: "either", codes: [] },
  fresh: { container: "exited", unaged: true, daysAgo: 1, fate: "kept", codes: [] },
  unplanned: { container: "created", fate: "kept", codes: [] },
  held: { container: "created", fate: "kept", codes: [] },
  future: { container: "created", daysAgo: -1, fate: "kept", codes: [] },
  played: { container: "running", status: "running", fate: "kept", codes: [] }
} satisfies Record<string, Kind>
export type KindName = keyof typeof kinds

/** What must survive, and does not run, so that it is the same after an engine's restart. */
export const stillFixtures: ReadonlyArray<KindName> = ["mislabelled", "unrecorded", "recent", "young", "future"]

/** What must survive, made once for each world. */
export const fixtures: ReadonlyArray<KindName> = ["running", "paused", "played", ...stillFixtures]

export interface Game {
  readonly gameId: string
  readonly kind: Kind
  /** Its container on the engine, if it had one. */
  readonly containerId: string | undefined
  /** The record as it was put there, as text, and the part of it that nobody may change. */
  readonly row: string
  readonly fixed: string
}

/** Whether a row of any table, as `t`, is about a game on this world's engine. What no record names is in every world. */
export const isOfWorld = ({ engineName, sql }: Parts) => sql`${engineName} = coalesce((
    select coalesce(named.engine, 'default') from runtime_records as named where named.game_id = t.game_id
  ), ${engineName})`

/** A record as text, and without the columns that a commit changes. */
export const recordRows = (parts: Parts) => parts.sql<{ gameId: string; status: string; row: string; fixed: string }>`
  select game_id as "gameId", status, t::text as row,
    (to_jsonb(t) - '{status,removed_at,last_op_at}'::text[])::text as fixed from runtime_records t
  where ${isOfWorld(parts)}`

/** Puts one game of a kind on the engine and into the database. */
export const put = Effect.fnUntraced(function* (parts: Parts, name: KindName, gameId: string, unaged: Set<string>) {
  const kind: Kind = kinds[name]
  const { container, recorded } = kind
  const id = container && (yield* parts.engine.create({ gameId: kind.label ?? gameId, state: container }))
  if (id !== undefined && kind.unaged) unaged.add(id)
  const other = { gone: randomBytes(32).toString("hex"), invalid: "../images/x?force=1", none: null }
  const age = Duration.toMillis(Duration.days(kind.daysAgo ?? 40))
  yield* parts.store.put({
    gameId,
    engine: parts.engineName,
    status: kind.status ?? "stopped",
    containerId: recorded === undefined ? (id ?? null) : other[recorded],
    imageRef: "games/chess:1",
    backoff: null,
    hold: null,
    lastOpAt: micros((yield* Clock.currentTimeMillis) - age)
  })
  return { gameId, kind, containerId: id }
})
