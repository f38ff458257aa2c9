import { readFile } from "node:fs/promises"
import { assert, it } from "@effect/vitest"
import { version } from "../src/config/version.ts"

const lock: {
  readonly version: string
  readonly packages: Readonly<
    Record<string, { readonly version?: string; readonly integrity?: string; readonly link?: true }>
  >
} = JSON.parse(await readFile("package-lock.json", "utf8"))

it("the lock file gives the hash of every package", () => {
  // All but those that are folders of this project.
  const packages = Object.entries(lock.packages).filter(([name, { link }]) => name.includes("node_modules/") && !link)
  assert.isNotEmpty(packages)
  const without = packages.filter(([, { integrity = "" }]) => !/^sha512-[\w+/]{86}==$/.test(integrity))
  assert.deepStrictEqual(without, [])
})

it("the lock file is that of this version", () => {
  assert.strictEqual(lock.version, version)
  assert.strictEqual(lock.packages[""]?.version, version)
})
