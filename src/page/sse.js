/**
 * The events in a text of server-sent events, and the rest that has not ended yet. Comments are left out.
 *
 * @param {string} text
 */
export const parseEvents = (text) => {
  const blocks = text.split(/\r?\n\r?\n/)
  return { events: blocks.slice(0, -1).flatMap(eventOf), rest: blocks.at(-1) ?? "" }
}

/**
 * @param {string} block
 */
const eventOf = (block) => {
  const fields = block.split(/\r?\n/).map((line) => /^([^:]*):? ?(.*)$/s.exec(line)?.slice(1) ?? [])
  const data = fields.filter(([name]) => name === "data").map(([, value]) => value)
  const event = fields.find(([name]) => name === "event")?.[1] ?? "message"
  return data.length === 0 ? [] : [{ event, data: data.join("\n") }]
}

/**
 * The events of a body, until it ends or says nothing, not even a comment, for `silence` milliseconds.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {number} silence
 * @returns {AsyncGenerator<{ readonly event: string, readonly data: string }>}
 */
export async function* readEvents(body, silence) {
  const reader = body
    .pipeThrough(/** @type {ReadableWritablePair<string, Uint8Array>} */ (new TextDecoderStream()))
    .getReader()
  const read = async () => {
    const patience = Promise.withResolvers()
    const timer = setTimeout(() => patience.reject(new Error("The service has fallen silent.")), silence)
    try {
      return await Promise.race([reader.read(), patience.promise])
    } finally {
      clearTimeout(timer)
    }
  }
  try {
    for (let rest = ""; ; ) {
      const { done, value } = await read()
      if (done) return
      const parsed = parseEvents(rest + value)
      rest = parsed.rest
      yield* parsed.events
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}
