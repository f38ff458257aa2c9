import { Clock, Context, Duration, Effect, FileSystem, Layer, Redacted, Schedule, Stream } from "effect"
import { HttpServer } from "effect/http"
import * as CleanupWorker from "../cleanup/CleanupWorker.ts"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import { Author, Reason } from "../domain/Act.ts"
import * as Server from "../http/server.ts"
import { newToken } from "../http/tokenFile.ts"
import { hold } from "../operator/hold.ts"
import { actFailed } from "./act.ts"
import { CommandFailed, exitCode } from "./CommandFailed.ts"
import { print } from "./print.ts"
import { SampleGames } from "./SampleGames.ts"
import { numbered, samples, stuck } from "./samples.ts"

/** Where the demo's page is served. */
export class SampleServer extends Context.Service<
  SampleServer,
  {
    /** Listens on this machine alone: at the port, or at any free one if it is taken. */
    readonly listen: (port: number) => Layer.Layer<HttpServer.HttpServer, CommandFailed>
  }
>()("rtmanager/cli/SampleServer") {}

/** How often a game's retention ends, and for how long ahead there are games whose retention will. */
const [every, ahead] = [Duration.seconds(5), Duration.minutes(10)]

const [everyMillis, aheadMillis] = [Duration.toMillis(every), Duration.toMillis(ahead)]

/** The games that are there at first. Gives back the number of the last one. */
const putFirst = Effect.gen(function* () {
  const games = yield* SampleGames
  const { leaseTtl, retention } = yield* CurrentSettings
  const now = yield* Clock.currentTimeMillis
  const dueAt = now - Duration.toMillis(retention)
  const last = yield* games.putHistory
  const next = Array.from({ length: aheadMillis / everyMillis }, (_, i) =>
    numbered(last + 1 + i, dueAt + i * everyMillis)
  )
  yield* Effect.forEach([...samples(now), stuck(now), ...next], games.put, { concurrency: 8, discard: true })
  yield* hold({
    gameId: "just-expired",
    author: Author.make("ann"),
    reason: Reason.make("a player has complained: look at its log first"),
    end: Duration.days(30),
    leaseTtl,
    onWait: Effect.void
  })
  return last + next.length
})

/** One more game, as far ahead as the first ones go, for each whose retention ends. */
const putMore = Effect.fnUntraced(function* (last: number) {
  const games = yield* SampleGames
  const { retention } = yield* CurrentSettings
  const put = Effect.fnUntraced(function* (number: number) {
    const now = yield* Clock.currentTimeMillis
    yield* games.put(numbered(number, now - Duration.toMillis(retention) + aheadMillis))
  })
  yield* Stream.range(last + 1, Number.MAX_SAFE_INTEGER).pipe(
    Stream.schedule(Schedule.spaced(every)),
    Stream.runForEach((number) => Effect.ignore(put(number)))
  )
})

/** A token for this run, which its token file has the line of. */
const writeToken = Effect.fnUntraced(
  function* (file: string) {
    const { line, token } = yield* newToken({ name: Author.make("you"), role: "act" }, undefined)
    yield* FileSystem.FileSystem.use((fs) => fs.writeFileString(file, `${line}\n`, { mode: 0o600 }))
    return Redacted.value(token)
  },
  Effect.mapError(({ message }) => new CommandFailed({ code: exitCode.unusable, message }))
)

const welcome = ({ asked, token, url }: { readonly asked: number; readonly token: string; readonly url: string }) => `\
${asked === 0 || url.endsWith(`:${asked}/`) ? "" : `Port ${asked} is taken, so it is another one.\n`}\
Open ${url} and paste this token, which counts until the demo ends:

  ${token}

Every ${Duration.format(every)} the retention of one of its games is over, and every few seconds a pass removes what is due.
Ctrl-C ends it and leaves nothing behind.`

/** The whole service on sample games, until it is told to stop, which is its success. */
export const serveSamples = Effect.fnUntraced(function* ({
  json,
  port
}: {
  readonly json: boolean
  readonly port: number
}) {
  process.exitCode = 0
  const { listen } = yield* SampleServer
  yield* Effect.gen(function* () {
    const settings = yield* CurrentSettings
    const { address } = yield* HttpServer.HttpServer
    const url = `${HttpServer.formatAddress(address)}/`
    const token = yield* writeToken(settings.api.tokensFile ?? "")
    const last = yield* Effect.mapError(putFirst, actFailed)
    const told = print(json ? JSON.stringify({ url, token }) : welcome({ asked: port, token, url }))
    const started = Layer.effectDiscard(Effect.andThen(told, Effect.forkScoped(putMore(last))))
    yield* Layer.launch(Layer.merge(started, CleanupWorker.layer(settings)).pipe(Layer.provide(Server.layer(settings))))
  }).pipe(Effect.provide(listen(port)))
})
