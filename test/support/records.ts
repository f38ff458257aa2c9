import { Duration } from "effect"
import { ContainerId } from "../../src/domain/ContainerId.ts"
import { defaultEngine } from "../../src/domain/EngineName.ts"
import type { Moment } from "../../src/domain/Expiry.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import type { Asked, AuditRow } from "../../src/ports/GameLeases.ts"

/** 2026-01-01, long before any test runs, in Unix milliseconds. */
export const longAgo = Date.UTC(2026, 0, 1)

export const micros = (millis: number): bigint => BigInt(millis) * 1000n

/** A full container id that is easy to tell from others: a number in hex after zeros, or one digit 64 times. */
export const containerId = (digits: number | string) =>
  ContainerId.make(typeof digits === "number" ? digits.toString(16).padStart(64, "0") : digits.repeat(64))

export const stopped = (gameId: string, changes: Partial<RuntimeRecord> = {}): RuntimeRecord => ({
  gameId,
  engine: defaultEngine,
  status: "stopped",
  containerId: containerId("a"),
  imageRef: "games/chess:1",
  lastOpAt: micros(longAgo),
  backoff: null,
  hold: null,
  ...changes
})

/** An attempt of the service's own. */
export const asked: Asked = { opSource: "auto_ttl", sourceRef: "schedule" }

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
