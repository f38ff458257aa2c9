import { spawnSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { dockerfile, manifest, named, read } from "./support/deployment.ts"

const smallHeap = await read("bin/small-heap.sh")

describe("the image", () => {
  it("runs on the Node that the lock file brings to every other machine", () => {
    const node = /^ARG NODE_IMAGE=node:([\d.]+)-/m.exec(dockerfile)?.[1]
    const packages = Object.entries(manifest.optionalDependencies).filter(([name]) => name.startsWith("node-"))
    assert.isNotEmpty(packages)
    for (const [name, version] of packages) assert.strictEqual(version, node, name)
  })

  it("is labelled as what the package says", () => {
    const labels = [...dockerfile.matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)].map(([, key, text]) => [
      key,
      text
    ])
    const { name: title, description, version, license: licenses } = manifest
    assert.deepStrictEqual(Object.fromEntries(labels), { title, description, version, licenses })
  })

  it("gets its signals, as a user that has a number and is not root", () => {
    assert.match(dockerfile, /^ENTRYPOINT \["sh", "\/app\/bin\/small-heap\.sh", "\/app\/src\/main\.ts"\]$/m)
    assert.match(smallHeap, /^exec node [^\n]*"\$@"\n$/m)
    assert.match(dockerfile, /^USER [1-9]\d*:[1-9]\d*$/m)
  })

  it("keeps compiled code for the very flags that it runs with", () => {
    // Node keeps it apart by user, too.
    const user = /^USER (\S+)$/m.exec(dockerfile.slice(dockerfile.indexOf("LABEL")))?.[1]
    assert.include(
      dockerfile,
      `USER ${user}\nENV NODE_COMPILE_CACHE=/app/compiled\nRUN sh bin/small-heap.sh src/main.ts --version`
    )
  })

  it("has the page and its libraries", async () => {
    const { dependencies }: { readonly dependencies: Record<string, string> } = JSON.parse(await read("package.json"))
    const libraries = new Set(
      [...(await read("src/http/page.ts")).matchAll(/resolve\(["`]([\w-]+)/g)].map(([, name]) => name)
    )
    assert.isNotEmpty([...libraries])
    assert.includeMembers(Object.keys(dependencies), [...libraries])
    assert.match(dockerfile, /^RUN npm ci --omit=dev /m)
    assert.match(dockerfile, /^COPY src src$/m)
    assert.match(await read(".dockerignore"), /^!src$/m)
  })

  it("listens on the port that it exposes, and that is published", () => {
    const port = /RTMANAGER_HTTP_ADDR=0\.0\.0\.0:(\d+)/.exec(dockerfile)?.[1]
    assert.strictEqual(/^EXPOSE (\d+)$/m.exec(dockerfile)?.[1], port)
    assert.deepStrictEqual(named("rtmanager-cleanup").ports, [`127.0.0.1:${port}:${port}`])
  })
})

describe("bin/small-heap.sh", () => {
  it("is the one place of the flags that `npm start` and the image run with", () => {
    const flags = smallHeap.match(/--[a-z-]+=\d+/g) ?? []
    assert.isNotEmpty(flags)
    for (const [flag = ""] of flags.map((flag) => flag.split("="))) {
      assert.notInclude(dockerfile + JSON.stringify(manifest.scripts), flag)
    }
    assert.match(manifest.scripts["start"] ?? "", /^exec sh bin\/small-heap\.sh bin\/node26\.mjs src\/main\.ts serve$/)
    assert.match(manifest.scripts["cleanup"] ?? "", /^exec sh bin\/small-heap\.sh bin\/node26\.mjs src\/main\.ts$/)
  })

  it("starts the Node of the PATH with them", () => {
    const { stdout, status } = spawnSync("sh", ["bin/small-heap.sh", "-p", "process.execArgv.join(' ')"], {
      encoding: "utf8"
    })
    assert.strictEqual(status, 0)
    assert.isTrue(stdout.startsWith(`${smallHeap.match(/--[a-z-]+=\d+/g)?.join(" ")} -p `), stdout)
  })
})
