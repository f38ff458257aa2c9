/** What a client sends up to the point where it waits for an answer. */
export interface RoundTrip {
  readonly bytes: Buffer
  /** The text of the statement that is executed, also of one that was prepared before; none while a session starts. */
  readonly statement: string | undefined
  readonly parameters: ReadonlyArray<string>
}

const textAt = (message: Buffer, from: number): string => message.toString("utf8", from, message.indexOf(0, from))

/** A message's type; that of a session's first message is a NUL, as it has none. */
export const typeOf = (message: Buffer): string => String.fromCharCode(message[0] ?? 0)

/** Cuts a stream of bytes into messages. The first message of a client has no type before its length. */
export const splitter = (from: "client" | "server") => {
  let rest: Buffer = Buffer.alloc(0)
  let head = from === "client" ? 0 : 1
  return (chunk: Buffer): ReadonlyArray<Buffer> => {
    rest = Buffer.concat([rest, chunk])
    const messages: Array<Buffer> = []
    while (rest.length >= head + 4) {
      const end = head + rest.readInt32BE(head)
      if (rest.length < end) break
      messages.push(rest.subarray(0, end))
      rest = rest.subarray(end)
      head = 1
    }
    return messages
  }
}

/** A Bind message: the prepared statement's name, and each parameter as text (binary ones come out as garbage). */
const bindOf = (message: Buffer) => {
  const portalEnd = message.indexOf(0, 5)
  const name = textAt(message, portalEnd + 1)
  let at = message.indexOf(0, portalEnd + 1) + 1
  at += 2 + 2 * message.readInt16BE(at)
  const parameters: Array<string> = []
  const count = message.readInt16BE(at)
  at += 2
  while (parameters.length < count) {
    const length = Math.max(0, message.readInt32BE(at))
    parameters.push(message.toString("utf8", at + 4, at + 4 + length))
    at += 4 + length
  }
  return { name, parameters }
}

/** Groups a client's messages into round trips: a session's start, a simple query, or everything up to a Sync. */
export const roundTrips = () => {
  const prepared = new Map<string, string>()
  let bytes: Array<Buffer> = []
  let statement: string | undefined
  let parameters: ReadonlyArray<string> = []
  return (message: Buffer): RoundTrip | undefined => {
    bytes.push(message)
    const type = typeOf(message)
    if (type === "P") prepared.set(textAt(message, 5), textAt(message, message.indexOf(0, 5) + 1))
    if (type === "Q") statement = textAt(message, 5)
    if (type === "B") {
      const bind = bindOf(message)
      statement = prepared.get(bind.name)
      parameters = bind.parameters
    }
    if (!"\0QSX".includes(type)) return undefined
    const trip = { bytes: Buffer.concat(bytes), statement, parameters }
    bytes = []
    statement = undefined
    parameters = []
    return trip
  }
}
