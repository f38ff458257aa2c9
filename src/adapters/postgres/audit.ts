import type { SqlClient } from "effect/sql/SqlClient"
import type { AuditRow, Lease } from "../../ports/GameLeases.ts"
import { timestamp } from "./rows.ts"

/** The columns of `operation_log` that an attempt fills, in the order of `auditValues`. */
export const auditColumns = `game_id, op_kind, op_source, source_ref, container_id, image_ref, outcome, error_code,
  error_message, lease_owner, lease_token, trace_id, started_at, finished_at`

/** Unix milliseconds. */
export const millis = (sql: SqlClient, time: number) => timestamp(sql, BigInt(Math.floor(time)) * 1000n)

export const auditValues = (sql: SqlClient, lease: Lease, outcome: "success" | "failure", row: AuditRow) =>
  sql`${lease.gameId}::text, 'cleanup_container', ${row.opSource}::text, ${row.sourceRef}::text,
    ${row.containerId}::text, ${row.imageRef}::text, ${outcome}::text, ${row.errorCode}::text, ${row.message}::text,
    ${lease.owner}::uuid, ${lease.token}::bigint, ${row.traceId}::text, ${millis(sql, row.startedAt)},
    ${millis(sql, row.finishedAt)}`
