/**
 * What a service's passes do: `enforce` removes, `dry_run` decides and reports but touches nothing, `paused` makes no pass.
 * Also the attribute `mode` of `rtmanager.cleanup.mode`.
 */
export const modes = ["enforce", "dry_run", "paused"] as const
export type Mode = (typeof modes)[number]
