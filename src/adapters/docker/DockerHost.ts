import { Effect, FileSystem, Path, Result } from "effect"

/** Where the engine listens. With TLS its certificate is always verified, by `ca` if given, else by the system's. */
export type DockerHost =
  | { readonly socketPath: string }
  | {
      readonly protocol: "http" | "https"
      readonly host: string
      readonly port: number
      readonly ca?: string
      readonly cert?: string
      readonly key?: string
    }

/** The same with the folder of the certificates in place of their texts. */
export type DockerAddress =
  | { readonly socketPath: string }
  | {
      readonly protocol: "http" | "https"
      readonly host: string
      readonly port: number
      readonly certPath: string | undefined
    }

const defaultSocket = "/var/run/docker.sock"
const tcp = /^(tcp|http|https):\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?\/?$/i
const defaultPorts = { tcp: [2375, 2376], http: [80, 443], https: [443, 443] } as const

/**
 * What Docker's own variables say, with Docker's defaults; an empty variable counts as unset. The failure is a sentence
 * about `DOCKER_HOST` that does not repeat its value. Unlike Docker's clients, `DOCKER_CERT_PATH` without
 * `DOCKER_TLS_VERIFY` verifies too, and ssh, npipe and fd are not supported.
 */
export const parse = (env: {
  readonly DOCKER_HOST?: string | undefined
  readonly DOCKER_CERT_PATH?: string | undefined
  readonly DOCKER_TLS_VERIFY?: string | undefined
}): Result.Result<DockerAddress, string> => {
  const value = env.DOCKER_HOST || `unix://${defaultSocket}`
  if (value.startsWith("unix://")) {
    const socketPath = value.slice("unix://".length) || defaultSocket
    return socketPath.startsWith("/") && !socketPath.includes("\0")
      ? Result.succeed({ socketPath })
      : Result.fail("the path after unix:// must be absolute")
  }
  if (/^(ssh|npipe|fd):/i.test(value)) return Result.fail("only unix, tcp, http and https are supported")
  const match = tcp.exec(value)
  const [, scheme, host, digits] = match ?? []
  if (scheme === undefined || host === undefined) {
    return Result.fail("must be unix:///path, tcp://host:port, http://host:port or https://host:port")
  }
  const lower = scheme.toLowerCase() as keyof typeof defaultPorts
  const certPath = env.DOCKER_CERT_PATH || undefined
  const tls = lower === "https" || certPath !== undefined || Boolean(env.DOCKER_TLS_VERIFY)
  const port = digits === undefined ? defaultPorts[lower][tls ? 1 : 0] : Number(digits)
  if (port < 1 || port > 65535) return Result.fail("the port must be from 1 to 65535")
  return Result.succeed({ protocol: tls ? "https" : "http", host, port, certPath })
}

/** Reads `ca.pem`, `cert.pem` and `key.pem`, all of which must exist where there is a folder for them. */
export const withCertificates = Effect.fnUntraced(function* (address: DockerAddress) {
  if ("socketPath" in address) return address
  const { certPath, ...endpoint } = address
  if (certPath === undefined) return endpoint
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const pem = (name: string) => fs.readFileString(path.join(certPath, `${name}.pem`))
  return { ...endpoint, ca: yield* pem("ca"), cert: yield* pem("cert"), key: yield* pem("key") }
})
