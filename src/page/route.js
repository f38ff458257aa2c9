/**
 * Reads the address. What it cannot read is the first view.
 *
 * @param {string} hash
 * @returns {import("./types.ts").Route}
 */
export const parseRoute = (hash) => {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2)
  const [name = "", id = ""] = path.split("/", 2)
  return { name: name || "now", id: decoded(id), query: Object.fromEntries(new URLSearchParams(query)) }
}

/** @param {string} text */
const decoded = (text) => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * Parameters without those that are empty.
 *
 * @param {Readonly<Record<string, string | null | undefined>>} query
 */
export const queryOf = (query) => {
  const given = Object.entries(query).filter(([, value]) => value)
  const text = new URLSearchParams(/** @type {Array<[string, string]>} */ (given)).toString()
  return text === "" ? "" : `?${text}`
}

/**
 * The address of a view.
 *
 * @param {string} name
 * @param {string} [id]
 * @param {Readonly<Record<string, string | null | undefined>>} [query]
 */
export const addressOf = (name, id = "", query = {}) =>
  `#/${name}${id === "" ? "" : `/${encodeURIComponent(id)}`}${queryOf(query)}`

/**
 * Whether `to` shows the same view by other filters: not if it is another page of the same list.
 *
 * @param {import("./types.ts").Route} from
 * @param {import("./types.ts").Route} to
 */
export const isFiltered = (from, to) =>
  from.name === to.name &&
  from.id === to.id &&
  queryOf({ ...from.query, cursor: null }) !== queryOf({ ...to.query, cursor: null })
