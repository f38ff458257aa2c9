import Docker from "dockerode"
import { Effect, Schema } from "effect"

/** Marks sample containers; its value is the situation. */
const label = "rtmanager.sample"

/** What a sample game shows. `still_running`: the record says stopped although the container still runs. */
export type Situation = "ended" | "removed_by_hand" | "still_running"

const seconds: Record<Situation, number> = { ended: 0, removed_by_hand: 0, still_running: 180 }

export interface SampleContainer {
  readonly id: string
  readonly gameId: string
  readonly situation: string | undefined
  readonly hasEnded: boolean
  /** Unix seconds. */
  readonly createdAt: number
}

export class EngineFailed extends Schema.TaggedError<EngineFailed>()("EngineFailed", {
  operation: Schema.Literals(["list", "start", "remove"]),
  cause: Schema.Defect()
}) {
  override get message() {
    return `engine ${this.operation}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

const request = <A>(operation: EngineFailed["operation"], send: (abortSignal: AbortSignal) => Promise<A>) =>
  Effect.tryPromise({ try: send, catch: (cause) => new EngineFailed({ operation, cause }) })

/** The sample containers on the engine at `DOCKER_HOST`, else at this machine's socket. */
export const make = (options: { readonly image: string; readonly gameLabel: string }) => {
  const docker = new Docker()

  const list = request("list", (abortSignal) =>
    docker.listContainers({ all: true, filters: { label: [label, options.gameLabel] }, abortSignal })
  ).pipe(
    Effect.map((found) =>
      found.map(
        ({ Id, Labels, State, Created }): SampleContainer => ({
          id: Id,
          gameId: Labels[options.gameLabel] ?? "",
          situation: Labels[label],
          // Only an earlier process can have left a container that was created and never started.
          hasEnded: State === "exited" || State === "created" || State === "dead",
          createdAt: Created
        })
      )
    )
  )

  /** The image needs only a `sleep`. The container has no network, no writable file and no capabilities. */
  const start = (gameId: string, situation: Situation) =>
    request("start", async (abortSignal) => {
      const container = await docker.createContainer({
        name: gameId,
        Image: options.image,
        Entrypoint: ["sleep"],
        Cmd: [String(seconds[situation])],
        User: "65534:65534",
        Healthcheck: { Test: ["NONE"] },
        Labels: { [label]: situation, [options.gameLabel]: gameId },
        HostConfig: {
          NetworkMode: "none",
          ReadonlyRootfs: true,
          CapDrop: ["ALL"],
          SecurityOpt: ["no-new-privileges:true"],
          Memory: 32 * 1024 * 1024,
          PidsLimit: 8,
          LogConfig: { Type: "none", Config: {} }
        },
        abortSignal
      })
      await container.start({ abortSignal })
    })

  const remove = (id: string) => request("remove", (abortSignal) => docker.getContainer(id).remove({ abortSignal }))

  return { list, start, remove }
}
