import { Effect, Schema, SchemaGetter, SchemaIssue } from "effect"
import { ContainerState } from "../../domain/Container.ts"
import { ContainerId } from "../../domain/ContainerId.ts"
import { printable, printableEnds } from "../../domain/printable.ts"
import { UnexpectedAnswer } from "../../ports/ContainerEngine.ts"
import type { Answer } from "./Requests.ts"

const rfc3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/

/** Docker's nanoseconds are rounded down to milliseconds. Its year 1 means never. */
const toMillis = (time: string): number | null => {
  const [, seconds, fraction = "", zone] = rfc3339.exec(time) ?? []
  return time.startsWith("0001-") ? null : Date.parse(`${seconds}.${fraction.padEnd(3, "0").slice(0, 3)}${zone}`)
}

/** RFC 3339 → Unix milliseconds, `null` for never. Decodes only. */
export const Time = Schema.String.check(Schema.isPattern(rfc3339)).pipe(
  Schema.decodeTo(Schema.NullOr(Schema.Finite), {
    decode: SchemaGetter.transform(toMillis),
    encode: SchemaGetter.forbidden(() => "times are only read")
  })
)

const Labels = Schema.NullOr(Schema.Record(Schema.String, Schema.String))

export const Inspected = Schema.Struct({
  Id: ContainerId,
  Created: Time,
  State: Schema.Struct({ Status: ContainerState, StartedAt: Time, FinishedAt: Time }),
  Config: Schema.Struct({ Labels }),
  Mounts: Schema.optionalKey(
    Schema.NullOr(Schema.Array(Schema.Struct({ Type: Schema.String, Name: Schema.optionalKey(Schema.String) })))
  )
})

/** An anonymous volume's name is 64 hex digits. */
export const anonymousVolumes = ({ Mounts }: typeof Inspected.Type): number =>
  (Mounts ?? []).filter(({ Name = "", Type }) => Type === "volume" && /^[0-9a-f]{64}$/.test(Name)).length

export const Listed = Schema.Array(Schema.Struct({ Id: ContainerId, Labels }))

export const Info = Schema.Struct({
  ID: Schema.NonEmptyString,
  Driver: Schema.NonEmptyString,
  DockerRootDir: Schema.NonEmptyString,
  DriverStatus: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Array(Schema.String)))),
  /** Since API 1.46. */
  Containerd: Schema.optionalKey(
    Schema.NullOr(Schema.Struct({ Address: Schema.String, Namespaces: Schema.Struct({ Containers: Schema.String }) }))
  )
})
export type Info = typeof Info.Type

/** Where containerd stores the layers; `undefined` if one of the engine's own drivers does. */
export const containerdOf = ({ DriverStatus, Containerd }: Info) =>
  DriverStatus?.some(([key, value]) => key === "driver-type" && value?.startsWith("io.containerd.snapshotter"))
    ? { namespace: Containerd?.Namespaces.Containers ?? "", address: Containerd?.Address ?? "" }
    : undefined

export const Network = Schema.Struct({ Id: Schema.NonEmptyString })

const Refusal = Schema.fromJsonString(Schema.Struct({ message: Schema.String }))
const decodeRefusal = Schema.decodeUnknownOption(Refusal)

/**
 * Whether this is the engine's own "no such container" for exactly this id, and not a 404 from a proxy or for a bad
 * path.
 */
export const saysAbsent = (answer: Answer, id: ContainerId): boolean => {
  if (answer.status !== 404 || !answer.fromEngine) return false
  const refusal = decodeRefusal(answer.body)
  return refusal._tag === "Some" && refusal.value.message.includes(id)
}

/**
 * Up to two full ids and a path precede the actual reason. With its prefix an audit message stays within 300
 * characters.
 */
const explained = printableEnds(130)

/** Who answered with an error, with which status and which message. Printable. */
export const wordsOf = (answer: Answer): string => {
  const refusal = decodeRefusal(answer.body)
  const words = refusal._tag === "Some" ? `: ${explained(refusal.value.message)}` : ""
  return `${answer.fromEngine ? "the engine" : "a proxy"} answered ${answer.status}${words}`
}

/** A detail can name a place in the answer, and so contain a label's key, which is text from outside. */
export const unexpected = (answer: Answer, detail: string) =>
  new UnexpectedAnswer({ status: answer.status, detail: printable(detail) })

const pathsOf = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * The answer's body, which must be JSON of this shape with status 200. The failure names the place, never the value.
 */
export const decode = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decodeBody = Schema.decodeUnknownEffect(Schema.fromJsonString(schema))
  return (answer: Answer) =>
    answer.fromPodman
      ? Effect.fail(unexpected(answer, "this is podman, which is not supported: Docker Engine is"))
      : answer.status === 200
        ? Effect.mapError(decodeBody(answer.body), ({ issue }) => {
            const path = pathsOf(issue).issues[0]?.path ?? []
            return unexpected(answer, `unusable answer at ${["answer", ...path].join(".")}`)
          })
        : Effect.fail(unexpected(answer, `answered ${answer.status}`))
}
