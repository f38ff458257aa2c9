import { Runtime, Schema } from "effect"

/** One variable that cannot be used. `value` is printable and never a secret; `undefined` if it is not set. */
export const Problem = Schema.Struct({
  variable: Schema.String,
  value: Schema.UndefinedOr(Schema.String),
  accepted: Schema.String
})
export type Problem = typeof Problem.Type

/** Every variable that cannot be used, in one error. Ends the process with exit code 2. */
export class SettingsError extends Schema.TaggedError<SettingsError>()("SettingsError", {
  problems: Schema.Array(Problem)
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message() {
    const lines = this.problems.map(({ variable, value, accepted }) =>
      value === undefined ? `${variable} is not set: needs ${accepted}` : `${variable}=${value}: needs ${accepted}`
    )
    return ["these settings cannot be used:", ...lines].join("\n  ")
  }
}
