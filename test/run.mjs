// Runs the tests. Vite takes `#`, `?` and `%` in a path for parts of a URL: from such a folder they run through a link to it.
import { mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const options = []
if (/[#?%]/.test(process.cwd())) {
  const folder = mkdtempSync(join(tmpdir(), "rtmanager-tests-"))
  const root = join(folder, "checkout")
  symlinkSync(process.cwd(), root)
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  options.push("--root", root)
}
process.argv.splice(2, 0, "run", ...options)
await import("../node_modules/vitest/vitest.mjs")
