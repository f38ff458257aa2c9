import { assert, describe, it } from "@effect/vitest"
import { dockerfile, manifest, named } from "./support/deployment.ts"

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
    assert.match(dockerfile, /^ENTRYPOINT \["node", (?:"--[a-z-]+=\d+", )*"\/app\/src\/main\.ts"\]$/m)
    assert.match(dockerfile, /^USER [1-9]\d*:[1-9]\d*$/m)
  })

  it("keeps compiled code for the very flags that it runs with, which are those of `npm start`", () => {
    const flags = /--max-semi-space-size=\d+ --heap-growing-percent=\d+/
    const start = flags.exec(manifest.scripts.start ?? "")?.[0]
    assert.isDefined(start)
    // Node keeps it apart by user, too.
    const user = /^USER (\S+)$/m.exec(dockerfile.slice(dockerfile.indexOf("LABEL")))?.[1]
    assert.include(
      dockerfile,
      `USER ${user}\nENV NODE_COMPILE_CACHE=/app/compiled\nRUN node ${start} src/main.ts --version`
    )
    assert.include(
      dockerfile,
      `ENTRYPOINT ["node", ${start
        ?.split(" ")
        .map((flag) => JSON.stringify(flag))
        .join(", ")}, `
    )
  })

  it("listens on the port that it exposes, and that is published", () => {
    const port = /RTMANAGER_HTTP_ADDR=0\.0\.0\.0:(\d+)/.exec(dockerfile)?.[1]
    assert.strictEqual(/^EXPOSE (\d+)$/m.exec(dockerfile)?.[1], port)
    assert.deepStrictEqual(named("rtmanager-cleanup").ports, [`127.0.0.1:${port}:${port}`])
  })
})
