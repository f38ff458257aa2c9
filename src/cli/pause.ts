import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { Pause } from "../domain/Pause.ts"
import * as PauseAct from "../operator/pause.ts"
import * as ResumeAct from "../operator/resume.ts"
import { actFailed, asked, authorOf } from "./act.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"
import { actThere, hereOrThere, once } from "./server.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(Pause))

const duration = Flag.String("for").pipe(
  Flag.withSchema(PauseAct.PauseLength),
  Flag.withDescription("How long: 90s, 2h, 30d; until somebody resumes by default"),
  Flag.optional
)

export const pause = Command.make(
  "pause",
  { json, duration, ...asked },
  hereOrThere(
    ({ author, duration, json, reason }) =>
      Effect.gen(function* () {
        const { message, value } = yield* PauseAct.pause({
          author: yield* authorOf(author),
          reason,
          duration: Option.getOrUndefined(duration)
        })
        return json ? toJson(value) : message
      }).pipe(Effect.mapError(actFailed), Effect.flatMap(print)),
    actThere(({ pause }, { duration, reason }) =>
      pause({ headers: once(), payload: { reason, for: Option.getOrNull(duration) } })
    )
  )
).pipe(
  Command.withDescription("Let no removal begin any more, in any service over this database, also in a pass under way"),
  Command.withExamples([
    { command: 'rtmanager-cleanup pause --for 2h --reason "players report lost games"', description: "For two hours" }
  ])
)

export const resume = Command.make(
  "resume",
  { json, ...asked },
  hereOrThere(
    ({ author, json, reason }) =>
      Effect.gen(function* () {
        const { message, value } = yield* ResumeAct.resume({ author: yield* authorOf(author), reason })
        return json ? toJson(value) : message
      }).pipe(Effect.mapError(actFailed), Effect.flatMap(print)),
    actThere(({ resume }, { reason }) => resume({ headers: once(), payload: { reason } }))
  )
).pipe(
  Command.withDescription("End the pause, whoever asked for it"),
  Command.withExamples([
    {
      command: 'rtmanager-cleanup resume --reason "the games were there all along"',
      description: "Let passes remove again"
    }
  ])
)
