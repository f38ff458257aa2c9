type Json = Readonly<Record<string, unknown>>

/** What the parameters mean, whichever request they are of. */
const parameters: Readonly<Record<string, string>> = {
  "path id": "The game's id, percent-encoded; or the pass's",
  "path name": "The engine's name, which must be that of this service",
  "query state": "What the games wait for",
  "query engine": "Only the games of this engine",
  "query game": "Only this game",
  "query target": "Only acts on this game, engine or plan",
  "query outcome": "Only these",
  "query since": "A time in RFC 3339, or how long before now: `90s`, `36h`, `30d`",
  "query hours": "How many, up to the present one: 1 to 2160, and 168 by default",
  "query limit": "How many at most: by default 20 of 100 passes, and 100 of 500 rows of anything else",
  "query cursor": "`next` of the page before",
  "header idempotency-key":
    "A key of the caller's own, in 1 to 100 printable ASCII characters. The same key and payload get the same answer, and the act is done once",
  "header if-match": "`ETag` of the game as it was seen: the act is done only while it is like that"
}

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null

const forReaders = (key: string, value: unknown) => {
  // Only one kind of client understands it.
  if (key === "x-effect-stream") return undefined
  if (!isObject(value) || !("in" in value)) return value
  return { ...value, description: parameters[`${value["in"]} ${value["name"]}`] }
}

/** The OpenAPI document as people read it: with the meaning of parameters, and schemas by their own names, because all are of what is sent. */
export const readable = (document: Json): Record<string, unknown> =>
  JSON.parse(JSON.stringify(document).replaceAll(/(?<=["/])(\w+)Encoded"/g, '$1"'), forReaders)
