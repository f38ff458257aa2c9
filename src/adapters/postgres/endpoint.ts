import { Redacted, Result } from "effect"

/** Where the database is, as far as spans may say it. */
export interface Endpoint {
  /** The URL in a form that the driver can parse. */
  readonly url: Redacted.Redacted
  /** A host, or the folder of a unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string | undefined
}

/** The URL parser refuses a user without a host, which libpq allows: the host may follow as `?host=/socket/folder`. */
const userWithoutHost = /^(postgres(?:ql)?:\/\/[^/?#]*@)(?=[/?#]|$)/

/**
 * The parts of a `postgres://` URL that the driver does not put into its spans by itself. Query parameters win over the
 * authority, as in libpq. A failure says nothing of the URL, which may hold a password.
 */
export const parseEndpoint = (secret: Redacted.Redacted): Result.Result<Endpoint, string> => {
  const text = Redacted.value(secret).replace(userWithoutHost, "$1localhost")
  const url = URL.parse(text)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) return Result.fail("not a postgres:// URL")
  const part = (name: string, inUrl: string) => url.searchParams.getAll(name).at(-1) ?? decodeURIComponent(inUrl)
  return Result.try({
    try: () => ({
      url: Redacted.make(text),
      host: part("host", url.hostname.replace(/^\[(.*)\]$/, "$1")) || "localhost",
      port: Number(part("port", url.port) || 5432),
      database: part("dbname", url.pathname.slice(1)) || undefined
    }),
    catch: () => "its percent-encoding is broken"
  })
}
