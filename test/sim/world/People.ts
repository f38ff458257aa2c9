import { Cause, Duration, Effect, Exit } from "effect"
import { Author, Reason } from "../../../src/domain/Act.ts"
import { isOldFormOf } from "../../../src/domain/EngineId.ts"
import type { PlanFile } from "../../../src/domain/PlanFile.ts"
import { ActKey } from "../../../src/operator/act.ts"
import type { HoldEnd } from "../../../src/ports/Holds.ts"
import type { Process } from "../kernel/Process.ts"
import type { RecordRow } from "../model/Tables.ts"
import type { EngineServer } from "./EngineServer.ts"
import { carryOut, type Errand, type Wish } from "./Errand.ts"
import type { Fleet } from "./Fleet.ts"
import type { Scene } from "./incidents.ts"
import { command } from "./Replica.ts"
import { acts } from "./rtmanager.ts"
import type { World } from "./World.ts"

/** What acts come to. */
export const actEnds = [
  "hold done",
  "hold waited",
  "hold refused",
  "hold failed",
  "hold repeated",
  "hold killed",
  "hold interrupted",
  "release done",
  "release refused",
  "release failed",
  "release repeated",
  "release killed",
  "pause done",
  "pause failed",
  "pause repeated",
  "pause killed",
  "resume done",
  "resume refused",
  "resume failed",
  "resume repeated",
  "resume killed",
  "clean done",
  "clean removed",
  "clean refused",
  "clean failed",
  "clean repeated",
  "clean killed",
  "clean interrupted",
  "engine_accept done",
  "engine_accept failed",
  "engine_accept repeated",
  "engine_accept killed",
  "retention_accept done",
  "retention_accept failed",
  "retention_accept repeated",
  "retention_accept killed",
  "plan done",
  "plan_apply done",
  "plan_apply removed",
  "plan_apply rows_changed",
  "plan_apply refused",
  "plan_apply failed",
  "plan_apply repeated",
  "plan_apply killed",
  "plan_apply interrupted"
] as const
export type ActEnd = (typeof actEnds)[number]

/** What people want to do, as often as it stands here. */
const wants = [
  "hold",
  "hold",
  "hold",
  "hold",
  "release",
  "pause",
  "resume",
  "clean",
  "clean",
  "plan",
  "plan",
  "plan",
  "engine_accept",
  "engine_accept",
  "retention_accept"
] as const
export type Want = (typeof wants)[number]

/** The calls of a replica that an act is drawn to. */
const calls = ["acquire", "reread", "inspect", "remove", "remove", "commit", "identity", "listDue"]

/** What can become of a game between a plan and its application. */
const changes = [
  "started_again",
  "started_in_new_container",
  "record_repointed",
  "record_on_another_engine",
  "record_vanished",
  "record_changed_oddly",
  "lease_of_rtmanager"
] as const

const authors = ["ann@desk", "bob@desk"].map((author) => Author.make(author))

const planId = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`

/** Those who act on games by hand, each time in a process of their own. */
export class People {
  /** How often each end came. */
  readonly ends = new Map<string, number>()
  private readonly world: World
  private readonly fleet: Fleet
  private started = 0
  private plans = 0

  constructor(world: World, fleet: Fleet) {
    this.world = world
    this.fleet = fleet
  }

  /** When a person wants what. */
  draw(): { readonly want: Want; readonly call: string | undefined } {
    const { rng } = this.world.universe
    return { want: rng.pick(wants), call: rng.chance(0.7) ? rng.pick(calls) : undefined }
  }

  want(want: Want, scene: Pick<Scene, "engine" | "gameId">) {
    const { engine } = scene
    const gameId = this.gameAt(scene)
    const { database, plan, universe } = this.world
    const { rng } = universe
    switch (want) {
      case "hold":
        return this.start({ act: want, gameId: rng.chance(0.1) ? "game-unknown" : gameId, end: this.holdEnd() }, engine)
      case "release": {
        const held = rng.chance(0.8) ? [...database.tables.holds.values()] : []
        const wish = { act: want, gameId: held.length === 0 ? gameId : rng.pick(held).gameId } as const
        return this.start({ ...wish, now: rng.chance(0.6), all: rng.chance(0.5) }, engine)
      }
      case "pause": {
        const duration = rng.chance(0.5) ? Duration.millis(rng.int(1, plan.interval * 2)) : undefined
        this.start({ act: want, duration }, engine)
        if (rng.chance(0.8)) {
          universe.after(rng.int(1000, plan.interval * 2), () => {
            if (this.world.faults.on) this.start({ act: "resume" }, engine)
          })
        }
        return
      }
      case "resume":
      case "engine_accept":
      case "retention_accept":
        return this.start({ act: want }, engine)
      case "clean":
        return this.start({ act: want, gameId }, this.engineOf(gameId) ?? engine)
      case "plan":
        return this.makePlan(engine, 20)
    }
  }

  /** Once what goes wrong is over: every hold ends now, and so do the pause and what a guard refuses. */
  endAll() {
    const { database, engines } = this.world
    const [engine] = engines
    if (engine === undefined) return
    const inForce = ({ until }: { readonly until: number | null }) => until === null || until > database.clock
    const { holds, pause } = database.tables
    const held = [...holds.values()].filter(inForce).map(({ gameId }) => gameId)
    for (const gameId of new Set(held)) {
      this.start({ act: "release", gameId, now: true, all: true }, engine)
    }
    if (pause !== undefined && inForce(pause)) this.start({ act: "resume" }, engine)
    for (const one of engines) {
      const known = database.tables.engines.get(one.name)
      const { own } = one.home
      if (known === undefined) continue
      if (known.id !== own && !isOldFormOf(known.id, own)) this.start({ act: "engine_accept" }, one)
      if ((known.retention ?? 0) > this.world.plan.retention) this.start({ act: "retention_accept" }, one)
    }
  }

  /** The one that a replica is at, or one that may go. */
  private gameAt({ gameId }: Pick<Scene, "gameId">) {
    const { database, universe } = this.world
    const stopped = [...database.tables.records.values()].filter(({ status }) => status === "stopped")
    return stopped.length === 0 || universe.rng.chance(0.6) ? gameId : universe.rng.pick(stopped).gameId
  }

  private holdEnd(): HoldEnd {
    const { database, plan, universe } = this.world
    const { rng } = universe
    if (rng.chance(0.4)) return null
    const millis = rng.pick([rng.int(1, 5000), rng.int(1, plan.interval), rng.int(1, plan.interval * 4)])
    return rng.chance(0.7) ? Duration.millis(millis) : new Date(Math.floor(database.clock) + millis - 1000)
  }

  private engineOf(gameId: string) {
    return this.world.universe.rng.chance(0.9)
      ? this.world.engineNamed(this.world.database.tables.records.get(gameId)?.engine)
      : undefined
  }

  /** Best once there is something to show. */
  private makePlan(engine: EngineServer, patience: number) {
    const { database, faults, plan, universe } = this.world
    if (!faults.on) return
    const cutoff = BigInt(Math.floor(database.clock - plan.retention)) * 1000n
    const isDue = ({ engine: name, lastOpAt, status }: RecordRow) =>
      name === engine.name && status === "stopped" && lastOpAt !== null && lastOpAt < cutoff
    const later = () => {
      universe.after(Math.floor(plan.interval / 7), () => this.makePlan(engine, patience - 1))
    }
    if (patience > 0 && ![...database.tables.records.values()].some(isDue)) return later()
    this.start({ act: "plan", id: planId(++this.plans) }, engine, (made) =>
      patience > 0 && made.games.length === 0 ? later() : this.apply(made, engine)
    )
  }

  /** A plan is applied later, or again and again, or by several at once. Much can happen meanwhile. */
  private apply(plan: PlanFile, engine: EngineServer) {
    const { engines, faults, universe, plan: drawn } = this.world
    const { rng } = universe
    const first = rng.pick([rng.int(1, 1000), rng.int(1, 5000), rng.int(1, drawn.interval * 3)])
    const kinds = changes.filter((kind) => faults.has(kind))
    if (plan.games.length > 0 && kinds.length > 0 && rng.chance(0.7)) {
      const [kind, { gameId }] = [rng.pick(kinds), rng.pick(plan.games)]
      universe.after(rng.int(0, first), () => {
        if (faults.on && acts[kind](this.world, gameId)) faults.took(kind)
      })
    }
    const between = rng.pick([0, rng.int(1, 5000), rng.int(1, drawn.interval)])
    for (let time = first, left = rng.pick([1, 1, 2, 2, 3]); left > 0; left--, time += between) {
      const where = rng.chance(0.95) ? engine : rng.pick(engines)
      universe.after(time, () => {
        if (faults.on) this.start({ act: "plan_apply", plan }, where)
      })
    }
  }

  /** Some requests come again, when their answer is late or lost. */
  private start(wish: Wish, engine: EngineServer, made?: (plan: PlanFile) => void) {
    const { faults, universe } = this.world
    const { rng } = universe
    const author = rng.pick(authors)
    if (wish.act === "plan" || !rng.chance(0.3)) return this.begin({ wish, author, key: undefined }, engine, made)
    const key = { key: `key-${this.started}`, requestHash: "of what is asked" }
    this.begin({ wish, author, key }, engine)
    for (let left = rng.int(1, 2); left > 0; left--) {
      universe.after(rng.pick([rng.int(0, 200), rng.int(0, 60_000)]), () => {
        if (faults.on) this.begin({ wish, author, key }, engine)
      })
    }
  }

  private begin(asked: Pick<Errand, "wish" | "author" | "key">, engine: EngineServer, made?: (plan: PlanFile) => void) {
    const { faults, looked, plan, universe, witness } = this.world
    const { rng } = universe
    const { wish } = asked
    const accepts = wish.act === "engine_accept"
    // A person accepts no engine but the right one with all that it has.
    if (accepts && (engine.present.identity !== engine.home.own || engine.home.hidesAny)) return
    if (accepts) looked.push(engine)
    const name = `person-${++this.started}`
    const errand: Errand = {
      ...asked,
      reason: Reason.make(`what ${name} wants`),
      began: universe.now,
      ended: undefined
    }
    const count = (end: string) => this.ends.set(`${wish.act} ${end}`, (this.ends.get(`${wish.act} ${end}`) ?? 0) + 1)
    const over = (end: string) => {
      if (errand.ended !== undefined) return
      errand.ended = universe.now
      if (accepts) looked.splice(looked.indexOf(engine), 1)
      universe.note(name, wish.act, end)
      count(end)
    }
    const work = carryOut(errand, plan, count).pipe(
      Effect.provideService(ActKey, errand.key),
      Effect.tap((plan) =>
        Effect.sync(() => {
          witness.acknowledged(errand)
          over("done")
          if (plan !== undefined) made?.(plan)
        })
      ),
      Effect.onExit((exit) => Effect.sync(() => over(endOf(exit))))
    )
    const stopAfter = faults.on && rng.chance(0.3) ? rng.int(1, wish.act === "clean" ? 20 : 6) : Infinity
    let sent = 0
    const { onSend, sabotage } = this.fleet.options
    const options = {
      sabotage,
      onSend: (one: Parameters<typeof onSend>[0]) => {
        onSend(one)
        if (++sent === stopAfter) this.stopSoon(process, () => over("killed"))
      }
    }
    universe.note(name, "is to", wish)
    const process: Process = command(this.world, name, engine, options, errand, work, () => over("interrupted"))
  }

  /** Killed, or told to stop. */
  private stopSoon(process: Process, killed: () => void) {
    const { plan, universe } = this.world
    const { rng } = universe
    const isKilled = rng.chance(0.7)
    universe.after(rng.int(0, plan.latency * 3), () => {
      if (process.state === "dead") return
      if (!isKilled) return process.terminate(() => {})
      process.kill()
      killed()
    })
  }
}

const endsOf: Readonly<Record<string, string>> = { ActRefused: "refused", ActRepeated: "repeated" }

const endOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>) => {
  if (Exit.isSuccess(exit)) return "done"
  const [fail] = exit.cause.reasons.filter(Cause.isFailReason)
  if (fail !== undefined) return endsOf[fail.error._tag] ?? "failed"
  return Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failed"
}
