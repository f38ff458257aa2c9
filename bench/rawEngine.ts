import http from "node:http"
import { buffer } from "node:stream/consumers"

/** Where the engine listens; as `http.request` takes it. */
export type Address = { readonly socketPath: string } | { readonly host: string; readonly port: number }

export interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** The engine over plain keep-alive connections, with nothing between Node and its socket. */
export const connect = (address: Address, maxSockets: number) => {
  const agent = new http.Agent({ keepAlive: true, maxSockets })
  const call = (method: string, path: string, body?: Buffer | object) =>
    new Promise<Answer>((resolve, reject) => {
      const content = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
      const type = Buffer.isBuffer(body) ? "application/x-tar" : "application/json"
      const headers = content && { "content-type": type, "content-length": content.length }
      const request = http.request({ ...address, agent, method, path, ...(headers && { headers }) }, (response) =>
        buffer(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
      )
      request.on("error", reject).end(content)
    })
  return {
    call,
    /** A call that must have this answer. */
    expect: async (status: number, ...args: Parameters<typeof call>): Promise<Buffer> => {
      const answer = await call(...args)
      if (answer.status === status) return answer.body
      throw new Error(`${args[0]} ${args[1]}: ${answer.status} ${answer.body.toString().slice(0, 200)}`)
    },
    close: () => agent.destroy()
  }
}

export type RawEngine = ReturnType<typeof connect>

/** Removes the containers with so many requests in flight; with `inspect` it looks at each of them first. */
export const removeAll = async (
  address: Address,
  ids: ReadonlyArray<string>,
  { concurrency, inspect }: { readonly concurrency: number; readonly inspect: boolean },
  signal: AbortSignal
): Promise<void> => {
  const engine = connect(address, concurrency)
  const waiting = ids.values()
  const worker = async () => {
    for (const id of waiting) {
      if (signal.aborted) return
      if (inspect) JSON.parse((await engine.expect(200, "GET", `/containers/${id}/json`)).toString())
      await engine.expect(204, "DELETE", `/containers/${id}`)
    }
  }
  try {
    await Promise.all(Array.from({ length: concurrency }, worker))
  } finally {
    engine.close()
  }
}
