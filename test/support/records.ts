import { Duration } from "effect"
import type { Moment } from "../../src/domain/Expiry.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import type { AuditRow } from "../../src/ports/GameLeases.ts"

/** 2026-01-01, long before any test runs, in Unix milliseconds. */
export const longAgo = Date.UTC(2026, 0, 1)

export const micros = (millis: number): bigint => BigInt(millis) * 1000n

/** A container id that is easy to tell from others. */
export const containerId = (digit: string): string => digit.repeat(64).slice(0, 64)

export const stopped = (gameId: string, changes: Partial<RuntimeRecord> = {}): RuntimeRecord => ({
  gameId,
  status: "stopped",
  containerId: containerId("a"),
  imageRef: "games/chess:1",
  lastOpAt: micros(longAgo),
  backoff: null,
  ...changes
})

export const auditRow = (changes: Partial<AuditRow> = {}): AuditRow => ({
  opSource: "auto_ttl",
  sourceRef: "test",
  containerId: containerId("a"),
  imageRef: "games/chess:1",
  errorCode: null,
  message: "removed",
  traceId: "0af7651916cd43dd8448eb211c80319c",
  startedAt: longAgo,
  finishedAt: longAgo + 5,
  ...changes
})

/** The moment with this cutoff, for a retention of 30 days. */
export const momentAt = (cutoff: number): Moment => ({ now: cutoff + Duration.toMillis("30 days"), cutoff })
