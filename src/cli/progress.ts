import { Clock, Duration, Effect } from "effect"
import type { Progress } from "../cleanup/CleanupPass.ts"

const everyMillis = 100

/** `done/due`, the rate and the time left, as one line without its end. */
export const progressText = ({ done, due }: Progress, seconds: number): string => {
  const rate = seconds > 0 ? done / seconds : 0
  const left =
    rate > 0 && due !== undefined ? Duration.format(Duration.seconds(Math.ceil(Math.max(0, due - done) / rate))) : "?"
  return `${done}/${due ?? "?"} games, ${rate.toFixed(0)} a second, ${left} left`
}

/** Keeps one line on a terminal up to date, at most ten times a second, and clears it at the end of the scope. */
export const progressLine = Effect.gen(function* () {
  if (!process.stderr.isTTY) return () => Effect.void
  const started = yield* Clock.currentTimeMillis
  let shown = 0
  const write = (text: string) => Effect.sync(() => process.stderr.write(`\r\u001b[2K${text}`))
  yield* Effect.addFinalizer(() => write(""))
  return Effect.fnUntraced(function* (progress: Progress) {
    const now = yield* Clock.currentTimeMillis
    if (now - shown < everyMillis && progress.done !== progress.due) return
    shown = now
    yield* write(progressText(progress, (now - started) / 1000))
  })
})
