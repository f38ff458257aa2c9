import { readFileSync, writeFileSync } from "node:fs"
import { version } from "../src/config/version.ts"

/** Docker needs the version in these files, because it cannot read package.json; the value is the text before it. */
const places = {
  Dockerfile: 'org.opencontainers.image.version="',
  "docker-compose.yml": "&image rtmanager-cleanup:",
  "docker-compose.host.yml": "&image rtmanager-cleanup:"
}

// Run by `npm version`, after it has changed package.json.
for (const [file, before] of Object.entries(places)) {
  const text = readFileSync(file, "utf8")
  const at = text.indexOf(before) + before.length
  writeFileSync(file, text.slice(0, at) + text.slice(at).replace(/^[\w.-]+/, version))
}
