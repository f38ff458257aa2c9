import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { ProblemDetails } from "effect/http"
import { detailsOf, headers } from "./guard.ts"

/** A problem after which the connection is closed. */
const problemOf = (status: number, detail: string) => {
  const body = JSON.stringify(detailsOf(status, detail))
  const fields = {
    ...headers,
    "content-type": ProblemDetails.contentType,
    "content-length": Buffer.byteLength(body),
    connection: "close"
  }
  return { body, fields }
}

/** The same as a whole answer, for a socket that has no response. */
const answerOf = (status: number, detail: string) => {
  const { body, fields } = problemOf(status, detail)
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, "", body].join("\r\n")
}

const answers: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: answerOf(431, "the request line and the headers are too long"),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: answerOf(413, "the extensions of the body's chunks are too long"),
  ERR_HTTP_REQUEST_TIMEOUT: answerOf(408, "the request did not arrive in time")
}

const unreadable = answerOf(400, "the request cannot be read")
const unexpected = problemOf(417, "nothing can be expected but 100-continue")
const noTunnel = answerOf(405, "this service is no proxy")

/** The socket's answer under way, as Node itself has it. */
type Answering = Duplex & {
  readonly _httpMessage?: { readonly headersSent: boolean; readonly req: { readonly complete: boolean } } | null
}

/** Whether what is written now would be taken for the answer to an earlier request, or for more of one. */
const isAnswering = ({ _httpMessage: answer }: Answering) =>
  answer?.headersSent === true || answer?.req.complete === true

const close = (socket: Duplex, answer: string) => {
  if (!socket.writable || isAnswering(socket)) return void socket.destroy()
  socket.end(answer, () => socket.destroy())
}

/**
 * What listens. Whoever sends slowly gets 10 seconds for a request, of which 5 for its headers. A header that comes twice counts as
 * both of its values, so two names, tokens or media types are none that is allowed. A request that cannot be read has a problem for
 * an answer, as any other.
 */
export const nodeServer = () => {
  /** The requests of each connection that have no answer yet, or only part of one. */
  const unanswered = new WeakMap<Duplex, Set<ServerResponse>>()
  const began = (request: IncomingMessage, response: ServerResponse) => {
    const responses = unanswered.get(request.socket) ?? new Set()
    unanswered.set(request.socket, responses.add(response))
    response.once("close", () => responses.delete(response))
    // Node's parser loses what comes behind an upgrade, so the rest of another request could be read as one.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false
  }

  return (
    createServer({
      requestTimeout: 10_000,
      headersTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
      joinDuplicateHeaders: true,
      requireHostHeader: false,
      // An upgrade that waits for the answers before it would never be answered, and its connection never closed.
      shouldUpgradeCallback: () => false
    })
      .on("request", began)
      .on("checkContinue", began)
      .on("clientError", ({ code = "" }: NodeJS.ErrnoException, socket) => close(socket, answers[code] ?? unreadable))
      .on("connect", (_, socket) => {
        // Node listens for this socket's errors no more, and one that nobody listens for ends the process.
        socket.on("error", () => {})
        // Nor does it tell those that wait for the answers before them.
        for (const response of unanswered.get(socket) ?? []) response.emit("close")
        close(socket, noTunnel)
      })
      // By the response, which waits for the answers to the requests before it.
      .on("checkExpectation", (_, response) => response.writeHead(417, unexpected.fields).end(unexpected.body))
  )
}
