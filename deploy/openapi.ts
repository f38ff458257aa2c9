import { writeFileSync } from "node:fs"
import { OpenApi } from "effect/http-api"
import { Api } from "../src/http/Api.ts"

/** `npm run openapi`: the API's contract as other programs read it. */
writeFileSync(new URL("../docs/openapi.json", import.meta.url), `${JSON.stringify(OpenApi.fromApi(Api), null, 2)}\n`)
