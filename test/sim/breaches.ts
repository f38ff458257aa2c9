import { Context, Duration, Effect } from "effect"
import { ContainerId } from "../../src/domain/ContainerId.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { Acts, Begun } from "../../src/ports/Acts.ts"
import { ContainerEngine, EngineId } from "../../src/ports/ContainerEngine.ts"
import { Acquired, type AuditRow, GameLeases, type Lease } from "../../src/ports/GameLeases.ts"
import { KnownEngine } from "../../src/ports/KnownEngine.ts"
import { Pauses } from "../../src/ports/Pauses.ts"
import { type FoundRecords, RuntimeRecords } from "../../src/ports/RuntimeRecords.ts"
import type { Invariant } from "./checks/Evidence.ts"
import * as Statements from "./model/statements.ts"
import type { Way } from "./model/stores.ts"
import type { Tables } from "./model/Tables.ts"
import type { Wish } from "./world/Errand.ts"
import type { Ask } from "./world/enginePort.ts"
import type { FaultKind } from "./world/Faults.ts"
import type { Plan } from "./world/Plan.ts"
import type { Sabotage } from "./world/Replica.ts"

type Engine = ContainerEngine["Service"]
type Leases = GameLeases["Service"]
type Records = RuntimeRecords["Service"]
type Known = KnownEngine["Service"]

const engine =
  (spoil: (engine: Engine, ask: Ask) => Partial<Engine>): Sabotage =>
  (ports, ask) => {
    const right = Context.get(ports, ContainerEngine)
    return Context.add(ports, ContainerEngine, { ...right, ...spoil(right, ask) })
  }

const leases =
  (spoil: (leases: Leases, way: Way) => Partial<Leases>): Sabotage =>
  (ports, _, way) => {
    const right = Context.get(ports, GameLeases)
    return Context.add(ports, GameLeases, { ...right, ...spoil(right, way) })
  }

const records =
  (spoil: (records: Records) => Partial<Records>): Sabotage =>
  (ports) => {
    const right = Context.get(ports, RuntimeRecords)
    return Context.add(ports, RuntimeRecords, { ...right, ...spoil(right) })
  }

/** Only in a process that a person has for an act of this kind. */
const inAct =
  (act: Wish["act"], sabotage: (wish: Wish) => Sabotage): Sabotage =>
  (ports, ask, way, wish) =>
    wish?.act === act ? sabotage(wish)(ports, ask, way, wish) : ports

const both =
  (first: Sabotage, second: Sabotage): Sabotage =>
  (ports, ask, way, wish) =>
    second(first(ports, ask, way, wish), ask, way, wish)

/** Nobody who is asked speaks against an absence. */
const unwitnessed = records(({ witnesses }) => ({
  witnesses: (moment) => Effect.as(witnesses(moment), { others: [], due: [] })
}))

/** A commit that does something else in the database. */
const commit = (apply: (tables: Tables, lease: Lease, row: AuditRow) => void) =>
  leases((_, { run, send }) => ({
    commit: (lease, _, row) =>
      Effect.as(
        run(
          "commit",
          "unanswered",
          send({ gameIds: [lease.gameId], writes: true, apply: (tables) => apply(tables, lease, row) })
        ),
        "committed"
      )
  }))

const move = (tables: Tables, gameId: string, row: AuditRow) => {
  const record = tables.records.get(gameId)
  if (record === undefined) return
  tables.setRecord(gameId, { ...record, status: "removed", lastOpAt: BigInt(row.finishedAt) * 1000n })
}

/** The record as the code gets it is stopped, and has been for years. */
const forgedReread = (change: (record: RuntimeRecord) => Partial<RuntimeRecord>) =>
  leases(({ acquire }) => ({
    acquire: (gameId) =>
      Effect.map(acquire(gameId), (acquired) =>
        acquired._tag === "Leased" && acquired.record !== undefined
          ? Acquired.Leased({ ...acquired, record: { ...acquired.record, ...change(acquired.record) } })
          : acquired
      )
  }))

const actsOf =
  (spoil: (acts: Acts["Service"]) => Partial<Acts["Service"]>): Sabotage =>
  (ports) => {
    const right = Context.get(ports, Acts)
    return Context.add(ports, Acts, { ...right, ...spoil(right) })
  }

const knownEngine =
  (spoil: (known: Known) => Partial<Known>): Sabotage =>
  (ports) => {
    const right = Context.get(ports, KnownEngine)
    return Context.add(ports, KnownEngine, { ...right, ...spoil(right) })
  }

const withoutHolds = <A extends Pick<FoundRecords, "records">>(found: A): A => ({
  ...found,
  records: found.records.map((record) => ({ ...record, hold: null }))
})

/** A way to break the code, and what then does not hold any more. */
export interface Breach {
  readonly what: string
  readonly invariant: Invariant
  readonly sabotage: Sabotage
  /** Faults without which it would not show. */
  readonly faults?: ReadonlyArray<FaultKind>
  readonly games?: number
  readonly engines?: number
  /** What else must be as it is drawn here for it to show. */
  readonly plan?: Partial<Plan>
}

export const breaches: ReadonlyArray<Breach> = [
  {
    what: "an engine that is told to remove by force, where running is taken for exited",
    invariant: "S1",
    sabotage: engine(({ inspect }, ask) => ({
      inspect: (id) => Effect.map(inspect(id), (container) => container && { ...container, state: "exited" }),
      remove: (id) => Effect.as(ask("remove", id, true), "removed")
    })),
    faults: ["started_without_record"]
  },
  {
    what: "a removal of the container of another game",
    invariant: "S2",
    sabotage: engine(({ remove }) => ({
      remove: (id) => remove(ContainerId.make(id.slice(0, 63) + (id.endsWith("1") ? "2" : "1")))
    }))
  },
  {
    what: "a label that is not compared",
    invariant: "S2",
    sabotage: (ports) => {
      const right = Context.get(ports, ContainerEngine)
      const known = Context.get(ports, GameLeases)
      const games = new Map<string, string>()
      return Context.add(ports, ContainerEngine, {
        ...right,
        inspect: (id) =>
          Effect.map(right.inspect(id), (container) => container && { ...container, gameId: games.get(id) ?? null })
      }).pipe(
        Context.add(GameLeases, {
          ...known,
          acquire: (gameId) =>
            Effect.tap(known.acquire(gameId), (acquired) =>
              Effect.sync(() => {
                const id = acquired._tag === "Leased" ? acquired.record?.containerId : undefined
                if (id != null) games.set(id, gameId)
              })
            )
        })
      )
    },
    faults: ["label_wrong"]
  },
  {
    what: "a record that is not read again under the lease",
    invariant: "S3",
    sabotage: forgedReread(() => ({ status: "stopped", lastOpAt: 0n })),
    faults: ["started_again", "record_changed_oddly", "statement_slow"],
    games: 40
  },
  {
    what: "a listing by a cutoff of its own",
    invariant: "S3",
    sabotage: records(({ listDue }) => ({
      listDue: (page) => listDue({ ...page, moment: { ...page.moment, cutoff: page.moment.now } })
    }))
  },
  {
    what: "a container that is not looked at",
    invariant: "S3",
    sabotage: engine(() => ({
      inspect: (id) =>
        Effect.succeed({ id, state: "exited", gameId: "game-00", createdAt: 0, startedAt: null, finishedAt: null })
    }))
  },
  {
    what: "a container that has just stopped taken for an old one",
    invariant: "S3",
    sabotage: engine(({ inspect }) => ({
      inspect: (id) =>
        Effect.map(inspect(id), (container) => container && { ...container, createdAt: 0, startedAt: 0, finishedAt: 0 })
    })),
    faults: ["engine_clock_off", "ended", "started_without_record", "engine_restarted"]
  },
  {
    what: "an engine whose containers are taken for absent",
    invariant: "S4",
    sabotage: engine(() => ({ inspect: () => Effect.undefined, findByGame: () => Effect.succeed([]) }))
  },
  {
    what: "an engine known by its ID and network alone, whatever it can see",
    invariant: "S4",
    sabotage: both(
      unwitnessed,
      engine(({ identity }) => ({ identity: Effect.as(identity, EngineId.make("default/none/overlay2:/data")) }))
    ),
    faults: ["containers_hidden"]
  },
  {
    what: "an absence that nothing else on the engine vouches for",
    invariant: "witnesses",
    sabotage: unwitnessed,
    faults: ["containers_out_of_sight"]
  },
  {
    what: "a game cleaned by hand whose own absence speaks against the engine",
    invariant: "brake",
    sabotage: records(({ witnesses }) => ({ witnesses: (moment) => witnesses(moment) })),
    faults: ["pruned"],
    games: 2,
    plan: { wishes: 10 }
  },
  {
    what: "a commit without its row",
    invariant: "S5",
    sabotage: commit((tables, lease, row) => {
      Statements.release(tables, lease)
      move(tables, lease.gameId, row)
    })
  },
  {
    what: "a removal that is not recorded when its record has changed",
    invariant: "S5",
    sabotage: leases(({ settle }) => ({
      settle: (lease, end) => settle(lease, { ...end, failure: undefined, backoff: undefined })
    })),
    faults: ["record_repointed", "record_vanished", "started_in_new_container"]
  },
  {
    what: "a commit that changes another column",
    invariant: "S6",
    sabotage: commit((tables, lease, row) => {
      const containerId = tables.records.get(lease.gameId)?.containerId ?? null
      Statements.commit(tables, defaultEngine, { lease, containerId, row })
      const record = tables.records.get(lease.gameId)
      if (record !== undefined) tables.setRecord(lease.gameId, { ...record, imageRef: null })
    })
  },
  {
    what: "a commit without its fence",
    invariant: "S7",
    sabotage: commit((tables, lease, row) => {
      move(tables, lease.gameId, row)
      tables.addLog({
        ...row,
        gameId: lease.gameId,
        outcome: "success",
        leaseOwner: lease.owner,
        leaseToken: lease.token
      })
    })
  },
  {
    what: "a lease that is believed to be renewed for ever",
    invariant: "S8",
    sabotage: both(
      leases(() => ({ renew: () => Effect.succeed(true) })),
      engine(({ inspect }) => ({ inspect: (id) => Effect.delay(inspect(id), Duration.hours(1)) }))
    )
  },
  {
    what: "a removal by force",
    invariant: "S9",
    sabotage: engine((_, ask) => ({ remove: (id) => Effect.as(ask("remove", id, true), "removed") }))
  },
  {
    what: "a container id that is not one",
    invariant: "S9",
    sabotage: both(
      forgedReread(({ containerId }) => ({ containerId: containerId === null ? null : "0".repeat(64) })),
      engine((_, ask) => ({ inspect: () => Effect.as(ask("inspect", "../images/x"), undefined) }))
    )
  },
  {
    what: "a conclusion that is not true",
    invariant: "S11",
    sabotage: leases(() => ({ commit: () => Effect.succeed("committed") }))
  },
  {
    what: "a lease that is taken from its holder",
    invariant: "S12",
    sabotage: leases(({ acquire }, { run, send }) => ({
      acquire: (gameId) =>
        Effect.andThen(
          run(
            "acquire",
            "rolled_back",
            send({ gameIds: [gameId], writes: true, apply: (tables) => tables.setLease(gameId, undefined) })
          ),
          acquire(gameId)
        )
    })),
    faults: ["lease_of_rtmanager"]
  },
  {
    what: "a lease that is released while a removal may still be carried out",
    invariant: "unresolved",
    sabotage: leases(({ settle }) => ({ settle: (lease, end) => settle(lease, { ...end, keep: false }) })),
    faults: ["engine_frozen", "removal_slow", "container_hangs"]
  },
  {
    what: "most containers of a pass taken for absent",
    invariant: "brake",
    sabotage: leases(({ acquire }) => ({
      acquire: (gameId) =>
        Effect.map(acquire(gameId), (acquired) =>
          acquired._tag === "Leased" ? Acquired.Leased({ ...acquired, leftBy: "another" }) : acquired
        )
    })),
    faults: ["most_containers_lost"],
    games: 32
  },
  {
    what: "a brake that does not hold the next pass",
    invariant: "brake",
    sabotage: knownEngine(({ beginPass }) => ({
      beginPass: (id) =>
        Effect.map(beginPass(id), ({ known, otherName }) => ({
          known: known && { ...known, braked: false },
          otherName
        }))
    })),
    faults: ["most_containers_lost"],
    games: 32
  },
  {
    what: "a rehearsal that is not held",
    invariant: "S13",
    sabotage: leases(() => ({ rehearse: () => Effect.succeed(true) }))
  },
  {
    what: "removals that go on although none is recorded",
    invariant: "S13",
    sabotage: leases(({ commit, settle }) => ({
      commit: (lease, record, row) => Effect.orElseSucceed(commit(lease, record, row), () => "already_removed"),
      settle: (lease, end) => Effect.ignore(settle(lease, end))
    })),
    faults: ["commit_refused"],
    games: 40
  },
  {
    what: "a record of another engine that is taken for one of our own",
    invariant: "S14",
    sabotage: forgedReread(() => ({ engine: defaultEngine })),
    faults: ["record_on_another_engine"],
    games: 20,
    engines: 2,
    plan: { incidents: 30 }
  },
  {
    what: "a commit that moves a record of another engine",
    invariant: "S14",
    sabotage: commit((tables, lease, row) => {
      const record = tables.records.get(lease.gameId)
      if (record === undefined) return
      Statements.commit(tables, record.engine, { lease, containerId: record.containerId, row })
    }),
    faults: ["record_on_another_engine", "engine_slow"],
    engines: 2
  },
  {
    what: "a hold that is not looked at",
    invariant: "S15",
    sabotage: both(
      records(({ find, listDue }) => ({
        listDue: (page) => Effect.map(listDue(page), withoutHolds),
        find: (gameIds) => Effect.map(find(gameIds), withoutHolds)
      })),
      forgedReread(() => ({ hold: null }))
    ),
    plan: { wishes: 30, length: 3_600_000, retention: 1_800_000 }
  },
  {
    what: "a hold that is answered without waiting for the attempt under way",
    invariant: "S15",
    sabotage: inAct("hold", () =>
      leases(({ acquire }) => ({
        acquire: (gameId) =>
          Effect.map(acquire(gameId), (acquired) =>
            acquired._tag === "Busy" ? Acquired.Undecodable({ detail: "never mind" }) : acquired
          )
      }))
    ),
    faults: ["engine_slow"],
    games: 12,
    plan: { wishes: 40, length: 1_800_000, engineTimeout: 15_000, leaseTtl: 60_000, perCall: 0.3 }
  },
  {
    what: "a pass that asks only at its beginning whether cleaning is paused",
    invariant: "S18",
    sabotage: (ports) => {
      const right = Context.get(ports, Pauses)
      return Context.add(ports, Pauses, { ...right, current: Effect.undefined })
    },
    faults: ["engine_slow"],
    games: 24,
    plan: { wishes: 30, length: 1_800_000, concurrency: 1, engineTimeout: 15_000, leaseTtl: 60_000, perCall: 0.2 }
  },
  {
    what: "a row of a plan that is taken for as it was shown",
    invariant: "S16",
    sabotage: inAct("plan_apply", (wish) => {
      const rows = wish.act === "plan_apply" ? wish.plan.games : []
      const asShown = (record: RuntimeRecord) => ({
        ...record,
        lastOpAt: rows.find(({ gameId }) => gameId === record.gameId)?.lastOpAt ?? null
      })
      return both(
        records(({ find }) => ({
          find: (gameIds) => Effect.map(find(gameIds), (found) => ({ ...found, records: found.records.map(asShown) }))
        })),
        forgedReread(asShown)
      )
    }),
    faults: ["record_changed_oddly"],
    games: 12,
    plan: { wishes: 40, length: 1_800_000, retention: 900_000 }
  },
  {
    what: "a plan that is applied twice",
    invariant: "S16",
    sabotage: inAct("plan_apply", () =>
      actsOf(({ begin }) => ({ begin: (act) => begin({ ...act, target: act.reason }) }))
    ),
    games: 12,
    plan: { wishes: 40, length: 3_600_000, interval: 1_800_000, retention: 900_000 }
  },
  {
    what: "a game that is cleaned by hand although its container runs",
    invariant: "S17",
    sabotage: inAct("clean", () =>
      engine(({ inspect }) => ({
        inspect: (id) => Effect.map(inspect(id), (container) => container && { ...container, state: "exited" })
      }))
    ),
    faults: ["started_without_record"],
    games: 20,
    plan: { wishes: 40 }
  },
  {
    what: "a game that is cleaned by hand in place of another",
    invariant: "S17",
    sabotage: inAct("clean", () => leases(({ acquire }) => ({ acquire: () => acquire("game-00") }))),
    plan: { wishes: 40 }
  },
  {
    what: "an act without its row",
    invariant: "S19",
    sabotage: actsOf(() => ({ begin: () => Effect.succeed(Begun.Begun({ id: 1n, askedAt: 0n })) })),
    plan: { wishes: 10 }
  },
  {
    what: "a request that is done again when it comes again",
    invariant: "S20",
    sabotage: actsOf(({ begin }) => ({ begin: (act) => begin(act) })),
    plan: { wishes: 40 }
  },
  {
    what: "an act whose result is written before it",
    invariant: "S19",
    sabotage: actsOf(({ begin, end }) => ({
      begin: (act) =>
        Effect.tap(begin(act), (begun) =>
          begun._tag === "Begun" ? end(begun, { result: "done", message: null }) : Effect.void
        ),
      end: () => Effect.void
    })),
    plan: { wishes: 20 }
  },
  {
    what: "a pass that takes the brake off when it begins",
    invariant: "S21",
    sabotage: knownEngine(({ accept, beginPass }) => ({
      beginPass: (id) =>
        Effect.flatMap(beginPass(id), (found) => (found.known?.braked ? accept(id) : Effect.succeed(found)))
    })),
    faults: ["most_containers_lost"],
    games: 32
  },
  {
    what: "an engine that is called accepted, and nothing is stored",
    invariant: "S21",
    sabotage: inAct("engine_accept", () => knownEngine(({ recognize }) => ({ accept: recognize }))),
    plan: { wishes: 20 }
  },
  {
    what: "a retention taken however many games it makes due at once",
    invariant: "S21",
    sabotage: records(({ countStopped }) => ({ countStopped: (ended) => Effect.as(countStopped(ended), 0) })),
    games: 40,
    plan: { engineKnown: true, formerRetention: 172_800_000 }
  },
  {
    what: "a retention that nobody looks at",
    invariant: "S21",
    sabotage: knownEngine(({ beginPass }) => ({
      beginPass: (id) =>
        Effect.map(beginPass(id), ({ known, otherName }) => ({
          known: known && { ...known, retention: undefined },
          otherName
        })),
      setRetention: () => Effect.succeed({ before: undefined })
    })),
    games: 40,
    plan: { engineKnown: true, formerRetention: 172_800_000 }
  },
  {
    what: "a retention that is accepted and stored as another",
    invariant: "S21",
    sabotage: inAct("retention_accept", () =>
      knownEngine(({ setRetention }) => ({ setRetention: (retention) => setRetention(Duration.times(retention, 2)) }))
    ),
    plan: { wishes: 40 }
  },
  {
    what: "an acceptance without its row",
    invariant: "S19",
    sabotage: inAct("engine_accept", () =>
      actsOf(() => ({ begin: () => Effect.succeed(Begun.Begun({ id: 1n, askedAt: 0n })) }))
    ),
    plan: { wishes: 20 }
  },
  {
    what: "a defect in one game",
    invariant: "defect",
    sabotage: engine(() => ({ inspect: () => Effect.die("a bug") }))
  },
  {
    what: "games that nobody ever removes",
    invariant: "liveness",
    sabotage: leases(() => ({ acquire: () => Effect.succeed(Acquired.Busy()) }))
  },
  {
    what: "a pass that never ends",
    invariant: "liveness",
    sabotage: records(() => ({ clock: Effect.never }))
  },
  {
    what: "a replica that does not stop when it is told to",
    invariant: "shutdown",
    sabotage: records(() => ({ clock: Effect.uninterruptible(Effect.never) }))
  }
]
