import { randomUUID } from "node:crypto"
import { Effect, FileSystem, Layer, Option, Schedule, Schema } from "effect"
import { Flag, GlobalFlag } from "effect/cli"
import { FetchHttpClient, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { HttpApiClient, HttpApiMiddleware } from "effect/http-api"
import { RecordedAct } from "../domain/Act.ts"
import { Api, Authorized } from "../http/Api.ts"
import { CommandFailed, exitCode } from "./CommandFailed.ts"
import { print } from "./print.ts"

/** `--server`: the service that is asked, in place of database and engine. */
export const server = GlobalFlag.Setting("server")({
  flag: Flag.String("server").pipe(
    Flag.withSchema(
      Schema.String.check(
        Schema.makeFilter(
          (text) => /^https?:$/.test(URL.parse(text)?.protocol ?? "") || "expected a URL like http://127.0.0.1:8080"
        )
      )
    ),
    Flag.withDescription("Ask the service at this URL, with the token in the file that RTMANAGER_TOKEN_FILE names"),
    Flag.optional
  )
})

const unusable = (message: string) => new CommandFailed({ code: exitCode.unusable, message })

const tokenOf = Effect.gen(function* () {
  const path = process.env["RTMANAGER_TOKEN_FILE"]
  if (path === undefined) return yield* unusable("--server needs RTMANAGER_TOKEN_FILE, the file with the token")
  const text = yield* (yield* FileSystem.FileSystem).readFileString(path)
  const token = text.trim()
  return /^[\x21-\x7e]+$/.test(token) ? token : yield* unusable("RTMANAGER_TOKEN_FILE does not hold a token")
}).pipe(Effect.catchTag("PlatformError", ({ message }) => Effect.fail(unusable(`RTMANAGER_TOKEN_FILE: ${message}`))))

export type Client = HttpApiClient.ForApi<typeof Api>

/** A service that has no place for a request just now has done nothing yet: it is asked again each second, for half a minute. */
const patient = HttpClient.transformResponse(
  Effect.repeat({
    while: ({ headers, status }: HttpClientResponse.HttpClientResponse) =>
      status === 429 && headers["retry-after"] === "1",
    schedule: Schedule.spaced("1 second"),
    times: 30
  })
)

const clientAt = (url: string) =>
  Effect.flatMap(tokenOf, (token) =>
    HttpApiClient.make(Api, { baseUrl: url, transformClient: patient }).pipe(
      Effect.provide([
        FetchHttpClient.layer,
        HttpApiMiddleware.layerClient(Authorized, ({ next, request }) =>
          next(HttpClientRequest.bearerToken(request, token))
        )
      ])
    )
  )

const codes: Readonly<Record<string, number>> = {
  NotFound: exitCode.someGameFailed,
  InFlight: exitCode.someGameFailed,
  Killed: exitCode.someGameFailed,
  BadRequestProblem: exitCode.unusable,
  TooLarge: exitCode.unusable,
  Unauthorized: exitCode.unusable,
  Forbidden: exitCode.refused,
  PreconditionFailed: exitCode.refused,
  Refused: exitCode.refused,
  KeyReused: exitCode.refused
}

/** Whatever else goes wrong on the way is the service's or the network's. */
const failed = (error: { readonly _tag: string; readonly message: string }) =>
  error instanceof CommandFailed
    ? error
    : new CommandFailed({ code: codes[error._tag] ?? exitCode.dependency, message: error.message })

/** The command on database and engine, or at the service that `--server` names. */
export const hereOrThere =
  <Input, E1, R1, E2 extends { readonly _tag: string; readonly message: string }, R2>(
    here: (input: Input) => Effect.Effect<void, E1, R1>,
    there: (client: Client, input: Input) => Effect.Effect<void, E2, R2>
  ) =>
  (input: Input) =>
    Effect.gen(function* () {
      const url = yield* server
      if (Option.isNone(url)) return yield* here(input)
      yield* clientAt(url.value).pipe(
        Effect.flatMap((client) => there(client, input)),
        Effect.mapError(failed)
      )
    })

/** What a service is asked once, whatever becomes of the answer. */
export const once = () => ({ "idempotency-key": randomUUID() })

const actToJson = Schema.encodeSync(Schema.fromJsonString(RecordedAct))

/** For an option that makes no sense with `--server`. */
const onlyHere = (isGiven: boolean, option: string) =>
  isGiven ? Effect.fail(unusable(`${option} does not go with --server`)) : Effect.void

/** For what a service has to be told. */
export const onlyThere = (isGiven: boolean, what: string) =>
  isGiven ? Effect.void : Effect.fail(unusable(`--server needs ${what}`))

interface ActInput {
  readonly author: Option.Option<unknown>
  readonly json: boolean
}

/** An act at a service, in the name of the token: prints the act's row, or for people its message alone. */
export const actThere =
  <Input extends ActInput, E, R>(ask: (acts: Client["acts"], input: Input) => Effect.Effect<RecordedAct, E, R>) =>
  ({ acts }: Client, input: Input) =>
    onlyHere(Option.isSome(input.author), "--author").pipe(
      Effect.andThen(ask(acts, input)),
      Effect.flatMap((act) => print(input.json ? actToJson(act) : (act.message ?? `act ${act.id} has begun`)))
    )

/** The layer of a command that cannot be asked of a service: `--server` is refused. */
export const here = <A, E, R>(layer: Layer.Layer<A, E, R>) =>
  Layer.unwrap(
    Effect.flatMap(server, (url) =>
      Option.isNone(url) ? Effect.succeed(layer) : Effect.fail(unusable("this command does not go with --server"))
    )
  )

/** The layer of a command that can: with `--server` nothing is built, because `hereOrThere` asks for none of it. */
export const unlessThere = <A, E, R>(layer: Layer.Layer<A, E, R>) =>
  Layer.unwrap(
    Effect.map(server, (url) => (Option.isNone(url) ? layer : (Layer.empty as Layer.Layer<never> as Layer.Layer<A>)))
  )
