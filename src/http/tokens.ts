import {
  Clock,
  Context,
  Effect,
  FileSystem,
  Layer,
  Option,
  type Redacted,
  Result,
  Runtime,
  Schema,
  SynchronizedRef
} from "effect"
import type { Caller } from "../domain/Caller.ts"
import { printable } from "../domain/printable.ts"
import { callerOf, parseTokens, type Token } from "./tokenFile.ts"

/** How many problems a message names. */
const shown = 20

/** The token file cannot be used, and why. Ends the process with exit code 2 if it is so at start. Quotes nothing of the file. */
export class TokensUnusable extends Schema.TaggedError<TokensUnusable>()("TokensUnusable", {
  path: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message() {
    const file = `RTMANAGER_API_TOKENS_FILE=${JSON.stringify(printable(this.path))} cannot be used:`
    const more = this.problems.length - shown
    return [file, ...this.problems.slice(0, shown), ...(more > 0 ? [`and ${more} more`] : [])].join("\n  ")
  }
}

/** About 700 tokens. More would be another file by mistake. */
const most = 65_536

/** Whoever may write the file can give themselves a token, and whoever may read it learns who has one. */
const exposed = ({ mode, uid }: FileSystem.File.Info): ReadonlyArray<string> => {
  const [ours, owner] = [process.getuid?.(), Option.getOrUndefined(uid)]
  return [
    ...((mode & 0o077) === 0
      ? []
      : [`its group or others may use it (mode ${(mode & 0o777).toString(8)}): chmod 600 it`]),
    ...(owner === ours || owner === 0
      ? []
      : [`it belongs to user ${owner}, not to user ${ours} of this service or root`])
  ]
}

/** The permissions and the text are those of one and the same file, even if another takes its place meanwhile. */
const readTokens = Effect.fnUntraced(
  function* (path: string) {
    const unusable = (problems: ReadonlyArray<string>) => new TokensUnusable({ path, problems })
    const fs = yield* FileSystem.FileSystem
    const file = yield* fs.open(path)
    const info = yield* file.stat
    if (info.type !== "File") return yield* unusable(["it is not a file"])
    const problems = exposed(info)
    if (problems.length > 0) return yield* unusable(problems)
    const bytes = Option.getOrElse(yield* file.readAlloc(most + 1), () => new Uint8Array())
    if (bytes.length > most) return yield* unusable([`it has more than ${most} bytes`])
    return yield* Effect.fromResult(Result.mapError(parseTokens(new TextDecoder().decode(bytes)), unusable))
  },
  Effect.scoped,
  (reading, path) =>
    Effect.catchTag(reading, "PlatformError", ({ reason }) =>
      Effect.fail(new TokensUnusable({ path, problems: [`it cannot be read: ${reason._tag}`] }))
    )
)

type Read = Result.Result<ReadonlyArray<Token>, TokensUnusable>

const problemOf = (read: Read) => (Result.isFailure(read) ? read.failure.message : undefined)

/** One log line when the file becomes unusable, or unusable for another reason, and one when it can be used again. */
const tell = (path: string, before: Read, now: Read) => {
  if (problemOf(now) === problemOf(before)) return Effect.void
  return Result.isFailure(now)
    ? Effect.logWarning("api.tokens_unusable").pipe(Effect.annotateLogs({ path, reason: now.failure.message }))
    : Effect.logInfo("api.tokens_usable").pipe(
        Effect.annotateLogs({ path, names: now.success.map(({ name }) => name) })
      )
}

/** For how long a reading is used. It is not kept any longer for a file that looks the same: times and sizes can hide a change. */
const freshNanos = 1_000_000_000n

/** The tokens that the API takes. */
export class Tokens extends Context.Service<
  Tokens,
  {
    /**
     * Whose token this is; `undefined` if it is nobody's, or has expired. A change of the token file counts within a second. Fails while
     * the file cannot be used.
     */
    readonly check: (token: Redacted.Redacted) => Effect.Effect<Caller | undefined, TokensUnusable>
  }
>()("rtmanager/http/Tokens") {
  /**
   * Fails if the file cannot be read, if its group or others have any right to it, if it belongs neither to this process's user nor
   * to root, or if any line is wrong.
   */
  static readonly layer = (path: string) =>
    Layer.effect(
      Tokens,
      Effect.gen(function* () {
        const read = Effect.zip(Clock.monotonicTimeNanos, Effect.result(readTokens(path))).pipe(
          Effect.map(([at, tokens]) => ({ at, tokens })),
          Effect.provideService(FileSystem.FileSystem, yield* FileSystem.FileSystem)
        )
        const first = yield* read
        yield* Effect.fromResult(first.tokens)
        const last = yield* SynchronizedRef.make(first)
        const current = SynchronizedRef.updateAndGetEffect(last, (before) =>
          Effect.flatMap(Clock.monotonicTimeNanos, (now) =>
            now - before.at < freshNanos
              ? Effect.succeed(before)
              : Effect.tap(read, ({ tokens }) => tell(path, before.tokens, tokens))
          )
        )
        return Tokens.of({
          check: Effect.fnUntraced(function* (token) {
            const tokens = yield* Effect.fromResult((yield* current).tokens)
            return callerOf(tokens, token, yield* Clock.currentTimeMillis)
          })
        })
      })
    )
}
