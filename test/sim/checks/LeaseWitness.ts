import type { Moment } from "../../../src/domain/Expiry.ts"
import type { Acquired } from "../../../src/ports/GameLeases.ts"
import type { Process } from "../kernel/Process.ts"
import type { Asked, ClockAnswer, Evidence } from "./Evidence.ts"

type Leased = Extract<Acquired, { readonly _tag: "Leased" }>

/** Sees what a pass goes by: the clocks and its moment, and each game's lease and record. */
export class LeaseWitness {
  private readonly evidence: Evidence

  constructor(evidence: Evidence) {
    this.evidence = evidence
  }

  clock(process: Process, answer: ClockAnswer) {
    const { clocks } = this.evidence.known(process)
    clocks.push(answer)
    if (clocks.length > 20) clocks.shift()
  }

  /** A page of games is asked for, or an attempt begins, by this moment of its pass: the first half of S3. */
  goesBy(process: Process, moment: Moment) {
    const { evidence } = this
    const { retention, maxClockSkew } = evidence.bounds
    const known = evidence.known(process)
    known.moment = moment
    if (moment.cutoff !== Math.floor(moment.now - retention)) {
      evidence.violated("S3", "the cutoff is not the pass's moment minus retention")
    }
    const isBorneOut = known.clocks.some(
      ({ database, before, after }) =>
        moment.now <= Math.min(database, before, after) &&
        before - database <= maxClockSkew &&
        database - after <= maxClockSkew
    )
    if (!isBorneOut) evidence.violated("S3", `${process.name} goes by a moment that its clocks do not bear out`)
  }

  asks(process: Process, gameId: string, asked: Asked) {
    this.evidence.known(process).asked.set(gameId, asked)
  }

  holds(process: Process, { lease, record, leftBy }: Leased) {
    const known = this.evidence.known(process)
    const { gameId } = lease
    const wish = known.errand?.wish
    known.attempts.set(gameId, {
      process,
      byHand: wish?.act === "clean" && wish.gameId === gameId,
      gameId,
      lease,
      record,
      moment: known.moment,
      leftBehind: leftBy !== undefined,
      since: this.evidence.universe.now,
      asked: known.asked.get(gameId) ?? { monotonic: 0, wall: 0 },
      seen: undefined,
      deletes: [],
      removed: false,
      moved: false,
      over: false
    })
  }

  renewed(process: Process, gameId: string, asked: Asked) {
    this.evidence.count("lease renewed")
    const attempt = this.evidence.known(process).attempts.get(gameId)
    if (attempt !== undefined) attempt.asked = asked
  }

  rehearsed(process: Process) {
    this.evidence.known(process).rehearsed = true
  }

  /** What the database made of a commit, as far as the process was told. */
  committed(process: Process, gameId: string, isRecorded: boolean) {
    const known = this.evidence.known(process)
    if (isRecorded) known.unrecorded = undefined
    else if (known.attempts.get(gameId)?.deletes.length) known.unrecorded ??= 0
  }

  /** The statement that would have ended an attempt failed. */
  couldNotWrite(process: Process, gameId: string) {
    const attempt = this.evidence.known(process).attempts.get(gameId)
    if (attempt !== undefined) this.evidence.unwritten.add(attempt)
  }
}
