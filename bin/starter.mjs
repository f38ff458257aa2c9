// Ends a program that npm started when npm ends. npm itself passes SIGTERM only to its shell, and kill -9 to nobody.
import { readFileSync } from "node:fs"

const everyMillis = 500

/** From Linux's /proc; `undefined` if the process is gone, and on other systems. */
const look = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const [, name = "", parent, session] = /^\d+ \((.*)\) \S (\d+) \d+ (\d+) /s.exec(stat) ?? []
    return { pid, name, parent: Number(parent), session: Number(session) }
  } catch {}
}

const parentOf = (pid) => (pid === process.pid ? process.ppid : look(pid)?.parent)

/** Each process with its parent, from this one up to npm; `undefined` if npm is not above it in its session. */
const linksToNpm = ({ pid, parent, session }) => {
  const above = look(parent)
  if (above === undefined || above.session !== session) return undefined
  const links = above.name.startsWith("npm") ? [] : linksToNpm(above)
  return links && [[pid, parent], ...links]
}

/** The links that must stay as they are. A session leader was detached on purpose (`setsid`), so it has none. */
const linksToStarter = (program) => {
  const wrapper = process.env.NODE26_WRAPPER
  delete process.env.NODE26_WRAPPER
  if (wrapper !== undefined) return [[process.pid, Number(wrapper)]]

  // Every process below npm inherits the variable; only the program's own script names the program.
  const script = process.env.npm_lifecycle_script ?? ""
  if (!script.includes(program) && !script.includes("rtmanager-cleanup")) return []
  const me = look(process.pid)
  if (me === undefined) return [[process.pid, process.ppid]]
  if (me.session === me.pid) return []
  // A parent of another session has adopted us: npm is gone already.
  const adopted = look(me.parent)?.session !== me.session
  return linksToNpm(me) ?? [[me.pid, adopted ? Number.NaN : me.parent]]
}

/** Calls `stop` once, at most half a second after a starter of the program is gone. */
export const whenStarterIsGone = (program, stop) => {
  const links = linksToStarter(program)
  if (links.length === 0) return
  const timer = setInterval(() => {
    if (links.every(([pid, parent]) => parentOf(pid) === parent)) return
    clearInterval(timer)
    stop()
  }, everyMillis)
  timer.unref()
}
