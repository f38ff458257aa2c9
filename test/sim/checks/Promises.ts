import type { Errand } from "../world/Errand.ts"

interface Promised {
  readonly errand: Errand
  /** Unix milliseconds by the database's clock; `null`: until a person ends it. */
  end: number | null
  /** By the universe's time; `undefined`: nobody was told yet that it is in force. */
  acknowledgedAt: number | undefined
  /** What it has replaced. Until it is acknowledged itself, people rely on that. */
  earlier: Promised | undefined
}

/** Its process was gone before the later errand began, so what it sent must not undo that. */
const isStale = (errand: Errand, later: Errand) => errand.ended !== undefined && errand.ended <= later.began

const chain = (promised: Promised | undefined): ReadonlyArray<Promised> =>
  promised === undefined ? [] : [promised, ...chain(promised.earlier)]

const sooner = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.min(a, b))

/**
 * What acts have promised that lasts until an end, or until another act ends it. It hears of every statement that an act was
 * carried out by, so it does not depend on what is in the tables later.
 */
export class Promises {
  private readonly promises = new Map<string, Promised>()
  private readonly placedBy = new Set<Errand>()

  get keys() {
    return this.promises.keys()
  }

  placed(key: string, errand: Errand, end: number | null) {
    this.placedBy.add(errand)
    const now = this.promises.get(key)
    // The same statement, sent again.
    if (now?.errand === errand) now.end = end
    else if (now === undefined || !isStale(errand, now.errand)) {
      this.promises.set(key, { errand, end, acknowledgedAt: undefined, earlier: now })
    }
  }

  /** A person ends it at this time, which may be over. */
  ended(key: string, errand: Errand, end: number) {
    const now = this.promises.get(key)
    if (now === undefined || isStale(errand, now.errand)) return
    for (const promised of chain(now)) promised.end = sooner(promised.end, end)
  }

  /** Its own act takes it back: what was promised before stands. */
  withdrawn(key: string, errand: Errand) {
    const now = this.promises.get(key)
    if (now?.errand === errand) this.put(key, now.earlier)
  }

  /** Somebody was told that it is in force: by the act's own promise, or by one that lasts longer and so was left. */
  acknowledged(key: string, errand: Errand, at: number) {
    const [now, ...earlier] = chain(this.promises.get(key))
    if (now === undefined) return
    const own = this.placedBy.has(errand) ? [now, ...earlier].find((promised) => promised.errand === errand) : now
    if (own !== undefined) own.acknowledgedAt ??= at
  }

  /** A server went with its last commits: what is left is of the act with this reason, or nothing is. */
  lost(key: string, left: { readonly reason: string; readonly until: number | null } | undefined) {
    const promised = chain(this.promises.get(key)).find(({ errand }) => errand.reason === left?.reason)
    if (promised !== undefined && left !== undefined) promised.end = sooner(left.until, promised.end)
    this.put(key, promised)
  }

  /** What has ended by the database's clock has ended for good, whatever that clock says later. */
  clockSaid(now: number) {
    for (const promised of [...this.promises.values()].flatMap(chain)) {
      if (promised.end !== null && promised.end <= now) promised.end = -Infinity
    }
  }

  /** Since when it is in force and somebody was told so, by the universe's time; `undefined` if that is not so. */
  inForceSince(key: string, now: number): number | undefined {
    const since = (promised: Promised | undefined): number | undefined => {
      if (promised === undefined || (promised.end !== null && promised.end <= now)) return undefined
      const times = [promised.acknowledgedAt, since(promised.earlier)].filter((time) => time !== undefined)
      return times.length === 0 ? undefined : Math.min(...times)
    }
    return since(this.promises.get(key))
  }

  private put(key: string, promised: Promised | undefined) {
    if (promised === undefined) this.promises.delete(key)
    else this.promises.set(key, promised)
  }
}
