import { Effect, Ref, Stream } from "effect"
import { print } from "./print.ts"

interface Printing<A> {
  readonly json: boolean
  readonly toJson: (row: A) => string
  /** The lines of a page that comes after so many rows. */
  readonly toText: (page: ReadonlyArray<A>, before: number) => string
}

/**
 * Prints rows page by page as they come, and takes no more of them when nobody reads on. The JSON is one array all the same. Gives the
 * number of rows; `undefined` if the reader is gone.
 */
export const printPages = Effect.fnUntraced(function* <A, E, R>(
  pages: Stream.Stream<ReadonlyArray<A>, E, R>,
  { json, toJson, toText }: Printing<A>
) {
  const printed = yield* Ref.make(0)
  const isRead = yield* Ref.make(true)
  const text = (page: ReadonlyArray<A>, before: number) =>
    json ? page.map((row, i) => `${before + i === 0 ? "[" : ","}${toJson(row)}`).join("\n") : toText(page, before)
  yield* pages.pipe(
    Stream.filter((page) => page.length > 0),
    Stream.runForEachWhile((page) =>
      Ref.getAndUpdate(printed, (before) => before + page.length).pipe(
        Effect.flatMap((before) => print(text(page, before))),
        Effect.tap((goesOn) => Ref.set(isRead, goesOn))
      )
    )
  )
  const count = yield* Ref.get(printed)
  if (!(yield* Ref.get(isRead))) return undefined
  if (json) yield* print(count === 0 ? "[]" : "]")
  return count
})
