import { Deferred, Effect, PubSub, Ref, Stream } from "effect"
import type { Author, Reason, RecordedAct } from "../../src/domain/Act.ts"
import type { GamePage } from "../../src/domain/GamePage.ts"
import type { GameStory } from "../../src/domain/GameStory.ts"
import type { PlacedHold } from "../../src/domain/Hold.ts"
import type { LoggedOperation } from "../../src/domain/LoggedOperation.ts"
import type { RecordedPass } from "../../src/domain/RecordedPass.ts"
import type { Stats } from "../../src/domain/Stats.ts"
import type { Status } from "../../src/domain/Status.ts"
import type { ServiceEvent } from "../../src/http/Api.ts"

type ListedGame = (typeof GamePage.Type)["games"][number]

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const retention = 30 * day

export const hostile = `<img src=x onerror="document.title='run'"><script>alert(1)</script>`

/** A service with something of everything, whose acts change only what the page shows. */
export const makeWorld = Effect.gen(function* () {
  const events = yield* PubSub.unbounded<ServiceEvent>()
  const cut = yield* Ref.make(yield* Deferred.make<void>())
  const start = Date.now()
  const at = (millis: number) => new Date(start + millis)
  const containerOf = (index: number) => index.toString(16).padStart(4, "0").repeat(16)
  const image = "registry.example.org/games/skyfall:2.14.3"

  const game = (gameId: string, dueIn: number, more: Partial<ListedGame> = {}): ListedGame => ({
    gameId,
    engine: "eu-west-1",
    lastOpAt: at(dueIn - retention),
    dueAt: at(dueIn),
    rule: "retention 30d",
    blockedBy: dueIn > 0 ? "retention" : null,
    attempts: 0,
    lastError: null,
    ...more
  })
  const games = new Map(
    [
      ...Array.from({ length: 240 }, (_, index) => game(`arena-${4200 + index}`, (index - 240) * 7 * minute)),
      game("arena-3977", -5 * hour, {
        dueAt: null,
        blockedBy: "hold",
        rule: 'held by ann until released: "Replay is under dispute"'
      }),
      game("finals-2026-semi", -2 * day, {
        blockedBy: "hold",
        dueAt: at(9 * day),
        rule: `held by tournament-bot until ${at(9 * day).toISOString()}: "Finals are kept"`
      }),
      game("arena-4011", -3 * hour, {
        blockedBy: "backoff",
        dueAt: at(14 * minute),
        rule: `backing off until ${at(14 * minute).toISOString()}`,
        attempts: 3,
        lastError: "engine_unavailable"
      }),
      game("arena-3502", -6 * day, { attempts: 14, lastError: "identity_mismatch" }),
      ...Array.from({ length: 60 }, (_, index) => game(`duel-${900 + index}`, (index + 1) * 37 * minute))
    ].map((one) => [one.gameId, one] as const)
  )

  const operation = (
    id: number,
    gameId: string,
    ago: number,
    more: Partial<LoggedOperation> = {}
  ): LoggedOperation => ({
    id: BigInt(id),
    gameId,
    outcome: "success",
    opSource: "auto_ttl",
    sourceRef: "pass-7f3a",
    containerId: containerOf(id),
    imageRef: image,
    errorCode: null,
    message: "container removed",
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    startedAt: at(-ago - 180),
    finishedAt: at(-ago),
    ...more
  })
  const operations = [
    operation(1001, "arena-4011", 40 * minute, {
      outcome: "failure",
      errorCode: "engine_unavailable",
      message: "the engine did not answer within 10 seconds"
    }),
    operation(1000, "arena-3502", 3 * hour, {
      outcome: "failure",
      errorCode: "identity_mismatch",
      message: `the container's label names another game: ${hostile}`
    }),
    ...Array.from({ length: 160 }, (_, index) =>
      operation(999 - index, `arena-${4199 - index}`, (index + 4) * 11 * minute)
    )
  ]

  const holds: Array<PlacedHold> = [
    { gameId: "arena-3977", author: "ann", reason: "Replay is under dispute", until: null, placedAt: at(-2 * day) },
    {
      gameId: "finals-2026-semi",
      author: "tournament-bot",
      reason: "Finals are kept",
      until: at(9 * day),
      placedAt: at(-20 * day)
    },
    { gameId: hostile, author: "ben", reason: hostile, until: at(3 * hour), placedAt: at(-hour) }
  ]

  const acts: Array<RecordedAct> = [
    {
      id: 12n,
      act: "hold",
      target: "arena-3977",
      author: "ann",
      reason: "Replay is under dispute",
      askedAt: at(-2 * day),
      endedAt: at(-2 * day + 40),
      result: "done",
      message: "held until it is released"
    },
    {
      id: 11n,
      act: "clean",
      target: "arena-3502",
      author: "ben@ops-2",
      reason: "Its host is going away",
      askedAt: at(-3 * day),
      endedAt: at(-3 * day + 900),
      result: "refused",
      message: "identity_mismatch: the container's label names another game"
    },
    {
      id: 10n,
      act: "pause",
      target: null,
      author: "ann",
      reason: "Database upgrade to 18",
      askedAt: at(-4 * day),
      endedAt: at(-4 * day + 20),
      result: "done",
      message: "paused for 2h"
    }
  ]

  const pass = (index: number, more: Partial<RecordedPass> = {}): RecordedPass => ({
    id: `pass-${index}`,
    engine: index % 3 === 2 ? "us-east-1" : "eu-west-1",
    trigger: "schedule",
    owner: "0d7c2f0e-8a5c-4c39-9a6f-6f5c9c1f3a52",
    startedAt: at(-index * hour),
    updatedAt: at(-index * hour + 40_000),
    endedAt: at(-index * hour + 41_300),
    result: "success",
    reason: null,
    message: null,
    due: 57 + index,
    listed: 57 + index,
    removed: 51 + index,
    alreadyAbsent: 4,
    conflict: 1,
    failed: 1,
    lagMax: 312.4,
    ...more
  })
  const underWay = pass(0, {
    startedAt: at(-95_000),
    updatedAt: at(0),
    endedAt: null,
    result: null,
    due: 400,
    listed: 180,
    removed: 156,
    failed: 2
  })
  const state = {
    mode: "enforce" as Status["mode"],
    pause: null as Status["pause"],
    braked: true,
    passes: [
      underWay,
      pass(1),
      pass(2, {
        result: "refused",
        reason: "absent_brake",
        message: "9 of 10 containers are absent",
        removed: 0,
        alreadyAbsent: 0,
        conflict: 0,
        failed: 0,
        lagMax: null
      }),
      pass(3),
      pass(4, { trigger: "manual", endedAt: null, result: null })
    ],
    done: 161
  }

  const hours: (typeof Stats.Type)["hours"] = Array.from({ length: 168 }, (_, index) => {
    const hourStart = Math.floor(start / hour) * hour - (167 - index) * hour
    const removed = Math.max(0, Math.round(26 + 22 * Math.sin((index / 24) * 2 * Math.PI) + 9 * Math.sin(index * 1.7)))
    return {
      at: new Date(hourStart),
      passes: 1,
      removed: index > 100 && index < 104 ? 0 : removed,
      alreadyAbsent: index % 9 === 0 ? 2 : 0,
      conflict: 0,
      failed: index > 100 && index < 104 ? 14 : index % 31 === 0 ? 3 : 0,
      lagMax: removed === 0 || (index > 100 && index < 104) ? null : index === 104 ? 4 * 3600 : 290 + 10 * removed
    }
  })

  const isHeld = (gameId: string) => holds.some((hold) => hold.gameId === gameId)
  const matches = {
    due: ({ blockedBy }: ListedGame) => blockedBy === null,
    held: ({ blockedBy }: ListedGame) => blockedBy === "hold",
    backing_off: ({ blockedBy }: ListedGame) => blockedBy === "backoff",
    stuck: ({ attempts }: ListedGame) => attempts >= 10,
    stopped: () => true
  }
  const listed = (wanted: keyof typeof matches) =>
    [...games.values()]
      .filter(matches[wanted])
      .toSorted((a, b) => (a.dueAt?.getTime() ?? Infinity) - (b.dueAt?.getTime() ?? Infinity))
  const counted = (wanted: keyof typeof matches) => ({ count: listed(wanted).length, more: wanted === "stopped" })

  const status = (): Status => ({
    now: new Date(),
    mode: state.mode,
    engine: "eu-west-1",
    cutoff: new Date(Date.now() - retention),
    backlog: {
      stopped: { count: 10_000, more: true },
      due: counted("due"),
      backingOff: counted("backing_off"),
      held: counted("held"),
      leased: { count: 3, more: false },
      stuck: counted("stuck")
    },
    next: listed("due")
      .slice(0, 5)
      .map(({ dueAt, gameId, rule }) => ({ gameId, at: dueAt ?? new Date(), rule })),
    pause: state.pause,
    engines: [
      {
        name: "eu-west-1",
        engineId: "P7XN:4DQK:OFGC:3ZKT/9c1d3fa2b8e0/overlay2:/var/lib/docker",
        braked: state.braked,
        acceptedAt: null,
        lastPassAt: at(-95_000),
        lastSeenAt: at(-12_000)
      },
      {
        name: "us-east-1",
        engineId: "QK3M:77TB:ZP0A:91LL/51f0ac77e21b/overlay2:/var/lib/docker",
        braked: true,
        acceptedAt: at(-40 * day),
        lastPassAt: at(-2 * hour),
        lastSeenAt: at(-31_000)
      }
    ],
    nextPassAt: null,
    underWay: state.pause === null ? [{ pass: underWay, done: state.done, rate: 1.69, secondsLeft: 141 }] : [],
    passes: state.passes
  })

  const story = (gameId: string): GameStory | undefined => {
    const one = games.get(gameId)
    const ours = operations.filter((operation) => operation.gameId === gameId)
    if (one === undefined && ours.length === 0 && !isHeld(gameId)) return undefined
    const base = {
      gameId,
      version: one === undefined ? null : "1",
      problem: null,
      lease: null,
      holds: holds.filter((hold) => hold.gameId === gameId),
      operations: ours.slice(0, 10),
      acts: acts.filter(({ target }) => target === gameId).slice(0, 10)
    }
    if (one === undefined) return { ...base, record: null, container: null, due: null, backoff: null }
    return {
      ...base,
      record: {
        status: "stopped",
        engine: one.engine,
        containerId: containerOf(42),
        imageRef: image,
        lastOpAt: one.lastOpAt
      },
      container: {
        found: "present",
        message: null,
        state: "exited",
        gameId,
        createdAt: at(-31 * day),
        startedAt: at(-31 * day + 900),
        finishedAt: one.lastOpAt
      },
      due:
        one.blockedBy === "hold" && one.dueAt === null
          ? { at: null, rule: one.rule }
          : { at: one.dueAt, rule: one.rule },
      backoff:
        one.attempts === 0
          ? null
          : {
              attempts: one.attempts,
              nextAttemptAt: one.dueAt,
              lastError: one.lastError ?? "",
              stuck: one.attempts >= 10
            }
    }
  }

  const tell = (event: ServiceEvent) => PubSub.publish(events, event)
  const tellStatus = Effect.suspend(() => tell({ id: `${Date.now()}`, event: "status", data: status() }))
  const log = (operation: LoggedOperation) =>
    Effect.suspend(() => {
      operations.unshift(operation)
      return tell({ id: `${operation.id}`, event: "operations", data: { operations: [operation] } })
    })

  /** Writes the row of an act, after `effect`, and tells what has changed. */
  const act = (name: RecordedAct["act"], target: string | null, author: Author, reason: Reason, message: string) =>
    Effect.gen(function* () {
      const row: RecordedAct = {
        id: BigInt(acts.length + 10),
        act: name,
        target,
        author,
        reason,
        askedAt: new Date(),
        endedAt: new Date(),
        result: "done",
        message
      }
      acts.unshift(row)
      yield* tellStatus
      return row
    })

  return {
    acts,
    act,
    /** The authors of the holds that each release was about. */
    released: [] as ReadonlyArray<string>[],
    games,
    holds,
    hours,
    listed,
    log,
    operation,
    operations,
    state,
    status,
    story,
    tell,
    tellStatus,
    /** Ends every stream of events. */
    disconnect: Effect.gen(function* () {
      const ended = yield* Ref.getAndSet(cut, yield* Deferred.make<void>())
      yield* Deferred.succeed(ended, undefined)
    }),
    events: Stream.unwrap(
      Effect.map(Effect.all([PubSub.subscribe(events), Ref.get(cut)]), ([subscription, ended]) =>
        Stream.concat(
          Stream.sync(() => ({ id: "0", event: "status" as const, data: status() })),
          Stream.fromSubscription(subscription)
        ).pipe(Stream.interruptWhen(Deferred.await(ended)))
      )
    )
  }
})
export type World = Effect.Success<typeof makeWorld>
