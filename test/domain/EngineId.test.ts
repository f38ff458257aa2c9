import { assert, describe, it } from "@effect/vitest"
import { difference, EngineId, type EngineParts, engineId, isOldFormOf } from "../../src/domain/EngineId.ts"

const parts: EngineParts = {
  id: "ABCD:EFGH",
  none: "0123abcd",
  driver: "overlay2",
  containerd: undefined,
  root: "/var/lib/docker"
}
const present = engineId(parts)

const containerd = { namespace: "moby", address: "/run/containerd/containerd.sock" }

describe("an engine's identity", () => {
  it.each([
    ["a driver of the engine's own", {}, "ABCD:EFGH/0123abcd/overlay2:/var/lib/docker"],
    ["user namespaces", { root: "/d/100000.100000" }, "ABCD:EFGH/0123abcd/overlay2:/d/100000.100000"],
    [
      "containerd's snapshotter",
      { driver: "overlayfs", containerd },
      "ABCD:EFGH/0123abcd/overlayfs(containerd moby /run/containerd/containerd.sock):/var/lib/docker"
    ]
  ] as const)("with %s is one readable text", (_, changes, expected) => {
    assert.strictEqual<string>(engineId({ ...parts, ...changes }), expected)
  })

  it.each([
    ["ID and network", "ABCD:EFGH/0123abcd", true],
    ["itself", present, false],
    ["another ID", "ABCD/0123abcd", false],
    ["another network", "ABCD:EFGH/0123abc", false],
    ["the ID alone", "ABCD:EFGH", false],
    ["more than ID and network", "ABCD:EFGH/0123abcd/overlay2:", false],
    ["another driver", "ABCD:EFGH/0123abcd/vfs:/var/lib/docker", false]
  ])("has %s as its old form, or not", (_, known, expected) => {
    assert.strictEqual(isOldFormOf(EngineId.make(known), present), expected)
  })

  it.each([
    ["the ID", { id: "ZZZZ" }, /^What differs: its ID is another [^;]*20\.10[^;]*$/],
    ["the network", { none: "ffff" }, /^What differs: its network none is another[^;]*$/],
    [
      "the driver",
      { driver: "vfs" },
      /^What differs: its storage driver is vfs, not overlay2, [^;]*hidden, not gone[^;]*$/
    ],
    [
      "its kind",
      { containerd },
      /^What differs: its storage driver is overlay2\(containerd moby .*\), not overlay2, [^;]*$/
    ],
    [
      "the root",
      { root: "/var/lib/docker/1.1" },
      /^What differs: its data root is \/var\/lib\/docker\/1\.1, not \/var\/lib\/docker, /
    ],
    [
      "all of it",
      { id: "Z", none: "f", driver: "vfs", root: "/" },
      /its ID .*; its network .*; its storage .*; its data /
    ],
    ["something unprintable", { root: "/\u001b[2J" }, /its data root is \/\\u\{1b\}\[2J, not/]
  ] as const)("says that %s differs", (_, changes, expected) => {
    assert.match(difference(present, engineId({ ...parts, ...changes })), expected)
  })

  it("says of one in the old form what can be said", () => {
    assert.match(difference(EngineId.make("Z/0123abcd"), present), /^What differs: its ID is another [^;]*$/)
  })
})
