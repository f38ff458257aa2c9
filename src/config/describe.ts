import { describeLocation } from "./DatabaseSettings.ts"
import { describeEngine } from "./EngineSettings.ts"
import { formatGoDuration } from "./GoDuration.ts"
import type { Settings } from "./Settings.ts"

/** The settings for the log line at start. Holds no secret. */
export const describe = (settings: Settings): Readonly<Record<string, string | number>> => ({
  database: describeLocation(settings.database.location),
  schema: settings.database.schema,
  engine: describeEngine(settings.engine),
  mode: settings.mode,
  retention: formatGoDuration(settings.retention),
  interval: formatGoDuration(settings.interval),
  concurrency: settings.concurrency,
  page_size: settings.pageSize,
  max_removals: settings.maxRemovals ?? "none",
  max_clock_skew: formatGoDuration(settings.maxClockSkew),
  lease_ttl: formatGoDuration(settings.leaseTtl),
  engine_timeout: formatGoDuration(settings.engineTimeout),
  game_label: settings.gameLabel,
  http: `${settings.http.host}:${settings.http.port}`,
  http_hosts: settings.api.hosts.join(",") || "none",
  api_tokens_file: settings.api.tokensFile ?? "none",
  trace_url: settings.api.traceUrl ?? "none"
})
