import { randomUUID } from "node:crypto"
import { basename, dirname, join } from "node:path"
import { Effect, FileSystem, Ref, Schema, Stream } from "effect"
import type { PlatformError } from "effect/PlatformError"
import { isContainerId } from "../domain/ContainerId.ts"
import { type PlanBasis, PlanHead, PlanRow, readPlan } from "../domain/PlanFile.ts"
import type { PlannedGame } from "../domain/PlannedGame.ts"
import { CommandFailed, exitCode } from "./CommandFailed.ts"

const unusable = (message: string) => new CommandFailed({ code: exitCode.unusable, message })

/** The path is fine, and the disk is full or broken. */
const isOfDisk = (cause: unknown): cause is Error =>
  cause instanceof Error && "code" in cause && ["ENOSPC", "EDQUOT", "EIO"].includes(String(cause.code))

/** Reads a plan. Whatever is wrong with the file makes the arguments unusable. */
export const readPlanFile = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(files.readFileString(path), ({ message }) =>
    unusable(`cannot read the plan: ${message}`)
  )
  return yield* Effect.mapError(Effect.fromResult(readPlan(text)), (problem) =>
    unusable(`${path} is not a plan that this version can apply: ${problem}`)
  )
})

const encodeHead = Schema.encodeSync(PlanHead)
const encodeRow = Schema.encodeSync(Schema.fromJsonString(PlanRow))

/** The head of a new plan. */
export const headOf = (basis: PlanBasis): PlanHead => ({ id: randomUUID(), version: 1, ...basis })

/** The rows of a plan: of those games that a pass would touch. */
export const rowsOf = (games: ReadonlyArray<PlannedGame>): ReadonlyArray<PlanRow> =>
  games.flatMap(({ action, containerId, gameId, lastOpAt, rule }) =>
    action === "keep" || gameId === null || lastOpAt === null || (containerId !== null && !isContainerId(containerId))
      ? []
      : [{ gameId, containerId, lastOpAt, action, rule: rule ?? "" }]
  )

const bytes = new TextEncoder()

/**
 * Writes a plan as its games come, however many they are. The file is complete or not there, its owner alone can read it, and one that is
 * there already is never replaced.
 */
export const writePlanFile = Effect.fnUntraced(function* <E, R>(
  path: string,
  head: PlanHead,
  games: Stream.Stream<PlannedGame, E, R>
) {
  const files = yield* FileSystem.FileSystem
  const exists = unusable(`${path} is there already: plans are not written over`)
  const failed = ({ message, reason: { cause } }: PlatformError) =>
    isOfDisk(cause)
      ? new CommandFailed({ code: exitCode.dependency, message: `cannot write the plan: ${cause.message}` })
      : unusable(`cannot write the plan: ${message}`)
  if (yield* Effect.mapError(files.exists(path), failed)) return yield* exists
  const draft = join(dirname(path), `.${basename(path)}.${head.id}`)
  const file = yield* Effect.mapError(files.open(draft, { flag: "wx", mode: 0o600 }), failed)
  yield* Effect.addFinalizer(() => Effect.ignore(files.remove(draft, { force: true })))
  const write = (text: string) => Effect.mapError(file.writeAll(bytes.encode(text)), failed)
  const isFirst = yield* Ref.make(true)
  yield* write(`${JSON.stringify(encodeHead(head)).slice(0, -1)},"games":[`)
  yield* Stream.runForEachArray(games, (some) => {
    const rows = rowsOf(some)
    if (rows.length === 0) return Effect.void
    const text = `\n${rows.map((row) => encodeRow(row)).join(",\n")}`
    return Effect.flatMap(Ref.getAndSet(isFirst, false), (first) => write(first ? text : `,${text}`))
  })
  yield* write("\n]}\n")
  yield* Effect.mapError(file.sync, failed)
  // Unlike a rename, a link does not replace a file that has come meanwhile.
  yield* files
    .link(draft, path)
    .pipe(
      Effect.catch((error) =>
        error.reason._tag === "AlreadyExists" ? exists : Effect.mapError(files.rename(draft, path), failed)
      )
    )
}, Effect.scoped)
