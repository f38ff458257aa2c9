import { Context, Duration, Effect } from "effect"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import { makeActs } from "../../../src/adapters/postgres/Acts.ts"
import { makeLeases } from "../../../src/adapters/postgres/GameLeases.ts"
import { makeHolds } from "../../../src/adapters/postgres/Holds.ts"
import { makeKnownEngine } from "../../../src/adapters/postgres/KnownEngine.ts"
import { makePassLog } from "../../../src/adapters/postgres/PassLog.ts"
import { makePauses } from "../../../src/adapters/postgres/Pauses.ts"
import { question, type Run } from "../../../src/adapters/postgres/run.ts"
import type { Share } from "../../../src/adapters/postgres/shared.ts"
import type { EngineName } from "../../../src/domain/EngineName.ts"
import { Acts } from "../../../src/ports/Acts.ts"
import { GameLeases } from "../../../src/ports/GameLeases.ts"
import { Holds } from "../../../src/ports/Holds.ts"
import { KnownEngine } from "../../../src/ports/KnownEngine.ts"
import { OperationLog } from "../../../src/ports/OperationLog.ts"
import { Overview } from "../../../src/ports/Overview.ts"
import { PassLog } from "../../../src/ports/PassLog.ts"
import { Pauses } from "../../../src/ports/Pauses.ts"
import { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import * as Statements from "./statements.ts"
import type { Tables } from "./Tables.ts"

export interface Statement<A> {
  /** The games that it is about; empty if it is about none in particular. */
  readonly gameIds: ReadonlyArray<string>
  /** Whether a database that is read-only refuses it. */
  readonly writes: boolean
  /** One step in the database, whose clock says `now` (Unix milliseconds). */
  readonly apply: (tables: Tables, now: number) => A
}

/** The game that it is about, if that is one. */
export const gameOf = ({ gameIds: [first, ...others] }: Statement<unknown>) => (others.length === 0 ? first : undefined)

/** The operation that a statement is sent for. */
export const Operation = Context.Reference<string>("rtmanager/test/sim/Operation", { defaultValue: () => "" })

/** How a process reaches the database. */
export interface Way {
  readonly run: Run
  /** Carries a statement to the database and its answer back, once. */
  readonly send: <A>(statement: Statement<A>) => Effect.Effect<A, SqlError>
}

/** The server's own word that it failed, by its SQLSTATE. */
export const refusal = (words: string, code: string) =>
  new SqlError({ reason: new UnknownError({ cause: Object.assign(new Error(words), { code, severity: "ERROR" }) }) })

const twice = refusal("ON CONFLICT DO UPDATE command cannot affect row a second time", "21000")

export interface Options {
  readonly owner: string
  readonly leaseTtl: Duration.Duration
  readonly share: Share
  readonly engineName: EngineName
}

/** The ports: the code of the PostgreSQL adapter, over statements that do in one step what its SQL does. */
export const make = ({ run, send }: Way, { engineName, leaseTtl, owner, share }: Options) => {
  const ttl = Duration.toMillis(leaseTtl)
  const read = <A>(gameIds: ReadonlyArray<string>, apply: Statement<A>["apply"]) =>
    send({ gameIds, writes: false, apply })
  const write = <A>(gameIds: ReadonlyArray<string>, apply: Statement<A>["apply"]) =>
    send({ gameIds, writes: true, apply })
  const ask = <A>(operation: string, apply: Statement<A>["apply"]) => run(operation, question, read([], apply))

  const records = RuntimeRecords.of({
    // A server that takes no writes does not answer it.
    clock: run(
      "clock",
      question,
      write([], (_, now) => Math.floor(now))
    ),
    listDue: (page) => ask("listDue", (tables, now) => Statements.listDue(tables, engineName, now, page)),
    listStopped: (page) => ask("listStopped", (tables, now) => Statements.listStopped(tables, engineName, now, page)),
    find: (gameIds) => ask("find", (tables, now) => Statements.find(tables, now, gameIds)),
    backlog: (moment) => ask("backlog", (tables, now) => Statements.backlog(tables, engineName, now, moment)),
    witnesses: (moment, byHand) =>
      ask("witnesses", (tables) => Statements.witnesses(tables, engineName, moment, byHand)),
    countStopped: (ended) => ask("countStopped", (tables) => Statements.countStopped(tables, engineName, ended)),
    unknownEngines: ask("unknownEngines", (tables) => Statements.unknownEngines(tables, engineName))
  })

  const leases = makeLeases({
    owner,
    run,
    share,
    leases: {
      take: (gameIds) =>
        new Set(gameIds).size < gameIds.length
          ? Effect.fail(twice)
          : write(gameIds, (tables, now) => Statements.take(tables, now, { gameIds, owner, ttl })),
      readRecords: (gameIds) => read(gameIds, (tables, now) => Statements.readRecords(tables, now, gameIds)),
      renew: (lease) => write([lease.gameId], (tables, now) => Statements.renew(tables, now, lease, ttl)),
      release: (lease) => write([lease.gameId], (tables) => Statements.release(tables, lease)),
      settle: (lease, end) => write([lease.gameId], (tables) => Statements.settle(tables, lease, end))
    },
    commits: {
      one: (commit) => write([commit.lease.gameId], (tables) => [Statements.commit(tables, engineName, commit)]),
      many: (commits) =>
        write(
          commits.map(({ lease }) => lease.gameId),
          (tables) => Statements.commitMany(tables, engineName, commits)
        ),
      readBack: (commit) => read([commit.lease.gameId], (tables) => [Statements.readBack(tables, engineName, commit)])
    },
    rehearsals: {
      rehearse: (record) => write([record.gameId], (tables) => Statements.rehearse(tables, engineName, record)),
      unchanged: (record) => read([record.gameId], (tables) => Statements.unchanged(tables, engineName, record)),
      role: read([], () => [{ role: owner }])
    }
  })

  const known = makeKnownEngine(run, engineName, {
    recognize: (id) => read([], (tables) => Statements.recognize(tables, engineName, id)),
    beginPass: (id) => write([], (tables, now) => Statements.beginPass(tables, engineName, now, id)),
    markSeen: write([], (tables, now) => Statements.markSeen(tables, engineName, now)),
    insert: (id, options) => write([], (tables, now) => Statements.insert(tables, engineName, now, { id, ...options })),
    widen: (from, to) => write([], (tables) => Statements.widen(tables, engineName, from, to)),
    brake: (id) => write([], (tables) => Statements.brake(tables, engineName, id)),
    accept: (id) => write([], (tables, now) => Statements.accept(tables, engineName, now, id)),
    setRetention: (millis) => write([], (tables) => Statements.setRetention(tables, engineName, millis)),
    list: (cutoff) => read([], (tables, now) => Statements.listEngines(tables, engineName, now, cutoff))
  })

  const holds = makeHolds(run, {
    place: (hold) => write([hold.gameId], (tables, now) => Statements.placeHold(tables, now, hold)),
    release: (gameId, options) =>
      write([gameId], (tables, now) => Statements.releaseHolds(tables, now, gameId, options)),
    withdraw: (placed, former) => write([placed.gameId], (tables) => Statements.withdrawHold(tables, placed, former)),
    removedBy: (gameId) => read([gameId], (tables) => Statements.removedBy(tables, gameId)),
    of: (gameId) => read([gameId], (tables, now) => Statements.holdsOf(tables, now, gameId)),
    list: (page) => read([], (tables, now) => Statements.listHolds(tables, now, page)),
    count: read([], Statements.countHolds)
  })

  const pauses = makePauses(run, {
    pause: (pause) => write([], (tables, now) => Statements.pause(tables, now, pause)),
    resume: write([], Statements.resume),
    current: read([], Statements.currentPause),
    beginPass: write([], Statements.beginPassUnpaused)
  })

  const acts = makeActs(run, {
    begin: (act, key) => write([], (tables, now) => Statements.beginAct(tables, now, act, key)),
    addEnded: (act, key, end) => write([], (tables, now) => Statements.addEndedAct(tables, now, { ...act, key }, end)),
    end: (begun, end) => write([], (tables, now) => Statements.endAct(tables, now, begun, end)),
    keyed: (author, key) => read([], (tables) => Statements.keyedAct(tables, author, key)),
    list: (page) => read([], (tables) => Statements.listActs(tables, page))
  })

  const passLog = makePassLog(run, {
    write: (row) => write([], (tables, now) => Statements.writePass(tables, { engineName, owner }, now, row)),
    find: (id) => read([], (tables) => Statements.findPass(tables, id)),
    hours: (hours) => read([], (tables, now) => Statements.passHours(tables, now, hours)),
    recent: (limit) => read([], (tables) => Statements.listPasses(tables, limit)),
    unended: (limit) => read([], (tables) => Statements.listPasses(tables, limit, ({ endedAt }) => endedAt === null))
  })

  const operationLog = OperationLog.of({
    list: (page) => ask("listOperations", (tables) => Statements.listOperations(tables, page))
  })

  const overview = Overview.of({
    game: (gameId) =>
      run(
        "findGame",
        question,
        read([gameId], (tables, now) => Statements.findGame(tables, now, gameId))
      ),
    backlog: (moment, { next }) =>
      ask("overview", (tables, now) => Statements.overview(tables, engineName, now, moment, next)),
    games: (query) => ask("listGames", (tables, now) => Statements.listGames(tables, now, query)),
    engines: ask("engines", (tables) => Statements.engines(tables))
  })

  return Context.make(RuntimeRecords, records).pipe(
    Context.add(GameLeases, leases),
    Context.add(KnownEngine, known),
    Context.add(Holds, holds),
    Context.add(Pauses, pauses),
    Context.add(Acts, acts),
    Context.add(PassLog, passLog),
    Context.add(OperationLog, operationLog),
    Context.add(Overview, overview)
  )
}
