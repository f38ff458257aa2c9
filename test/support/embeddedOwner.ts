import { Effect, Redacted, Scope } from "effect"
import { make } from "../../src/adapters/embedded/EmbeddedPostgres.ts"

/** A process that keeps the embedded database of a folder open until it is killed. It writes the URL, or the error. */
const [, , folder = "", umask] = process.argv
process.umask(Number(umask))
const start = Scope.make().pipe(Effect.flatMap((scope) => Scope.provide(make(folder), scope)))
console.log(
  await Effect.runPromise(
    Effect.match(start, { onSuccess: ({ url }) => Redacted.value(url), onFailure: (error) => error.message })
  )
)
