import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert } from "@effect/vitest"
import type Docker from "dockerode"
import { Context, Effect, Layer, Schema } from "effect"
import { connect, type DockerHost } from "../../src/adapters/docker/Requests.ts"
import { Engine as EngineSettings } from "../../src/config/EngineSettings.ts"
import { ContainerState } from "../../src/domain/Container.ts"
import { ContainerId } from "../../src/domain/ContainerId.ts"
import { describeWith } from "./needs.ts"

/** A static binary, the whole content of the test image. Debian: `busybox-static`. */
const busybox = "/bin/busybox"

interface Engine {
  readonly docker: Docker
  readonly host: DockerHost
}

const find: Effect.Effect<Engine | { readonly missing: string }> = Effect.gen(function* () {
  const variables = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ""))
  const host = yield* Schema.decodeUnknownEffect(EngineSettings)(variables)
  const docker = connect(host)
  yield* Effect.timeout(Effect.tryPromise({ try: () => docker.ping(), catch: (error) => error }), "30 seconds")
  return existsSync(busybox) ? { docker, host } : { missing: `no ${busybox} to make the test image from` }
}).pipe(
  Effect.catch((error) => Effect.succeed({ missing: `no Docker engine answers (${String(error)})` })),
  Effect.provide(NodeServices.layer)
)

const found = await Effect.runPromise(find)

/** Tests that need a real engine. */
export const describeEngine = (name: string, body: () => void): void =>
  describeWith("missing" in found ? found.missing : undefined, name, body)

/** The states that a real engine can be brought into at will. */
export type CreatableState = "created" | "exited" | "running" | "paused" | "restarting"

export class TestEngine extends Context.Service<
  TestEngine,
  Engine & {
    /** The image that every container here is made from. */
    readonly image: string
    /** The label that carries the game's id. */
    readonly gameLabel: string
    /** Returns when the container is in the state. A `null` game means no label. */
    readonly create: (spec: {
      readonly gameId: string | null
      readonly state: CreatableState
    }) => Effect.Effect<ContainerId>
    /** What is left of the containers made here, in no particular order. */
    readonly left: Effect.Effect<
      ReadonlyArray<{ readonly id: ContainerId; readonly gameId: string | null; readonly state: ContainerState }>
    >
    /** Removes them all, running or not. */
    readonly removeAll: Effect.Effect<void>
  }
>()("rtmanager/test/TestEngine") {}

const importImage = async (docker: Docker, image: string): Promise<void> => {
  const tar = spawn("tar", ["-c", "-C", "/bin", "busybox"], { stdio: ["ignore", "pipe", "inherit"] })
  const [repo, tag] = image.split(":")
  const progress = await docker.importImage(tar.stdout, { repo, tag })
  await new Promise<void>((resolve, reject) =>
    docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()))
  )
}

const commands: Record<CreatableState, ReadonlyArray<string>> = {
  created: ["sleep", "3600"],
  exited: ["true"],
  running: ["sleep", "3600"],
  paused: ["sleep", "3600"],
  restarting: ["false"]
}

const bring = async (container: Docker.Container, state: CreatableState): Promise<void> => {
  if (state === "created") return
  await container.start()
  if (state === "exited") await container.wait()
  if (state === "paused") await container.pause()
  if (state === "restarting") {
    // The engine waits twice as long after each exit, so after the fourth the state lasts for over a second.
    for (let exits = 0; exits < 4; exits++) await container.wait({ condition: "next-exit" })
    let status: string
    do status = (await container.inspect()).State.Status
    while (status !== state)
  }
}

/** Containers on one engine, made from an image that is brought there first. */
export const make = async ({ docker, host }: Engine): Promise<TestEngine["Service"]> => {
  const run = randomUUID()
  const runLabel = `rtmanager.test.run=${run}`
  // One of its own: a search for a game must not find what other tests have put there at the same time.
  const gameLabel = `com.galaxy.game_id.${run}`
  const image = `rtmanager-test:${run}`
  await importImage(docker, image)
  const list = () => docker.listContainers({ all: true, filters: { label: [runLabel] } })
  return {
    docker,
    host,
    image,
    gameLabel,
    create: ({ gameId, state }) =>
      Effect.promise(async () => {
        const container = await docker.createContainer({
          Image: image,
          Cmd: ["/busybox", ...commands[state]],
          Labels: { "rtmanager.test.run": run, ...(gameId !== null && { [gameLabel]: gameId }) },
          HostConfig: { NetworkMode: "none", ...(state === "restarting" && { RestartPolicy: { Name: "always" } }) }
        })
        await bring(container, state)
        return ContainerId.make(container.id)
      }),
    left: Effect.promise(async () =>
      (await list()).map(({ Id, Labels, State }) => ({
        id: ContainerId.make(Id),
        gameId: Labels[gameLabel] ?? null,
        state: ContainerState.make(State as ContainerState)
      }))
    ),
    removeAll: Effect.promise(async () => {
      await Promise.all((await list()).map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })))
    })
  }
}

/** The engine that answers, with an image of its own for this layer's life; everything made here goes with it. */
export const layer: Layer.Layer<TestEngine> = Layer.effect(
  TestEngine,
  Effect.acquireRelease(
    Effect.promise(async () => ("docker" in found ? make(found) : assert.fail(found.missing))),
    ({ docker, image, removeAll }) =>
      Effect.andThen(
        removeAll,
        // By force: containers of other tests may have the same image under a tag of theirs.
        Effect.promise(() => docker.getImage(image).remove({ force: true }))
      )
  )
)
