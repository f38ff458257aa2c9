import { createConnection, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { Effect, type Redacted } from "effect"
import { addressOf, urlWith } from "./externalServer.ts"
import * as Gate from "./Gate.ts"
import { temporaryFolder } from "./postgres.ts"
import { type RoundTrip, roundTrips, splitter, typeOf } from "./postgresWire.ts"

/** A socket between the driver and the server on which answers get lost, and where every statement passes a gate. */
export interface PostgresProxy {
  readonly url: Redacted.Redacted
  /** The connection is cut when the server answers the next statement that contains this text: it was carried out. */
  loseAnswerTo: string | undefined
  /** Nothing more is passed on in either direction, and nothing is closed, as on a half-open connection. */
  frozen: boolean
  /** How many answers were lost. */
  lost: number
  /** The server's process ids of the sessions that are open. */
  readonly sessions: ReadonlySet<number>
  readonly cut: Effect.Effect<void>
  /**
   * After every client has ended: waits until nothing that they sent is still being carried out. What the gate holds has
   * not arrived yet, so it is not waited for.
   */
  readonly idle: Effect.Effect<void>
}

interface Session {
  /** Asked, and not answered yet. */
  readonly unanswered: Array<RoundTrip>
  held: boolean
  pid: number
  rehearsing: boolean
}

/** How a rehearsal begins, and its last statement. */
const rehearsal = { first: /^set constraints all immediate/, last: /^rollback$/i }

export const makePostgresProxy = Effect.fnUntraced(function* (server: Redacted.Redacted, gate: Gate.Gate = Gate.open) {
  const folder = yield* temporaryFolder
  const sockets = new Set<Socket>()
  const sessions = new Set<Session>()
  const pids = new Set<number>()
  const waiting: Array<() => void> = []
  const wake = () => {
    for (const look of waiting.splice(0)) look()
  }
  const proxy: PostgresProxy = {
    url: urlWith(server, { host: folder, port: 5432 }),
    loseAnswerTo: undefined,
    frozen: false,
    lost: 0,
    sessions: pids,
    cut: Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
    }),
    idle: Effect.callback<void>((resume) => {
      const look = () => {
        const over = [...sessions].every(({ held, unanswered }) => held && unanswered.length === 0)
        if (over) resume(Effect.void)
        else waiting.push(look)
      }
      // What the gate has just let go is on its way by then.
      setImmediate(look)
    })
  }

  const ask = async (
    session: Session,
    side: "before" | "after",
    { statement, parameters }: RoundTrip
  ): Promise<Gate.Verdict> => {
    if (statement === undefined) return "pass"
    if (rehearsal.first.test(statement)) session.rehearsing = true
    const what = session.rehearsing ? `rehearsal: ${statement}` : statement
    if (side === "after" && rehearsal.last.test(statement)) session.rehearsing = false
    if (side === "after" && proxy.loseAnswerTo !== undefined && statement.includes(proxy.loseAnswerTo)) {
      proxy.loseAnswerTo = undefined
      proxy.lost++
      return "cut"
    }
    return gate({ side, what, parameters })
  }

  const listener = createServer((client) => {
    const upstream = createConnection(addressOf(server))
    const session: Session = { unanswered: [], held: false, pid: 0, rehearsing: false }
    const { unanswered } = session
    sessions.add(session)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on("error", () => socket.destroy())
      socket.on("close", () => sockets.delete(socket))
    }
    upstream.on("close", () => {
      sessions.delete(session)
      pids.delete(session.pid)
      wake()
    })

    const outward = async () => {
      const [split, group] = [splitter("client"), roundTrips()]
      for await (const chunk of client) {
        for (const message of split(chunk)) {
          if (typeOf(message) === "p") {
            upstream.write(message)
            continue
          }
          const trip = group(message)
          if (trip === undefined) continue
          session.held = true
          wake()
          const verdict = await ask(session, "before", trip)
          session.held = false
          if (verdict === "cut") return void client.destroy()
          if (proxy.frozen) continue
          unanswered.push(trip)
          upstream.write(trip.bytes)
        }
      }
    }
    const inward = async () => {
      const split = splitter("server")
      let answer: Array<Buffer> = []
      const pass = () => {
        if (!proxy.frozen) client.write(Buffer.concat(answer))
        answer = []
      }
      for await (const chunk of upstream) {
        for (const message of split(chunk)) {
          answer.push(message)
          if (typeOf(message) === "K") {
            session.pid = message.readInt32BE(5)
            pids.add(session.pid)
          }
          // The server wants to hear a password, or goes on to ask for one.
          if (typeOf(message) === "R" && message.readInt32BE(5) !== 0) pass()
          // Ready for the next query: what was asked is carried out and committed.
          if (typeOf(message) !== "Z") continue
          const trip = unanswered.shift()
          if (trip !== undefined && (await ask(session, "after", trip)) === "cut") return void client.destroy()
          pass()
          wake()
        }
      }
      // The last words of a session that the server ends.
      pass()
    }
    const lost = () => undefined
    // The server sees an ended client as the kernel would tell it: after all that was sent before.
    void outward()
      .catch(lost)
      .finally(() => upstream.end())
    void inward()
      .catch(lost)
      .finally(() => proxy.frozen || client.destroySoon())
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      listener.listen(join(folder, ".s.PGSQL.5432"), () => resume(Effect.void))
    }),
    () =>
      Effect.andThen(
        proxy.cut,
        Effect.callback<void>((resume) => {
          listener.close(() => resume(Effect.void))
        })
      )
  )
  return proxy
})
