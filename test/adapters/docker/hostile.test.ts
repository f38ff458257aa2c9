import type { Socket } from "node:net"
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Queue, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as DockerEngine from "../../../src/adapters/docker/ContainerEngine.ts"
import { connect, type DockerHost } from "../../../src/adapters/docker/Requests.ts"
import { ContainerId } from "../../../src/domain/ContainerId.ts"
import { ContainerEngine, RemovalUnknown } from "../../../src/ports/ContainerEngine.ts"
import { resultOf } from "../../ports/ContainerEngineSuite.ts"
import { serve } from "../../support/RawServer.ts"
import { containerId } from "../../support/records.ts"
import { makeTracer } from "../../support/tracer.ts"

const id = containerId("5")
const gameLabel = "com.galaxy.game_id"

const engineAt = (host: DockerHost) =>
  Effect.map(Layer.build(DockerEngine.layer({ host, gameLabel, timeout: "15 seconds" })), Context.get(ContainerEngine))

const engineAnswering = (answer: (socket: Socket, request: string) => void, network?: "unix" | "tcp") =>
  Effect.gen(function* () {
    const server = yield* serve(answer, network)
    return { server, engine: yield* engineAt(server.host) }
  })

const http = (status: string, body: string, headers: ReadonlyArray<string> = ["Api-Version: 1.41"]) =>
  [`HTTP/1.1 ${status}`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers, "", body].join("\r\n")

const ok = (body: unknown) => http("200 OK", JSON.stringify(body))

const described = {
  Id: id,
  Created: "2026-01-02T03:04:05.123999999Z",
  State: { Status: "exited", StartedAt: "2026-01-02T03:04:06Z", FinishedAt: "0001-01-01T00:00:00Z" },
  Config: { Labels: { [gameLabel]: "game-1" } }
}
/** An engine at its best. */
const healthy = (socket: Socket, request: string) => {
  const [, path = ""] = request.split(" ")
  if (path === "/_ping") return socket.write(http("200 OK", "OK"))
  if (path === "/networks/none") return socket.write(ok({ Id: "none" }))
  if (path === "/info") return socket.write(ok({ ID: "id", Driver: "overlay2", DockerRootDir: "/data", Containers: 1 }))
  if (path.startsWith("/containers/json")) return socket.write(ok([]))
  return socket.write(
    request.startsWith("DELETE") ? "HTTP/1.1 204 No Content\r\nApi-Version: 1.41\r\n\r\n" : ok(described)
  )
}
const noSuch = (named: string) => JSON.stringify({ message: `No such container: ${named}` })
const endless = (socket: Socket) => {
  socket.write("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nTransfer-Encoding: chunked\r\n\r\n")
  const piece = `${(65536).toString(16)}\r\n${"x".repeat(65536)}\r\n`
  const more = () => {
    while (!socket.destroyed && socket.write(piece));
  }
  socket.on("drain", more)
  more()
}

/** What a hostile or broken engine answers, and what `inspect` makes of it: the reason and the HTTP status. */
const answers: ReadonlyArray<
  readonly [
    name: string,
    answer: string | ((socket: Socket) => void),
    reason: "Unreachable" | "UnexpectedAnswer",
    status?: number
  ]
> = [
  ["a redirect", http("301 Moved", "", ["Location: /containers/other/json"]), "UnexpectedAnswer", 301],
  ["a redirect to another scheme", http("301 Moved", "", ["Location: ftp://x/"]), "UnexpectedAnswer", 301],
  ["a redirect to nowhere", http("302 Found", "", ["Location: http://["]), "UnexpectedAnswer", 302],
  ["a 304", "HTTP/1.1 304 Not Modified\r\n\r\n", "UnexpectedAnswer", 304],
  ["a 409", http("409 Conflict", '{"message":"removal in progress"}'), "UnexpectedAnswer", 409],
  ["a 409 of a proxy", http("409 Conflict", '{"message":"running"}', []), "UnexpectedAnswer", 409],
  ["a 502 of a proxy", http("502 Bad Gateway", "", []), "UnexpectedAnswer", 502],
  ["a 500", http("500 Internal Server Error", '{"message":"driver failed"}'), "UnexpectedAnswer", 500],
  ["a 204 of a proxy", http("204 No Content", "", []), "UnexpectedAnswer", 204],
  ["a 404 of a proxy", http("404 Not Found", noSuch(id), []), "UnexpectedAnswer", 404],
  ["a 404 for another container", http("404 Not Found", noSuch(containerId("6"))), "UnexpectedAnswer", 404],
  ["a 404 for a bad path", http("404 Not Found", '{"message":"page not found"}'), "UnexpectedAnswer", 404],
  ["a 404 that is not JSON", http("404 Not Found", `<p>no such container: ${id}</p>`), "UnexpectedAnswer", 404],
  ["endless headers", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}\r\n\r\n`, "UnexpectedAnswer"],
  ["what is not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "UnexpectedAnswer"],
  ["what is not JSON", http("200 OK", "<html></html>"), "UnexpectedAnswer", 200],
  ["nothing", http("200 OK", ""), "UnexpectedAnswer", 200],
  ["null", ok(null), "UnexpectedAnswer", 200],
  ["another container", ok({ ...described, Id: containerId("6") }), "UnexpectedAnswer", 200],
  ["an id in capitals", ok({ ...described, Id: "A".repeat(64) }), "UnexpectedAnswer", 200],
  ["an unknown state", ok({ ...described, State: { ...described.State, Status: "x" } }), "UnexpectedAnswer", 200],
  ["no state", ok({ ...described, State: undefined }), "UnexpectedAnswer", 200],
  ["a time that is none", ok({ ...described, Created: "2026-13-02T03:04:05Z" }), "UnexpectedAnswer", 200],
  ["a container never created", ok({ ...described, Created: "0001-01-01T00:00:00Z" }), "UnexpectedAnswer", 200],
  ["labels of another shape", ok({ ...described, Config: { Labels: [1] } }), "UnexpectedAnswer", 200],
  ["an endless body", endless, "UnexpectedAnswer", 200],
  ["a cut connection", (socket) => socket.destroy(), "Unreachable"],
  ["half an answer", (socket) => socket.end(`${ok(described).slice(0, -20)}`), "Unreachable"]
]

/** Those of them with an error status that the engine itself gave, or a proxy that did not pass the request on. */
const refusals = new Map([
  ...["a 409 of a proxy", "a 404 of a proxy"].map((name) => [name, "refused by the proxy"] as const),
  ...["a 409", "a 500", "a 404 for another container", "a 404 for a bad path", "a 404 that is not JSON"].map(
    (name) => [name, "refused by the engine"] as const
  )
])

const sender = (answer: (typeof answers)[number][1]) => (socket: Socket) => {
  if (typeof answer === "string") socket.write(answer)
  else answer(socket)
}

describe("the Docker engine's adapter before a hostile engine", () => {
  for (const [name, answer, reason, status] of answers) {
    const removed = refusals.get(name) ?? "unknown"
    it.effect(`inspect refuses ${name}`, () =>
      Effect.gen(function* () {
        const { server, engine } = yield* engineAnswering(sender(answer))
        const error = yield* Effect.flip(engine.inspect(id))
        assert.strictEqual(error.reason._tag, reason, error.message)
        if (error.reason._tag === "UnexpectedAnswer") assert.strictEqual(error.reason.status, status)
        assert.strictEqual(yield* Queue.size(server.requests), name === "a cut connection" ? 2 : 1)
      })
    )

    it.effect(`remove calls it ${removed} after ${name}`, () =>
      Effect.gen(function* () {
        const { server, engine } = yield* engineAnswering(sender(answer))
        assert.strictEqual(resultOf(yield* engine.remove(id)), removed)
        assert.strictEqual(yield* Queue.size(server.requests), 1)
      })
    )
  }

  it.effect("remove says what came in place of an answer, such as a proxy's 502", () =>
    Effect.gen(function* () {
      const { engine } = yield* engineAnswering((socket) => socket.write(http("502 Bad Gateway", "", [])))
      assert.deepStrictEqual(yield* engine.remove(id), new RemovalUnknown({ words: "a proxy answered 502" }))
    })
  )

  it.effect("event 35: names podman, whose absent containers and networks are not those of Docker", () =>
    Effect.gen(function* () {
      const { engine } = yield* engineAnswering((socket) =>
        socket.write(http("200 OK", '{"ID":"x"}', ["Api-Version: 1.41", "Libpod-Api-Version: 4.3.1"]))
      )
      assert.match((yield* Effect.flip(engine.identity)).message, /this is podman, which is not supported/)
    })
  )

  it.effect("event 39: asks once more, on a new connection, where one that was kept open is closed on a question", () =>
    Effect.gen(function* () {
      const used = new WeakSet<Socket>()
      const { server, engine } = yield* engineAnswering((socket) => {
        if (used.has(socket)) return void socket.destroy()
        used.add(socket)
        socket.write(ok(described))
      })
      for (let i = 0; i < 5; i++) assert.strictEqual((yield* engine.inspect(id))?.id, id)
      assert.isAbove(yield* Queue.size(server.requests), 5)
    })
  )

  it.effect("event 39: sends a removal once and on a connection of its own, whatever was kept open before", () =>
    Effect.gen(function* () {
      const used = new WeakSet<Socket>()
      const { server, engine } = yield* engineAnswering((socket, request) => {
        const isKept = used.has(socket)
        used.add(socket)
        if (!request.startsWith("DELETE")) return void socket.write(ok(described))
        assert.isFalse(isKept)
        socket.destroy()
      })
      yield* engine.inspect(id)
      yield* Queue.clear(server.requests)
      assert.strictEqual(resultOf(yield* engine.remove(id)), "unknown")
      assert.strictEqual(yield* Queue.size(server.requests), 1)
    })
  )

  it.effect("takes the absence of a container from the engine itself", () =>
    Effect.gen(function* () {
      const { engine } = yield* engineAnswering((socket) => socket.write(http("404 Not Found", noSuch(id))))
      assert.isUndefined(yield* engine.inspect(id))
      assert.strictEqual(yield* engine.remove(id), "absent")
    })
  )

  it.effect("rounds times down to milliseconds and takes year 1 for never", () =>
    Effect.gen(function* () {
      const { engine } = yield* engineAnswering((socket) => socket.write(ok(described)))
      assert.deepStrictEqual(yield* engine.inspect(id), {
        id,
        state: "exited",
        gameId: "game-1",
        createdAt: Date.UTC(2026, 0, 2, 3, 4, 5, 123),
        startedAt: Date.UTC(2026, 0, 2, 3, 4, 6),
        finishedAt: null,
        anonymousVolumes: 0
      })
    })
  )

  it.effect("reads a container without any labels", () =>
    Effect.gen(function* () {
      const { engine } = yield* engineAnswering((socket) =>
        socket.write(ok({ ...described, Config: { Labels: null } }))
      )
      assert.isNull((yield* engine.inspect(id))?.gameId)
    })
  )

  const hangs: ReadonlyArray<readonly [string, (socket: Socket) => void]> = [
    ["does not answer", () => {}],
    ["changes the protocol", (socket) => socket.write("HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")],
    ["stops in mid-answer", (socket) => socket.write(ok(described).slice(0, -20))]
  ]
  for (const [name, answer] of hangs) {
    it.effect(`event 14: ends a call within the timeout when the engine ${name}, and closes the connection`, () =>
      Effect.gen(function* () {
        const { server, engine } = yield* engineAnswering(answer)
        const calls = yield* Effect.all([Effect.flip(engine.inspect(id)), engine.remove(id)], {
          concurrency: "unbounded"
        }).pipe(Effect.forkChild)
        yield* Queue.takeN(server.requests, 2)
        yield* TestClock.adjust("15 seconds")
        const [error, removed] = yield* Fiber.join(calls)
        assert.strictEqual(error.message, "engine inspect: no answer within 15s")
        assert.strictEqual(error.reason._tag, "Unreachable")
        assert.strictEqual(resultOf(removed), "unknown")
        yield* Queue.takeN(server.closed, 2)
      })
    )

    it.effect(`closes the connection when it is interrupted while the engine ${name}`, () =>
      Effect.gen(function* () {
        const { server, engine } = yield* engineAnswering(answer)
        const call = yield* Effect.forkChild(engine.inspect(id))
        yield* Queue.take(server.requests)
        yield* Fiber.interrupt(call)
        yield* Queue.take(server.closed)
      })
    )
  }

  const unreachable: ReadonlyArray<readonly [string, DockerHost, RegExp]> = [
    ["no socket", { socketPath: "/nonexistent/engine.sock" }, /ENOENT/],
    ["no listener", { protocol: "http", host: "127.0.0.1", port: 1 }, /ECONNREFUSED/],
    ["no listener on IPv6", { protocol: "http", host: "::1", port: 1 }, /ECONNREFUSED|EADDRNOTAVAIL/],
    ["a host that has no address", { protocol: "http", host: "engine.invalid", port: 1 }, /ENOTFOUND|EAI_AGAIN/],
    [
      "a key that is none",
      { protocol: "https", host: "127.0.0.1", port: 1, tls: { ca: "", cert: "SECRET", key: Redacted.make("SECRET") } },
      /PEM/
    ]
  ]
  for (const [name, host, detail] of unreachable) {
    it.effect(`fails with Unreachable where nothing was sent: ${name}`, () =>
      Effect.gen(function* () {
        const engine = yield* engineAt(host)
        for (const call of [engine.ping, engine.identity, engine.inspect(id), engine.remove(id)]) {
          const error = yield* Effect.flip(call)
          assert.strictEqual(error.reason._tag, "Unreachable")
          assert.match(error.reason.detail, detail)
          assert.notInclude(JSON.stringify(error), "SECRET")
        }
      })
    )
  }

  it.effect("finds only containers that carry the label, whatever the engine lists", () =>
    Effect.gen(function* () {
      const other = containerId("6")
      const { engine } = yield* engineAnswering((socket) =>
        socket.write(
          ok([
            { Id: other, Labels: { [gameLabel]: "game-10" } },
            { Id: other, Labels: null },
            { Id: id, Labels: { [gameLabel]: "game-1" } }
          ])
        )
      )
      assert.deepStrictEqual(yield* engine.findByGame("game-1"), [id])
    })
  )

  const info = { ID: "e", Driver: "overlay2", DockerRootDir: "/d", Containers: 3, DriverStatus: [["a", "b"]] }
  const snapshotter = { Driver: "overlayfs", DriverStatus: [["driver-type", "io.containerd.snapshotter.v1"]] }
  const containerd = { Address: "/c.sock", Namespaces: { Containers: "moby", Plugins: "plugins.moby" } }
  const engineSaying = (given: object, network: object) =>
    engineAnswering((socket, request) => socket.write(ok(request.startsWith("GET /info ") ? given : network)))

  for (const [name, changes, network] of [
    ["has no ID", { ID: undefined }, { Id: "n" }],
    ["has an empty ID", { ID: "" }, { Id: "n" }],
    ["has no network", {}, {}],
    ["has no storage driver", { Driver: "" }, { Id: "n" }],
    ["has no data root", { DockerRootDir: undefined }, { Id: "n" }]
  ] as const) {
    it.effect(`has no identity for an engine that ${name}`, () =>
      Effect.gen(function* () {
        const { engine } = yield* engineSaying({ ...info, ...changes }, network)
        assert.strictEqual((yield* Effect.flip(engine.identity)).reason._tag, "UnexpectedAnswer")
      })
    )
  }

  for (const [name, changes, expected] of [
    ["a driver of its own", {}, "e/n/overlay2:/d"],
    ["no status", { DriverStatus: null, Containerd: null }, "e/n/overlay2:/d"],
    ["a containerd that keeps no layers", { Containerd: containerd }, "e/n/overlay2:/d"],
    ["a snapshotter", { ...snapshotter, Containerd: containerd }, "e/n/overlayfs(containerd moby /c.sock):/d"],
    ["a snapshotter before API 1.46", snapshotter, "e/n/overlayfs(containerd  ):/d"]
  ] as const) {
    it.effect(`event 28: knows an engine with ${name} by what it can see`, () =>
      Effect.gen(function* () {
        const { engine } = yield* engineSaying({ ...info, ...changes }, { Id: "n" })
        assert.strictEqual<string>(yield* engine.identity, expected)
      })
    )
  }

  it.effect("sends these requests and no others", () =>
    Effect.gen(function* () {
      const { server, engine } = yield* engineAnswering((socket) => socket.write(http("418 Teapot", "")))
      for (const call of [engine.ping, engine.inspect(id), engine.findByGame("a=b"), engine.remove(id)]) {
        yield* Effect.exit(call)
      }
      const lines = (yield* Queue.takeAll(server.requests)).map((request) => request.split(" HTTP/1.1\r\n")[0])
      assert.deepStrictEqual(lines, [
        "GET /_ping",
        `GET /containers/${id}/json`,
        `GET /containers/json?all=true&filters=${encodeURIComponent(`{"label":["${gameLabel}=a=b"]}`)}`,
        `DELETE /containers/${id}`
      ])
    })
  )

  it.effect("event 12: sends nothing for an id that went round the check", () =>
    Effect.gen(function* () {
      const { server, engine } = yield* engineAnswering((socket) => socket.write(http("204 No Content", "")))
      for (const text of [
        "",
        "a",
        "my-game",
        "../images/x",
        `${id}?force=1`,
        `${id}\n`,
        `${id}/../x`,
        "A".repeat(64)
      ]) {
        const hostile = ContainerId.make(text, { disableChecks: true })
        assert.isTrue(Exit.hasDies(yield* Effect.exit(engine.remove(hostile))))
        assert.isTrue(Exit.hasDies(yield* Effect.exit(engine.inspect(hostile))))
      }
      assert.strictEqual(yield* Queue.size(server.requests), 0)
    })
  )

  for (const network of ["unix", "tcp"] as const) {
    it.effect(`has a client span for every request, with the attributes of an HTTP call (${network})`, () =>
      Effect.gen(function* () {
        const { server, engine } = yield* engineAnswering(healthy, network)
        const { spans, tracer } = makeTracer()
        yield* Effect.all([
          engine.ping,
          engine.identity,
          engine.findByGame("game-1"),
          engine.inspect(id),
          engine.remove(id)
        ]).pipe(Effect.withTracer(tracer), Effect.withSpan("game"))
        const address =
          "socketPath" in server.host
            ? { "server.address": server.host.socketPath }
            : { "server.address": server.host.host, "server.port": server.host.port }
        const call = (method: string, template: string, status: number) => ({
          "http.request.method": method,
          "url.template": template,
          ...address,
          "http.response.status_code": status
        })
        assert.deepStrictEqual(
          spans.map(({ attributes, kind, name }) => [name, kind, Object.fromEntries(attributes)]),
          [
            ["rtmanager.cleanup.ping", "client", call("GET", "/_ping", 200)],
            ["rtmanager.cleanup.info", "client", call("GET", "/info", 200)],
            ["rtmanager.cleanup.network", "client", call("GET", "/networks/none", 200)],
            ["rtmanager.cleanup.find", "client", call("GET", "/containers/json", 200)],
            ["rtmanager.cleanup.inspect", "client", call("GET", "/containers/{id}/json", 200)],
            ["rtmanager.cleanup.remove", "client", call("DELETE", "/containers/{id}", 204)]
          ]
        )
      })
    )
  }

  it.effect.each([
    {
      name: "an error of the engine",
      answer: http("500 Internal Server Error", "{}"),
      inspected: "500",
      removed: "500"
    },
    { name: "an error of a proxy", answer: http("502 Bad Gateway", "", []), inspected: "502", removed: "502" },
    { name: "a refusal", answer: http("409 Conflict", "{}"), inspected: "409", removed: undefined },
    { name: "what is not JSON", answer: http("200 OK", "<html>"), inspected: "UnexpectedAnswer", removed: undefined },
    { name: "what is not HTTP", answer: "SSH-2.0\r\n", inspected: "UnexpectedAnswer", removed: "UnexpectedAnswer" },
    { name: "an absence", answer: http("404 Not Found", noSuch(id)), inspected: undefined, removed: undefined }
  ])("names on a call's span what was wrong with the answer: $name", ({ answer, inspected, removed }) =>
    Effect.gen(function* () {
      const { engine } = yield* engineAnswering((socket) => socket.write(answer))
      const { spans, tracer } = makeTracer()
      yield* Effect.all([Effect.exit(engine.inspect(id)), engine.remove(id)]).pipe(Effect.withTracer(tracer))
      assert.deepStrictEqual(
        spans.map(({ attributes }) => attributes.get("error.type")),
        [inspected, removed]
      )
    })
  )

  it("gives the modem an agent that is cheap to describe, because the modem describes it at every removal", () => {
    const { modem } = connect({ socketPath: "/nowhere" }, { fresh: true })
    assert.notInclude(inspect(modem, { showHidden: true, depth: null }), "sockets:")
  })

  it.effect("event 14: reads no more of an endless answer than a few megabytes, and closes the connection", () =>
    Effect.gen(function* () {
      const { server, engine } = yield* engineAnswering(endless)
      const error = yield* Effect.flip(engine.inspect(id))
      assert.strictEqual(error.message, "engine inspect: the answer is larger than 4194304 bytes")
      const socket = yield* Queue.take(server.closed)
      assert.isBelow(socket.bytesWritten, 8 * 1024 * 1024)
    })
  )
})
