import { readFile } from "node:fs/promises"
import { assert } from "@effect/vitest"
import { Schema } from "effect"
import * as Yaml from "effect/encoding/Yaml"
import { GoDuration } from "../../src/config/GoDuration.ts"

/** A file of the project. */
export const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), "utf8")

export const readYaml = async <S extends Schema.ConstraintDecoder<unknown>>(file: string, schema: S) =>
  Schema.decodeUnknownSync(schema)(Yaml.parse(await read(file)))

export const Strings = Schema.Array(Schema.String)
export const byName = <S extends Schema.Top>(value: S) => Schema.Record(Schema.String, value)

const Service = Schema.Struct({
  image: Schema.String,
  build: Schema.optionalKey(Schema.String),
  pull_policy: Schema.optionalKey(Schema.Literal("never")),
  environment: Schema.optionalKey(byName(Schema.NullOr(Schema.String))),
  ports: Schema.optionalKey(Strings),
  volumes: Schema.optionalKey(Strings),
  secrets: Schema.optionalKey(Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String }))),
  networks: Schema.optionalKey(Strings),
  network_mode: Schema.optionalKey(Schema.Literal("none")),
  command: Schema.optionalKey(Strings),
  entrypoint: Schema.optionalKey(Strings),
  profiles: Schema.optionalKey(Strings),
  cap_add: Schema.optionalKey(Strings),
  pids_limit: Schema.optionalKey(Schema.Int),
  mem_limit: Schema.optionalKey(Schema.String),
  restart: Schema.optionalKey(Schema.Literal("unless-stopped")),
  logging: Schema.Struct({ driver: Schema.Literal("json-file"), options: byName(Schema.String) }),
  cap_drop: Schema.optionalKey(Strings),
  security_opt: Schema.optionalKey(Strings),
  read_only: Schema.optionalKey(Schema.Boolean),
  user: Schema.optionalKey(Schema.String),
  stop_grace_period: Schema.optionalKey(GoDuration),
  depends_on: Schema.optionalKey(byName(Schema.Struct({ condition: Schema.String }))),
  tmpfs: Schema.optionalKey(Strings),
  group_add: Schema.optionalKey(Strings),
  shm_size: Schema.optionalKey(Schema.String),
  healthcheck: Schema.optionalKey(Schema.Unknown)
})

/** Nothing else may be there, such as `privileged` or `pid`, which would undo what tests check. */
export const decodeService = Schema.decodeUnknownSync(Service, { onExcessProperty: "error" })

const Compose = Schema.Struct({
  services: byName(Schema.Unknown),
  networks: byName(
    Schema.Struct({
      internal: Schema.optionalKey(Schema.Boolean),
      driver_opts: Schema.optionalKey(byName(Schema.String))
    })
  ),
  secrets: byName(Schema.Struct({ file: Schema.String })),
  volumes: byName(Schema.Null)
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

/** A compose file as far as tests look at it. */
export const readCompose = async (file: string) => {
  const compose = await readYaml(file, Compose)
  const services = Object.entries(compose.services).map(([name, service]) => [name, decodeService(service)] as const)
  const named = (name: string) => {
    const service = services.find(([other]) => other === name)?.[1]
    assert.isDefined(service)
    return service
  }
  return { compose, services, named }
}

export const { compose, named, services } = await readCompose("docker-compose.yml")

/** The Dockerfile and the package as far as tests look at them. */
export const dockerfile = await read("Dockerfile")
export const manifest = Schema.decodeUnknownSync(Package)(await read("package.json"))
