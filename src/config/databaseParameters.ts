import { isIP } from "node:net"

/** A connection parameter of libpq. */
export interface Parameter {
  /** The standard variable that is used if the URL leaves the parameter out. */
  readonly variable?: string
  readonly isAccepted: (value: string) => boolean
  /** What is accepted, in words that follow "needs". */
  readonly accepted: string
}

const text = (accepted: string, variable: string): Parameter => ({
  variable,
  isAccepted: (value) => value !== "",
  accepted
})

const wholeNumber = (minimum: number, maximum: number) => (value: string) =>
  /^\d{1,10}$/.test(value) && Number(value) >= minimum && Number(value) <= maximum

const oneOf = (values: ReadonlyArray<string>, variable?: string, reason = ""): Parameter => ({
  ...(variable === undefined ? {} : { variable }),
  isAccepted: (value) => values.includes(value),
  accepted: `${values.join(", ").replace(/, ([^,]+)$/, " or $1")}${reason}`
})

const unsupported = (variable?: string): Parameter => ({
  ...(variable === undefined ? {} : { variable }),
  isAccepted: () => false,
  accepted: "to be left out: it is not supported"
})

const isHost = (value: string) => value.startsWith("/") || isIP(value) !== 0 || /^[^\s/,@:%[\]]+$/.test(value)

/** The characters that SASLprep (RFC 4013) drops, and the one space that NFKC leaves. */
const droppedBySaslprep = /\u034f|\ufeff|[\u00ad\u1680\u1806\u2060]|[\u180b-\u180d]|[\u200b-\u200d]|[\ufe00-\ufe0f]/

/**
 * Whether SASLprep leaves the password unchanged. libpq applies SASLprep only for SCRAM, and the driver never does, so
 * only an unchanged password works with every method of authentication.
 */
const isPrepared = (password: string) => password.normalize("NFKC") === password && !droppedBySaslprep.test(password)

/** Every parameter of libpq: handled as libpq does, or refused. A parameter that libpq does not know is refused too. */
export const parameters: ReadonlyMap<string, Parameter> = new Map(
  Object.entries({
    host: {
      variable: "PGHOST",
      isAccepted: isHost,
      accepted: "one host name, IP address, or absolute path of the folder of a unix socket"
    },
    port: { variable: "PGPORT", isAccepted: wholeNumber(1, 65_535), accepted: "a whole number from 1 to 65535" },
    user: text("a user", "PGUSER"),
    password: {
      variable: "PGPASSWORD",
      isAccepted: isPrepared,
      accepted:
        "to be in the form that SASLprep (RFC 4013) produces, because the driver does not apply it: normalized to NFKC, " +
        "without invisible characters or unusual blanks. A password of ASCII characters always is"
    },
    dbname: text("a database", "PGDATABASE"),
    application_name: text("a name", "PGAPPNAME"),
    options: text("command-line options for the server", "PGOPTIONS"),
    connect_timeout: {
      variable: "PGCONNECT_TIMEOUT",
      isAccepted: wholeNumber(0, 2_147_483_647),
      accepted: "a whole number of seconds; 0 means no limit except RTMANAGER_DATABASE_TIMEOUT, which always holds"
    },
    sslmode: oneOf(
      ["disable", "require", "verify-ca", "verify-full"],
      "PGSSLMODE",
      "; allow and prefer are not supported, because they can go on in plain text"
    ),
    ssl: oneOf(["true", "false", "1", "0"]),
    sslrootcert: text("the path of a readable file of PEM certificates, or system", "PGSSLROOTCERT"),
    sslcert: text("the path of a readable file with a PEM certificate", "PGSSLCERT"),
    sslkey: text("the path of a readable file with the PEM key of sslcert", "PGSSLKEY"),

    // The accepted value is what the driver does anyway.
    channel_binding: oneOf(["disable", "prefer"], "PGCHANNELBINDING", "; the driver has no channel binding"),
    client_encoding: oneOf(["UTF8", "utf8", "UTF-8", "utf-8"], "PGCLIENTENCODING"),
    gssencmode: oneOf(["disable", "prefer"], "PGGSSENCMODE", "; the driver has no GSSAPI"),
    load_balance_hosts: oneOf(["disable"], "PGLOADBALANCEHOSTS", "; only one host is supported"),
    sslcertmode: oneOf(["allow"], "PGSSLCERTMODE"),
    sslcompression: oneOf(["0"], "PGSSLCOMPRESSION"),
    sslnegotiation: oneOf(["postgres"], "PGSSLNEGOTIATION"),
    sslsni: oneOf(["1"], "PGSSLSNI"),
    target_session_attrs: oneOf(["any"], "PGTARGETSESSIONATTRS", "; a read-only server is refused in any case"),

    fallback_application_name: unsupported(),
    gssdelegation: unsupported("PGGSSDELEGATION"),
    gsslib: unsupported("PGGSSLIB"),
    hostaddr: unsupported("PGHOSTADDR"),
    keepalives: unsupported(),
    keepalives_count: unsupported(),
    keepalives_idle: unsupported(),
    keepalives_interval: unsupported(),
    krbsrvname: unsupported("PGKRBSRVNAME"),
    max_protocol_version: unsupported("PGMAXPROTOCOLVERSION"),
    min_protocol_version: unsupported("PGMINPROTOCOLVERSION"),
    passfile: unsupported("PGPASSFILE"),
    replication: unsupported(),
    require_auth: unsupported("PGREQUIREAUTH"),
    requirepeer: unsupported("PGREQUIREPEER"),
    requiressl: unsupported("PGREQUIRESSL"),
    service: unsupported("PGSERVICE"),
    servicefile: unsupported(),
    ssl_max_protocol_version: unsupported("PGSSLMAXPROTOCOLVERSION"),
    ssl_min_protocol_version: unsupported("PGSSLMINPROTOCOLVERSION"),
    sslcrl: unsupported("PGSSLCRL"),
    sslcrldir: unsupported("PGSSLCRLDIR"),
    sslkeylogfile: unsupported(),
    sslpassword: unsupported(),
    tcp_user_timeout: unsupported()
  } satisfies Record<string, Parameter>)
)
