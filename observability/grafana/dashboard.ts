import { page, type Section } from "./page.ts"
import { colour, graph, heatmap, merged, override, rows, stat, steps, table } from "./panels.ts"
import {
  audit,
  errors,
  explore,
  type Fields,
  failedGames,
  inLastHour,
  jaeger,
  latency,
  lost,
  ofEngine,
  prometheus,
  quantile,
  search,
  series,
  seriesOfAll,
  variable
} from "./queries.ts"

/**
 * The dashboard as code: `npm run dashboard` writes `dashboards/cleanup.json`, and a test compares the two. `queries.ts` has
 * what is asked, `panels.ts` the kinds of panels, `page.ts` where they stand.
 */

const traceLink = {
  links: [{ title: "Trace in Jaeger", url: explore({ query: variable("__value.raw") }), targetBlank: true }]
}
const gameLink = {
  links: [
    {
      title: "Only this game",
      url: `/d/rtmanager-cleanup?var-game=${variable("__value.raw")}&${variable("service:queryparam")}&${variable("audit:queryparam")}&${variable("__url_time_range")}`
    },
    {
      title: "The game on the service's page",
      url: `${variable("page:raw")}/#/game/${variable("__value.raw:percentencode")}`,
      targetBlank: true
    }
  ]
}
const engineLink = {
  links: [
    {
      title: "Only this engine",
      url: `/d/rtmanager-cleanup?var-engine=${variable("__value.raw")}&${variable("service:queryparam")}&${variable("audit:queryparam")}&${variable("__url_time_range")}`
    }
  ]
}
const failedLink = [
  {
    title: "Failed games in Jaeger",
    url: explore(failedGames, variable("__from"), variable("__to")),
    targetBlank: true
  }
]

const stacked = { fillOpacity: 60, stacking: { mode: "normal", group: "A" } }
const patience = `job_engine:rtmanager_cleanup_patience_seconds:max{${ofEngine}}`
const lastSuccess = `max by (job, rtmanager_engine_name) (last_over_time(${series("lastSuccess")}[1w]))`
const removingSince = `job_engine:rtmanager_cleanup_removing_since_seconds:min{${ofEngine}}`
const stalledFor = `(time() - (${lastSuccess} > ${removingSince} or ${removingSince}))`
const oldestDue = `max by (job, rtmanager_engine_name) (${series("oldestDueAge", 'state="due"')})`
const game = variable("game:sqlstring")

/** The age of the engine where it is largest, and the largest share of what an alert tolerates. */
const tolerated = (
  panel: Pick<Parameters<typeof stat>[0], "title" | "description" | "noValue">,
  age: string,
  judged = age
) =>
  stat({
    ...panel,
    unit: "s",
    queries: [
      { expr: `max(${age})`, legend: "age" },
      { expr: `max(${judged} / ${patience})`, legend: "of what is tolerated" }
    ],
    thresholds: [
      [null, "green"],
      [2 / 3, "orange"],
      [1, "red"]
    ],
    overrides: [
      override("age", { thresholds: steps() }),
      override("of what is tolerated", { unit: "percentunit", decimals: 0 })
    ],
    text: "value_and_name"
  })

const sections: ReadonlyArray<Section> = [
  [
    "Is it working",
    true,
    [
      stat({
        title: "Alerts",
        description: "Every alert that fires, by name. Green is good; each name has its section in docs/runbooks.md.",
        queries: [
          {
            expr: `max by (alertname) (ALERTS{alertstate="firing"}) or on() label_replace(0 * max(up), "alertname", "None fires", "", "")`,
            legend: "{{alertname}}"
          }
        ],
        noValue: "Prometheus knows nothing",
        thresholds: [
          [null, "green"],
          [1, "red"]
        ],
        text: "name"
      }),
      stat({
        title: "Mode",
        description:
          "What the service was told to do, and whether a person has paused all removals. Only enforce removes containers; dry_run and paused touch nothing.",
        queries: [
          {
            expr: `max by (mode) (${series("mode")}) == 1 or label_replace(max(${series("paused")}) == 1, "mode", "paused by a person", "", "")`,
            legend: "{{mode}}"
          }
        ],
        noValue: "Nothing is heard of the service",
        thresholds: [[null, "orange"]],
        overrides: [colour("enforce", "green")],
        text: "name"
      }),
      stat({
        title: "Passes are stopped by",
        description:
          "Why the last pass ended early. Nothing is good; for each reason docs/runbooks.md has an entry under CleanupPassRefused or CleanupDependencyDown.",
        queries: [
          {
            expr: `max by (reason) (${series("blocked")}) == 1 or on() label_replace(0 * max(${series("blocked")}), "reason", "nothing", "", "")`,
            legend: "{{reason}}"
          }
        ],
        noValue: "No pass has ended yet",
        thresholds: [
          [null, "green"],
          [1, "red"]
        ],
        text: "name"
      }),
      stat({
        title: "Success in the last hour",
        description:
          "Games removed or found gone, among those attempted in the last hour; conflicts do not count. Below 80 % CleanupFailures fires if more than five failed.",
        unit: "percentunit",
        queries: [
          {
            expr: `sum(increase(${series("games", 'outcome=~"removed|already_absent"')}[1h])) / sum(increase(${series("games", 'outcome=~"failed|removed|already_absent"')}[1h]))`
          }
        ],
        noValue: "No attempt in the last hour",
        thresholds: [
          [null, "red"],
          [0.8, "green"]
        ]
      }),
      tolerated(
        {
          title: "Since the last success",
          description:
            "Time since one of the service's passes that remove last came to its end, single games that failed or not, and its share of three intervals. At 100 % CleanupStalled fires.",
          noValue: "No pass has succeeded within a week"
        },
        `time() - ${lastSuccess}`,
        stalledFor
      ),
      tolerated(
        {
          title: "Oldest due game",
          description:
            "For how long a pass could have cleaned the game that waits for longest, and its share of three intervals. At 100 % CleanupBacklogAgeing fires.",
          noValue: "Nothing is heard of the backlog"
        },
        oldestDue
      ),
      stat({
        title: "Since the backlog was counted",
        description:
          "Age of what the panels of the backlog say, by the replica whose count is oldest. Up to a minute is good; at ten minutes CleanupBacklogUnknown fires.",
        unit: "s",
        queries: [{ expr: `max(time() - ${series("backlogCounted")})` }],
        noValue: "The backlog was never counted",
        thresholds: [
          [null, "green"],
          [120, "orange"],
          [600, "red"]
        ]
      }),
      stat({
        title: "Interval and retention",
        description:
          "The time between two passes, and for how long a stopped game's container is kept. Alerts are relative to the first.",
        unit: "s",
        queries: [
          { expr: `max(${series("interval")})`, legend: "interval" },
          { expr: `max(${series("retention")})`, legend: "retention" }
        ],
        noValue: "Nothing is heard of the service",
        text: "value_and_name"
      })
    ]
  ],
  [
    "All engines",
    true,
    [
      merged(
        {
          title: "Engine by engine",
          description:
            "Each engine with its service's mode, what stops its passes, and its own backlog. Nothing should stop a pass, and no age should be longer than three intervals.",
          width: 18,
          overrides: [
            override("engine", engineLink),
            override("last success", { unit: "s" }),
            override("due", { unit: "none" }),
            override("oldest due", { unit: "s" }),
            override("stopped by", {
              "custom.cellOptions": { type: "color-text" },
              mappings: [{ type: "value", options: { nothing: { color: "text" } } }],
              color: { mode: "fixed", fixedColor: "red" }
            })
          ]
        },
        { rtmanager_engine_name: "engine", reason: "stopped by" },
        [
          { expr: `max by (rtmanager_engine_name, mode) (${seriesOfAll("mode")}) == 1` },
          {
            expr: `max by (rtmanager_engine_name, reason) (${seriesOfAll("blocked")}) == 1 or on (rtmanager_engine_name) label_replace(0 * max by (rtmanager_engine_name) (${seriesOfAll("blocked")}), "reason", "nothing", "", "")`
          },
          {
            expr: `time() - max by (rtmanager_engine_name) (last_over_time(${seriesOfAll("lastSuccess")}[1w]))`,
            column: "last success"
          },
          { expr: `max by (rtmanager_engine_name) (${seriesOfAll("backlog", 'state="due"')})`, column: "due" },
          {
            expr: `max by (rtmanager_engine_name) (${seriesOfAll("oldestDueAge", 'state="due"')})`,
            column: "oldest due"
          }
        ]
      ),
      stat({
        title: "Records on unknown engines",
        description:
          "Stopped records on engines that no service has ever cleaned, which every service counts. 0 is good; with more CleanupEngineUnknown fires.",
        width: 6,
        height: 9,
        queries: [{ expr: `max(${seriesOfAll("unusableRows", 'reason="engine_unknown"')})` }],
        noValue: "Nothing is heard of the backlog",
        thresholds: [
          [null, "green"],
          [1, "red"]
        ]
      })
    ]
  ],
  [
    "What goes next",
    true,
    [
      graph({
        title: "Backlog",
        description:
          "Stopped games past their retention, by state. Each pass should bring those that are due down to those that are leased; those that a person holds stay, and the stuck ones need a person.",
        queries: [
          {
            expr: `sum by (state) (max by (job, rtmanager_engine_name, state) (${series("backlog")}))`,
            legend: "{{state}}"
          }
        ],
        overrides: [colour("stuck", "red"), colour("due", "blue"), colour("leased", "purple"), colour("held", "green")]
      }),
      graph({
        title: "Unusable rows",
        description:
          "Stopped records that cannot be used, by reason. None is good; they are kept, and whatever writes runtime_records needs a look.",
        queries: [
          {
            expr: `sum by (reason) (max by (job, rtmanager_engine_name, reason) (${series("unusableRows", 'reason!="engine_unknown"')}))`,
            legend: "{{reason}}"
          },
          { expr: `max by (reason) (${series("unusableRows", 'reason="engine_unknown"')})`, legend: "{{reason}}" }
        ]
      }),
      rows(
        {
          title: "Next games",
          description:
            "The stopped games in the order in which their retention ends, at most 50, with what keeps them back. A dash is good: nothing does.",
          overrides: [
            override("game_id", gameLink),
            override("stopped_at", { unit: "dateTimeAsIso" }),
            override("leased_until", { unit: "dateTimeFromNow" }),
            override("next_attempt_at", { unit: "dateTimeFromNow" })
          ]
        },
        `select r.game_id, coalesce(r.engine, 'default') as engine, r.last_op_at as stopped_at,
           (select string_agg(h.author, ', ' order by h.author) from rtmanager.cleanup_holds as h
             where h.game_id = r.game_id and (h.until is null or h.until > now())) as held_by,
           l.expires_at as leased_until, b.next_attempt_at, b.attempts, r.current_container_id as container_id
         from rtmanager.runtime_records as r left join rtmanager.game_leases as l
           on l.game_id = r.game_id and l.expires_at > now() left join rtmanager.cleanup_backoff as b on b.game_id = r.game_id
         where r.status = 'stopped' and (${game} = '' or r.game_id = ${game}) order by r.last_op_at, r.game_id limit 50`
      ),
      rows(
        {
          title: "Leased games",
          description:
            "Stopped games whose lease somebody has now, those leased for longest first. The holder is the service.instance.id of a replica, or another program's.",
          width: 12,
          overrides: [
            override("game_id", gameLink),
            override("leased_since", { unit: "dateTimeFromNow" }),
            override("leased_until", { unit: "dateTimeFromNow" })
          ]
        },
        `select l.game_id, l.owner as holder, l.acquired_at as leased_since, l.expires_at as leased_until
         from rtmanager.game_leases as l join rtmanager.runtime_records as r on r.game_id = l.game_id
         where r.status = 'stopped' and l.expires_at > now() and (${game} = '' or l.game_id = ${game})
         order by l.acquired_at, l.game_id limit 200`
      ),
      rows(
        {
          title: "Games that back off",
          description:
            "Games that have failed since their last success, most attempts first, with when they may be tried again and why they failed last. From ten attempts on a game is stuck.",
          width: 12,
          overrides: [
            override("game_id", gameLink),
            override("attempts", {
              "custom.cellOptions": { type: "color-text" },
              thresholds: steps([
                [null, "text"],
                [10, "red"]
              ])
            }),
            override("next_attempt_at", { unit: "dateTimeFromNow" })
          ]
        },
        `select game_id, attempts, next_attempt_at, last_error from rtmanager.cleanup_backoff
         where ${game} = '' or game_id = ${game} order by attempts desc, game_id limit 200`
      )
    ]
  ],
  [
    "What people asked for",
    true,
    [
      graph({
        title: "Acts",
        description:
          "What people asked for in the hour before, by act and how it ended. None is normal; each refused or failed one has its reason in the table below.",
        queries: [
          {
            expr: `${inLastHour("by (act, result) ", series("acts"))} > 0 or on() label_replace(0 * sum(${series("acts")}), "act", "none", "", "")`,
            legend: "{{act}} {{result}}"
          }
        ]
      }),
      stat({
        title: "Holds",
        description:
          "Holds that have not ended, on games of every engine; a game can have several. Any number is good, as long as somebody still needs them.",
        width: 4,
        height: 8,
        queries: [{ expr: `max(${series("holds")})` }],
        noValue: "Nothing is heard of the service"
      }),
      rows(
        {
          title: "Pause",
          description:
            "Who has paused all removals, on every engine, since when, until when and why; without an end it lasts until somebody resumes. No row is good: nobody has.",
          width: 8,
          height: 8,
          overrides: [
            override("paused_at", { unit: "dateTimeFromNow" }),
            override("until", { unit: "dateTimeFromNow" })
          ]
        },
        `select author, reason, paused_at, case when isfinite(until) then until end as until
         from rtmanager.cleanup_pause where until is null or until > now()`
      ),
      rows(
        {
          title: "Last acts",
          description:
            "What people asked for, of all games or of the one in the field Game, newest first, at most 100. An act without a result is under way, or was killed.",
          width: 14,
          overrides: [
            override("asked_at", { unit: "dateTimeAsIso", "custom.width": 170 }),
            override("act", { "custom.width": 120 }),
            override("result", {
              "custom.width": 90,
              "custom.cellOptions": { type: "color-text" },
              mappings: [
                {
                  type: "value",
                  options: { done: { color: "green" }, refused: { color: "orange" }, failed: { color: "red" } }
                }
              ]
            })
          ]
        },
        `select asked_at, act, target, author, reason, result, message from rtmanager.cleanup_acts
         where ${game} = '' or target = ${game} order by id desc limit 100`
      ),
      rows(
        {
          title: "Held games",
          description:
            "Games that people hold, the newest hold first, at most 200. Nothing removes their containers; without an end a hold lasts until it is released.",
          width: 10,
          overrides: [
            override("game_id", gameLink),
            override("placed_at", { unit: "dateTimeFromNow" }),
            override("until", { unit: "dateTimeFromNow" })
          ]
        },
        `select game_id, author, reason, placed_at, case when isfinite(until) then until end as until
         from rtmanager.cleanup_holds where (until is null or until > now()) and (${game} = '' or game_id = ${game})
         order by placed_at desc, game_id limit 200`
      ),
      graph({
        title: "Refused tokens",
        description:
          "Requests to the API in the hour before that were refused for their token (unknown), or because their address had sent five such tokens within a minute (blocked). None is good; blocked ones are somebody who guesses, or a program with an old token.",
        width: 24,
        queries: [{ expr: inLastHour("by (reason) ", series("tokensRefused")), legend: "{{reason}}" }]
      })
    ]
  ],
  [
    "Outcomes and errors by code",
    true,
    [
      graph({
        title: "Outcomes",
        description:
          "How attempts on games ended, per minute. Green is the work that is done; red needs a look; a conflict means that another was at work on the game.",
        unit: "cpm",
        custom: stacked,
        queries: [
          { expr: `sum by (outcome) (rate(${series("games")}[$__rate_interval])) * 60`, legend: "{{outcome}}" }
        ],
        overrides: [
          colour("removed", "green"),
          colour("already_absent", "light-green"),
          colour("conflict", "yellow"),
          colour("failed", "red")
        ],
        links: failedLink
      }),
      graph({
        title: "Errors by code",
        description:
          "Attempts per minute that failed or met a conflict, by error code. None is good; under CleanupFailures docs/runbooks.md says where to look for which code.",
        unit: "cpm",
        custom: stacked,
        queries: [
          {
            expr: `sum by (error_code) (rate(${series("games", 'outcome=~"failed|conflict"')}[$__rate_interval])) * 60`,
            legend: "{{error_code}}"
          }
        ],
        links: failedLink
      }),
      heatmap(
        {
          title: "Lag",
          description:
            "Removed games by the time from due to removed: the darker, the more. Good is up to the interval between passes; more means that the service was away or is too slow."
        },
        { expr: `sum by (le) (increase(${series("lag", "", "_bucket")}[$__rate_interval]))`, legend: "{{le}}" }
      ),
      graph({
        title: "Lag, p50 and p95",
        description:
          "Within which time from due half of the removed games were removed, and 19 of 20. Good is up to the interval between passes.",
        unit: "s",
        width: 8,
        queries: [
          { expr: quantile(0.5, series("lag", "", "_bucket")), legend: "p50" },
          { expr: quantile(0.95, series("lag", "", "_bucket")), legend: "p95" }
        ]
      }),
      graph({
        title: "Time for one game",
        description:
          "How long an attempt on one game took, from asking for its lease to the end. A second or two is good; nearly RTMANAGER_ENGINE_TIMEOUT means that the engine hangs.",
        unit: "s",
        width: 8,
        queries: [
          { expr: quantile(0.5, series("gameDuration", "", "_bucket")), legend: "p50" },
          { expr: quantile(0.95, series("gameDuration", "", "_bucket")), legend: "p95" }
        ]
      }),
      rows(
        {
          title: "Failed games",
          description:
            "Attempts that failed in this range of time, newest first, at most 100. A failure that repeats has a row a day; None is good.",
          width: 16,
          overrides: [
            override("finished_at", { unit: "dateTimeAsIso", "custom.width": 170 }),
            override("game_id", { "custom.width": 200, ...gameLink }),
            override("error_code", { "custom.width": 180 }),
            override("trace_id", traceLink)
          ]
        },
        `select finished_at, game_id, error_code, error_message, trace_id from rtmanager.operation_log
         where op_kind = 'cleanup_container' and outcome = 'failure'
           and (${game} = '' and $__timeFilter(finished_at) or game_id = ${game}) order by id desc limit 100`
      ),
      table(
        {
          title: "Traces of failed games",
          description: "What Jaeger has of games that failed in this range of time, each with all of its steps.",
          width: 8
        },
        jaeger,
        [failedGames]
      )
    ]
  ],
  [
    "Passes",
    true,
    [
      graph({
        title: "Passes by result",
        description:
          "Passes that ended in the hour before. Partial means that single games failed; with refused or failure nothing more was removed.",
        width: 8,
        queries: [{ expr: inLastHour("by (result) ", series("passDuration", "", "_count")), legend: "{{result}}" }],
        overrides: [
          colour("success", "green"),
          colour("partial", "yellow"),
          colour("refused", "orange"),
          colour("failure", "red")
        ]
      }),
      graph({
        title: "Duration of passes",
        description:
          "How long the passes took that came to their end in the hour before, and the bucket of the longest. Much less than the interval is good.",
        unit: "s",
        width: 8,
        queries: [
          [0.5, "p50"],
          [0.95, "p95"],
          [1, "longest, at most"]
        ].map(([share, legend]) => ({
          expr: quantile(Number(share), series("passDuration", 'result=~"success|partial"', "_bucket"), "le", "1h"),
          legend: String(legend)
        }))
      }),
      graph({
        title: "Passes stopped by",
        description:
          "Why the last pass of any replica ended early, over time: 1 while it is so. Always 0 is good; pausing is a person's doing.",
        width: 8,
        custom: { fillOpacity: 60, lineInterpolation: "stepAfter" },
        queries: [
          {
            expr: `max by (reason) (${series("blocked")}) > 0 or 0 * max by (reason) (${series("blocked")})`,
            legend: "{{reason}}"
          }
        ]
      }),
      graph({
        title: "Refused passes",
        description: "Passes that a guard refused in the hour before, by reason. None is good.",
        queries: [{ expr: inLastHour("by (reason) ", series("passesRefused")), legend: "{{reason}}" }]
      }),
      graph({
        title: "Lease takeovers",
        description:
          "Leases that another process had let run out and that were taken over in the hour before. Some after a crash are normal; many, again and again, mean that replicas hang or die.",
        queries: [{ expr: inLastHour("", series("leaseTakeovers")), legend: "leases" }]
      }),
      rows(
        {
          title: "Last passes",
          description:
            "Passes of every engine that listed a game or did not succeed, newest first, at most 50. One without a result is under way if it was heard of within minutes, else it was killed.",
          overrides: [
            override("started_at", { unit: "dateTimeAsIso", "custom.width": 170 }),
            override("engine", engineLink),
            override("heard_of", { unit: "dateTimeFromNow" }),
            override("seconds", { unit: "s" }),
            override("result", {
              "custom.cellOptions": { type: "color-text" },
              mappings: [
                {
                  type: "value",
                  options: {
                    success: { color: "green" },
                    partial: { color: "yellow" },
                    refused: { color: "orange" },
                    failure: { color: "red" }
                  }
                }
              ]
            })
          ]
        },
        `select started_at, engine, trigger, result, reason, message, due, listed, removed, already_absent, conflict, failed,
           updated_at as heard_of, extract(epoch from updated_at - started_at)::float8 as seconds
         from rtmanager.cleanup_passes order by started_at desc limit 50`
      )
    ]
  ],
  [
    "Engine",
    true,
    [
      graph({
        title: "Engine latency",
        description:
          "How long the engine took for each kind of call; each dot is an example with its trace. Far below a second is good; nearly RTMANAGER_ENGINE_TIMEOUT means that it hangs.",
        unit: "s",
        queries: latency("")
      }),
      graph({
        title: "Engine errors",
        description:
          "Calls to the engine that failed, per minute, by kind and error type. None is good; a container that runs or is gone is an answer and no error.",
        unit: "cpm",
        queries: errors("")
      })
    ]
  ],
  [
    "Database by statement",
    true,
    [
      graph({
        title: "Database latency",
        description:
          "How long the database took for each kind of statement; each dot is an example with its trace. Milliseconds are good; nearly RTMANAGER_DATABASE_TIMEOUT means locks or overload.",
        unit: "s",
        queries: latency("postgresql")
      }),
      graph({
        title: "Database errors",
        description:
          "Statements that failed, per minute, by kind and error type. None is good; a lease that another holds is an answer and no error.",
        unit: "cpm",
        queries: errors("postgresql")
      })
    ]
  ],
  [
    "Process",
    false,
    [
      stat({
        title: "Replicas",
        description:
          "Replicas that reported within the last two minutes; commands do not count. Fewer than before for long means that CleanupReplicaGone fires.",
        queries: [{ expr: `count(count by (job, instance) (last_over_time(${series("interval")}[2m])))` }],
        noValue: "Nothing is heard of the service",
        height: 8
      }),
      graph({
        title: "Games in flight",
        description:
          "Games that are being cleaned at this moment, by process. 0 between passes is good; a figure that stays while nothing ends means that the engine or the database hangs.",
        width: 6,
        queries: [{ expr: `sum by (instance) (${series("inFlight")})`, legend: "{{instance}}" }]
      }),
      graph({
        title: "Memory",
        description: "Physical memory of each process. It does not grow with the backlog.",
        unit: "bytes",
        width: 6,
        queries: [{ expr: `max by (instance) (${series("memoryUsage")})`, legend: "{{instance}}" }]
      }),
      graph({
        title: "Event loop",
        description:
          "Share of the time in which a process had something to do. Below 80 % is good, also in a large pass.",
        unit: "percentunit",
        width: 6,
        queries: [{ expr: `max by (instance) (${series("eventLoopUtilization")})`, legend: "{{instance}}" }]
      }),
      graph({
        title: "Queues of the process",
        description:
          "How full each process's queues of spans and log records are. Near 0 is good; one that fills means that the collector is away, and once it is full more is lost.",
        unit: "percentunit",
        queries: [
          {
            expr: `max by (instance) (${series("spanQueueSize")} / ${series("spanQueueCapacity")})`,
            legend: "{{instance}} spans"
          },
          {
            expr: `max by (instance) (${series("logQueueSize")} / ${series("logQueueCapacity")})`,
            legend: "{{instance}} log records"
          }
        ]
      }),
      graph({
        title: "Lost by the process",
        description:
          "Spans and log records that processes gave up in the hour before, by reason. None is good; with queue_full the collector was away for too long, else it did not take them.",
        queries: [lost("spansProcessed", "spans"), lost("logsProcessed", "log records")]
      })
    ]
  ],
  [
    "Telemetry",
    false,
    [
      stat({
        title: "Parts of the stack",
        description:
          "Whether Prometheus reaches the parts that telemetry goes through. Without one of them graphs or traces are missing; cleaning goes on.",
        queries: [{ expr: `min by (job) (up{job=~"otel-collector|jaeger|prometheus"})`, legend: "{{job}}" }],
        noValue: "Prometheus reaches nothing",
        thresholds: [
          [null, "red"],
          [1, "green"]
        ],
        text: "name",
        width: 8,
        height: 8
      }),
      graph({
        title: "Collector queues",
        description:
          "How full the collector's queues towards Jaeger and Prometheus are. Near 0 is good; one that grows means that its backend is away, and from 80 % on TelemetryDropped fires.",
        unit: "percentunit",
        width: 8,
        queries: [
          {
            expr: "max by (exporter, data_type) (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)",
            legend: "{{exporter}} {{data_type}}"
          }
        ]
      }),
      graph({
        title: "Collector memory",
        description:
          "Memory that the collector takes. Well below its limit in docker-compose.yml is good; near to it the collector refuses what it is sent.",
        unit: "bytes",
        width: 8,
        queries: [{ expr: "max(otelcol_process_memory_rss)", legend: "resident" }]
      }),
      graph({
        title: "Refused by the collector",
        description:
          "Spans and metric points that the collector did not take since it was started. 0 is good; after a step up the service offers spans again, and metrics with its next export.",
        queries: [
          { expr: "sum(otelcol_receiver_refused_spans) or 0 * max(otelcol_process_memory_rss)", legend: "spans" },
          {
            expr: "sum(otelcol_receiver_refused_metric_points) or 0 * max(otelcol_process_memory_rss)",
            legend: "metric points"
          }
        ]
      }),
      graph({
        title: "Lost by the collector",
        description:
          "Spans and metric points that the collector gave up since it was started, because a queue was full or a backend refused them for good. 0 is good; each step up is a gap.",
        queries: ["spans", "metric_points"].map((what) => ({
          expr: `sum({__name__=~"otelcol_exporter_(enqueue|send)_failed_${what}"}) or 0 * max(otelcol_process_memory_rss)`,
          legend: what.replace("_", " ")
        }))
      })
    ]
  ],
  [
    "Audit log (PostgreSQL)",
    false,
    [
      rows(
        {
          title: "Audit rows",
          description:
            "What was done to games in this range of time, or to the one in the field Game at any time, newest first, at most 200. A failure that repeats has a row a day; Jaeger keeps traces for a week.",
          height: 11,
          overrides: [
            override("finished_at", { unit: "dateTimeAsIso", "custom.width": 170 }),
            override("game_id", { "custom.width": 220, ...gameLink }),
            override("op_source", { "custom.width": 100 }),
            override("outcome", {
              "custom.width": 90,
              "custom.cellOptions": { type: "color-text" },
              mappings: [{ type: "value", options: { success: { color: "green" }, failure: { color: "red" } } }]
            }),
            override("error_code", { "custom.width": 190 }),
            override("trace_id", traceLink)
          ]
        },
        `select finished_at, game_id, op_source, outcome, error_code, error_message, container_id, trace_id
         from rtmanager.operation_log where op_kind = 'cleanup_container'
           and (${game} = '' and $__timeFilter(finished_at) or game_id = ${game}) order by id desc limit 200`
      )
    ]
  ]
]

const dataSource = (name: string, label: string, { type }: typeof prometheus) => ({
  type: "datasource",
  name,
  label,
  query: type,
  current: { text: label, value: name }
})

const labelValues = (name: string, label: string, query: string, more: Fields) => ({
  type: "query",
  name,
  label,
  datasource: prometheus,
  query: { query, refId: name },
  refresh: 2,
  sort: 1,
  ...more
})

const all = { multi: true, includeAll: true, allValue: ".*", current: { text: "All", value: "$__all" } }

const annotation = (name: string, iconColor: string, expr: string, titleFormat: string) => ({
  name,
  datasource: prometheus,
  enable: true,
  iconColor,
  expr,
  step: "60s",
  titleFormat,
  textFormat: "{{job}} {{rtmanager_engine_name}}"
})

const newly = (expr: string) => `(${expr}) unless (${expr.replaceAll("}", "} offset 2m")})`
const link = (title: string, url: string, tooltip: string) => ({
  type: "link",
  title,
  url,
  tooltip,
  icon: "external link",
  targetBlank: true,
  asDropdown: false,
  includeVars: false,
  keepTime: false,
  tags: []
})

const pageAddress = "http://127.0.0.1:8080"

export const dashboard = {
  uid: "rtmanager-cleanup",
  title: "RTManager container cleanup",
  description:
    "Whether containers of finished games are removed, what is overdue, what failed and why. To stop all removals at once, and what to do for each alert: docs/runbooks.md.",
  tags: ["rtmanager"],
  schemaVersion: 41,
  editable: false,
  graphTooltip: 1,
  refresh: "15s",
  time: { from: "now-3h", to: "now" },
  links: [
    link("Passes in Jaeger", explore(search("pass"), "now-3h"), "Traces of the passes of the last three hours"),
    link("Alerts", "/alerting/list?dataSource=Prometheus", "Each alert with its state and its expression")
  ],
  templating: {
    list: [
      dataSource("prometheus", "Prometheus", prometheus),
      dataSource("jaeger", "Jaeger", jaeger),
      dataSource("audit", "Audit log", audit),
      labelValues(
        "service",
        "Service",
        `query_result(count by (job) (last_over_time(rtmanager_cleanup_interval_seconds[1w])))`,
        { regex: '/job="([^"]+)"/' }
      ),
      labelValues(
        "service_name",
        "Service in Jaeger",
        'label_values(traces_span_metrics_calls_total{job=~"$service"}, service_name)',
        { hide: 2 }
      ),
      labelValues(
        "engine",
        "Engine",
        'label_values(rtmanager_cleanup_interval_seconds{job=~"$service"}, rtmanager_engine_name)',
        // Only series that have one.
        { ...all, allValue: ".+" }
      ),
      labelValues("instance", "Process", `label_values(rtmanager_cleanup_in_flight{${ofEngine}}, instance)`, all),
      {
        type: "textbox",
        name: "game",
        label: "Game",
        description: "Id of the only game to show in the tables; empty for all",
        query: "",
        current: { text: "", value: "" },
        options: [{ selected: true, text: "", value: "" }]
      },
      // Where docker-compose.yml publishes the service.
      {
        type: "constant",
        name: "page",
        label: "Address of the service's page",
        query: pageAddress,
        current: { text: pageAddress, value: pageAddress },
        hide: 2,
        skipUrlSync: true
      }
    ]
  },
  annotations: {
    list: [
      annotation("Start of a replica", "green", newly(series("interval")), "A replica started"),
      annotation("Mode", "blue", newly(`${series("mode")} == 1`), "The mode is {{mode}}"),
      annotation("Passes stopped", "red", newly(`${series("blocked")} == 1`), "Passes are stopped by {{reason}}"),
      annotation(
        "Deploy",
        "purple",
        `count by (job, service_version) (target_info{job=~"$service"}) unless count by (job, service_version) (target_info{job=~"$service"} offset 10m)`,
        "Version {{service_version}}"
      )
    ]
  },
  panels: page(sections)
}
