import type { Point } from "./sections/curve.ts"
import type { DrainResult } from "./sections/drain.ts"
import type { EngineResult } from "./sections/engine.ts"
import type { IdleResult } from "./sections/idle.ts"
import type { ListingResult } from "./sections/listing.ts"

/** The raw figures of the sections that were run. */
export interface Results {
  readonly curve: ReadonlyArray<Point> | undefined
  readonly engine: EngineResult | undefined
  readonly listing: ListingResult | undefined
  readonly drain: DrainResult | undefined
  readonly idle: IdleResult | undefined
  /** Milliseconds. */
  readonly ready: ReadonlyArray<number> | undefined
}
