import { readFile } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Schema } from "effect"
import * as Yaml from "effect/encoding/Yaml"
import { GoDuration } from "../src/config/GoDuration.ts"
import { acceptedForms } from "../src/config/variables.ts"

const read = (name: string) => readFile(new URL(`../${name}`, import.meta.url), "utf8")

const Strings = Schema.Array(Schema.String)
const byName = <S extends Schema.Top>(value: S) => Schema.Record(Schema.String, value)

const Service = Schema.Struct({
  image: Schema.String,
  environment: Schema.optionalKey(byName(Schema.NullOr(Schema.String))),
  ports: Schema.optionalKey(Strings),
  volumes: Schema.optionalKey(Strings),
  networks: Strings,
  cap_drop: Schema.optionalKey(Strings),
  security_opt: Schema.optionalKey(Strings),
  read_only: Schema.optionalKey(Schema.Boolean),
  user: Schema.optionalKey(Schema.String),
  stop_grace_period: Schema.optionalKey(GoDuration),
  depends_on: Schema.optionalKey(byName(Schema.Struct({ condition: Schema.String })))
})

const Compose = Schema.Struct({
  services: byName(Service),
  networks: byName(Schema.NullOr(Schema.Struct({ internal: Schema.Boolean })))
})

const Pipeline = Schema.Struct({ receivers: Strings, processors: Strings, exporters: Strings })

const Collector = Schema.Struct({
  receivers: Schema.Struct({
    otlp: Schema.Struct({ protocols: Schema.Struct({ http: Schema.Struct({ endpoint: Schema.String }) }) })
  }),
  processors: byName(Schema.Unknown),
  exporters: byName(Schema.NullOr(Schema.Struct({ endpoint: Schema.optionalKey(Schema.String) }))),
  service: Schema.Struct({ pipelines: byName(Pipeline) })
})

const Package = Schema.fromJsonString(
  Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    description: Schema.String,
    license: Schema.String,
    scripts: byName(Schema.String),
    optionalDependencies: byName(Schema.String)
  })
)

const dockerfile = await read("Dockerfile")
const compose = Schema.decodeUnknownSync(Compose)(Yaml.parse(await read("docker-compose.yml")))
const collector = Schema.decodeUnknownSync(Collector)(Yaml.parse(await read("otel-collector.yaml")))
const manifest = Schema.decodeUnknownSync(Package)(await read("package.json"))

const named = (name: string) => {
  const service = compose.services[name]
  assert.isDefined(service)
  return service
}
const service = named("rtmanager-cleanup")
const migrate = named("migrate")
const services = Object.entries(compose.services)
const proxy = await read("deploy/haproxy.cfg")
const roles = await read("deploy/roles.sql")
const unprivileged = { cap_drop: ["ALL"], read_only: true, security_opt: ["no-new-privileges:true"] }

describe("the image", () => {
  it("runs on the Node that the lock file brings to every other machine", () => {
    const node = /^ARG NODE_IMAGE=node:([\d.]+)-/m.exec(dockerfile)?.[1]
    const packages = Object.entries(manifest.optionalDependencies).filter(([name]) => name.startsWith("node-"))
    assert.isNotEmpty(packages)
    for (const [name, version] of packages) assert.strictEqual(version, node, name)
  })

  it("is labelled as what the package says", () => {
    const labels = [...dockerfile.matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)].map(([, key, text]) => [
      key,
      text
    ])
    const { name: title, description, version, license: licenses } = manifest
    assert.deepStrictEqual(Object.fromEntries(labels), { title, description, version, licenses })
  })

  it("gets its signals, as a user that has a number and is not root", () => {
    assert.match(dockerfile, /^ENTRYPOINT \["node", (?:"--[a-z-]+=\d+", )*"\/app\/src\/main\.ts"\]$/m)
    assert.match(dockerfile, /^USER [1-9]\d*:[1-9]\d*$/m)
  })

  it("keeps compiled code for the very flags that it runs with, which are those of `npm start`", () => {
    const flags = /--max-semi-space-size=\d+ --heap-growing-percent=\d+/
    const start = flags.exec(manifest.scripts.start ?? "")?.[0]
    assert.isDefined(start)
    // Node keeps it apart by user, too.
    const user = /^USER (\S+)$/m.exec(dockerfile.slice(dockerfile.indexOf("LABEL")))?.[1]
    assert.include(
      dockerfile,
      `USER ${user}\nENV NODE_COMPILE_CACHE=/app/compiled\nRUN node ${start} src/main.ts --version`
    )
    assert.include(
      dockerfile,
      `ENTRYPOINT ["node", ${start
        ?.split(" ")
        .map((flag) => JSON.stringify(flag))
        .join(", ")}, `
    )
  })

  it("listens on the port that it exposes, and that is published", () => {
    const port = /RTMANAGER_HTTP_ADDR=0\.0\.0\.0:(\d+)/.exec(dockerfile)?.[1]
    assert.strictEqual(/^EXPOSE (\d+)$/m.exec(dockerfile)?.[1], port)
    assert.deepStrictEqual(service.ports, [`127.0.0.1:${port}:${port}`])
  })
})

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

  it("lets only what publishes a port out of the internal networks, and nobody but the service to the engine", () => {
    assert.deepStrictEqual(compose.networks, {
      engine: { internal: true },
      internal: { internal: true },
      published: null
    })
    for (const [name, { networks, ports }] of services) {
      const toEngine = name === "rtmanager-cleanup" || name === "engine-proxy"
      assert.deepStrictEqual(
        networks,
        [toEngine && "engine", name !== "engine-proxy" && "internal", ports !== undefined && "published"].filter(
          (network) => network !== false
        ),
        name
      )
    }
  })

  it("gives the service more time to stop than the 10 seconds that it takes at most", () => {
    assert.isDefined(service.stop_grace_period)
    assert.isAbove(Duration.toSeconds(service.stop_grace_period), 10)
  })

  it("starts the service after the database and its schema, whatever becomes of telemetry", () => {
    assert.deepStrictEqual(service.depends_on, {
      postgres: { condition: "service_healthy" },
      roles: { condition: "service_completed_successfully" }
    })
    assert.deepStrictEqual(named("roles").depends_on, { migrate: { condition: "service_completed_successfully" } })
    for (const [name, { depends_on = {} }] of services)
      for (const telemetry of ["otel-collector", "jaeger"]) assert.notProperty(depends_on, telemetry, name)
  })

  it("migrates as the owner of the tables, and lets the service log in with a role that may do less", () => {
    const users = [migrate, service].map(({ environment }) => {
      const url = environment?.RTMANAGER_DATABASE_URL ?? ""
      return /^postgres:\/\/(\w+):\$\{(\w+):-\w+\}@/.exec(url)?.slice(1)
    })
    assert.deepStrictEqual(users, [
      ["rtmanager", "POSTGRES_PASSWORD"],
      ["rtmanager_cleanup", "CLEANUP_PASSWORD"]
    ])
    assert.include(roles, "create role rtmanager_cleanup nologin;")
  })

  it.each([
    ["rtmanager-cleanup", service],
    ["migrate", migrate]
  ] as const)("runs %s as the image's user, read-only and without any privilege", (_, { user, ...own }) => {
    const { cap_drop, read_only, security_opt } = own
    assert.deepStrictEqual({ cap_drop, read_only, security_opt }, unprivileged)
    assert.strictEqual(user, /^USER (\S+)$/m.exec(dockerfile)?.[1])
    assert.strictEqual(own.image, `rtmanager-cleanup:${manifest.version}`)
  })

  it("hands the engine's socket to its proxy alone, where the service asks for it", () => {
    const holders = services.filter(([, { volumes }]) => volumes?.some((volume) => volume.includes("docker.sock")))
    assert.deepStrictEqual(
      holders.map(([name]) => name),
      ["engine-proxy"]
    )
    const port = /presetenv LISTEN :(\d+)/.exec(proxy)?.[1]
    assert.strictEqual(service.environment?.DOCKER_HOST, `tcp://engine-proxy:${port}`)
    const { cap_drop, read_only, security_opt, user } = named("engine-proxy")
    assert.deepStrictEqual({ cap_drop, read_only, security_opt }, unprivileged)
    assert.match(user ?? "", /^[1-9]\d*:[1-9]\d*$/)
  })
})

describe("otel-collector.yaml", () => {
  it("listens where the service sends", () => {
    const endpoint = new URL(service.environment?.OTEL_EXPORTER_OTLP_ENDPOINT ?? "")
    assert.property(compose.services, endpoint.hostname)
    assert.strictEqual(collector.receivers.otlp.protocols.http.endpoint, `0.0.0.0:${endpoint.port}`)
  })

  it("takes all three signals, each guarded against running out of memory before anything else", () => {
    const { pipelines } = collector.service
    assert.sameMembers(Object.keys(pipelines), ["traces", "metrics", "logs"])
    for (const [signal, { receivers, processors, exporters }] of Object.entries(pipelines)) {
      assert.deepStrictEqual(receivers, ["otlp"], signal)
      assert.strictEqual(processors[0], "memory_limiter", signal)
      for (const processor of processors) assert.property(collector.processors, processor, signal)
      for (const exporter of exporters) assert.property(collector.exporters, exporter, signal)
    }
  })

  it("passes traces to Jaeger", () => {
    assert.deepStrictEqual(collector.service.pipelines.traces?.exporters, ["otlp_http/jaeger"])
    const { hostname, port } = new URL(collector.exporters["otlp_http/jaeger"]?.endpoint ?? "")
    assert.property(compose.services, hostname)
    assert.strictEqual(port, "4318")
  })
})
