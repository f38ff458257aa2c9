import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { createSecureContext, getCACertificates } from "node:tls"
import { Effect, FileSystem, Redacted, Result, Schema } from "effect"
import type { Connection, DatabaseProblem, Given } from "./databaseUrl.ts"

/** How the server is verified, and the client's certificate for it. */
export const DatabaseTls = Schema.Struct({
  /**
   * `none`: any certificate. `ca`: one from a trusted authority. `full`: one from a trusted authority, for this host.
   */
  verify: Schema.Literals(["none", "ca", "full"]),
  /** The trusted authorities, as PEM. */
  ca: Schema.UndefinedOr(Schema.Array(Schema.String)),
  client: Schema.UndefinedOr(Schema.Struct({ cert: Schema.String, key: Schema.Redacted(Schema.String) }))
})
export type DatabaseTls = typeof DatabaseTls.Type

type Mode = "disable" | "require" | "verify-ca" | "verify-full"

const problem = ({ inUrl, name, variable }: Given, reason: string): DatabaseProblem => ({
  variable,
  reason: inUrl ? `its ${name} ${reason}` : `it ${reason}`
})

const attempt = <A>(given: Given, reason: string, step: () => A) =>
  Effect.fromResult(Result.try({ try: step, catch: () => problem(given, reason) }))

/**
 * The mode, and the parameter that asked for it. Without an `sslmode`, naming a file means full verification, and so
 * does `ssl=true`; libpq would accept less.
 */
const modeOf = (all: Connection["given"]): Result.Result<readonly [Mode, Given | undefined], DatabaseProblem> => {
  const [mode, ssl] = [all.get("sslmode"), all.get("ssl")]
  const file = ["sslrootcert", "sslcert", "sslkey"].flatMap((name) => all.get(name) ?? [])[0]
  if (ssl !== undefined) {
    const wanted = /^(?:true|1)$/.test(ssl.value)
    if (mode?.inUrl === true && wanted === (mode.value === "disable"))
      return Result.fail(problem(ssl, "and its sslmode contradict each other"))
    if (mode?.inUrl !== true) return Result.succeed([wanted ? "verify-full" : "disable", ssl])
  }
  if (mode !== undefined) return Result.succeed([mode.value as Mode, mode])
  return Result.succeed(file === undefined ? ["disable", undefined] : ["verify-full", file])
}

/** The parameter, or without it libpq's default file, if that exists. */
const fileOf = Effect.fnUntraced(function* (
  all: Connection["given"],
  name: string,
  asked: Given,
  home: string | undefined,
  file: string
) {
  const given = all.get(name)
  if (given !== undefined) return given
  const fs = yield* FileSystem.FileSystem
  const value = `${home ?? ""}/.postgresql/${file}`
  const exists = home !== undefined && (yield* fs.exists(value).pipe(Effect.orElseSucceed(() => false)))
  return exists ? { ...asked, inUrl: true, name: `${name} (by default ${value})`, value } : undefined
})

const read = (given: Given) =>
  FileSystem.FileSystem.use((fs) => fs.readFileString(given.value)).pipe(
    Effect.mapError(() => problem(given, "names a file that cannot be read"))
  )

const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The machine's trusted authorities, or Node's own if the machine has none, for example in a slim image. */
const systemAuthorities = () => {
  const system = getCACertificates("system")
  return system.length > 0 ? system : getCACertificates("default")
}

const authoritiesOf = Effect.fnUntraced(function* (given: Given) {
  if (given.value === "system") return systemAuthorities()
  const certificates = (yield* read(given)).match(pem) ?? []
  const reason = "names a file without PEM certificates, or with a broken one"
  if (certificates.length === 0) return yield* Effect.fail(problem(given, reason))
  yield* attempt(given, reason, () => certificates.map((certificate) => new X509Certificate(certificate)))
  return certificates
})

/** A key that others can read is refused, by libpq's rule: 0600, or 0640 if root owns it. */
const keyOf = Effect.fnUntraced(function* (given: Given) {
  const text = yield* read(given)
  const fs = yield* FileSystem.FileSystem
  const { mode, uid } = yield* fs
    .stat(given.value)
    .pipe(Effect.mapError(() => problem(given, "names a file that cannot be read")))
  const forbidden = uid._tag === "Some" && uid.value === 0 ? 0o037 : 0o077
  if ((mode & forbidden) !== 0)
    return yield* Effect.fail(
      problem(given, "names a file that others can read: it needs mode 0600, or 0640 if root owns it")
    )
  const key = yield* attempt(given, "names a file without an unencrypted PEM key", () => createPrivateKey(text))
  return { text, key }
})

const clientOf = Effect.fnUntraced(function* (cert: Given, key: Given | undefined) {
  const text = yield* read(cert)
  const certificate = yield* attempt(cert, "names a file without a PEM certificate", () => new X509Certificate(text))
  if (key === undefined) return yield* Effect.fail(problem(cert, "needs an sslkey beside it"))
  const { key: parsed, text: secret } = yield* keyOf(key)
  const fits = (key: KeyObject) => certificate.checkPrivateKey(key)
  if (!fits(parsed)) return yield* Effect.fail(problem(key, "names a key that is not the certificate's"))
  yield* attempt(cert, "names a certificate that cannot be used", () =>
    createSecureContext({ cert: text, key: secret })
  )
  return { cert: text, key: Redacted.make(secret, { label: "sslkey" }) }
})

/**
 * TLS as in libpq: `require` accepts any certificate unless there are authorities to check it with, `verify-ca` and
 * `verify-full` need authorities, and a unix socket has no TLS. Reads the files, so that errors show at start.
 */
export const databaseTls = Effect.fnUntraced(function* (
  { given, server }: Connection,
  home: string | undefined
): Effect.fn.Return<DatabaseTls | undefined, DatabaseProblem, FileSystem.FileSystem> {
  const [mode, asked] = yield* Effect.fromResult(modeOf(given))
  if (asked === undefined || mode === "disable" || server.host.startsWith("/")) return undefined
  const cert = yield* fileOf(given, "sslcert", asked, home, "postgresql.crt")
  const key = yield* fileOf(given, "sslkey", asked, home, "postgresql.key")
  if (cert === undefined && given.has("sslkey"))
    return yield* Effect.fail(problem(key ?? asked, "needs an sslcert beside it"))
  const client = cert === undefined ? undefined : yield* clientOf(cert, key)
  const byDefault = asked.name === "ssl" ? { ...asked, value: "system" } : undefined
  const root = (yield* fileOf(given, "sslrootcert", asked, home, "root.crt")) ?? byDefault
  if (root === undefined && mode !== "require")
    return yield* Effect.fail(problem(asked, "needs an sslrootcert: the path of a file of PEM certificates, or system"))
  if (root?.value === "system" && mode !== "verify-full")
    return yield* Effect.fail(problem(root, "is system, which needs sslmode=verify-full"))
  const ca = root === undefined ? undefined : yield* authoritiesOf(root)
  return { verify: ca === undefined ? "none" : mode === "verify-full" ? "full" : "ca", ca, client }
})
