import { Context, type Effect } from "effect"
import type { StoreError } from "./StoreError.ts"

/** What the role that the service connects as may do. */
export class RoleRights extends Context.Service<
  RoleRights,
  {
    /** The role, and what it lacks, each as in `grant`: `update (status) on runtime_records`. */
    readonly look: Effect.Effect<{ readonly role: string; readonly missing: ReadonlyArray<string> }, StoreError>
  }
>()("rtmanager/ports/RoleRights") {}
