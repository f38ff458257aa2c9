import { Result, Schema, SchemaIssue } from "effect"
import { ContainerId } from "./ContainerId.ts"
import { EngineId } from "./EngineId.ts"
import { EngineName } from "./EngineName.ts"
import { Micros, microsText } from "./Micros.ts"
import { printable } from "./printable.ts"
import type { RuntimeRecord } from "./RuntimeRecord.ts"

/** What a person was shown of a record. */
export interface Shown extends Pick<RuntimeRecord, "containerId" | "lastOpAt"> {
  /** What a pass would have done with it. */
  readonly action?: "remove" | "mark_removed"
}

/** How a record differs from what was shown of it; `undefined` if it does not. */
export const changeSince = ({ containerId, lastOpAt }: Shown, shown: Shown): string | undefined => {
  if (containerId !== shown.containerId) {
    return `it changed since it was shown: its container is no longer ${shown.containerId ?? "none"}`
  }
  const time = shown.lastOpAt === null ? "missing" : microsText(shown.lastOpAt)
  return lastOpAt === shown.lastOpAt ? undefined : `it changed since it was shown: its last_op_at is no longer ${time}`
}

const rowKeys = { gameId: "game_id", containerId: "container_id", lastOpAt: "last_op_at" } as const

/** A game that a pass would touch, and what was shown of it. */
export const PlanRow = Schema.Struct({
  gameId: Schema.NonEmptyString,
  containerId: Schema.NullOr(ContainerId),
  lastOpAt: Micros,
  action: Schema.Literals(["remove", "mark_removed"]),
  /** Why it goes, for people: nothing reads it. */
  rule: Schema.String
}).pipe(Schema.encodeKeys(rowKeys))
export type PlanRow = typeof PlanRow.Type

const Time = Schema.DateFromString.check(
  Schema.makeFilter((time) => !Number.isNaN(time.getTime()) || "not a time such as 2026-01-31T23:59:59Z")
)

/** When and over what a plan is made. */
export const planBasis = {
  /** By the earlier of the service's clock and the database's. */
  madeAt: Time,
  engine: EngineName,
  engineId: EngineId,
  cutoff: Time,
  /** For people: `30d`. The retention of the day on which the plan is applied counts. */
  retention: Schema.String
}
export const planBasisKeys = { madeAt: "made_at", engineId: "engine_id" } as const
const PlanBasis = Schema.Struct(planBasis)
export type PlanBasis = typeof PlanBasis.Type

const head = {
  /** One a plan: it can be applied once. */
  id: Schema.String.check(
    Schema.isPattern(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { expected: "a UUID in lower case" })
  ),
  version: Schema.Literal(1),
  ...planBasis
}

/** Everything of a plan file but its games. */
export const PlanHead = Schema.Struct(head).pipe(Schema.encodeKeys(planBasisKeys))
export type PlanHead = typeof PlanHead.Type

const namedTwice = (rows: ReadonlyArray<PlanRow>) => {
  const places = new Map(rows.map(({ gameId }, place) => [gameId, place]))
  const first = places.size === rows.length ? -1 : rows.findIndex(({ gameId }, place) => places.get(gameId) !== place)
  return first < 0 ? undefined : { path: [places.get(rows[first]?.gameId ?? "") ?? 0], issue: `games[${first}] again` }
}

/** What a pass would do, for a person to look at and to apply: only the rows that it would touch, in its order. */
export const PlanFile = Schema.Struct({
  ...head,
  games: Schema.Array(PlanRow).check(Schema.makeFilter(namedTwice))
}).pipe(Schema.encodeKeys(planBasisKeys))
export type PlanFile = typeof PlanFile.Type

const decode = Schema.decodeUnknownResult(PlanFile, { onExcessProperty: "error" })
const issues = SchemaIssue.makeFormatterStandardSchemaV1()

/** An issue names a field as the file has it, or as the code does. */
const names = new Map<string, string>(Object.entries({ ...planBasisKeys, ...rowKeys }))

const placeOf = (path: ReadonlyArray<PropertyKey>) =>
  path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${names.get(String(key)) ?? printable(String(key))}`))
    .join("")
    .replace(/^\./, "")

/** The plan in this text, or what is wrong with it: the field or row (`games[17].container_id`) and why. */
export const readPlan = (text: string): Result.Result<PlanFile, string> =>
  Result.try({ try: (): unknown => JSON.parse(text), catch: (error) => `not JSON: ${printable(String(error))}` }).pipe(
    Result.flatMap((json) =>
      Result.mapError(decode(json), ({ issue }) => {
        const [first] = issues(issue).issues
        const place = placeOf((first?.path ?? []).map((key) => (typeof key === "object" ? key.key : key)))
        return `${place || "the whole"}: ${printable(first?.message ?? "unusable")}`
      })
    )
  )
