import { spawnSync } from "node:child_process"
import { Effect } from "effect"
import { failed } from "./demand.ts"

/** A program of the stack: where it is looked for, and how it says its version. */
const wanted = {
  collector: { variable: "OTELCOL", names: ["otelcol-contrib", "otelcol"], ask: "--version", least: 0 },
  jaeger: { variable: "JAEGER", names: ["jaeger"], ask: "version", least: 2 },
  // The first with a receiver for OTLP that needs no feature flag.
  prometheus: { variable: "PROMETHEUS", names: ["prometheus"], ask: "--version", least: 3 }
}

export type ProgramName = keyof typeof wanted

export interface Program {
  readonly file: string
  readonly version: string
}

export type Programs = Readonly<Record<ProgramName, Program>>

const look = (name: ProgramName): Program | string => {
  const { variable, names, ask, least } = wanted[name]
  const given = process.env[variable]
  for (const file of given === undefined ? names : [given]) {
    const { status, stdout, stderr } = spawnSync(file, [ask], { encoding: "utf8", timeout: 10_000 })
    if (status !== 0) continue
    // Who builds one of these without its project's flags gets a program that does not know its version.
    const version = /\bv?(\d+)\.\d+\.\d+[-\w.]*/.exec(`${stdout}${stderr}`)
    if (version === null || Number(version[1]) >= least) return { file, version: version?.[0] ?? "of unknown version" }
    return `${name}: ${file} is ${version[0]}, and must be ${least} or newer; ${variable} can name another`
  }
  return `${name}: no ${given ?? names.join(" or ")} that answers to \`${ask}\`; ${variable} can name one`
}

/** All of them, or an error that names each that is missing. */
export const findPrograms = Effect.suspend(() => {
  const found = { collector: look("collector"), jaeger: look("jaeger"), prometheus: look("prometheus") }
  const missing = Object.values(found).filter((program) => typeof program === "string")
  return missing.length > 0 ? Effect.fail(failed(missing.join("\n"))) : Effect.succeed(found as Programs)
})
