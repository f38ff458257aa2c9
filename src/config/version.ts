import packageJson from "../../package.json" with { type: "json" }

/** This build's version: `service.version`. */
export const { version } = packageJson
