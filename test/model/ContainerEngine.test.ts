import { assert, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer, Result } from "effect"
import fc from "fast-check"
import * as DockerEngine from "../../src/adapters/docker/ContainerEngine.ts"
import * as Memory from "../../src/adapters/memory/ContainerEngine.ts"
import type { ContainerState } from "../../src/domain/Container.ts"
import { ContainerId } from "../../src/domain/ContainerId.ts"
import { ContainerEngine } from "../../src/ports/ContainerEngine.ts"
import { describeEngine, TestEngine, layer as testEngine } from "../support/docker.ts"

/** What happens to a container besides our own calls: `docker start`, `kill`, `pause`, `unpause`, `rm`. */
const transitions = {
  start: { from: ["created", "exited"], to: "running" },
  kill: { from: ["running"], to: "exited" },
  pause: { from: ["running"], to: "paused" },
  unpause: { from: ["paused"], to: "running" }
} as const satisfies Record<string, { from: ReadonlyArray<ContainerState>; to: ContainerState }>
type Transition = keyof typeof transitions

/** The containers made so far, in order; the commands speak of them by number. */
interface Names {
  readonly real: Array<ContainerId>
  readonly model: Array<ContainerId>
}

/** Every answer that a removal can have but `unknown`, which is about the way there and not about the engine. */
const removals = ["absent", "refused", "removed"]

interface Both {
  readonly names: Names
  readonly real: ContainerEngine["Service"]
  readonly model: ContainerEngine["Service"]
  readonly memory: Memory.MemoryEngine["Service"]
  readonly engine: TestEngine["Service"]
  readonly seen: Set<unknown>
}

interface Command {
  readonly run: (both: Both) => Effect.Effect<void>
  readonly text: string
}

/** fast-check's runner wants a model of its own; here the in-memory engine is the model, and lives beside the real one. */
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

const absent = ContainerId.make("0".repeat(64))
const games = ["chess", "go", "", "a b", "ü=,\"'"]

const nameOf = (ids: ReadonlyArray<ContainerId>, id: ContainerId) => ids.indexOf(id)
const idOf = (ids: ReadonlyArray<ContainerId>, number: number) => ids[number % Math.max(1, ids.length)] ?? absent

const create = (gameId: string | null): Command => ({
  text: `create(${JSON.stringify(gameId)})`,
  run: Effect.fnUntraced(function* ({ engine, memory, names }) {
    names.real.push(yield* engine.create({ gameId, state: "created" }))
    const id = ContainerId.make(names.model.length.toString(16).padStart(64, "1"))
    names.model.push(id)
    const createdAt = yield* Clock.currentTimeMillis
    yield* memory.put({ id, state: "created", gameId, createdAt, startedAt: null, finishedAt: null })
  })
})

const change = (transition: Transition, number: number): Command => ({
  text: `${transition}(${number})`,
  run: Effect.fnUntraced(function* ({ engine, memory, names }) {
    const modelId = idOf(names.model, number)
    const container = (yield* memory.containers).find(({ id }) => id === modelId)
    const { from, to } = transitions[transition]
    if (container === undefined || !(from as ReadonlyArray<ContainerState>).includes(container.state)) return
    const now = yield* Clock.currentTimeMillis
    yield* memory.put({
      ...container,
      state: to,
      ...(transition === "start" && { startedAt: now }),
      ...(transition === "kill" && { finishedAt: now })
    })
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
    const expected = yield* Effect.result(call(model, names.model))
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

const remove = (number: number) => ask(`remove(${number})`, (engine, ids) => engine.remove(idOf(ids, number)))

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

describeEngine("the in-memory engine and a real one", () => {
  it.layer(Layer.provideMerge(layerReal, testEngine), { timeout: "2 minutes", excludeTestServices: true })((it) => {
    it.effect("answer any sequence of calls alike", () =>
      Effect.gen(function* () {
        const real = yield* ContainerEngine
        const engine = yield* TestEngine
        const seen = new Set<unknown>()
        const fresh = Effect.gen(function* () {
          yield* engine.removeAll
          const context = yield* Layer.build(Memory.layer({ timeout: "15 seconds" }))
          const model = Context.get(context, ContainerEngine)
          const memory = Context.get(context, Memory.MemoryEngine)
          return { real, model, memory, engine, seen, names: { real: [], model: [] } }
        })
        const property = fc.asyncProperty(fc.commands(commands, { maxCommands: 25, size: "max" }), async (sequence) => {
          const both = await Effect.runPromise(Effect.scoped(fresh))
          await fc.asyncModelRun(() => ({ model: {}, real: both }), sequence)
        })
        yield* Effect.promise(() => Promise.resolve(fc.assert(property, { numRuns: 20 })))
        assert.deepStrictEqual(
          removals.filter((answer) => !seen.has(answer)),
          []
        )
      })
    )
  })
})
