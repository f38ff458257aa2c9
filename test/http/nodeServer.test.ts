import { EventEmitter } from "node:events"
import { PassThrough } from "node:stream"
import { text } from "node:stream/consumers"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { nodeServer } from "../../src/http/nodeServer.ts"

/** What the server answers to a connection that has come to grief like this. */
const answered = (code: string, connection: object = {}) =>
  Effect.promise(() => {
    const socket = Object.assign(new PassThrough(), connection)
    nodeServer().emit("clientError", Object.assign(new Error(code), { code }), socket)
    return text(socket).catch(() => "")
  })

describe("a connection that comes to grief", () => {
  it.effect("because the request did not arrive in time is answered with a problem", () =>
    Effect.gen(function* () {
      const answer = yield* answered("ERR_HTTP_REQUEST_TIMEOUT")
      assert.match(answer, /^HTTP\/1.1 408 Request Timeout\r\n/)
      assert.match(answer, /\r\n\r\n\{"type":"about:blank","status":408,/)
    })
  )

  it.effect("within an answer is closed without a word", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* answered("HPE_INVALID_METHOD", { _httpMessage: { headersSent: true, req: { complete: false } } }),
        ""
      )
      assert.match(yield* answered("HPE_INVALID_METHOD", { _httpMessage: null }), /^HTTP\/1.1 400 /)
    })
  )

  it.effect(
    "behind a request that has no answer yet is closed without a word, which would be taken for that answer",
    () =>
      Effect.gen(function* () {
        const behind = (complete: boolean) =>
          answered("HPE_INVALID_METHOD", { _httpMessage: { headersSent: false, req: { complete } } })
        assert.strictEqual(yield* behind(true), "")
        assert.match(yield* behind(false), /^HTTP\/1.1 400 /)
      })
  )

  it.effect("because a tunnel was asked for is none any more to all who wait for the answers before theirs", () =>
    Effect.gen(function* () {
      const socket = new PassThrough()
      const server = nodeServer()
      const responses = [new EventEmitter(), new EventEmitter(), new EventEmitter()]
      const closed = new Set<unknown>()
      for (const response of responses) {
        server.emit("request", { socket, headers: {} }, response)
        response.on("close", () => closed.add(response))
      }
      responses[0]?.emit("close")
      closed.clear()
      server.emit("connect", {}, socket)
      assert.deepStrictEqual([...closed], responses.slice(1))
      socket.destroy()
    })
  )

  it.effect("after a tunnel was asked for harms nothing else", () =>
    Effect.gen(function* () {
      const socket = new PassThrough()
      nodeServer().emit("connect", {}, socket)
      assert.isAbove(socket.listenerCount("error"), 0)
      yield* Effect.callback<void>((resume) => {
        socket.on("close", () => resume(Effect.void))
        socket.destroy(new Error("reset"))
      })
    })
  )
})
