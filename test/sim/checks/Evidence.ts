import type { Container } from "../../../src/domain/Container.ts"
import { isDue, type Moment } from "../../../src/domain/Expiry.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import type { Lease } from "../../../src/ports/GameLeases.ts"
import type { Witnesses } from "../../../src/ports/RuntimeRecords.ts"
import type { Process } from "../kernel/Process.ts"
import type { Universe } from "../kernel/Universe.ts"
import type { Tables } from "../model/Tables.ts"
import type { EngineServer } from "../world/EngineServer.ts"
import type { Errand } from "../world/Errand.ts"
import type { EngineRequest } from "../world/engine.ts"

/** What must hold. The S's are those of the project's documentation on reliability. */
export const invariants = [
  "S1",
  "S2",
  "S3",
  "S4",
  "S5",
  "S6",
  "S7",
  "S8",
  "S9",
  "S11",
  "S12",
  /** The lease of a game whose removal may still be carried out is left to expire. */
  "unresolved",
  /** Most containers of a pass are not taken for absent, nor in the next pass, unless a person says so. */
  "brake",
  /**
   * No removal before a rehearsal of its pass has succeeded; and once a removal could not be recorded, none but those
   * that were under way, until a commit works.
   */
  "S13",
  /** A process touches only records that name its engine: it removes their containers, and moves them. */
  "S14",
  /** While a person holds a game and was told so, no removal of its container is sent. */
  "S15",
  /** A pass with a plan touches only games of it that are as they were shown. */
  "S16",
  /** By hand everything is guarded but age and backoff, and only the named game is touched. */
  "S17",
  /** From 2 seconds after somebody was told that cleaning is paused until that ends, no removal is sent. */
  "S18",
  /** An act has one row, which is there before it changes anything, and nobody else gives it a result. */
  "S19",
  /** What is asked with one key is done once: whoever comes again with it has no row, and so changes nothing. */
  "S20",
  /** What a guard refuses stays refused until a person accepts it: another engine, a braked one, a retention that is shorter. */
  "S21",
  /** No absence is believed in a pass in which nothing that should be there was, unless a person says so. */
  "witnesses",
  /** Nothing is thrown. */
  "defect",
  "liveness",
  "shutdown"
] as const
export type Invariant = (typeof invariants)[number]

export interface Violation {
  readonly invariant: Invariant
  readonly message: string
}

/** When something was asked, by the process's monotonic and wall clock: milliseconds. */
export interface Asked {
  readonly monotonic: number
  readonly wall: number
}

/** One attempt on one game by one process, as seen from outside. */
export interface Attempt {
  readonly process: Process
  readonly gameId: string
  readonly lease: Lease
  /** As it was read under the lease. */
  readonly record: RuntimeRecord | undefined
  readonly moment: Moment | undefined
  /** Somebody let the game's lease expire, and may have removed the container. */
  readonly leftBehind: boolean
  /** A person asks for this one game. */
  readonly byHand: boolean
  /** When the process had the lease and the record, by the universe's time. */
  readonly since: number
  /** The request for the lease, or for its last renewal. */
  asked: Asked
  /** How the engine last described the record's container to this process. */
  seen: Container | undefined
  readonly deletes: Array<EngineRequest>
  /** The engine carried a removal of this attempt out. */
  removed: boolean
  moved: boolean
  over: boolean
}

/** Whether the record, as it was read under the lease, may go: stopped and due, or by hand stopped and not held. */
export const mayGo = ({ byHand, moment, record }: Attempt): boolean =>
  record !== undefined &&
  moment !== undefined &&
  (byHand ? record.status === "stopped" && record.hold === null : isDue(record, moment))

/** The database's answer on its clock, with the process's wall clock before and after the question. */
export interface ClockAnswer {
  readonly database: number
  readonly before: number
  readonly after: number
}

/** One pass of one process. */
export interface Pass {
  /** By the universe's time. */
  readonly began: number
  /** A person takes absence as it is. */
  readonly acceptAbsent: boolean
  /** What should be there, once it has asked for that; which containers of it the engine has shown it since. */
  witnesses: Witnesses | undefined
  readonly shown: Set<string>
  /** Whether a container that it looked for was there, or the engine said that it has some. */
  anyThere: boolean
  /** How many games a shorter retention makes due at once, if the pass has counted them. */
  newlyDue: number | undefined
}

export const newPass = (began: number, acceptAbsent: boolean): Pass => ({
  began,
  acceptAbsent,
  witnesses: undefined,
  shown: new Set(),
  anyThere: false,
  newlyDue: undefined
})

/** What is known of one process. */
export interface Known {
  /** What a person has it for. */
  errand: Errand | undefined
  /** By game. */
  readonly attempts: Map<string, Attempt>
  readonly asked: Map<string, Asked>
  readonly clocks: Array<ClockAnswer>
  moment: Moment | undefined
  pass: Pass
  /** Attempts begun and ended in the present pass, and records moved because their container was not there. */
  begun: number
  ended: number
  absent: number
  /** Whether the present pass has rehearsed, and how many removals it has sent since one was not recorded. */
  rehearsed: boolean
  unrecorded: number | undefined
}

/** Times are milliseconds. */
export interface Bounds {
  readonly retention: number
  readonly leaseTtl: number
  readonly engineTimeout: number
  readonly maxClockSkew: number
  /** Most games at the engine at once. */
  readonly concurrency: number
  /** Whether a container was there before a time of the universe. */
  readonly isOlder: (id: string, time: number) => boolean
}

/** What the witnesses ask of the world. */
export interface Around {
  /** The engine that a process cleans. */
  readonly engineOf: (process: Process) => EngineServer
  /** Unix milliseconds. */
  readonly databaseClock: () => number
}

/** What the witnesses have in common. */
export class Evidence {
  readonly universe: Universe
  readonly tables: Tables
  readonly engineOf: Around["engineOf"]
  readonly databaseClock: Around["databaseClock"]
  readonly bounds: Bounds
  readonly violations: Array<Violation> = []
  /** How often attempts ended as each outcome or error code, passes for each reason, and leases were renewed. */
  readonly endings = new Map<string, number>()
  /** Attempts whose end has no row: the statement failed, or they were interrupted with a removal in doubt. */
  readonly unwritten = new Set<Attempt>()
  /** When the database's clock last jumped ahead, by the universe's time. */
  private jumpedAt = -Infinity
  /** Leases of which a failover has lost something. */
  private readonly lostLeases = new Set<string>()
  private readonly processes = new Map<Process, Known>()

  constructor(universe: Universe, tables: Tables, { databaseClock, engineOf }: Around, bounds: Bounds) {
    this.universe = universe
    this.tables = tables
    this.engineOf = engineOf
    this.databaseClock = databaseClock
    this.bounds = bounds
  }

  violated(invariant: Invariant, message: string) {
    this.universe.note("VIOLATION", invariant, message)
    this.violations.push({ invariant, message })
  }

  count(ending: string) {
    this.endings.set(ending, (this.endings.get(ending) ?? 0) + 1)
  }

  known(process: Process): Known {
    const known = this.processes.get(process) ?? {
      errand: undefined,
      attempts: new Map(),
      asked: new Map(),
      clocks: [],
      moment: undefined,
      pass: newPass(0, false),
      begun: 0,
      ended: 0,
      absent: 0,
      rehearsed: false,
      unrecorded: undefined
    }
    this.processes.set(process, known)
    return known
  }

  clockJumped(ahead: boolean) {
    if (ahead) this.jumpedAt = this.universe.now
  }

  leaseLost({ owner, token }: { readonly owner: string; readonly token: bigint }) {
    this.lostLeases.add(`${owner} ${token}`)
  }

  /** Whether its lease may be another's although it has not run out: by a jump of the database's clock, or a failover. */
  isCutShort({ asked, lease, process }: Attempt) {
    const askedAt = this.universe.now - (process.monotonic - asked.monotonic)
    return this.jumpedAt >= askedAt || this.lostLeases.has(`${lease.owner} ${lease.token}`)
  }
}
