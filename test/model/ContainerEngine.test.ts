import { assert, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer, Result } from "effect"
import fc from "fast-check"
import * as DockerEngine from "../../src/adapters/docker/ContainerEngine.ts"
import * as Memory from "../../src/adapters/memory/ContainerEngine.ts"
import type { ContainerState } from "../../src/domain/Container.ts"
import type { ContainerId } from "../../src/domain/ContainerId.ts"
import { ContainerEngine } from "../../src/ports/ContainerEngine.ts"
import { resultOf } from "../ports/ContainerEngineSuite.ts"
import { makeEngine } from "../sim/alone.ts"
import { describeEngine, TestEngine, layer as testEngine } from "../support/docker.ts"
import { containerId } from "../support/records.ts"

/** What happens to a container besides our own calls: `docker start`, `kill`, `pause`, `unpause`. */
type Transition = "start" | "kill" | "pause" | "unpause"

/** A model of the engine, with the ways past its port. */
interface Model {
  readonly engine: ContainerEngine["Service"]
  readonly create: (id: ContainerId, gameId: string | null) => Effect.Effect<void>
  /** Whether the container was in a state for it. */
  readonly change: (transition: Transition, id: ContainerId) => Effect.Effect<boolean>
}

const transitions = {
  start: { from: ["created", "exited"], to: "running" },
  kill: { from: ["running"], to: "exited" },
  pause: { from: ["running"], to: "paused" },
  unpause: { from: ["paused"], to: "running" }
} as const satisfies Record<Transition, { from: ReadonlyArray<ContainerState>; to: ContainerState }>

/** The engine of the demo and of the tests. */
const inMemory: Effect.Effect<Model> = Effect.scoped(
  Effect.gen(function* () {
    const context = yield* Layer.build(Memory.layer({ timeout: "15 seconds" }))
    const memory = Context.get(context, Memory.MemoryEngine)
    return {
      engine: Context.get(context, ContainerEngine),
      create: Effect.fnUntraced(function* (id, gameId) {
        const createdAt = yield* Clock.currentTimeMillis
        yield* memory.put({ id, state: "created", gameId, createdAt, startedAt: null, finishedAt: null })
      }),
      change: Effect.fnUntraced(function* (transition, id) {
        const container = (yield* memory.containers).find((container) => container.id === id)
        const { from, to } = transitions[transition]
        if (container === undefined || !(from as ReadonlyArray<ContainerState>).includes(container.state)) return false
        const now = yield* Clock.currentTimeMillis
        yield* memory.put({
          ...container,
          state: to,
          ...(transition === "start" && { startedAt: now }),
          ...(transition === "kill" && { finishedAt: now })
        })
        return true
      })
    }
  })
)

/** The engine of the simulation. */
const simulated: Effect.Effect<Model> = Effect.sync(() => {
  const { daemon, engine, now } = makeEngine()
  return {
    engine,
    create: (id, gameId) => Effect.sync(() => daemon.create(id, gameId, now())),
    change: (transition, id) =>
      Effect.sync(() => {
        if (transition === "start") return daemon.start(id, now()) === "done"
        if (transition === "pause") return daemon.pause(id) === "done"
        if (transition === "unpause") return daemon.unpause(id) === "done"
        return daemon.inspect(id)?.state === "running" && daemon.stop(id, now()) === "done"
      })
  }
})

/** The containers made so far, in order; the commands speak of them by number. */
interface Names {
  readonly real: Array<ContainerId>
  readonly model: Array<ContainerId>
}

/** Every answer that a removal can have but `unknown`, which is about the way there and not about the engine. */
const removals = ["absent", "refused by the engine", "removed"]

interface Both {
  readonly names: Names
  readonly real: ContainerEngine["Service"]
  readonly model: Model
  readonly engine: TestEngine["Service"]
  readonly seen: Set<unknown>
}

interface Command {
  readonly run: (both: Both) => Effect.Effect<void>
  readonly text: string
}

/** fast-check's runner wants a model of its own; here it lives beside the real engine. */
class Step implements fc.AsyncCommand<object, Both> {
  readonly command: Command
  constructor(command: Command) {
    this.command = command
  }
  check() {
    return true
  }
  run(_: object, both: Both) {
    return Effect.runPromise(this.command.run(both))
  }
  toString() {
    return this.command.text
  }
}

const absent = containerId("0")
const games = ["chess", "go", "", "a b", "ü=,\"'"]

const nameOf = (ids: ReadonlyArray<ContainerId>, id: ContainerId) => ids.indexOf(id)
const idOf = (ids: ReadonlyArray<ContainerId>, number: number) => ids[number % Math.max(1, ids.length)] ?? absent

const create = (gameId: string | null): Command => ({
  text: `create(${JSON.stringify(gameId)})`,
  run: Effect.fnUntraced(function* ({ engine, model, names }) {
    names.real.push(yield* engine.create({ gameId, state: "created" }))
    const id = containerId(names.model.length + 1)
    names.model.push(id)
    yield* model.create(id, gameId)
  })
})

const change = (transition: Transition, number: number): Command => ({
  text: `${transition}(${number})`,
  run: Effect.fnUntraced(function* ({ engine, model, names }) {
    if (!(yield* model.change(transition, idOf(names.model, number)))) return
    const real = engine.docker.getContainer(idOf(names.real, number))
    yield* Effect.promise(async () => {
      await real[transition]()
      if (transition === "kill") await real.wait()
    })
  })
})

/** One call of the port on both engines; what they answer must be the same but for ids and times. */
const ask = (
  text: string,
  call: (engine: ContainerEngine["Service"], ids: ReadonlyArray<ContainerId>) => Effect.Effect<unknown, unknown>
): Command => ({
  text,
  run: Effect.fnUntraced(function* ({ model, names, real, seen }) {
    const expected = yield* Effect.result(call(model.engine, names.model))
    if (Result.isSuccess(expected)) seen.add(expected.success)
    assert.deepStrictEqual(yield* Effect.result(call(real, names.real)), expected)
  })
})

const inspect = (number: number) =>
  ask(`inspect(${number})`, (engine, ids) =>
    Effect.map(engine.inspect(idOf(ids, number)), (container) =>
      container === undefined
        ? "absent"
        : {
            state: container.state,
            gameId: container.gameId,
            started: container.startedAt !== null,
            finished: container.state === "running" || container.state === "paused" || container.finishedAt !== null
          }
    )
  )

const find = (gameId: string) =>
  ask(`find(${JSON.stringify(gameId)})`, (engine, ids) =>
    Effect.map(engine.findByGame(gameId), (found) => found.map((id) => nameOf(ids, id)).sort())
  )

const remove = (number: number) =>
  ask(`remove(${number})`, (engine, ids) => Effect.map(engine.remove(idOf(ids, number)), resultOf))

const number = fc.nat({ max: 3 })
const commands = [
  fc.constantFrom(...games, null).map(create),
  fc.tuple(fc.constantFrom<Transition>("start", "kill", "pause", "unpause"), number).map(([t, n]) => change(t, n)),
  fc.constantFrom<Transition>("start").chain((t) => number.map((n) => change(t, n))),
  number.map(inspect),
  number.map(remove),
  fc.constantFrom(...games).map(find)
].map((arbitrary) => arbitrary.map((command) => new Step(command)))

const layerReal = Layer.unwrap(
  Effect.map(TestEngine, ({ host, gameLabel }) => DockerEngine.layer({ host, gameLabel, timeout: "15 seconds" }))
)

describeEngine("a model of the engine and a real one", () => {
  it.layer(Layer.provideMerge(layerReal, testEngine), { excludeTestServices: true })((it) => {
    it.effect.each([
      ["in memory", inMemory],
      ["of the simulation", simulated]
    ] as const)("answer any sequence of calls alike: the one %s", ([, makeModel]) =>
      Effect.gen(function* () {
        const real = yield* ContainerEngine
        const engine = yield* TestEngine
        const seen = new Set<unknown>()
        const fresh = Effect.gen(function* () {
          yield* engine.removeAll
          return { real, model: yield* makeModel, engine, seen, names: { real: [], model: [] } }
        })
        const property = fc.asyncProperty(fc.commands(commands, { maxCommands: 25, size: "max" }), async (sequence) => {
          const both = await Effect.runPromise(fresh)
          await fc.asyncModelRun(() => ({ model: {}, real: both }), sequence)
        })
        // The same sequences every time, which reach every answer, and then others.
        for (const parameters of [{ seed: 3 }, {}]) {
          yield* Effect.promise(() => Promise.resolve(fc.assert(property, { numRuns: 10, ...parameters })))
        }
        assert.deepStrictEqual(
          removals.filter((answer) => !seen.has(answer)),
          []
        )
      })
    )
  })
})
