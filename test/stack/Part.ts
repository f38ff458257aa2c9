import { type ChildProcess, spawn } from "node:child_process"
import { text } from "node:stream/consumers"
import { Effect, type Scope } from "effect"
import { demand, eventually, failed, type StackFailed } from "./demand.ts"

/** A program that can be stopped and started again. It is killed with the scope. */
export interface Part {
  /** Returns when it answers. */
  readonly start: Effect.Effect<void, StackFailed>
  /** Returns when it has ended. */
  readonly stop: (signal: NodeJS.Signals) => Effect.Effect<void>
}

const answers = (url: string) =>
  Effect.promise(() =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false
    )
  )

/** `answersAt` is a URL that it serves once it is ready. */
export const makePart = (
  file: string,
  args: ReadonlyArray<string>,
  answersAt: string
): Effect.Effect<Part, never, Scope.Scope> =>
  Effect.gen(function* () {
    let running: { readonly child: ChildProcess; readonly said: Promise<string> } | undefined
    const stop = (signal: NodeJS.Signals) =>
      Effect.promise(async () => {
        running?.child.kill(signal)
        await running?.said
        running = undefined
      })
    yield* Effect.addFinalizer(() => stop("SIGKILL"))
    const start = Effect.gen(function* () {
      const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] })
      const part = { child, said: text(child.stderr) }
      running = part
      const ready = Effect.map(answers(answersAt), (answered) => answered || child.exitCode !== null)
      yield* eventually(`an answer of ${file} at ${answersAt}`, ready, (over) => over)
      if (child.exitCode === null) return
      const said = yield* Effect.promise(() => part.said)
      yield* Effect.fail(failed(`${file} ended with ${child.exitCode}:\n${said.slice(-2000)}`))
    })
    return {
      start: Effect.andThen(
        Effect.suspend(() => demand(running === undefined, `${file} runs already`)),
        start
      ),
      stop
    }
  })
