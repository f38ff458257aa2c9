import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Statement from "effect/sql/Statement"

/** A node of `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)`. */
export interface Node {
  readonly "Node Type": string
  readonly "Relation Name"?: string
  readonly "Index Name"?: string
  readonly "Sort Key"?: ReadonlyArray<string>
  readonly "Actual Rows": number
  readonly "Actual Loops": number
  readonly "Rows Removed by Filter"?: number
  readonly "Rows Removed by Index Recheck"?: number
  readonly "Conflict Arbiter Indexes"?: ReadonlyArray<string>
  readonly "Shared Hit Blocks": number
  readonly "Shared Read Blocks": number
  readonly Plans?: ReadonlyArray<Node>
}

const Node: Schema.Codec<Node> = Schema.Struct({
  "Node Type": Schema.String,
  "Relation Name": Schema.optionalKey(Schema.String),
  "Index Name": Schema.optionalKey(Schema.String),
  "Sort Key": Schema.optionalKey(Schema.Array(Schema.String)),
  "Actual Rows": Schema.Number,
  "Actual Loops": Schema.Number,
  "Rows Removed by Filter": Schema.optionalKey(Schema.Number),
  "Rows Removed by Index Recheck": Schema.optionalKey(Schema.Number),
  "Conflict Arbiter Indexes": Schema.optionalKey(Schema.Array(Schema.String)),
  "Shared Hit Blocks": Schema.Number,
  "Shared Read Blocks": Schema.Number,
  Plans: Schema.optionalKey(Schema.Array(Schema.suspend(() => Node)))
})

const Explained = Schema.Tuple([
  Schema.Struct({ "QUERY PLAN": Schema.Tuple([Schema.Struct({ Plan: Node, JIT: Schema.optionalKey(Schema.Any) })]) })
])

const nodesOf = (node: Node): ReadonlyArray<Node> => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

/** The rows that a scan looked at, whether it returned them or not. */
export const touched = (node: Node) =>
  node["Actual Loops"] *
  (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0))

/**
 * Runs the work, and gives the plan by which the server carries out each statement that it sends: its nodes, the one that
 * holds the others first. Fails if the server compiled one of them.
 */
export const plansOf = Effect.fnUntraced(function* <A, E>(work: Effect.Effect<A, E>) {
  const sql = yield* SqlClient
  const plans: Array<ReadonlyArray<Node>> = []
  const explain: Statement.Transformer = (statement) =>
    // Rolled back: the statement itself is still to come.
    sql.withTransaction(Effect.flatMap(sql`explain (analyze, buffers, format json) ${statement}`, Effect.fail)).pipe(
      Effect.flip,
      Effect.flatMap(Schema.decodeUnknownEffect(Explained)),
      Effect.map(([row]) => {
        const [{ JIT, Plan }] = row["QUERY PLAN"]
        assert.isUndefined(JIT, "compiled")
        plans.push(nodesOf(Plan))
        return statement
      }),
      Effect.provideService(Statement.CurrentTransformer, undefined),
      Effect.orDie
    )
  const answer = yield* Effect.provideService(work, Statement.CurrentTransformer, explain)
  return { answer, plans }
})
