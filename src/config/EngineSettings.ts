import { Effect, FileSystem, Redacted, Schema, SchemaGetter, SchemaIssue } from "effect"
import { accepting, parsed } from "./codecs.ts"

/** How to reach the engine, in its client's terms. */
export const EngineAddress = Schema.Union([
  Schema.Struct({ socketPath: Schema.String }),
  Schema.Struct({
    protocol: Schema.Literals(["http", "https"]),
    host: Schema.String,
    port: Schema.Int,
    /** The trusted authority and the client's certificate and key, as PEM; absent without `DOCKER_TLS_VERIFY`. */
    tls: Schema.optionalKey(
      Schema.Struct({ ca: Schema.String, cert: Schema.String, key: Schema.Redacted(Schema.String) })
    )
  })
])
export type EngineAddress = typeof EngineAddress.Type

const Host = Schema.Union([
  Schema.Struct({ socketPath: Schema.String }),
  Schema.Struct({
    scheme: Schema.Literals(["tcp", "http", "https"]),
    host: Schema.String,
    port: Schema.UndefinedOr(Schema.Int)
  })
])

const networkShape = /^(tcp|https?):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/

const parseHost = (text: string): (typeof Host)["Encoded"] | undefined => {
  const socketPath = /^unix:\/\/(\/.+)$/.exec(text)?.[1]
  if (socketPath !== undefined) return { socketPath }
  const [, scheme, host, port] = networkShape.exec(text) ?? []
  if (host === undefined || (scheme !== "tcp" && scheme !== "http" && scheme !== "https")) return undefined
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return undefined
  return { scheme, host: host.replace(/^\[|\]$/g, ""), port: port === undefined ? undefined : Number(port) }
}

/** The variables that Docker's command line reads. `HOME` only finds `~/.docker` if `DOCKER_CERT_PATH` is not set. */
export const EngineVariables = Schema.Struct({
  DOCKER_CONTEXT: Schema.optionalKey(
    Schema.String.pipe(accepting("default, or DOCKER_HOST as well: contexts of Docker's command line are not read"))
  ),
  DOCKER_HOST: Schema.optionalKey(
    parsed(parseHost, Host).pipe(
      accepting("unix:///path, tcp://host:port, http://host:port or https://host:port; ssh and npipe are not supported")
    )
  ),
  DOCKER_TLS_VERIFY: Schema.optionalKey(Schema.String.pipe(accepting("anything: TLS is on if it is not empty"))),
  DOCKER_CERT_PATH: Schema.optionalKey(
    Schema.String.pipe(accepting("a folder with readable ca.pem, cert.pem and key.pem; without it ~/.docker"))
  ),
  HOME: Schema.optionalKey(Schema.String)
})

const readCertificates = Effect.fnUntraced(
  function* ({ DOCKER_CERT_PATH: given, HOME: home }: typeof EngineVariables.Type) {
    const fs = yield* FileSystem.FileSystem
    const folder = given ?? (yield* Effect.map(Effect.fromNullishOr(home), (home) => `${home}/.docker`))
    const [ca, cert, key] = yield* Effect.all([
      fs.readFileString(`${folder}/ca.pem`),
      fs.readFileString(`${folder}/cert.pem`),
      fs.readFileString(`${folder}/key.pem`)
    ])
    return { ca, cert, key: Redacted.make(key, { label: "key.pem" }) }
  },
  Effect.mapError(() => new SchemaIssue.Pointer(["DOCKER_CERT_PATH"], new SchemaIssue.InvalidValue()))
)

const toAddress = Effect.fnUntraced(function* (
  env: typeof EngineVariables.Type
): Effect.fn.Return<EngineAddress, SchemaIssue.Issue, FileSystem.FileSystem> {
  const { DOCKER_CONTEXT: context = "default", DOCKER_HOST: at = { socketPath: "/var/run/docker.sock" } } = env
  if (env.DOCKER_HOST === undefined && context !== "default") {
    return yield* Effect.fail(new SchemaIssue.Pointer(["DOCKER_CONTEXT"], new SchemaIssue.InvalidValue()))
  }
  if ("socketPath" in at) return at
  const { scheme, host, port } = at
  if (env.DOCKER_TLS_VERIFY !== undefined) {
    const tls = yield* readCertificates(env)
    return { protocol: "https", host, port: port ?? 2376, tls }
  }
  if (scheme === "tcp") return { protocol: "http", host, port: port ?? 2375 }
  return { protocol: scheme, host, port: port ?? (scheme === "https" ? 443 : 80) }
})

export const Engine = EngineVariables.pipe(
  Schema.decodeTo(EngineAddress, {
    decode: SchemaGetter.transformEffect(toAddress),
    encode: SchemaGetter.forbiddenEncoding
  })
)

/** The address without certificates and keys. */
export const describeEngine = (engine: EngineAddress): string =>
  "socketPath" in engine ? `unix://${engine.socketPath}` : `${engine.protocol}://${engine.host}:${engine.port}`
