import { connect } from "node:net"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Queue } from "effect"
import * as DockerEngine from "../src/adapters/docker/ContainerEngine.ts"
import { ContainerId } from "../src/domain/ContainerId.ts"
import { ContainerEngine, RemovalUnknown } from "../src/ports/ContainerEngine.ts"
import { EngineFixture, suite } from "./ports/ContainerEngineSuite.ts"
import { describeEngine, TestEngine, layer as testEngine } from "./support/docker.ts"
import * as Haproxy from "./support/haproxy.ts"
import * as RawServer from "./support/RawServer.ts"

const id = "0123456789abcdef".repeat(4)
const other = "fedcba9876543210".repeat(4)
const ofOneLabel = "/containers/json?all=true&filters=%7B%22label%22%3A%5B%22com.galaxy.game_id%3Dchess%22%5D%7D"

/** A request line with the headers that every client sends, and more. */
const request = (line: string, ...headers: ReadonlyArray<string>) =>
  [`${line} HTTP/1.1`, "Host: engine", ...headers, "", ""].join("\r\n")

/** As the client writes it. */
const ofGame = (gameId: string) => {
  const filters = JSON.stringify({ label: [`com.galaxy.game_id=${gameId}`] })
  return `/containers/json?all=true&filters=${encodeURIComponent(filters)}`
}

const oddGames = [
  '"',
  "\\",
  '\\"',
  "\\\\",
  '"],"status":["running',
  "\n\u0001",
  "a b",
  "100%",
  "%22",
  "chess ♞",
  "💥",
  "it's",
  "=",
  "",
  "x".repeat(4000),
  '"\\'.repeat(800),
  "💥".repeat(500)
]

const allowed = [
  "GET /_ping",
  "HEAD /_ping",
  "GET /version",
  "GET /info",
  "GET /networks/none",
  `GET ${ofOneLabel}`,
  ...oddGames.map((gameId) => `GET ${ofGame(gameId)}`),
  `GET /containers/${id}/json`,
  `DELETE /containers/${id}`
]

const refused: ReadonlyArray<readonly [what: string, sent: string]> = [
  ["a removal by force", request(`DELETE /containers/${id}?force=1`)],
  ["a removal by force, in other words", request(`DELETE /containers/${id}?force=true`)],
  ["a removal with volumes", request(`DELETE /containers/${id}?v=1`)],
  ["a removal of a link", request(`DELETE /containers/${id}?link=1`)],
  ["a removal with an empty query", request(`DELETE /containers/${id}?`)],
  ["a removal with a fragment", request(`DELETE /containers/${id}#?force=1`)],
  ["a removal by a short id", request(`DELETE /containers/${id.slice(0, 12)}`)],
  ["a removal by a longer id", request(`DELETE /containers/${id}0`)],
  ["a removal by name", request("DELETE /containers/postgres")],
  ["a removal by an id in capitals", request(`DELETE /containers/${id.toUpperCase()}`)],
  ["a removal in an older API", request(`DELETE /v1.41/containers/${id}`)],
  ["a removal with two slashes", request(`DELETE //containers/${id}`)],
  ["a removal with a slash at its end", request(`DELETE /containers/${id}/`)],
  ["a removal that steps aside", request(`DELETE /containers/${id}/../${other}`)],
  ["a removal with an encoded path", request(`DELETE /containers/%30${id.slice(1)}`)],
  ["a removal with an encoded query", request(`DELETE /containers/${id}%3Fforce=1`)],
  ["a removal with an absolute address", request(`DELETE http://engine/containers/${id}?force=1`)],
  ["a removal with a body", `${request(`DELETE /containers/${id}`, "Content-Length: 9")}{"force":1`],
  ["a removal with a chunked body", `${request(`DELETE /containers/${id}`, "Transfer-Encoding: chunked")}0\r\n\r\n`],
  ["a removal in small letters", request(`delete /containers/${id}`)],
  ["a container's creation", request("POST /containers/create", "Content-Length: 0")],
  ["a creation that says it asks", request("POST /containers/create", "X-HTTP-Method-Override: GET")],
  ["a start", request(`POST /containers/${id}/start`)],
  ["a stop", request(`POST /containers/${id}/stop`)],
  ["a kill", request(`POST /containers/${id}/kill`)],
  ["a renaming", request(`POST /containers/${id}/rename?name=x`)],
  ["a command in a container", request(`POST /containers/${id}/exec`)],
  ["a connection to a container", request(`POST /containers/${id}/attach?stream=1`, "Upgrade: tcp")],
  ["a look with an upgrade", request(`GET /containers/${id}/json`, "Connection: Upgrade", "Upgrade: h2c")],
  ["files into a container", request(`PUT /containers/${id}/archive?path=/`)],
  ["files out of a container", request(`GET /containers/${id}/archive?path=/`)],
  ["a container's export", request(`GET /containers/${id}/export`)],
  ["a container's logs", request(`GET /containers/${id}/logs?stdout=1`)],
  ["a container's processes", request(`GET /containers/${id}/top`)],
  ["a look with sizes", request(`GET /containers/${id}/json?size=1`)],
  ["a look by name", request("GET /containers/postgres/json")],
  ["a look that steps aside", request(`GET /containers/${id}/json/../../../images/json`)],
  ["every container", request("GET /containers/json")],
  ["every container, stopped ones too", request("GET /containers/json?all=true")],
  ["containers by another filter", request(ofOneLabel.replace("label", "status").replace(/^/, "GET "))],
  ["containers by two labels", request(`GET ${ofOneLabel.replace("%22%5D", "%22,%22a%22%5D")}`)],
  ["containers by two labels, encoded", request(`GET ${ofOneLabel.replace("%22%5D", "%22%2C%22a%22%5D")}`)],
  [
    "containers by a filter after the label",
    request(`GET ${ofOneLabel.replace("%22%5D", "%22%5D%2C%22status%22%3A%5B%22running%22%5D")}`)
  ],
  [
    "containers by another label after none",
    request(`GET ${ofOneLabel.replace("%22%5D", "%22%5D%2C%22label%22%3A%5B%22%22%5D")}`)
  ],
  ["a label that ends in a backslash before its quote", request(`GET ${ofOneLabel.replace("chess", "chess%5C")}`)],
  ["containers with a label of any value", request(`GET ${ofOneLabel.replace("%3Dchess", "")}`)],
  ["containers with sizes", request(`GET ${ofOneLabel}&size=true`)],
  ["containers with a label and a blank", request(`GET ${ofOneLabel.replace("chess", "a b")}`)],
  ["a prune of containers", request("POST /containers/prune")],
  ["a prune of everything", request("POST /system/prune")],
  ["all images", request("GET /images/json")],
  ["an image's removal", request("DELETE /images/postgres")],
  ["an image's import", request("POST /images/create?fromSrc=-")],
  ["a build", request("POST /build")],
  ["a volume's removal", request("DELETE /volumes/data")],
  ["a network's removal", request("DELETE /networks/none")],
  ["another network", request("GET /networks/bridge")],
  ["events", request("GET /events")],
  ["secrets", request("GET /secrets")],
  ["the swarm", request("POST /swarm/init")],
  ["plugins", request("POST /plugins/pull?remote=x")],
  ["a session", request("POST /session", "Upgrade: h2c")],
  ["a ping with a query", request("GET /_ping?x=1")],
  ["a ping that posts", request("POST /_ping")],
  ["a head of a container", request(`HEAD /containers/${id}/json`)],
  ["options", request("OPTIONS /containers/json")],
  ["a tunnel", request("CONNECT engine:2375")],
  ["a trace", request("TRACE /info")],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["what is not HTTP", "hello\r\n\r\n"]
]

const statusLine = /HTTP\/1\.[01] .*(?=\r\n)/g

/** Sends these bytes and returns the status lines of what comes back: so many, or fewer if the other side closes. */
const exchange = (socketPath: string, bytes: string, answers: number) =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const socket = connect(socketPath, () => socket.write(bytes))
    let received = ""
    const statusLines = () => received.match(statusLine) ?? []
    const end = () => {
      socket.destroy()
      resume(Effect.succeed(statusLines()))
    }
    socket.on("data", (data) => {
      received += data
      if (statusLines().length === answers) end()
    })
    socket.once("end", end)
    socket.once("error", end)
  })

/** The proxy before an engine that answers 204 to everything. */
const proxied = Effect.gen(function* () {
  const engine = yield* RawServer.serve(
    (socket) => void socket.write("HTTP/1.1 204 No Content\r\nApi-Version: 1.41\r\n\r\n")
  )
  assert("socketPath" in engine.host)
  const { socketPath } = yield* Haproxy.serve(engine.host.socketPath)
  const send = (bytes: string) => Effect.map(exchange(socketPath, bytes, 1), ([line = "nothing"]) => line)
  return { socketPath, send, seen: Queue.clear(engine.requests) }
})

Haproxy.describeHaproxy("the proxy before the engine's socket", () => {
  it.live("lets through what the service asks, as it came", () =>
    Effect.gen(function* () {
      const { seen, send } = yield* proxied
      for (const line of allowed) {
        assert.strictEqual(yield* send(request(line)), "HTTP/1.1 204 No Content", line)
        const [first] = yield* seen
        assert.strictEqual(first?.split("\r\n")[0], `${line} HTTP/1.1`)
      }
    })
  )

  it.live("refuses everything else, and the engine sees nothing of it", () =>
    Effect.gen(function* () {
      const { seen, send } = yield* proxied
      assert.isAtLeast(refused.length, 60)
      for (const [what, bytes] of refused) assert.match(yield* send(bytes), /^HTTP\/1.[01] (403|400) /, what)
      assert.deepStrictEqual(yield* seen, [])
      // It is still there, and tells one from the other.
      assert.strictEqual(yield* send(request("GET /info")), "HTTP/1.1 204 No Content")
    })
  )

  it.live("looks at every request that comes over a connection", () =>
    Effect.gen(function* () {
      const { seen, socketPath } = yield* proxied
      const asks = request("GET /info")
      const answers = yield* exchange(socketPath, `${asks}${request(`DELETE /containers/${id}?force=1`)}${asks}`, 3)
      assert.deepStrictEqual(answers, ["HTTP/1.1 204 No Content", "HTTP/1.1 403 Forbidden", "HTTP/1.1 204 No Content"])
      assert.deepStrictEqual(
        (yield* seen).map((head) => head.split("\r\n")[0]),
        ["GET /info HTTP/1.1", "GET /info HTTP/1.1"]
      )
    })
  )

  it.live("answers what is no engine's answer while the engine is away, so nothing is taken for absent", () =>
    Effect.gen(function* () {
      const { socketPath } = yield* Haproxy.serve("/nowhere/docker.sock")
      const { inspect, remove } = Context.get(
        yield* Layer.build(DockerEngine.layer({ host: { socketPath }, timeout: "15 seconds", gameLabel: "game" })),
        ContainerEngine
      )
      const { reason } = yield* Effect.flip(inspect(ContainerId.make(id)))
      assert.strictEqual(reason.detail, "answered 503")
      assert.deepStrictEqual(yield* remove(ContainerId.make(id)), new RemovalUnknown({ words: "a proxy answered 503" }))
    })
  )

  describeEngine("before a real engine", () => {
    const engine = Layer.unwrap(
      Effect.gen(function* () {
        const { gameLabel, host } = yield* TestEngine
        assert("socketPath" in host)
        const { socketPath } = yield* Haproxy.serve(host.socketPath)
        return DockerEngine.layer({ host: { socketPath }, gameLabel, timeout: "15 seconds" })
      })
    )
    const fixture = Layer.effect(EngineFixture, Effect.map(TestEngine, EngineFixture.of))
    suite("keeps the engine's contract", Layer.merge(engine, fixture).pipe(Layer.provide(testEngine)))
  })
})
