import { assert, describe, it } from "@effect/vitest"
import { groupingsIn, metricsIn } from "./promql.ts"

const names = (expr: string) => metricsIn(expr).map(({ metric }) => metric)

describe("the metrics that a text of PromQL names", () => {
  it.each<readonly [what: string, expr: string, metrics: ReadonlyArray<string>]>([
    ["a bare name", "up", ["up"]],
    ["a name with colons", "job:requests:rate5m", ["job:requests:rate5m"]],
    [
      "a name that begins like a function or a keyword",
      "rates + order + nano + by_state",
      ["rates", "order", "nano", "by_state"]
    ],
    ["a name and matchers, apart", 'up {job="x"}', ["up"]],
    [
      "a range, an offset and a time",
      "rate(a_total[5m] offset 1h) + b @ 1609746000 - c @ start()",
      ["a_total", "b", "c"]
    ],
    ["a range that is a variable of Grafana", `rate(a_total[$__rate_interval]) > \${limit:raw}`, ["a_total"]],
    ["a subquery", "max_over_time(rate(a_total[5m])[1h:5m])", ["a_total"]],
    ["an aggregation with its labels before", "sum by (le, x) (a_bucket)", ["a_bucket"]],
    ["an aggregation with its labels after", "sum(a_bucket) without(x)", ["a_bucket"]],
    ["an aggregation with a parameter", 'topk(3, a) + count_values("version", b)', ["a", "b"]],
    ["operators between words", "a and b or c unless d atan2 e == bool f", ["a", "b", "c", "d", "e", "f"]],
    ["operators before parentheses", "a and (b or (c))", ["a", "b", "c"]],
    ["matching", "a / on(x) group_left(y) b * ignoring (z) group_right c", ["a", "b", "c"]],
    ["an empty list", "a or on() vector(0)", ["a"]],
    ["upper case", "SUM BY (x) (ALERTS) AND Inf", ["ALERTS"]],
    ["numbers", "1e9 + 0x1F + 1_000 * .5 - a - Inf + NaN", ["a"]],
    ["a string that looks like more", `label_replace(a, "up", "$1", 'b{c="d"}', \`e\`) # f(g)\n+ h`, ["a", "h"]],
    ["a brace within a value", "a{x=\"}\"} + b{y='{'}", ["a", "b"]],
    ["a quote within a value", String.raw`a{x="\"} c"} + b`, ["a", "b"]],
    ["several lines", "a{\n  x='1'\n}\n/\nb", ["a", "b"]],
    ["a name in a matcher", '{__name__="a", x="1"}', ["a"]],
    ["names in a matcher", 'sum({__name__=~"a_(b|c)_(d|e)|f"})', ["a_b_d", "f", "a_b_e", "a_c_d", "a_c_e"]]
  ])("are found beside %s", (_, expr, metrics) => assert.sameMembers(names(expr), [...metrics]))

  it("come with what their labels are compared to", () =>
    assert.deepStrictEqual(metricsIn(`rate(a{b="1|2", c!='3',d=~"4|5", e !~ "6(7|8)"}[1m]) > b{}`), [
      {
        metric: "a",
        labels: [
          { label: "b", values: ["1|2"] },
          { label: "c", values: ["3"] },
          { label: "d", values: ["4", "5"] },
          { label: "e", values: ["67", "68"] }
        ]
      },
      { metric: "b", labels: [] }
    ]))

  it("keep the other labels of a name in a matcher", () =>
    assert.deepStrictEqual(metricsIn('{x="1", __name__=~"a|b"}'), [
      { metric: "a", labels: [{ label: "x", values: ["1"] }] },
      { metric: "b", labels: [{ label: "x", values: ["1"] }] }
    ]))

  it.each(['{x="1"}', 'a + {"b"}', "{}"])("are an error where %s has none", (expr) =>
    assert.throws(() => metricsIn(expr), "no metric's name")
  )
})

it("the labels that a text of PromQL groups by are those of its lists", () =>
  assert.deepStrictEqual(groupingsIn('sum by (a, b) (x{d="by (e)"}) / on(c) group_left (f) y or on() z'), [
    "a",
    "b",
    "c",
    "f"
  ]))
