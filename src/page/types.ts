import type { TemplateResult } from "lit-html"
import type { RecordedAct } from "../domain/Act.ts"
import type { Caller as CallerSchema } from "../domain/Caller.ts"
import type { GamePage as GamePageSchema } from "../domain/GamePage.ts"
import type { GameStory } from "../domain/GameStory.ts"
import type { PlacedHold } from "../domain/Hold.ts"
import type { LoggedOperation } from "../domain/LoggedOperation.ts"
import type { RecordedPass } from "../domain/RecordedPass.ts"
import type { Stats as StatsSchema } from "../domain/Stats.ts"
import type { Status as StatusSchema } from "../domain/Status.ts"

// What the API answers, as it is written in JSON.
export type Caller = typeof CallerSchema.Encoded
export type Status = typeof StatusSchema.Encoded
export type Engine = Status["engines"][number]
export type Pass = typeof RecordedPass.Encoded
export type UnderWay = Status["under_way"][number]
export type GamePage = typeof GamePageSchema.Encoded
export type ListedGame = GamePage["games"][number]
export type Story = typeof GameStory.Encoded
export type Operation = typeof LoggedOperation.Encoded
export type Hold = typeof PlacedHold.Encoded
export type Act = typeof RecordedAct.Encoded
export type Stats = typeof StatsSchema.Encoded
export type Hour = Stats["hours"][number]

export interface LogPage {
  readonly operations: ReadonlyArray<Operation>
  readonly next: string | null
}
export interface HoldPage {
  readonly holds: ReadonlyArray<Hold>
  readonly next: string | null
}
export interface ActPage {
  readonly acts: ReadonlyArray<Act>
  readonly next: string | null
}

/** What `/events` tells. */
export type LiveEvent =
  | { readonly event: "status"; readonly data: Status }
  | { readonly event: "progress"; readonly data: Pick<Status, "under_way"> }
  | { readonly event: "operations"; readonly data: { readonly operations: ReadonlyArray<Operation> } }
  | { readonly event: "unavailable"; readonly data: { readonly detail: string } }

/** What the address asks for: `#/games/due?engine=a` is `{ name: "games", id: "due", query: { engine: "a" } }`. */
export interface Route {
  readonly name: string
  readonly id: string
  readonly query: Readonly<Record<string, string>>
}

/** Something that a person may ask for, before the reason is known. */
export interface Ask {
  readonly title: string
  /** Exactly what will happen. */
  readonly lines: ReadonlyArray<string>
  readonly button: string
  /** Whether something is removed, or may be removed again, by it. */
  readonly grave?: boolean
  readonly path: string
  /** The version of the game that was looked at. */
  readonly etag?: string | null
  /** What else is asked, beside the reason. */
  readonly fields?: TemplateResult
  readonly payload?: (form: FormData) => object
}

/** Whether the service tells us what happens; `since`: Unix milliseconds. */
export interface Link {
  readonly state: "connecting" | "live" | "lost"
  readonly since: number
}

/** What is shown, or why it is not. */
export interface Page {
  readonly route: Route
  /** What the view of this route loaded; nothing if there is a problem. */
  // biome-ignore lint/suspicious/noExplicitAny: each view knows its own.
  readonly data: any
  readonly problem: { readonly message: string; readonly passes: boolean } | null
}

/** All that can change. */
export interface State {
  /** `null`: the token is asked for. */
  readonly caller: Caller | null
  /** Where a trace can be looked at; `null`: nowhere. */
  readonly traceUrl: string | null
  /** Why the last token is of no use, or why it is not known yet. */
  readonly refused: string | null
  readonly entering: boolean
  readonly link: Link
  readonly status: Status | null
  /** Why the service cannot say anything for now; `null` if it can. */
  readonly unavailable: string | null
  /** By how many milliseconds the database's clock is ahead of ours. */
  readonly ahead: number
  /** What the address asks for. */
  readonly route: Route
  readonly loading: boolean
  /** What was loaded last: it stays until what the address asks for is there. */
  readonly page: Page | null
}

/** What every view is shown with. */
export interface Shown {
  readonly route: Route
  readonly status: Status | null
  readonly caller: Caller
  /** Unix milliseconds by the database's clock. */
  readonly now: number
  /** Opens the dialog of an act; absent if the caller may only look. */
  readonly ask?: (ask: Ask) => void
  readonly traceUrl: string | null
}

/** One view. `Data` is what it loads. */
export interface View<Data> {
  readonly title: (route: Route) => string
  readonly load: (api: typeof import("./api.js").api, route: Route) => Promise<Data>
  /** The data after this event; `undefined` if they have to be loaded again. */
  readonly follow: (data: Data, event: LiveEvent, route: Route) => Data | undefined
  readonly show: (data: Data, shown: Shown) => TemplateResult
}
