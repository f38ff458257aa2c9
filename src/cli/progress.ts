import { Clock, Duration, Effect } from "effect"
import { type Progress, rate, secondsLeft } from "../domain/Progress.ts"

const everyMillis = 100

/** `done/due`, the rate and the time left, as one line without a line break. */
export const progressText = (progress: Progress): string => {
  const left = secondsLeft(progress)
  const time = left === undefined ? "?" : Duration.format(Duration.seconds(left))
  return `${progress.done}/${progress.due ?? "?"} games, ${rate(progress).toFixed(0)} a second, ${time} left`
}

/** Keeps one line on a terminal up to date, at most ten times a second, and clears it at the end of the scope. */
export const progressLine = Effect.gen(function* () {
  if (!process.stderr.isTTY) return () => Effect.void
  let shown = 0
  const write = (text: string) => Effect.sync(() => process.stderr.write(`\r\u001b[2K${text}`))
  yield* Effect.addFinalizer(() => write(""))
  return Effect.fnUntraced(function* (progress: Progress) {
    const now = yield* Clock.currentTimeMillis
    if (now - shown < everyMillis && progress.done !== progress.due) return
    shown = now
    yield* write(progressText(progress))
  })
})
