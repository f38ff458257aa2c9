import { Data, type Effect, type Stream } from "effect"
import type { Author } from "../../domain/Act.ts"
import type { GameEnd } from "../../domain/NotDone.ts"
import type { OpSource } from "../../domain/Outcome.ts"
import type { PlanRow, Shown } from "../../domain/PlanFile.ts"
import type { RuntimeRecord } from "../../domain/RuntimeRecord.ts"
import type { Asked } from "../../ports/GameLeases.ts"
import type { Page } from "../../ports/RuntimeRecords.ts"
import type { PassError } from "../../ports/StoreError.ts"
import type { CleanupRequest } from "../game/Cleaned.ts"
import type { Recording } from "../game/Recording.ts"
import type { OpenedPass } from "./openPass.ts"

/** Which games a pass cleans. */
export type Selection = Data.TaggedEnum<{
  /** Everything that is due. */
  Due: object
  /** One game, whatever its age and backoff; if `shown` is given, only while its record is like that. */
  Game: {
    readonly gameId: string
    readonly author: Author
    readonly opSource: OpSource
    readonly shown?: Shown | undefined
  }
  /** Of these games those that are due and still as they were shown. Nothing else is touched. */
  Plan: {
    readonly rows: ReadonlyArray<PlanRow>
    /** The games that were shown to have no container any more. */
    readonly shownAsGone: ReadonlySet<string>
    readonly author: Author
    readonly opSource: OpSource
  }
}>
export const Selection = Data.taggedEnum<Selection>()

export const planOf = (
  rows: ReadonlyArray<PlanRow>,
  asked: { readonly author: Author; readonly opSource: OpSource }
) => {
  const shownAsGone = new Set(rows.flatMap(({ action, gameId }) => (action === "mark_removed" ? [gameId] : [])))
  return Selection.Plan({ rows, shownAsGone, ...asked })
}

/** What the games of a selection are drawn with. */
export interface Drawing {
  readonly opened: OpenedPass
  readonly recording: Recording
  /** Told of each page of games that are drawn. */
  readonly onPage: (page: Pick<Page, "records" | "undecodable">) => Effect.Effect<void>
  /** Told of each game that is passed over, and of each attempt that has ended. */
  readonly onGame: (end: GameEnd) => Effect.Effect<void>
}

/**
 * The games that a pass attempts, in its order. Each page is reported, and shows that the loop is alive. No game is drawn before the
 * recording of removals has been rehearsed.
 */
export type Games = Stream.Stream<RuntimeRecord, PassError>

/** The game that a person cleans whatever its age. */
export const byHandOf = (selection: Selection) => (selection._tag === "Game" ? selection.gameId : undefined)

/** What the retention is to the pass: by hand no age counts, and a plan is no reason for others to use its retention. */
export const retentionIs = (selection: Selection) =>
  (({ Due: "last", Plan: "used", Game: "nothing" }) as const)[selection._tag]

/** How many games are selected; `undefined` if it is not known how many are due. */
export const countOf = (selection: Selection, due: number | undefined) =>
  Selection.$match(selection, { Due: () => due, Game: () => 1, Plan: ({ rows }) => rows.length })

/** For whom the selected games are cleaned. */
export const askedOf = (selection: Selection, trigger: string): Asked =>
  selection._tag === "Due"
    ? { opSource: "auto_ttl", sourceRef: trigger }
    : { opSource: selection.opSource, sourceRef: selection.author }

/** What an attempt on a game is asked with besides, by how the game was selected. */
export const requestOf = (selection: Selection, record: RuntimeRecord): Pick<CleanupRequest, "byHand" | "shown"> => {
  switch (selection._tag) {
    case "Due":
      return {}
    case "Game":
      return { byHand: true, ...(selection.shown && { shown: selection.shown }) }
    case "Plan":
      // It is drawn only while its record is as shown, so that record is what was shown.
      return {
        shown: {
          containerId: record.containerId,
          lastOpAt: record.lastOpAt,
          action: selection.shownAsGone.has(record.gameId) ? "mark_removed" : "remove"
        }
      }
  }
}
