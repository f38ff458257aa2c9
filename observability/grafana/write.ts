import { writeFileSync } from "node:fs"
import { dashboard } from "./dashboard.ts"

/** `npm run dashboard`: the dashboard as Grafana reads it. */
writeFileSync(new URL("dashboards/cleanup.json", import.meta.url), `${JSON.stringify(dashboard, null, 2)}\n`)
