import { existsSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { acceptedForms } from "../src/config/variables.ts"
import {
  compose,
  decodeService,
  dockerfile,
  manifest,
  named,
  read,
  readCompose,
  services
} from "./support/deployment.ts"

const service = named("rtmanager-cleanup")
const migrate = named("migrate")
const proxy = await read("deploy/haproxy.cfg")
const roles = await read("deploy/roles.sql")
const tasks = ["migrate", "roles", "volume-owner"]
const unprivileged = { cap_drop: ["ALL"], read_only: true, security_opt: ["no-new-privileges:true"] }

const assertBounded = (name: string, service: (typeof services)[number][1]) => {
  const { cap_add, cap_drop, logging, mem_limit, pids_limit, read_only, security_opt, user } = service
  assert.deepStrictEqual({ cap_drop, read_only, security_opt }, unprivileged)
  // The one that gives new volumes away has to be root for that, and has no network.
  if (name !== "volume-owner") assert.match(user ?? "", /^[1-9]\d*:\d+$/)
  assert.isDefined(mem_limit)
  assert.isAbove(pids_limit ?? 0, 0)
  assert.deepStrictEqual(cap_add, name === "volume-owner" ? ["CHOWN"] : undefined)
  assert.hasAllKeys(logging.options, ["max-size", "max-file"])
}

describe("docker-compose.yml", () => {
  it("sets only variables that the service knows, as does the image", () => {
    const variables = [
      ...[service, migrate].flatMap(({ environment }) => Object.keys(environment ?? {})),
      ...(dockerfile.match(/RTMANAGER_\w+/g) ?? [])
    ]
    assert.isNotEmpty(variables)
    for (const variable of variables) assert.isTrue(acceptedForms.has(variable), variable)
  })

  it("publishes ports on this machine's own address only", () => {
    for (const [name, { ports }] of services)
      for (const port of ports ?? []) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name)
  })

  it("lets nothing out of this machine, and nobody but the service to the engine", () => {
    assert.deepStrictEqual(compose.networks, {
      engine: { internal: true },
      internal: { internal: true },
      published: { driver_opts: { "com.docker.network.bridge.enable_ip_masquerade": "false" } }
    })
    for (const [name, { networks, network_mode, ports }] of services) {
      const toEngine = name === "rtmanager-cleanup" || name === "engine-proxy"
      assert.deepStrictEqual(
        networks ?? [],
        [
          toEngine && "engine",
          name !== "engine-proxy" && network_mode !== "none" && "internal",
          ports !== undefined && "published"
        ].filter((network) => network !== false),
        name
      )
    }
  })

  it("gives the service more time to stop than the 10 seconds that it takes at most", () => {
    assert.isDefined(service.stop_grace_period)
    assert.isAbove(Duration.toSeconds(service.stop_grace_period), 10)
  })

  it("waits for tasks to be done and for servers to be healthy", () => {
    for (const [name, { depends_on = {} }] of services)
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const expected = tasks.includes(other) ? "service_completed_successfully" : "service_healthy"
        assert.strictEqual(condition, expected, `${name}: ${other}`)
      }
  })

  it("starts the service after the database and its schema, whatever becomes of telemetry", () => {
    const awaited = (name: string): ReadonlyArray<string> =>
      Object.keys(named(name).depends_on ?? {}).flatMap((other) => [...awaited(other), other])
    assert.sameMembers([...new Set(awaited("rtmanager-cleanup"))], ["postgres", "migrate", "roles"])
  })

  it("migrates as the owner of the tables, and lets the service log in with a role that may do less", () => {
    const users = [migrate, service].map(({ environment }) => {
      const url = environment?.["RTMANAGER_DATABASE_URL"] ?? ""
      return /^postgres:\/\/(\w+):\$\{(\w+):-\w+\}@/.exec(url)?.slice(1)
    })
    assert.deepStrictEqual(users, [
      ["rtmanager", "POSTGRES_PASSWORD"],
      ["rtmanager_cleanup", "CLEANUP_PASSWORD"]
    ])
    assert.include(roles, "create role rtmanager_cleanup nologin;")
  })

  it.each(services)("runs %s read-only, without any privilege, with bounds", assertBounded)

  it.each(["rtmanager-cleanup", "migrate", "sample-games"])("runs %s from our image, as its user", (name) => {
    const { user, image, pull_policy } = named(name)
    assert.strictEqual(pull_policy, "never")
    assert.strictEqual(user, /^USER (\S+)$/m.exec(dockerfile)?.[1])
    assert.strictEqual(image, `rtmanager-cleanup:${manifest.version}`)
  })

  it("names one database for all who use it, which the demo calls otherwise", async () => {
    const database = `\${POSTGRES_DATABASE:-rtmanager}`
    const urls = services.flatMap(([, { environment = {} }]) =>
      Object.values(environment).filter((value) => value?.startsWith("postgres://"))
    )
    assert.isNotEmpty(urls)
    for (const url of urls) assert.isTrue(url?.endsWith(`@postgres:5432/${database}`), url ?? "")
    assert.strictEqual(named("postgres").environment?.["POSTGRES_DB"], database)
    assert.strictEqual(named("roles").environment?.["PGDATABASE"], database)
    assert.strictEqual(named("grafana").environment?.["POSTGRES_DATABASE"], database)
    assert.include(
      await read("observability/grafana/provisioning/datasources/datasources.yaml"),
      "$POSTGRES_DATABASE\n"
    )
    assert.match(await read("deploy/demo.env"), /^POSTGRES_DATABASE=(?!rtmanager$)\w+$/m)
  })

  it.each([{ privileged: true }, { pid: "host" }, { devices: ["/dev/sda"] }])(
    "would not be read with what undoes all this: %j",
    (extra) => assert.throws(() => decodeService({ ...Object(compose.services["grafana"]), ...extra }))
  )

  it("names a version of every image", () => {
    for (const [name, { image }] of services) assert.match(image, /:v?\d+(?:\.\d+)+(?:-\w+)?$/, name)
  })

  it("mounts into each program the files that it is told of, or looks for by itself", async () => {
    const paths = (text: string) => text.match(/(?<=[ =,])\/[^\s,]+/g) ?? []
    const told = services.map(([name, { command = [], entrypoint = [] }]) => {
      return [name, paths(` ${[...entrypoint, ...command]}`)] as const
    })
    const configured = [
      ["engine-proxy", ["/usr/local/etc/haproxy/haproxy.cfg", ...paths(/ENGINE_SOCKET .*/.exec(proxy)?.[0] ?? "")]],
      ["postgres", ["/var/lib/postgresql"]],
      ["jaeger", paths(await read("observability/jaeger/config.yaml"))],
      ["grafana", ["/etc/grafana/provisioning"]],
      ["grafana", paths(await read("observability/grafana/provisioning/dashboards/dashboards.yaml"))]
    ] as const
    for (const [name, files] of [...told, ...configured]) {
      const mounted = named(name).volumes?.map((volume) => `${volume.split(":")[1]}/`) ?? []
      for (const file of files)
        assert.isDefined(
          mounted.find((path) => `${file}/`.startsWith(path)),
          `${name}: ${file}`
        )
    }
  })

  it("makes sample games in the demo alone", () => {
    for (const [name, { profiles }] of services)
      assert.deepStrictEqual(profiles, name === "sample-games" ? ["demo"] : undefined, name)
  })

  it("starts again whatever ends, but for what has done its one task", () => {
    for (const [name, { restart }] of services)
      assert.strictEqual(restart, tasks.includes(name) ? undefined : "unless-stopped", name)
  })

  it("declares each volume that is written to, and uses each that it declares", () => {
    const used = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")[0] ?? ""))
    assert.sameMembers([...new Set(used.filter((source) => !/^[./]/.test(source)))], Object.keys(compose.volumes))
  })

  it("mounts only files and folders that are here, none of them to be written to", () => {
    for (const [name, { volumes = [] }] of services)
      for (const [source = "", , mode] of volumes.map((volume) => volume.split(":")))
        if (source.startsWith(".")) {
          assert.isTrue(existsSync(source), `${name}: ${source}`)
          assert.strictEqual(mode, "ro", `${name}: ${source}`)
        }
  })

  it("hands the token file to the service alone, at the path by which it is told of it, if there is one", () => {
    const holders = services.filter(([, { secrets }]) => secrets !== undefined)
    assert.deepStrictEqual(
      holders.map(([name, { secrets }]) => [name, secrets]),
      [
        [
          "rtmanager-cleanup",
          [{ source: "api-tokens", target: `\${${"RTMANAGER_API_TOKENS_FILE"}:-/run/secrets/api-tokens}` }]
        ]
      ]
    )
    assert.deepStrictEqual(compose.secrets, {
      "api-tokens": { file: `\${${"RTMANAGER_API_TOKENS_FILE"}:-/dev/null}` }
    })
    // An empty value would not start.
    assert.isNull(service.environment?.["RTMANAGER_API_TOKENS_FILE"])
  })

  it("links the page's traces to where Jaeger is published", () => {
    const [address] = /^[^:]+:\d+/.exec(named("jaeger").ports?.[0] ?? "") ?? []
    assert.strictEqual(service.environment?.["RTMANAGER_TRACE_URL"], `http://${address}/trace/{trace_id}`)
  })

  it("hands the engine's socket to its proxy alone, where the service asks for it, and to the demo", () => {
    const holders = services.filter(([, { volumes }]) => volumes?.some((volume) => volume.includes("docker.sock")))
    assert.sameMembers(
      holders.map(([name]) => name),
      ["engine-proxy", "sample-games"]
    )
    const port = /presetenv LISTEN :(\d+)/.exec(proxy)?.[1]
    assert.strictEqual(service.environment?.["DOCKER_HOST"], `tcp://engine-proxy:${port}`)
  })
})

describe("docker-compose.host.yml", async () => {
  const host = await readCompose("docker-compose.host.yml")
  const theirs = host.named("rtmanager-cleanup")

  it("has the engine's proxy as it is beside the database", () => {
    assert.deepStrictEqual(host.named("engine-proxy"), named("engine-proxy"))
  })

  it("has the service as it is beside the database, but for where the database is and for its build", () => {
    const { build, depends_on, environment, networks, ...same } = service
    const { build: _, environment: variables = {}, networks: __, ...others } = theirs
    const { healthcheck: ___, ...expected } = same
    assert.deepStrictEqual(others, expected)
    assert.deepStrictEqual(Object.keys(variables).sort(), Object.keys(environment ?? {}).sort())
  })

  it("has the token file as it is beside the database", () => {
    assert.deepStrictEqual(host.compose.secrets, compose.secrets)
  })

  it("asks for what it cannot know: the engine's name, the database, and where telemetry goes", () => {
    const required = host.services.flatMap(([, { environment = {} }]) =>
      Object.entries(environment).flatMap(([name, value]) => (value?.startsWith(`\${${name}:?`) ? [name] : []))
    )
    assert.sameMembers(required, ["RTMANAGER_ENGINE_NAME", "RTMANAGER_DATABASE_URL", "OTLP_ENDPOINT"])
  })

  it.each(host.services)("runs %s read-only, without any privilege, with bounds", assertBounded)

  it.each(host.services)(
    "runs %s from an image of the other file, with files that are here",
    (_, { image, volumes = [] }) => {
      assert.include(
        services.map(([, other]) => other.image),
        image
      )
      for (const source of volumes.map((volume) => volume.split(":")[0] ?? "").filter((path) => path.startsWith("."))) {
        assert.isTrue(existsSync(source), source)
      }
    }
  )

  it("lets only the service and the collector out, and publishes nothing but the service on this machine", () => {
    const out = host.services.filter(([, { networks }]) => networks?.includes("outside")).map(([name]) => name)
    assert.sameMembers(out, ["rtmanager-cleanup", "otel-collector"])
    assert.deepStrictEqual(host.compose.networks, {
      engine: { internal: true },
      internal: { internal: true },
      outside: {}
    })
    assert.deepStrictEqual(
      host.services.flatMap(([, { ports = [] }]) => ports),
      ["127.0.0.1:8080:8080"]
    )
  })
})
