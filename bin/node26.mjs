// Runs a file on the Node that the lock file brings: `node bin/node26.mjs FILE ARGS`, under Node 20 or newer. If this
// process already is Node 26 or newer, the file runs in it. Otherwise it runs in a child that gets our signals and does
// not outlive us.
import { spawn } from "node:child_process"
import module, { createRequire } from "node:module"
import { constants } from "node:os"
import { resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { whenStarterIsGone } from "./starter.mjs"

const [file = "", ...args] = process.argv.slice(2)

// Compiled code is cached for the next start, also of what this process starts, in a folder that only users who can change the
// code itself can write to.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("../node_modules/.cache/rtmanager-cleanup", import.meta.url))

const broughtNode = () => {
  const require = createRequire(import.meta.url)
  for (const name of [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`]) {
    try {
      return require.resolve(`${name}/bin/node`)
    } catch {}
  }
  console.error(`Node 26 is needed, and this is ${process.version}: run npm ci with optional packages`)
  process.exit(2)
}

if (Number(process.versions.node.split(".")[0]) >= 26) {
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
  process.argv.splice(1, 2, resolve(file))
  whenStarterIsGone(file, () => process.kill(process.pid, "SIGTERM"))
  await import(pathToFileURL(resolve(file)).href)
} else {
  const node = broughtNode()
  const child = spawn(node, [...process.execArgv, fileURLToPath(import.meta.url), file, ...args], {
    stdio: "inherit",
    env: { ...process.env, NODE26_WRAPPER: String(process.pid) }
  })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal))
  whenStarterIsGone(file, () => child.kill("SIGTERM"))
  child.on("error", ({ message }) => {
    console.error(`Node 26 cannot be started (${message}): run npm ci as the user that owns this folder`)
    process.exit(2)
  })
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal ?? ""] ?? 0)))
}
