import { readFile } from "node:fs/promises"
import { assert, it } from "@effect/vitest"

const lock: { readonly packages: Readonly<Record<string, { readonly integrity?: string }>> } = JSON.parse(
  await readFile("package-lock.json", "utf8")
)

it("the lock file gives the hash of every package", () => {
  const { "": root, ...packages } = lock.packages
  assert.isDefined(root)
  assert.isNotEmpty(packages)
  const without = Object.keys(packages).filter((name) => !/^sha512-[\w+/]{86}==$/.test(packages[name]?.integrity ?? ""))
  assert.deepStrictEqual(without, [])
})
