/** What a text of PromQL asks for: a metric, and what each of its labels is compared to. */
export interface Selector {
  readonly metric: string
  readonly labels: ReadonlyArray<{ readonly label: string; readonly values: ReadonlyArray<string> }>
}

const quoted = [String.raw`"(?:\\.|[^"\\])*"`, String.raw`'(?:\\.|[^'\\])*'`, "`[^`]*`"].join("|")
const lists = "by|without|on|ignoring|group_left|group_right"
const keyword = new RegExp(`^(?:and|or|unless|bool|offset|atan2|inf|nan|${lists})$`, "i")

/** Everything that letters and digits are part of; the first that fits counts. Grafana's variables may stand anywhere. */
const token = new RegExp(
  [
    "#.*",
    quoted,
    String.raw`\$\{[^}]*\}|\$\w+`,
    String.raw`\[[^\]]*\]`,
    String.raw`\d[\w.]*`,
    String.raw`\b(?:${lists})\s*\((?<list>[^)]*)\)`,
    // A function or an aggregation: no metric is followed by a parenthesis.
    String.raw`[a-z_]\w*(?=\s*(?:\(|(?:by|without)\b))`,
    String.raw`(?<metric>[a-z_:][\w:]*)\s*(?<matchers>\{(?:${quoted}|[^"'}])*\})?`,
    String.raw`(?<matchers>\{(?:${quoted}|[^"'}])*\})`
  ].join("|"),
  "gi"
)

const matcher = new RegExp(String.raw`(?<label>\w+)\s*(?<operator>=~|!~|!=|=)\s*(?<value>${quoted})`, "g")

/** Every text that a regular expression made of plain text, groups and alternatives matches. */
const alternatives = (regex: string): ReadonlyArray<string> => {
  const [group, inside = ""] = /\(([^()]*)\)/.exec(regex) ?? []
  if (group === undefined) return regex.split("|")
  return [...new Set(inside.split("|").flatMap((text) => alternatives(regex.replace(group, () => text))))]
}

const labelsOf = (matchers: string): Selector["labels"] =>
  [...matchers.matchAll(matcher)].map(({ groups: { label = "", operator = "", value = "" } = {} }) => {
    const text = value.slice(1, -1)
    return { label, values: operator.endsWith("~") ? alternatives(text) : [text] }
  })

/** Every metric that a text of PromQL names, also in a matcher of `__name__`; a selector without a name is an error. */
export const metricsIn = (expr: string): ReadonlyArray<Selector> =>
  [...expr.matchAll(token)].flatMap(({ groups: { metric, matchers } = {} }) => {
    const labels = labelsOf(matchers ?? "")
    if (metric !== undefined) return matchers === undefined && keyword.test(metric) ? [] : [{ metric, labels }]
    if (matchers === undefined) return []
    const names = labels.find(({ label }) => label === "__name__")?.values
    if (names === undefined) throw new Error(`no metric's name in ${matchers}`)
    return names.map((name) => ({ metric: name, labels: labels.filter(({ label }) => label !== "__name__") }))
  })

/** Every label by which a text of PromQL groups or matches series. */
export const groupingsIn = (expr: string): ReadonlyArray<string> =>
  [...expr.matchAll(token)].flatMap(({ groups: { list = "" } = {} }) => list.match(/\w+/g) ?? [])
