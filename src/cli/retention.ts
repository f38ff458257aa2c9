import { Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { CurrentSettings } from "../config/CurrentSettings.ts"
import { AcceptedRetention, acceptRetention } from "../operator/acceptRetention.ts"
import { actFailed, asked, authorOf } from "./act.ts"
import { print } from "./print.ts"
import { json } from "./run.ts"
import { actThere, hereOrThere, once } from "./server.ts"

const toJson = Schema.encodeSync(Schema.fromJsonString(AcceptedRetention))

const accept = Command.make(
  "accept",
  { json, ...asked },
  hereOrThere(
    ({ author, json, reason }) =>
      Effect.gen(function* () {
        const { retention } = yield* CurrentSettings
        const { message, value } = yield* acceptRetention({ author: yield* authorOf(author), reason, retention })
        return json ? toJson(value) : message
      }).pipe(Effect.mapError(actFailed), Effect.flatMap(print)),
    actThere(({ acceptRetention }, { reason }) => acceptRetention({ headers: once(), payload: { reason } }))
  )
).pipe(
  Command.withDescription(
    "Let passes use RTMANAGER_CONTAINER_RETENTION_DAYS, with --server that service's, although it makes many games due at once"
  ),
  Command.withExamples([
    {
      command:
        'RTMANAGER_CONTAINER_RETENTION_DAYS=7 rtmanager-cleanup retention accept --reason "the disk is too small"',
      description: "After a pass was refused with retention_shortened"
    }
  ])
)

/** Commands about how long stopped games are kept. */
export const retention = Command.make("retention").pipe(
  Command.withDescription("How long stopped games are kept"),
  Command.withSubcommands([accept])
)
