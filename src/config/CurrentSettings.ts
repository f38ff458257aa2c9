import { Context } from "effect"
import type { Settings } from "./Settings.ts"

/** The settings of this process, decoded once. */
export class CurrentSettings extends Context.Service<CurrentSettings, Settings>()("rtmanager/config/CurrentSettings") {}
