import { readFileSync, writeSync } from "node:fs"

/**
 * Of this process's own memory: `maxRSS` also counts what the parent had when it started us. Bytes; kilobytes are 1024
 * of them.
 */
const peakMemory = (): number => {
  const kilobytes = process.platform === "linux" && /VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))
  return Number(kilobytes ? kilobytes[1] : process.resourceUsage().maxRSS) * 1024
}

/** Preloaded into the processes that are measured: at its end each says what it has used, as one line of its log. */
process.on("exit", () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage()
  const usage = { event: "bench.usage", cpuMs: (userCPUTime + systemCPUTime) / 1000, rssMb: peakMemory() / 1e6 }
  writeSync(2, `${JSON.stringify(usage)}\n`)
})
