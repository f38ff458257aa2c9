import { createServer } from "node:http"

/** Accepts all telemetry and counts it; `GET /` says how much. Ends when its parent does. */
const received = { requests: 0, bytes: 0 }

const server = createServer((request, response) => {
  const answer = (body: object) =>
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
  if (request.method === "GET") return void answer(received)
  received.requests++
  request.on("data", (chunk: Buffer) => {
    received.bytes += chunk.length
  })
  request.on("end", () => answer({}))
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.stdout.write(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}\n`)
})
process.stdin.resume().on("end", () => process.exit(0))
