import { Duration } from "effect"

/** A typing error makes many games due at once; this many more can be looked at before the next pass. */
const mostNewlyDue = 20

/** The retention as it is stored. A cutoff is whole milliseconds too, so nothing is lost. */
export const wholeMillis = (retention: Duration.Duration): Duration.Duration =>
  Duration.millis(Math.ceil(Duration.toMillis(retention)))

/** Whether games become due that would not be yet by the retention that the last pass used. */
export const isShortened = (stored: Duration.Duration | undefined, present: Duration.Duration): boolean =>
  stored !== undefined && Duration.isLessThan(wholeMillis(present), stored)

/** What a pass does about a retention other than the last one: `newlyDue` is how many games it makes due at once. */
export const judgeRetention = (
  stored: Duration.Duration | undefined,
  present: Duration.Duration,
  newlyDue: number
): "unchanged" | "store" | "refuse" => {
  if (isShortened(stored, present)) return newlyDue > mostNewlyDue ? "refuse" : "store"
  return stored !== undefined && Duration.Equivalence(stored, wholeMillis(present)) ? "unchanged" : "store"
}
