import { type EndedAttempt, outcomes, rules } from "../../../src/domain/Outcome.ts"
import type { PassReport } from "../../../src/domain/PassReport.ts"
import type { Witnesses } from "../../../src/ports/RuntimeRecords.ts"
import type { Process } from "../kernel/Process.ts"
import { type Evidence, newPass } from "./Evidence.ts"

/** Sees how attempts and passes end: S11. */
export class PassWitness {
  /** When a pass last ended well, by process and the universe's time. */
  readonly lastGood = new Map<Process, number>()
  /** Milliseconds; whoever wants it to begin again sets it to 0. */
  longest = 0
  private readonly evidence: Evidence

  constructor(evidence: Evidence) {
    this.evidence = evidence
  }

  passBegins(process: Process, acceptAbsent: boolean) {
    const known = this.evidence.known(process)
    known.pass = newPass(this.evidence.universe.now, acceptAbsent)
    known.rehearsed = false
    known.unrecorded = undefined
  }

  asksFor(process: Process, witnesses: Witnesses) {
    this.evidence.known(process).pass.witnesses = witnesses
  }

  sees(process: Process, id: string) {
    const { pass } = this.evidence.known(process)
    if (pass.witnesses?.others.some((other) => other === id)) pass.shown.add(id)
    pass.anyThere = true
  }

  counts(process: Process, containers: number) {
    if (containers > 0) this.evidence.known(process).pass.anyThere = true
  }

  /** Whether it is at work on a game. */
  isBusy(process: Process) {
    const { begun, ended } = this.evidence.known(process)
    return begun > ended
  }

  begins(process: Process) {
    this.evidence.known(process).begun++
  }

  ends(process: Process, cleaned: EndedAttempt) {
    const { evidence } = this
    const { gameId, outcome, errorCode, message } = cleaned
    evidence.universe.note(process.name, gameId, outcome, errorCode ?? "", message)
    evidence.count(errorCode ?? outcome)
    const known = evidence.known(process)
    known.ended++
    const attempt = known.attempts.get(gameId)
    const isOpen = attempt !== undefined && !attempt.over
    if (attempt !== undefined) attempt.over = true
    if (attempt !== undefined && outcome === "interrupted" && cleaned.unresolved) evidence.unwritten.add(attempt)

    if (!outcomes.includes(outcome)) evidence.violated("S11", `${gameId} ended as ${outcome}`)
    if (errorCode !== null && rules[errorCode].outcome !== outcome) {
      evidence.violated("S11", `${gameId} ended as ${outcome} with ${errorCode}`)
    }
    if (errorCode === "internal_error") evidence.violated("defect", `${gameId}: ${message}`)
    if ((outcome === "removed" || outcome === "already_absent") && !(isOpen && attempt.moved)) {
      evidence.violated("S11", `${gameId} ended as ${outcome}, but its record did not move`)
    }
    if (outcome === "removed" && !attempt?.removed) {
      evidence.violated("S11", `${gameId} ended as removed, but not by ${process.name}`)
    }
  }

  passEnded(process: Process, report: PassReport) {
    const { evidence } = this
    const { result, listed, undecodable, notAttempted, message, reason } = report
    evidence.universe.note(process.name, "pass", result, message ?? "", report.outcomes)
    if (message !== null) evidence.count(`pass ended: ${reason ?? "StoreError"}`)
    const known = evidence.known(process)
    const sum = Object.values(report.outcomes).reduce((total, count) => total + count, 0)
    if (listed !== undecodable + notAttempted + sum || notAttempted < 0) {
      evidence.violated("S11", `${listed} listed, ${sum} ended, ${notAttempted} left, ${undecodable} undecodable`)
    }
    if (known.ended !== sum || known.begun !== sum) {
      evidence.violated("S11", `a pass counted ${sum} of ${known.begun} attempts, of which ${known.ended} ended`)
    }
    known.begun = 0
    known.ended = 0
    known.absent = 0
    for (const [gameId, attempt] of known.attempts) if (attempt.over) known.attempts.delete(gameId)
    this.longest = Math.max(this.longest, evidence.universe.now - known.pass.began)
    if (result === "success" || result === "partial") this.lastGood.set(process, evidence.universe.now)
  }
}
