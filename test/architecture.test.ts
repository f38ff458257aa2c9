import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

/** Which folders of `src` each folder may import from, besides itself. */
const allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
  domain: [],
  ports: ["domain"],
  observability: ["domain"],
  config: ["domain"],
  cleanup: ["ports", "domain", "observability"],
  operator: ["cleanup", "ports", "domain", "config", "observability"],
  http: ["operator", "cleanup", "ports", "domain", "config", "observability"],
  page: ["http", "domain"],
  cli: ["http", "operator", "cleanup", "ports", "domain", "config"],
  adapters: ["ports", "domain"],
  ".": ["cli", "http", "operator", "cleanup", "ports", "domain", "config", "observability", "adapters"]
}

/** Packages that only some files may import; everything else from outside is `effect` and Node. */
const drivers: Readonly<Record<string, RegExp>> = {
  dockerode: /^src\/adapters\/docker\//,
  "@effect/sql-pg": /^src\/adapters\/postgres\//,
  "@effect/platform-node": /^src\/(?:main|layers)\.ts$/,
  "@effect/opentelemetry": /^src\/observability\//,
  "@opentelemetry": /^src\/observability\//
}

const folderOf = (path: string) => path.split("/")[1]?.replace(/^[^/]*\.ts$/, ".") ?? "."

const imports = globSync("src/**/*.ts").flatMap((file) =>
  [...readFileSync(file, "utf8").matchAll(/(?:\bfrom |\bimport\(?)\s*"([^"]+)"/g)].map(([, target = ""]) => ({
    file,
    target
  }))
)

describe("the layout", () => {
  it("lets imports point one way only: domain, ports, cleanup, operator, cli and http, layers, main", () => {
    const wrong = imports.flatMap(({ file, target }) => {
      if (!target.startsWith(".")) return []
      const from = folderOf(file)
      const path = join(dirname(file), target)
      const to = path === "package.json" ? from : folderOf(path)
      return from === to || allowed[from]?.includes(to) ? [] : [`${file} imports ${target}`]
    })
    assert.deepStrictEqual(wrong, [])
  })

  it("lets the rooms of cleanup know one another one way only: the loop, a pass, a game, the engine", () => {
    const rooms = ["loop", "pass", "game", "engine"]
    const roomOf = (path: string) => rooms.indexOf(/^src\/cleanup\/(\w+)\//.exec(path)?.[1] ?? "loop")
    const inside = imports.flatMap(({ file, target }) => {
      const path = target.startsWith(".") ? join(dirname(file), target) : target
      return file.startsWith("src/cleanup/") && path.startsWith("src/cleanup/") ? [{ file, path }] : []
    })
    assert.isAtLeast(Math.min(...inside.flatMap(({ file, path }) => [roomOf(file), roomOf(path)])), 0)
    assert.deepStrictEqual(
      inside.filter(({ file, path }) => roomOf(file) > roomOf(path)),
      []
    )
    assert.isAbove(inside.length, 30)
  })

  it("keeps one adapter from another", () => {
    const adapter = (path: string) => /^src\/adapters\/([^/]+)\//.exec(path)?.[1]
    const wrong = imports.filter(
      ({ file, target }) =>
        adapter(file) !== undefined &&
        target.startsWith(".") &&
        adapter(join(dirname(file), target)) !== undefined &&
        adapter(join(dirname(file), target)) !== adapter(file)
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("has each driver in its adapter, and domain and ports on effect alone", () => {
    const wrong = imports.filter(({ file, target }) => {
      if (target.startsWith(".")) return false
      if (/^src\/(?:domain|ports)\//.test(file)) return target !== "effect"
      if (/^src\/cleanup\//.test(file)) return target !== "effect" && !target.startsWith("effect/")
      const name = Object.keys(drivers).find((driver) => target === driver || target.startsWith(`${driver}/`))
      return name !== undefined && drivers[name]?.test(file) === false
    })
    assert.deepStrictEqual(wrong, [])
  })

  it("lets no bag of settings win over a field that is named beside it", () => {
    const wrong = globSync("src/**/*.ts").flatMap((file) =>
      [
        ...readFileSync(file, "utf8").matchAll(/[^\n]*,\s*\.\.\.(?:\w+\.)?(?:settings|options)\b(?!\s*\}\s*[:=])/gi)
      ].map(([text]) => `${file}: ${text}`)
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("was read at all", () => {
    assert.isAbove(imports.length, 100)
  })
})
