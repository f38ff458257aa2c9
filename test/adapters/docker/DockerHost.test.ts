import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Result, Schema } from "effect"
import { type DockerAddress, parse, withCertificates } from "../../../src/adapters/docker/DockerHost.ts"

const socket = { socketPath: "/var/run/docker.sock" }
const at = (protocol: "http" | "https", host: string, port: number, certPath?: string) => ({
  protocol,
  host,
  port,
  certPath
})

const accepted: ReadonlyArray<readonly [Parameters<typeof parse>[0], DockerAddress]> = [
  [{}, socket],
  [{ DOCKER_HOST: "", DOCKER_CERT_PATH: "", DOCKER_TLS_VERIFY: "" }, socket],
  [{ DOCKER_HOST: "unix://" }, socket],
  [{ DOCKER_HOST: "unix:///run/user/1000/docker.sock" }, { socketPath: "/run/user/1000/docker.sock" }],
  [{ DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/certs" }, socket],
  [{ DOCKER_HOST: "tcp://engine" }, at("http", "engine", 2375)],
  [{ DOCKER_HOST: "tcp://engine:80/" }, at("http", "engine", 80)],
  [{ DOCKER_HOST: "TCP://10.0.0.1:2375" }, at("http", "10.0.0.1", 2375)],
  [{ DOCKER_HOST: "tcp://[::1]:2375" }, at("http", "[::1]", 2375)],
  [{ DOCKER_HOST: "tcp://engine", DOCKER_TLS_VERIFY: "1" }, at("https", "engine", 2376)],
  [{ DOCKER_HOST: "tcp://engine:1", DOCKER_CERT_PATH: "/certs" }, at("https", "engine", 1, "/certs")],
  [{ DOCKER_HOST: "http://engine" }, at("http", "engine", 80)],
  [{ DOCKER_HOST: "https://engine" }, at("https", "engine", 443)]
]

const forms = "must be unix:///path, tcp://host:port, http://host:port or https://host:port"
const refused: ReadonlyArray<readonly [string, string]> = [
  ["unix://relative.sock", "the path after unix:// must be absolute"],
  ["unix:///a\0b", "the path after unix:// must be absolute"],
  ["ssh://user@engine", "only unix, tcp, http and https are supported"],
  ["npipe:////./pipe/docker_engine", "only unix, tcp, http and https are supported"],
  ["tcp://engine:0", "the port must be from 1 to 65535"],
  ["tcp://engine:65536", "the port must be from 1 to 65535"],
  ["engine:2375", forms],
  ["/var/run/docker.sock", forms],
  ["tcp://", forms],
  ["tcp://user:secret@engine:2375", forms],
  ["tcp://engine:2375/prefix", forms],
  ["tcp://engine:2375?x=1", forms],
  ["tcp://engine:2375#x", forms],
  ["tcp://engine:２３７５", forms],
  ["tcp://engine:-1", forms],
  ["tcp://engine\n:2375", forms]
]

describe("DockerHost", () => {
  for (const [env, address] of accepted) {
    it(`takes ${JSON.stringify(env)}`, () => {
      assert.deepStrictEqual(parse(env), Result.succeed(address))
    })
  }

  for (const [value, sentence] of refused) {
    it(`refuses ${JSON.stringify(value)}`, () => {
      assert.deepStrictEqual(parse({ DOCKER_HOST: value }), Result.fail(sentence))
    })
  }

  it.prop(
    "never throws, and never repeats the value that it refuses",
    { value: Schema.NonEmptyString },
    ({ value }) => {
      const parsed = parse({ DOCKER_HOST: `tcp://${value}:secret@engine` })
      assert.isTrue(Result.isFailure(parsed) && !parsed.failure.includes("secret"))
      parse({ DOCKER_HOST: value })
    }
  )

  it.layer(NodeServices.layer)("with certificates", (it) => {
    it.effect("reads the three files that Docker's clients read", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const certPath = yield* fs.makeTempDirectoryScoped()
        for (const name of ["ca", "cert", "key"]) yield* fs.writeFileString(`${certPath}/${name}.pem`, name)
        assert.deepStrictEqual(yield* withCertificates(at("https", "engine", 2376, certPath)), {
          protocol: "https",
          host: "engine",
          port: 2376,
          ca: "ca",
          cert: "cert",
          key: "key"
        })
      })
    )

    it.effect("fails where one of them is missing", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const certPath = yield* fs.makeTempDirectoryScoped()
        yield* fs.writeFileString(`${certPath}/ca.pem`, "ca")
        const error = yield* Effect.flip(withCertificates(at("https", "engine", 2376, certPath)))
        assert.include(error.message, "cert.pem")
      })
    )

    it.effect("reads nothing for a unix socket or without a folder", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* withCertificates(socket), socket)
        assert.deepStrictEqual(yield* withCertificates(at("http", "engine", 1)), {
          protocol: "http",
          host: "engine",
          port: 1
        })
      })
    )
  })
})
