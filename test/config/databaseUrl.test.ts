import { assert, describe, it } from "@effect/vitest"
import { Duration, Redacted, Result, Schema } from "effect"
import { parameters } from "../../src/config/databaseParameters.ts"
import { parseDatabaseUrl } from "../../src/config/databaseUrl.ts"

type Environment = Readonly<Record<string, string>>

const parse = (url: string, env: Environment = {}) =>
  Result.map(parseDatabaseUrl(url, "URL", env), ({ server }) => server)

const placeOf = (url: string, env?: Environment) => {
  const { database, host, password, port, user } = Result.getOrThrow(parse(url, env))
  const secret = password === undefined ? "" : `:${Redacted.value(password)}`
  return `${user}${secret} at ${host} ${port} in ${database}`
}

/** Variable and reason of everything that is wrong. */
const problemsOf = (url: string, env?: Environment) => {
  const result = parse(url, env)
  return Result.isSuccess(result)
    ? []
    : result.failure.map(({ reason, variable }) => (reason === undefined ? variable : `${variable}: ${reason}`))
}

describe("a database URL", () => {
  const places: ReadonlyArray<readonly [string, string, Environment?]> = [
    ["postgres://user:secret@db.example:6432/games", "user:secret at db.example 6432 in games"],
    ["postgresql://user@db.example/games", "user at db.example 5432 in games"],
    ["postgres://user:@db.example", "user at db.example 5432 in user"],
    ["postgres://user@[::1]:5433/games", "user at ::1 5433 in games"],
    ["postgres://user@/games?host=/var/run/postgresql", "user at /var/run/postgresql 5432 in games"],
    ["postgres://user:p%40ss@?host=/run&dbname=games", "user:p@ss at /run 5432 in games"],
    ["postgres:///games?host=/run&port=6000&user=user", "user at /run 6000 in games"],
    ["postgres://user@%2Frun/games", "user at /run 5432 in games"],
    ["postgres://user@db/a%20b?user=other&user=last", "last at db 5432 in a b"],
    ["postgres://user:a:b@c d@db/games", "user:a:b@c d at db 5432 in games"],
    ["postgres://user@db?password=a+b%2Bc=d", "user:a+b+c=d at db 5432 in user"],
    [
      "postgres://",
      "user:secret at db 6000 in games",
      { PGHOST: "db", PGPORT: "6000", PGUSER: "user", PGPASSWORD: "secret", PGDATABASE: "games" }
    ],
    ["postgres://user@db:1/games", "user at db 1 in games", { PGHOST: "x", PGPORT: "x", PGUSER: "x", PGDATABASE: "x" }]
  ]
  for (const [url, place, env] of places) {
    it(`event 33: ${url} is ${place}`, () => assert.strictEqual(placeOf(url, env), place))
  }

  it("says how a session is to be", () => {
    const url = "postgres://u@db?connect_timeout=3&application_name=a&options=-c%20jit%3Doff&client_encoding=UTF8"
    const { applicationName, connectTimeout, options } = Result.getOrThrow(parse(url))
    assert.deepStrictEqual({ applicationName, options }, { applicationName: "a", options: "-c jit=off" })
    assert.deepStrictEqual(connectTimeout, Duration.seconds(3))
    const env = { PGAPPNAME: "b", PGOPTIONS: "-c x=y", PGCONNECT_TIMEOUT: "0" }
    const standard = Result.getOrThrow(parse("postgres://u@db", env))
    assert.deepStrictEqual(
      [standard.applicationName, standard.options, standard.connectTimeout],
      ["b", "-c x=y", undefined]
    )
  })

  const refused: ReadonlyArray<readonly [string, RegExp, Environment?]> = [
    ["", /^URL$/],
    ["mysql://user:secret@db/games", /^URL$/],
    ["postgres:/user:secret@db/games", /^URL$/],
    ["postgres://user@db:abc/", /its port needs a whole number from 1 to 65535/],
    ["postgres://user@db:0/", /its port/],
    ["postgres://user@db:70000/", /its port/],
    ["postgres://user@db?port=5432%20", /its port/],
    ["postgres://user@db?connect_timeout=x", /its connect_timeout needs a whole number of seconds/],
    ["postgres://user@db?connect_timeout=-1", /its connect_timeout/],
    ["postgres://db/games", /it names no user/],
    ["postgres://user:secret@/games", /it names no host/],
    ["postgres://user@db,db2/games", /its host needs one host name/],
    ["postgres://user@/games?host=run/postgresql", /its host .* absolute path/],
    ["postgres://user@a b/", /its host/],
    ["postgres://user@/games?host=", /its host/],
    ["postgres://user:se#cret@db/games", /a #: .* %23/],
    ["postgres://user:12#secret@db/games", /a #: .* %23/],
    ["postgres://user:12/secret@db/games", /%2F/],
    ["postgres://user:a/secret@db/games", /%2F/],
    ["postgres://user:12?secret@db/games", /%3F/],
    ["postgres://user:12?secret=1@db/games", /%3F/],
    ["postgres://user:secret%@db/games", /percent-encoding is broken: .* %25/],
    ["postgres://user:secret%zz@db/games", /percent-encoding/],
    ["postgres://user:secret%FC@db/games", /percent-encoding/],
    ["postgres://user:secret%00@db/games", /%00/],
    ["postgres://user:secret@db/games\n", /blank or line break/],
    [" postgres://user:secret@db/games", /blank or line break/],
    ["postgres://user:sec\tret@db/games", /control character/],
    ["postgres://user@db?sslmode", /form name=value/],
    ["postgres://user@db?sslmdoe=require", /no parameter sslmdoe/],
    ["postgres://user@db?sslmode=Require", /its sslmode needs disable, require, verify-ca or verify-full/],
    ["postgres://user@db?sslmode=", /its sslmode/],
    ["postgres://user@db?ssl=yes", /its ssl needs true, false, 1 or 0/],
    ["postgres://user@db?gssencmode=require", /GSSAPI/],
    ["postgres://user@db", /^PGPORT$/, { PGPORT: "abc" }],
    ["postgres://user@db", /^PGSSLMODE$/, { PGSSLMODE: "prefer" }],
    ["postgres://user@db", /^PGSERVICE$/, { PGSERVICE: "games" }],
    ["postgres://user@db", /^PGPASSFILE$/, { PGPASSFILE: "/secret" }]
  ]
  for (const [url, reason, env] of refused) {
    it(`event 33: ${JSON.stringify(url)} with ${JSON.stringify(env ?? {})} is refused, without a secret in the reason`, () => {
      const problems = problemsOf(url, env)
      assert.strictEqual(problems.length, 1)
      assert.match(problems[0] ?? "", reason)
      assert.notMatch(problems[0] ?? "", /secret/)
    })
  }

  it("tells all that is wrong at once", () => {
    const problems = problemsOf("postgres://user@db:x?sslmode=on&hostaddr=::1", { PGREQUIREAUTH: "scram-sha-256" })
    assert.strictEqual(problems.length, 4)
  })

  it("needs no file of passwords where it has a password", () => {
    assert.deepStrictEqual(problemsOf("postgres://user:secret@db", { PGPASSFILE: "/passwords" }), [])
  })

  for (const [name, { accepted, variable }] of parameters) {
    if (accepted.startsWith("to be left out")) {
      it(`event 30: ${name} is refused, in the URL and from ${variable ?? "nowhere else"}`, () => {
        assert.match(
          problemsOf(`postgres://user@db?${name}=1`)[0] ?? "",
          new RegExp(`its ${name} needs to be left out`)
        )
        if (variable !== undefined)
          assert.deepStrictEqual(problemsOf("postgres://user@db", { [variable]: "1" }), [variable])
      })
    }
  }

  it.prop("never throws, and never tells a password", [Schema.String], ([text]) => {
    parse(text)
    parse(`postgres://${text}`)
    const problems = problemsOf(`postgres://user:opensesame${text}@db:5432/games`).join()
    assert.notInclude(problems, "opensesame")
  })
})

describe("a password", () => {
  const changed = [
    "abc¼###",
    "a\u00a0b",
    "u\u0308",
    "a\u00adb",
    "１２",
    "a\u200bb",
    "a\u1680b",
    "\ufb01",
    "a\ufeff",
    "a\u034fb"
  ]
  for (const password of changed) {
    it(`event 33: is refused where SASLprep changes it: ${JSON.stringify(password)}`, () => {
      const reason = /its password needs to be in the form that SASLprep/
      assert.match(problemsOf(`postgres://user:${encodeURIComponent(password)}@db`).join(), reason)
      assert.match(
        problemsOf(`postgres://user:${password}@db`.replace("#", "%23").replace("##", "%23%23")).join(),
        reason
      )
      assert.deepStrictEqual(problemsOf("postgres://user@db", { PGPASSWORD: password }), ["PGPASSWORD"])
    })
  }

  for (const password of ["secret", "grün", "a b", "пароль", "密码", "😀", "~!@#$%^&*()/?:"]) {
    it(`event 33: is taken as it is where SASLprep does not change it: ${JSON.stringify(password)}`, () => {
      assert.strictEqual(
        placeOf(`postgres://user:${encodeURIComponent(password)}@db`),
        `user:${password} at db 5432 in user`
      )
    })
  }
})
