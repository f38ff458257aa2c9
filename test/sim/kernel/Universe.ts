import type { Rng } from "./Rng.ts"
import type { Trace } from "./Trace.ts"

/** Something that will happen, unless it is cancelled before. */
export interface Planned {
  cancelled: boolean
}

interface Event extends Planned {
  readonly time: number
  /** Of events at the same time, the one that was planned first happens first. */
  readonly order: number
  readonly happen: () => void
}

/** What runs code of its own once events have woken it up. */
export interface Inhabitant {
  /** Runs all that is ready, until nothing is. */
  readonly runReady: () => void
}

/** Unix milliseconds at the beginning of every history. */
export const epoch = Date.UTC(2026, 5, 1)

/** Steps in one history after which it is taken to go round in circles. */
const mostEvents = 2_000_000

/**
 * Simulated time and everything that is going to happen in it. One thread, no real time, no promise: an event happens,
 * all that it woke up runs until it waits again, then the next event happens.
 */
export class Universe {
  /** Milliseconds since the beginning. */
  now = 0
  readonly rng: Rng
  readonly trace: Trace
  private readonly heap: Array<Event> = []
  private readonly awake = new Set<Inhabitant>()
  private planned = 0

  constructor(rng: Rng, trace: Trace) {
    this.rng = rng
    this.trace = trace
  }

  /** `delay` is in milliseconds. */
  after(delay: number, happen: () => void): Planned {
    if (this.planned === mostEvents) throw new Error("this history does not come to an end")
    const event: Event = { time: this.now + Math.max(0, delay), order: this.planned++, happen, cancelled: false }
    push(this.heap, event)
    return event
  }

  wake(inhabitant: Inhabitant) {
    this.awake.add(inhabitant)
  }

  note(who: string, ...what: ReadonlyArray<unknown>) {
    this.trace.add(this.now, who, what)
  }

  /** Lets time pass until `time`, or until nothing is going to happen, or `done` says so after an event. */
  runUntil(time: number, done: () => boolean = () => false) {
    this.runAwake()
    for (let next = this.heap[0]; next !== undefined && next.time <= time; next = this.heap[0]) {
      pop(this.heap)
      if (next.cancelled) continue
      this.now = next.time
      next.happen()
      this.runAwake()
      if (done()) return
    }
    this.now = Math.max(this.now, time)
  }

  private runAwake() {
    for (const inhabitant of this.awake) {
      this.awake.delete(inhabitant)
      inhabitant.runReady()
    }
  }
}

const isBefore = (a: Event, b: Event) => a.time < b.time || (a.time === b.time && a.order < b.order)

const at = (heap: ReadonlyArray<Event>, index: number): Event => {
  const event = heap[index]
  if (event === undefined) throw new Error("outside of the heap")
  return event
}

const push = (heap: Array<Event>, event: Event) => {
  let index = heap.length
  heap.push(event)
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (!isBefore(event, at(heap, parent))) break
    heap[index] = at(heap, parent)
    index = parent
  }
  heap[index] = event
}

const pop = (heap: Array<Event>) => {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let index = 0
  for (let child = 1; child < heap.length; child = 2 * index + 1) {
    if (child + 1 < heap.length && isBefore(at(heap, child + 1), at(heap, child))) child++
    if (!isBefore(at(heap, child), last)) break
    heap[index] = at(heap, child)
    index = child
  }
  heap[index] = last
}
