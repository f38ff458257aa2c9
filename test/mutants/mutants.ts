// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the changes are text of the code.

/** One change to the code that must make a test fail. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Occurs once in the file. */
  readonly from: string
  readonly to: string
  /** Where the test is that must notice. */
  readonly tests: ReadonlyArray<string>
}

const cleaner = ["test/cleanup/game/Cleaner.test.ts"]
const dockerAdapter = ["test/adapters/docker"]
const stores = ["test/adapters/postgres/Stores.test.ts"]
const pass = ["test/cleanup/pass/CleanupPass.test.ts"]
const records = [
  "test/domain",
  "test/adapters/postgres/Stores.test.ts",
  "test/adapters/postgres/RuntimeRecords.test.ts"
]
const leases = [
  "test/adapters/postgres/Stores.test.ts",
  "test/adapters/postgres/GameLeases.test.ts",
  "test/adapters/postgres/sharing.test.ts"
]
const simulation = ["test/sim/sim.test.ts"]
const pauses = ["test/cleanup/pass/pause.test.ts"]
const openings = ["test/cleanup/pass/openPass.test.ts"]
const gauges = ["test/cleanup/pass/ServiceGauges.test.ts"]
const migrations = ["test/adapters/postgres/migrations.test.ts"]
const encodings = ["test/adapters/postgres/encodings.test.ts"]
const settings = ["test/config"]

const named = ["test/cleanup/pass/namedGames.test.ts"]
const operator = ["test/operator/applyPlan.test.ts"]
const http = ["test/http/acts.test.ts", "test/http/api.test.ts"]
const tokens = ["test/http/tokenFile.test.ts", "test/http/tokens.test.ts"]
const limits = ["test/http/limits.test.ts"]
const hostile = ["test/http/hostile.test.ts"]

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "force=1",
    file: "src/adapters/docker/ContainerEngine.ts",
    from: 'template: "/containers/{id}" })',
    to: 'template: "/containers/{id}", query: { force: true } })',
    tests: dockerAdapter
  },
  {
    name: "delete by name",
    file: "src/domain/ContainerId.ts",
    from: "/^[0-9a-f]{64}$/",
    to: "/^[0-9A-Za-z_.-]+$/",
    tests: ["test/domain", ...dockerAdapter]
  },
  {
    name: "no re-read: what is due is not asked again",
    file: "src/domain/Verdict.ts",
    from: "if (!byHand && !isExpired(record, moment)) return",
    to: "if (!byHand && !isExpired(record, moment) && record.lastOpAt === null) return",
    tests: ["test/domain", ...cleaner]
  },
  {
    name: "lease and re-read in one snapshot: the record is read before the lease is taken",
    file: "src/adapters/postgres/GameLeases.ts",
    from: '    const taken = yield* takeLease(gameId)\n    if (taken === "busy") return Acquired.Busy()\n    const lease = leaseOf(owner, taken)\n    const rows = yield* readRecord(gameId).pipe(Effect.onError(() => Effect.ignore(release(lease))))\n',
    to: '    const rows = yield* readRecord(gameId)\n    const taken = yield* takeLease(gameId)\n    if (taken === "busy") return Acquired.Busy()\n    const lease = leaseOf(owner, taken)\n',
    tests: leases
  },
  {
    name: "lease checked by exists in place of a lock",
    file: "src/adapters/postgres/commit.ts",
    from: "      delete from ${schema}.game_leases\n      where ${fence(sql, lease)}\n      returning game_id\n",
    to: "      select game_id from ${schema}.game_leases\n      where ${fence(sql, lease)}\n",
    tests: leases
  },
  {
    name: "lease checked by exists in place of a lock, in the statement for many",
    file: "src/adapters/postgres/commit.ts",
    from: "      delete from ${schema}.game_leases as l using stopped as w\n      where l.game_id = w.game_id and l.owner = w.owner and l.token = w.token\n      returning w.*\n",
    to: "      select w.* from ${schema}.game_leases as l join stopped as w\n      on l.game_id = w.game_id and l.owner = w.owner and l.token = w.token\n",
    tests: leases
  },
  {
    name: "no fence in the statement for many",
    file: "src/adapters/postgres/commit.ts",
    from: '        join wanted as w on w.game_id = l.game_id and w.owner = l.owner and w.token = l.token and w.acquired_at = l.acquired_at\n      order by l.game_id collate "C" for update of l skip locked\n    ), stopped as materialized (\n      select leased.* from ${schema}.runtime_records as r join leased on leased.game_id = r.game_id\n      where ${stopped} and r.current_container_id is not distinct from leased.current_container_id\n      order by r.game_id collate "C" for update of r skip locked\n    ), lease as (\n      delete from ${schema}.game_leases as l using stopped as w\n      where l.game_id = w.game_id and l.owner = w.owner and l.token = w.token\n',
    to: '        join wanted as w on w.game_id = l.game_id\n      order by l.game_id collate "C" for update of l skip locked\n    ), stopped as materialized (\n      select leased.* from ${schema}.runtime_records as r join leased on leased.game_id = r.game_id\n      where ${stopped} and r.current_container_id is not distinct from leased.current_container_id\n      order by r.game_id collate "C" for update of r skip locked\n    ), lease as (\n      delete from ${schema}.game_leases as l using stopped as w\n      where l.game_id = w.game_id\n',
    tests: leases
  },
  {
    name: "the statement for many waits for a record that is locked",
    file: "src/adapters/postgres/commit.ts",
    from: "for update of r skip locked",
    to: "for update of r",
    tests: leases
  },
  {
    name: "what came of a shared statement goes to another game",
    file: "src/adapters/postgres/shared.ts",
    from: "answers[i]",
    to: "answers[answers.length - 1 - i]",
    tests: leases
  },
  {
    name: "a commit that has moved nothing is called one that has",
    file: "src/adapters/postgres/commit.ts",
    from: 'if (result?.moved) return "committed"\n',
    to: 'if (result?.leased) return "committed"\n',
    tests: simulation
  },
  {
    name: "a lease that was taken together with others goes to a game that asked for another",
    file: "src/adapters/postgres/GameLeases.ts",
    from: 'gameIds.map((gameId) => rows.find((row) => row.gameId === gameId) ?? "busy")',
    to: 'gameIds.map((_, i) => rows[i] ?? "busy")',
    tests: simulation
  },
  {
    name: "audit outside the statement",
    file: "src/adapters/postgres/commit.ts",
    from: "from moved\n      on conflict",
    to: "from moved where false\n      on conflict",
    // Nothing else gets as far: every migration rehearses this statement.
    tests: migrations
  },
  {
    name: "no label check",
    file: "src/domain/Verdict.ts",
    from: "if (container.gameId !== game.gameId) {",
    to: "if (container.gameId === game.gameId + game.gameId) {",
    tests: ["test/domain", ...cleaner]
  },
  {
    name: "token not in the commit",
    file: "src/adapters/postgres/leaseStatements.ts",
    from: "::uuid and token = ${token}",
    to: "::uuid",
    tests: leases
  },
  {
    name: "a lease whose token has come again after a failover is taken for the lost one",
    file: "src/adapters/postgres/leaseStatements.ts",
    from: " and acquired_at = ${timestamp(sql, acquiredAt)}",
    to: "",
    tests: leases
  },
  {
    name: "a lease whose token has come again after a failover is taken for the lost one, in the statement for many",
    file: "src/adapters/postgres/commit.ts",
    from: " and w.acquired_at = l.acquired_at",
    to: "",
    tests: leases
  },
  {
    name: "release without the token",
    file: "src/adapters/postgres/leaseStatements.ts",
    from: "sql`delete from ${schema}.game_leases where ${fence(sql, lease)}`",
    to: "sql`delete from ${schema}.game_leases where game_id = ${lease.gameId}`",
    tests: leases
  },
  {
    name: "commit before remove",
    file: "src/cleanup/game/remove.ts",
    from: "    return yield* remove(engine, engineTimeout, game, found)\n",
    to: '    yield* Effect.forkDetach(remove(engine, engineTimeout, game, found))\n    return { outcome: "removed", containerId: found.containerId, byUs: true, anonymousVolumes: 0 }\n',
    tests: cleaner
  },
  {
    name: "404 without the engine's pin, in mid-pass",
    file: "src/cleanup/engine/expectedEngine.ts",
    from: "if (present !== engineId) return",
    to: "if (present === undefined) return",
    tests: cleaner
  },
  {
    name: "404 without the engine's pin, at the start",
    file: "src/cleanup/engine/expectedEngine.ts",
    from: "return known.id === present ? Effect.succeed(known)",
    to: "return known.id !== undefined ? Effect.succeed(known)",
    tests: ["test/cleanup/pass/openPass.test.ts"]
  },
  {
    name: "404 without the engine's own header",
    file: "src/adapters/docker/answers.ts",
    from: " || !answer.fromEngine",
    to: "",
    tests: dockerAdapter
  },
  {
    name: "409 taken as success",
    file: "src/adapters/docker/ContainerEngine.ts",
    from: "answer.status === 204",
    to: "(answer.status === 204 || answer.status === 409)",
    tests: dockerAdapter
  },
  {
    name: "timeout taken as failure",
    file: "src/adapters/docker/ContainerEngine.ts",
    from: "      ({ sent }) => sent,\n",
    to: "      ({ sent }) => sent && false,\n",
    tests: dockerAdapter
  },
  {
    name: "< for <= in the re-check",
    file: "src/domain/Expiry.ts",
    from: "record.lastOpAt < BigInt(cutoff) * 1000n",
    to: "record.lastOpAt <= BigInt(cutoff) * 1000n",
    tests: ["test/domain"]
  },
  {
    name: "< for <= in the listing",
    file: "src/adapters/postgres/conditions.ts",
    from: "r.last_op_at < ${timestamp(sql, toMicros(cutoff))}",
    to: "r.last_op_at <= ${timestamp(sql, toMicros(cutoff))}",
    tests: records
  },
  {
    name: "NULL as oldest, in the listing",
    file: "src/adapters/postgres/conditions.ts",
    from: "sql`${timed(cursor)} and r.last_op_at <",
    to: "sql`r.status = 'stopped' and coalesce(r.last_op_at, timestamptz 'epoch') <",
    tests: records
  },
  {
    name: "< for <= in the container's age",
    file: "src/domain/Verdict.ts",
    from: "if (changed >= game.cutoff && game.byHand !== true) {",
    to: "if (changed > game.cutoff && game.byHand !== true) {",
    tests: ["test/domain"]
  },
  {
    name: "NULL as oldest, in the re-check",
    file: "src/domain/Expiry.ts",
    from: "record.lastOpAt !== null && record.lastOpAt < BigInt(cutoff)",
    to: "(record.lastOpAt ?? 0n) < BigInt(cutoff)",
    tests: ["test/domain"]
  },
  {
    name: "NaN retention",
    file: "src/config/codecs.ts",
    from: '  const [, whole, fraction = ""] = plainDecimal.exec(text) ?? []\n  if (whole === undefined) return undefined\n',
    to: '  const [, whole = "0", fraction = ""] = plainDecimal.exec(text) ?? []\n  if (text.length > 0) return Duration.days(Number(text))\n',
    tests: settings
  },
  {
    name: "paging that stops at a failing page",
    file: "src/cleanup/pass/attempts.ts",
    from: "() => Effect.void)",
    to: '() => Effect.fail({ _tag: "PassRefused", reason: "paused", message: "a game failed" }))',
    tests: pass
  },
  {
    name: "lease TTL below the timeout",
    file: "src/config/variables.ts",
    from: "shortestLease(times.RTMANAGER_ENGINE_TIMEOUT)",
    to: "Duration.zero",
    tests: settings
  },
  {
    name: "interruption swallowed by a game",
    file: "src/cleanup/game/record.ts",
    from: "return Cause.hasInterruptsOnly(exit.cause)\n",
    to: "return Cause.hasInterruptsOnly(exit.cause) && Cause.hasDies(exit.cause)\n",
    tests: cleaner
  },
  {
    name: "interruption swallowed by the loop",
    file: "src/cleanup/CleanupWorker.ts",
    from: "        Effect.forkScoped\n",
    to: "        Effect.uninterruptible,\n        Effect.forkScoped\n",
    tests: ["test/cleanup/CleanupWorker.test.ts"]
  },
  {
    name: "liveness that asks the database",
    file: "src/http/health.ts",
    from: "const alive = yield* (yield* Heartbeat).alive",
    to: "const alive = (yield* (yield* Readiness).reasons).database === undefined && (yield* (yield* Heartbeat).alive)",
    tests: ["test/cli/serve.test.ts"]
  },
  {
    name: "redirects followed",
    file: "src/adapters/docker/Requests.ts",
    from: "transports.http = http\n",
    to: "",
    tests: dockerAdapter
  },
  {
    name: "milliseconds compared",
    file: "src/domain/Expiry.ts",
    from: "record.lastOpAt < BigInt(cutoff) * 1000n",
    to: "Math.round(Number(record.lastOpAt) / 1000) < cutoff",
    tests: ["test/domain"]
  },
  {
    name: "a cursor of milliseconds",
    file: "src/adapters/postgres/listing.ts",
    from: "lastOpAt === null ? null : BigInt(lastOpAt)",
    to: "lastOpAt === null ? null : (BigInt(lastOpAt) / 1000n) * 1000n",
    tests: records
  },
  {
    name: "probes without jitter",
    file: "src/cleanup/circuits.ts",
    from: ".pipe(\n  Schedule.jittered\n)",
    to: "",
    tests: ["test/cleanup/circuits.test.ts"]
  },
  {
    name: "backoff without jitter",
    file: "src/domain/Backoff.ts",
    from: "failure.at + failure.random * ceiling",
    to: "failure.at + ceiling",
    tests: ["test/domain"]
  },
  {
    name: "no unique index",
    file: "src/adapters/postgres/tables.ts",
    from: '    name: "operation_log_cleanup_success",\n    table: "operation_log",\n    unique: true,\n',
    to: '    name: "operation_log_cleanup_success",\n    table: "operation_log",\n    unique: false,\n',
    tests: ["test/adapters/postgres"]
  },
  {
    name: "a record of whatever schema the search path finds",
    file: "src/adapters/postgres/rows.ts",
    from: "`${schema}.runtime_records as r",
    to: "`runtime_records as r",
    tests: ["test/adapters/postgres/pooler.test.ts"]
  },
  {
    name: "a session taken as it is",
    file: "src/adapters/postgres/RuntimeRecords.ts",
    from: "if (unsafe !== undefined) return",
    to: 'if (unsafe === "") return',
    tests: records
  },
  {
    name: "a timeout longer than the one asked for",
    file: "src/adapters/postgres/session.ts",
    from: "millisOf(actual) <= Number(asked)",
    to: "millisOf(actual) >= 0",
    tests: ["test/adapters/postgres/session.test.ts"]
  },
  {
    name: "statements compiled",
    file: "src/adapters/postgres/session.ts",
    from: '  jit: "off"',
    to: '  jit: "on"',
    tests: ["test/adapters/postgres/plans.test.ts"]
  },
  {
    name: "a schema that is not looked at where its version is right",
    file: "src/adapters/postgres/migrations.ts",
    from: "= yield* adopt(schema, relations)",
    to: "= recorded === version ? { changes: [], problems: [] } : yield* adopt(schema, relations)",
    tests: migrations
  },
  {
    name: "an index for another condition taken for ours",
    file: "src/adapters/postgres/shape.ts",
    from: "  terms(found.where) === terms(index.where)\n",
    to: "  true\n",
    tests: migrations
  },
  {
    name: "an index that cannot sort taken for ours",
    file: "src/adapters/postgres/shape.ts",
    from: "  found.plain &&\n",
    to: "",
    tests: migrations
  },
  {
    name: "a page that ends with a row of no text",
    file: "src/adapters/postgres/storeError.ts",
    from: '["22021", "22P05"]',
    to: '["22P05"]',
    tests: encodings
  },
  {
    name: "a cursor in bytes taken for text",
    file: "src/adapters/postgres/listing.ts",
    from: "gameId: mark + last.key",
    to: "gameId: last.key",
    tests: encodings
  },
  {
    name: "a brake that never brakes",
    file: "src/cleanup/engine/Brake.ts",
    from: "absences * 2 > games",
    to: "absences > games",
    tests: ["test/cleanup/engine/Brake.test.ts"]
  },
  {
    name: "a brake that is forgotten if it could not be stored",
    file: "src/cleanup/engine/StoredBrake.ts",
    from: "yield* Ref.set(isUnstored, true)",
    to: "",
    tests: ["test/cleanup/engine/StoredBrake.test.ts"]
  },
  {
    name: "clocks believed whatever they say",
    file: "src/cleanup/pass/openPass.ts",
    from: "Duration.toMillis(maxClockSkew)",
    to: "Infinity",
    tests: ["test/cleanup/pass/openPass.test.ts"]
  },
  {
    name: "a removal after the lease's trust",
    file: "src/cleanup/game/remove.ts",
    from: "game.trust.ensure(Duration.sum(PauseGate.patience, removal), game.renew)",
    to: "game.trust.ensure(Duration.zero, game.renew)",
    tests: cleaner
  },
  {
    name: "a removal after the machine slept in the question for a pause",
    file: "src/cleanup/game/remove.ts",
    from: "    if (Duration.isLessThan(yield* game.trust.left, removal)) return yield* tooLittleLeft\n",
    to: "",
    tests: cleaner
  },
  {
    name: "a removal without asking for a pause",
    file: "src/cleanup/game/remove.ts",
    from: "    yield* mayRemove(Duration.sum(engineTimeout, margin), game)\n",
    to: "",
    tests: pauses
  },
  {
    name: "a removal after the machine slept, without asking for a pause again",
    file: "src/cleanup/game/remove.ts",
    from: "    if (!(yield* game.pause.isFresh)) return yield* mayRemove(removal, game)\n",
    to: "",
    tests: ["test/cleanup/game/Cleaner.test.ts"]
  },
  {
    name: "a pause asked for once in a pass",
    file: "src/cleanup/game/PauseGate.ts",
    from: "Trust.elapsed(answer.unpausedAt, now) <= reliable",
    to: "Trust.elapsed(answer.unpausedAt, now) >= 0",
    tests: pauses
  },
  {
    name: "a pause that was asked for counts from its answer",
    file: "src/cleanup/game/PauseGate.ts",
    from: "{ unpausedAt: asked }",
    to: "{ unpausedAt: yield* Trust.now }",
    tests: ["test/cleanup/game/PauseGate.test.ts"]
  },
  {
    name: "a pass that begins during a pause",
    file: "src/cleanup/pass/openPass.ts",
    from: "yield* guard(pause && PassRefused.pausedBy(pause))",
    to: "pause && PassRefused.pausedBy(pause)",
    tests: pauses
  },
  {
    name: "a pause that cuts off the removals that were sent before it",
    file: "src/cleanup/pass/attempts.ts",
    from: "isPaused(error) ? Effect.void : grace.forfeit",
    to: "grace.forfeit",
    tests: pauses
  },
  {
    name: "a retention that may become shorter at once",
    file: "src/domain/retention.ts",
    from: "Duration.isLessThan(wholeMillis(present), stored)",
    to: "Duration.isLessThan(stored, wholeMillis(present))",
    tests: openings
  },
  {
    name: "a shorter retention refused without counting",
    file: "src/domain/retention.ts",
    from: "newlyDue > mostNewlyDue ?",
    to: "newlyDue >= 0 ?",
    tests: openings
  },
  {
    name: "a shorter retention taken however many games it makes due",
    file: "src/cleanup/pass/openPass.ts",
    from: "yield* guard(yield* retentionRefusal(known, records, { expected, moment, retention, keeps }))",
    to: "yield* retentionRefusal(known, records, { expected, moment, retention, keeps })",
    tests: openings
  },
  {
    name: "a shorter retention judged without what it makes due",
    file: "src/cleanup/pass/retentionGuard.ts",
    from: "judgeRetention(stored, retention, newlyDue)",
    to: "judgeRetention(stored, retention, 0)",
    tests: simulation
  },
  {
    name: "a braked engine cleaned",
    file: "src/cleanup/pass/openPass.ts",
    from: "guard(expected.braked && !acceptAbsent ? brakeIsOn : undefined)",
    to: "Effect.succeed(expected.braked && !acceptAbsent ? brakeIsOn : undefined)",
    tests: simulation
  },
  {
    name: "a retention accepted, and another one stored",
    file: "src/operator/acceptRetention.ts",
    from: "known.setRetention(retention)",
    to: "known.setRetention(Duration.times(retention, 2))",
    tests: simulation
  },
  {
    name: "an engine called accepted that was only looked at",
    file: "src/operator/acceptEngine.ts",
    from: "yield* accepted(known, present)",
    to: "yield* known.recognize(present)",
    tests: simulation
  },
  {
    name: "a retention stored by who only looks",
    file: "src/cleanup/pass/retentionGuard.ts",
    from: 'verdict === "store" && keeps',
    to: 'verdict === "store"',
    tests: openings
  },
  {
    name: "newly due games of every engine",
    file: "src/adapters/postgres/RuntimeRecords.ts",
    from: "where ${stopped} and r.game_id is not null and r.last_op_at >=",
    to: "where r.status = 'stopped' and r.game_id is not null and r.last_op_at >=",
    tests: stores
  },
  {
    name: "a pause that does not end",
    file: "src/adapters/postgres/Pauses.ts",
    from: "(until is null or until > clock_timestamp())",
    to: "(until is null or until > '-infinity')",
    tests: stores
  },
  {
    name: "nothing is rehearsed before the first game",
    file: "src/cleanup/pass/dueGames.ts",
    from: "Effect.tap((page) => recording.rehearse(page.records)),\n",
    to: "",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "removals go on after one that was not recorded",
    file: "src/cleanup/game/recordingState.ts",
    from: '!isOpen && state.removing.size > 0) return "wait"',
    to: 'state.removing.size > 0) return "go"',
    tests: ["test/cleanup/game/recordingState.test.ts"]
  },
  {
    name: "a game whose own rehearsal failed is removed all the same",
    file: "src/cleanup/game/recordingState.ts",
    from: "why !== undefined || ",
    to: "",
    tests: ["test/cleanup/game/recordingState.test.ts"]
  },
  {
    name: "a rehearsal that does not ask what is checked at the end of a transaction",
    file: "src/adapters/postgres/rehearse.ts",
    from: "constraints all immediate",
    to: "constraints all deferred",
    tests: ["test/adapters/postgres/rehearse.test.ts"]
  },
  {
    name: "a rehearsal that is kept",
    file: "src/adapters/postgres/rehearse.ts",
    from: 'rolledBack(sql, rehearsal(options, record, asked, ["removed_not_committed"], send))',
    to: 'rehearsal(options, record, asked, ["removed_not_committed"], send)',
    tests: leases
  },
  {
    name: "a rehearsal behind a transaction pooler takes another session's statements for its own",
    file: "src/adapters/postgres/rehearse.ts",
    from: "isStale, () => rehearse(record, asked, unprepared)",
    to: "() => false, () => rehearse(record, asked, unprepared)",
    tests: ["test/adapters/postgres/pooler.test.ts"]
  },
  {
    name: "a rehearsal that was refused is made again",
    file: "src/adapters/postgres/rehearse.ts",
    from: "isStale, () => rehearse(record, asked, unprepared)",
    to: "() => true, () => rehearse(record, asked, unprepared)",
    tests: ["test/adapters/postgres/rehearse.test.ts"]
  },
  {
    name: "a rehearsal behind a transaction pooler leaves its transaction open",
    file: "src/adapters/postgres/transaction.ts",
    from: "Option.isSome(open) ? savepointRolledBack",
    to: "Option.isOption(open) ? savepointRolledBack",
    tests: ["test/adapters/postgres/pooler.test.ts"]
  },
  {
    name: "a game that waits for its turn at the engine cannot be interrupted",
    file: "src/cleanup/engine/EngineLimit.ts",
    from: "Effect.interruptible(permits.take(1))",
    to: "permits.take(1)",
    tests: cleaner
  },
  {
    name: "each batch of an interrupted pass has a grace of its own",
    file: "src/cleanup/pass/Grace.ts",
    from: "Duration.nanos(now - since)",
    to: "Duration.zero",
    tests: pass
  },
  {
    name: "removals that are unresolved at the same time are forgotten",
    file: "src/cleanup/game/UnresolvedRemovals.ts",
    from: "Ref.update(ref, (leases) => new Map([...unexpired(without(leases, gameId), now), [gameId, now]]))",
    to: "Effect.flatMap(Effect.tap(Ref.get(ref), () => Effect.yieldNow), (leases) => Ref.set(ref, new Map([...unexpired(without(leases, gameId), now), [gameId, now]])))",
    tests: ["test/cleanup/game/UnresolvedRemovals.test.ts"]
  },
  {
    name: "a rehearsal whose failure row was swallowed works",
    file: "src/adapters/postgres/rehearse.ts",
    from: "< errorCodes.length",
    to: "< 0",
    tests: ["test/adapters/postgres/rehearse.test.ts"]
  },
  {
    name: "a record that moves although its success row was swallowed",
    file: "src/adapters/postgres/commit.ts",
    from: "'operation_log has not taken the success row, without a word'",
    to: "'true'",
    tests: ["test/adapters/postgres/rehearse.test.ts"]
  },
  {
    name: "a swallowed commit is called a record that moved on",
    file: "src/adapters/postgres/commit.ts",
    from: "result?.leased && result.seen && found?.unchanged",
    to: "false",
    tests: ["test/adapters/postgres/rehearse.test.ts"]
  },
  {
    name: "a record that was changed and changed back is called a swallowed commit",
    file: "src/adapters/postgres/commit.ts",
    from: "result?.leased && result.seen && found?.unchanged",
    to: "result?.leased && found?.unchanged",
    tests: ["test/adapters/postgres/commit.test.ts"]
  },
  {
    name: "records that a policy hides are no backlog",
    file: "src/adapters/postgres/RuntimeRecords.ts",
    from: "row.hidden !== null",
    to: "false",
    tests: ["test/adapters/postgres/rehearse.test.ts"]
  },
  {
    name: "gauges by a clock that is no number",
    file: "src/cleanup/pass/ServiceGauges.ts",
    from: "momentOf({ service, database }, retention)",
    to: "momentOf({ service, database: Number.NaN }, retention)",
    tests: gauges
  },
  {
    name: "gauges that fail in silence",
    file: "src/cleanup/pass/ServiceGauges.ts",
    from: 'isQuiet ? "Debug" : "Warn"',
    to: '"Debug"',
    tests: gauges
  },
  {
    name: "a warning for each minute without gauges",
    file: "src/cleanup/pass/ServiceGauges.ts",
    from: "if (!isQuiet) yield* Ref.set(quietUntil, now + warnEvery)",
    to: "yield* Ref.set(quietUntil, now)",
    tests: gauges
  },
  {
    name: "telemetry that is lost in silence",
    file: "src/observability/sdk.ts",
    from: "    metricProducers: [ofSdk],\n",
    to: "",
    tests: ["test/observability/Telemetry.test.ts"]
  },
  {
    name: "a count of the backlog without its time",
    file: "src/observability/passTelemetry.ts",
    from: "  yield* Metric.update(Metrics.backlogCounted, (yield* Clock.currentTimeMillis) / 1000)\n",
    to: "",
    tests: gauges
  },
  {
    name: "a second swap of engines is not asked for after an absence",
    file: "src/cleanup/engine/expectedEngine.ts",
    from: "look\n  yield* expectUnchanged(engine, engineId)",
    to: "look",
    tests: cleaner
  },
  {
    name: "an absence is not questioned before it is confirmed",
    file: "src/cleanup/engine/expectedEngine.ts",
    from: "  yield* expectUnchanged(engine, engineId)\n  const seen",
    to: "  const seen",
    tests: cleaner
  },
  {
    name: "a refused removal is over although another's is in progress",
    file: "src/cleanup/game/remove.ts",
    from: "unresolvedIf((cause) => !isKept(cause))",
    to: "unresolvedIf(() => false)",
    tests: cleaner
  },
  {
    name: "a removal that may have been ours is forgotten for the game's other container",
    file: "src/cleanup/game/remove.ts",
    from: ' && !(byUs && kept.code === "container_unrecorded")',
    to: "",
    tests: cleaner
  },
  {
    name: "an open circuit waits by the wall clock",
    file: "src/cleanup/circuits.ts",
    from: "Effect.flatMap(Clock.monotonicTimeNanos, (nanos) => {\n        const millis = Number(nanos) / 1e6\n",
    to: "Effect.flatMap(Clock.currentTimeMillis, (millis) => {\n",
    tests: ["test/cleanup/circuits.test.ts"]
  },
  {
    name: "only a removal whose answer came is one of ours",
    file: "src/cleanup/game/record.ts",
    from: "if (gone.byUs) return",
    to: 'if (gone.outcome === "removed") return',
    tests: cleaner
  },
  {
    name: "a container's absence is not confirmed by looking for it again",
    file: "src/cleanup/game/inspect.ts",
    from: " !== null && (yield* engine.inspect(containerId)) !== undefined",
    to: " === undefined",
    tests: cleaner
  },
  {
    name: "games that failed before come first under a limit",
    file: "src/cleanup/pass/dueGames.ts",
    from: "maxRemovals !== undefined",
    to: "maxRemovals === 0",
    tests: pass
  },
  {
    name: "no row without a lease for a removal that may have been ours",
    file: "src/cleanup/game/record.ts",
    from: "afterCommit: afterCommit || unresolved",
    to: "afterCommit",
    tests: cleaner
  },
  {
    name: "a lost connection hides behind what the work failed with",
    file: "src/adapters/postgres/transaction.ts",
    from: "Cause.isDieReason).findLast(",
    to: "Cause.isDieReason).slice(0, 1).findLast(",
    tests: ["test/adapters/postgres/transaction.test.ts"]
  },
  {
    name: "an engine's identity without what decides which containers it can see",
    file: "src/domain/EngineId.ts",
    from: "${id}/${none}/${driver}${at}:${root}",
    to: "${id}/${none}",
    tests: ["test/domain/EngineId.test.ts"]
  },
  {
    name: "any engine taken for the one that an earlier version wrote",
    file: "src/domain/EngineId.ts",
    from: "present.startsWith(`${known}/`)",
    to: "present !== known",
    tests: ["test/domain/EngineId.test.ts"]
  },
  {
    name: "an identity widened whatever is known by now",
    file: "src/adapters/postgres/KnownEngine.ts",
    from: "where name = ${name} and identity = ${from}",
    to: "where name = ${name}",
    tests: stores
  },
  {
    name: "an absence believed although no witness is there",
    file: "src/cleanup/engine/Brake.ts",
    from: 'said?._tag === "none"',
    to: "said === null",
    tests: ["test/cleanup/engine/Brake.test.ts"]
  },
  {
    name: "a witness who cannot be asked taken for one who says that all is well",
    file: "src/cleanup/engine/testimony.ts",
    from: "  for (const look of looks) yield* Effect.fromResult(look)\n  return false",
    to: '  return looks.some((look) => look._tag === "Failure")',
    tests: pass
  },
  {
    name: "an engine without any of the due games' containers believed",
    file: "src/cleanup/engine/testimony.ts",
    from: "if (others.length === 0 && due.length < fewest)",
    to: "if (others.length === 0)",
    tests: pass
  },
  {
    name: "a young game that a person cleans taken for a witness against the engine",
    file: "src/cleanup/engine/testimony.ts",
    from: "records.witnesses(moment, byHand)",
    to: "records.witnesses(moment)",
    tests: ["test/operator/clean.test.ts"]
  },
  {
    name: "a game that a person cleans counted neither as due nor as young",
    file: "src/adapters/postgres/RuntimeRecords.ts",
    from: "then 'due' else r.status end",
    to: "then '' else r.status end",
    tests: stores
  },
  {
    name: "another engine behind the address blamed on the known one",
    file: "src/cleanup/engine/testimony.ts",
    from: "onSameEngine(engine, engineId, anySpeaksFor)",
    to: "anySpeaksFor",
    tests: pass
  },
  {
    name: "any certificate will do",
    file: "src/adapters/postgres/Database.ts",
    from: 'verify !== "none"',
    to: "false",
    tests: ["test/adapters/postgres/tls.test.ts"]
  },
  {
    name: "verification left to Node's variables",
    file: "src/adapters/postgres/Database.ts",
    from: 'rejectUnauthorized: verify !== "none"',
    to: '...(verify === "none" ? { rejectUnauthorized: false } : {})',
    tests: ["test/adapters/postgres/tls.test.ts"]
  },
  {
    name: "verify-full without the host's name",
    file: "src/adapters/postgres/Database.ts",
    from: 'verify === "ca" ? { checkServerIdentity',
    to: 'verify !== "none" ? { checkServerIdentity',
    tests: ["test/adapters/postgres/tls.test.ts"]
  },
  {
    name: "plain text where only an authority is named",
    file: "src/config/databaseTls.ts",
    from: 'file === undefined ? ["disable", undefined] : ["verify-full", file]',
    to: '["disable", undefined]',
    tests: ["test/adapters/postgres/tls.test.ts"]
  },
  {
    name: "a key that others can read",
    file: "src/config/databaseTls.ts",
    from: "if ((mode & forbidden) !== 0)",
    to: "if (mode < 0)",
    tests: ["test/adapters/postgres/tls.test.ts"]
  },
  {
    name: "parameters that nobody knows",
    file: "src/config/databaseUrl.ts",
    from: 'find(([name = ""]) => !parameters.has(name))',
    to: "find(() => false)",
    tests: settings
  },
  {
    name: "a password that SASLprep changes",
    file: "src/config/databaseParameters.ts",
    from: "isAccepted: isPrepared",
    to: "isAccepted: () => true",
    tests: settings
  },
  {
    name: "a removal that the engine refused is looked at until patience runs out",
    file: "src/cleanup/game/inspect.ts",
    from: '(_tag === "Removable" && answer._tag === "RemovalUnknown")',
    to: '_tag === "Removable"',
    tests: cleaner
  },
  {
    name: "what went wrong is cut off an engine's words",
    file: "src/adapters/docker/answers.ts",
    from: "explained = printableEnds(130)",
    to: "explained = (text: string) => printableEnds(130)(text.slice(0, 200))",
    tests: dockerAdapter
  },
  {
    name: "a proxy's refusal taken for the engine's",
    file: "src/cleanup/game/remove.ts",
    from: 'return result._tag === "RemovalRefused" && result.by === "engine"',
    to: 'return result._tag === "RemovalRefused"',
    tests: cleaner
  },
  {
    name: "a game that only waits keeps its place at the engine",
    file: "src/cleanup/engine/EngineLimit.ts",
    from: "Effect.andThen(permits.release(1), room.release(1)),",
    to: "room.release(1),",
    tests: ["test/cleanup/engine/EngineLimit.test.ts"]
  },
  {
    name: "a removal sent twice",
    file: "src/adapters/docker/Requests.ts",
    from: "? send(fresh, request)",
    to: "? Effect.catchIf(send(fresh, request), ({ cut }) => cut, () => send(fresh, request))",
    tests: dockerAdapter
  },
  {
    name: "a question that a closed connection has cut is not asked again",
    file: "src/adapters/docker/Requests.ts",
    from: "({ cut }) => cut,",
    to: "() => false,",
    tests: dockerAdapter
  },
  {
    name: "a game that waits for others' recording keeps the place that they need",
    file: "src/cleanup/game/Recording.ts",
    from: "aside(untilVerdict(record.gameId))",
    to: "untilVerdict(record.gameId)",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "a game that is to be rehearsed itself is removed without that",
    file: "src/cleanup/game/Recording.ts",
    from: "Effect.andThen(rehearseOne(record), begin(record, aside, true))",
    to: "begin(record, aside, true)",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "games are not rehearsed themselves once one was not recorded",
    file: "src/cleanup/game/recordingState.ts",
    from: "state.unrecordable.size === 0",
    to: "true",
    tests: ["test/cleanup/game/recordingState.test.ts"]
  },
  {
    name: "a pass whose last removals were not recorded ends like any other",
    file: "src/cleanup/pass/CleanupPass.ts",
    from: "    yield* recording.conclude\n",
    to: "",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "what the database refused is forgotten when something else waits in vain",
    file: "src/cleanup/game/recordingState.ts",
    from: 'failure: state.failure?._tag === "PassRefused" ? state.failure : failure',
    to: "failure",
    tests: ["test/cleanup/game/recordingState.test.ts"]
  },
  {
    name: "the pass after one that did not record removes as many at once as any other",
    file: "src/cleanup/game/recordingState.ts",
    from: " && !state.isProbing",
    to: "",
    tests: ["test/cleanup/game/recordingState.test.ts"]
  },
  {
    name: "a refused commit of what was already gone says nothing",
    file: "src/cleanup/game/recordingState.ts",
    from: ' || failure._tag === "PassRefused"',
    to: "",
    tests: ["test/cleanup/game/recordingState.test.ts"]
  },
  {
    name: "one game that is gone and would not be recorded refuses the pass",
    file: "src/cleanup/game/Recording.ts",
    from: "Result.isFailure(yield* Effect.result(leases.rehearse(record, asked)))",
    to: "false",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "a rehearsal refused because its record was deleted meanwhile refuses the pass",
    file: "src/adapters/postgres/rehearse.ts",
    from: "yield* hasMovedOn(record)",
    to: "false",
    tests: ["test/adapters/postgres/rehearse.test.ts"]
  },
  {
    name: "a commit that waited in vain counts as one that the database refuses",
    file: "src/cleanup/game/record.ts",
    from: "yield* recording.fail(game, passError(error))\n        if",
    to: "yield* recording.fail(game, PassRefused.cannotRecord(error.message))\n        if",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "a removal whose commit the database refuses leaves no row",
    file: "src/adapters/postgres/storeError.ts",
    from: "if (recording.has(operation) && !isPassing(error))",
    to: "if (false)",
    tests: ["test/adapters/postgres/GameLeases.test.ts"]
  },
  {
    name: "the lease of a refused commit is released, and the next holder does not know why the container is gone",
    file: "src/cleanup/game/record.ts",
    from: "{ keep: true, ",
    to: "{ keep: false, ",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "only the oldest games are rehearsed with",
    file: "src/cleanup/game/Recording.ts",
    from: "...(yield* Random.shuffle(others))",
    to: "...others",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "a dry run does not say which games would not be recorded",
    file: "src/cleanup/pass/CleanupPlan.ts",
    from: "recording.check(record)",
    to: "Effect.void",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "a game that waited for others is not looked at again",
    file: "src/cleanup/game/remove.ts",
    from: 'return yield* steps(engine, engineTimeout, game, "again")',
    to: "yield* game.recording.begin(due, game.aside)",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "a dry run that asks the engine for as many games at once as there is room for",
    file: "src/cleanup/pass/attempts.ts",
    from: "withRoom: tries.withPermit",
    to: "withRoom: (work) => work",
    tests: ["test/cleanup/pass/attempts.test.ts"]
  },
  {
    name: "a socket's error is taken for the server's word",
    file: "src/adapters/postgres/storeError.ts",
    from: ' && "severity" in cause',
    to: "",
    tests: ["test/adapters/postgres/storeError.test.ts"]
  },
  {
    name: "a shared statement that hangs under the game that came first",
    file: "src/adapters/postgres/sharedSpans.ts",
    from: "Option.getOrElse(first.parent, () => first)",
    to: "first",
    tests: ["test/adapters/postgres/shared.test.ts"]
  },
  {
    name: "a dry run is the last success",
    file: "src/observability/passTelemetry.ts",
    from: '!report.dryRun && report.trigger !== "manual"',
    to: 'report.trigger !== "manual"',
    tests: pass
  },
  {
    name: "a person's pass is the last success",
    file: "src/observability/passTelemetry.ts",
    from: ' && report.trigger !== "manual"',
    to: "",
    tests: pass
  },
  {
    name: "what stopped a pass is said until the next one has ended",
    file: "src/observability/passTelemetry.ts",
    from: 'passReasons.filter((reason) => reason !== "cannot_record")',
    to: "[]",
    tests: pass
  },
  {
    name: "a game that failed counts as overdue since its retention",
    file: "src/adapters/postgres/backlog.ts",
    from: "interval '1 millisecond', b.next_attempt_at, h.ended)`",
    to: "interval '1 millisecond', h.ended)`",
    tests: stores
  },
  {
    name: "a game that was held counts as overdue since its retention",
    file: "src/adapters/postgres/backlog.ts",
    from: "b.next_attempt_at, h.ended)`",
    to: "b.next_attempt_at)`",
    tests: stores
  },
  {
    name: "a held game is listed as due",
    file: "src/adapters/postgres/conditions.ts",
    from: "const free = sql`h.game_id is null`",
    to: "const free = sql`true`",
    tests: stores
  },
  {
    name: "the re-read's hold is ignored",
    file: "src/domain/Verdict.ts",
    from: "if (record.hold !== null) return",
    to: "if (record.hold !== null && record.status === 'held') return",
    tests: ["test/domain", ...cleaner]
  },
  {
    name: "a hold answers without waiting for the attempt under way",
    file: "src/operator/hold.ts",
    from: "  if (!isBusy(first)) return first\n",
    to: "  if (first !== undefined) return first\n",
    tests: ["test/operator"]
  },
  {
    name: "a hold waits before it is placed",
    file: "src/operator/hold.ts",
    from: "  const placed = yield* Effect.mapError(holds.place(request), passError)\n",
    to: "  yield* attemptOver(request)\n  const placed = yield* Effect.mapError(holds.place(request), passError)\n",
    tests: ["test/operator"]
  },
  {
    name: "a hold that came too late stays",
    file: "src/operator/hold.ts",
    from: "    yield* Effect.mapError(holds.withdraw(placed, former), unconfirmed)\n",
    to: "",
    tests: ["test/operator"]
  },
  {
    name: "a hold that came too late takes the author's former hold with it",
    file: "src/operator/hold.ts",
    from: "holds.withdraw(placed, former)",
    to: "holds.withdraw(placed, undefined)",
    tests: ["test/operator"]
  },
  {
    name: "a hold hides that the game's last lease was left to expire",
    file: "src/operator/hold.ts",
    from: "keep: acquired.leftBy !== undefined",
    to: "keep: false",
    tests: ["test/operator"]
  },
  {
    name: "a hold believes an engine that is not the known one",
    file: "src/operator/hold.ts",
    from: 'if (known?.id !== present || known.braked || otherName !== undefined) return "unknown" as const',
    to: 'if (known?.braked) return "unknown" as const',
    tests: ["test/operator"]
  },
  {
    name: "a release ends what others hold",
    file: "src/operator/release.ts",
    from: "author: all ? undefined : author",
    to: "author: undefined",
    tests: ["test/operator"]
  },
  {
    name: "a release forgets which holds were seen",
    file: "src/operator/release.ts",
    from: "grace: now ? Duration.zero : grace, seen }",
    to: "grace: now ? Duration.zero : grace }",
    tests: ["test/operator/release.test.ts"]
  },
  {
    name: "a release ends those that were seen although another one would have to end",
    file: "src/adapters/postgres/Holds.ts",
    from: "${isSeen} and not exists (select from ${table} as h where ${asked} and not ${isSeen})",
    to: "${isSeen}",
    tests: ["test/adapters/postgres/Stores.test.ts"]
  },
  {
    name: "a hold that has ended still holds",
    file: "src/adapters/postgres/rows.ts",
    from: "(${hold}.until is null or ${hold}.until > clock_timestamp())",
    to: "(${hold}.until is null or ${hold}.until is not null)",
    tests: stores
  },
  {
    name: "games of every engine listed",
    file: "src/adapters/postgres/conditions.ts",
    from: "const stopped = sql`r.status = 'stopped' and ${ours}`",
    to: "const stopped = sql`r.status = 'stopped'`",
    tests: stores
  },
  {
    name: "a record that has moved to another engine cleaned on the old one",
    file: "src/domain/Verdict.ts",
    from: "if (record.engine !== engineName) {",
    to: "if (record.engine === undefined) {",
    tests: ["test/domain/Verdict.test.ts"]
  },
  {
    name: "a commit that moves a record of another engine",
    file: "src/adapters/postgres/commit.ts",
    from: "r.status = 'stopped' and ${isOfEngine(sql, engineName)}",
    to: "r.status = 'stopped'",
    tests: stores
  },
  {
    name: "an engine cleaned under two names",
    file: "src/cleanup/engine/expectedEngine.ts",
    from: "if (otherName !== undefined) return PassRefused.engineOfAnother(name, otherName, present)\n",
    to: "",
    tests: ["test/cleanup/pass/openPass.test.ts"]
  },
  {
    name: "an engine's other name not looked for",
    file: "src/adapters/postgres/KnownEngine.ts",
    from: " or identity = ${present} or starts_with(${present}, identity || '/')",
    to: "",
    tests: stores
  },
  {
    name: "witnesses of every engine",
    file: "src/adapters/postgres/RuntimeRecords.ts",
    from: "where s.status = 'running' and ${engine} = ${engineName} and",
    to: "where s.status = 'running' and",
    tests: stores
  },
  {
    name: "an engine cleaned that the database does not keep",
    file: "src/cleanup/engine/expectedEngine.ts",
    from: "return PassRefused.cannotRecord(`cleanup_engines does not keep the engine ${name}`)",
    to: "return Effect.succeed({ id: present, braked: false, retention: undefined })",
    tests: ["test/cleanup/pass/openPass.test.ts"]
  },
  {
    name: "an engine accepted that another name has",
    file: "src/adapters/postgres/KnownEngine.ts",
    from: "Effect.catchIf(statement, isDuplicate, () => Effect.void)",
    to: "statement",
    tests: stores
  },
  {
    name: "a version recorded before its index is built",
    file: "src/adapters/postgres/migrations.ts",
    from: "left.length === 0 && recorded !== version",
    to: "recorded !== version",
    tests: migrations
  },
  {
    name: "a migration that makes writers wait behind it",
    file: "src/adapters/postgres/migrations.ts",
    from: 'const lockTimeout = "500ms"',
    to: 'const lockTimeout = "1min"',
    tests: migrations
  },
  {
    name: "a builder that waits for itself",
    file: "src/adapters/postgres/migrations.ts",
    from: "begin isolation level read committed",
    to: "begin isolation level repeatable read",
    tests: migrations
  },
  {
    name: "witnesses that stopped on other engines",
    file: "src/adapters/postgres/RuntimeRecords.ts",
    from: "where ${stopped} and r.last_op_at >= ${timestamp",
    to: "where r.status = 'stopped' and r.last_op_at >= ${timestamp",
    tests: stores
  },
  {
    name: "by hand a guard too many skipped: a container that runs",
    file: "src/domain/Verdict.ts",
    from: 'if (state === "running" || state === "paused" || state === "restarting") {',
    to: 'if (game.byHand !== true && (state === "running" || state === "paused" || state === "restarting")) {',
    tests: ["test/domain", ...named]
  },
  {
    name: "by hand a guard too many skipped: the engine's clock",
    file: "src/domain/Verdict.ts",
    from: "if (changed > game.now + Duration.toMillis(game.maxClockSkew)) {",
    to: "if (changed > game.now + Duration.toMillis(game.maxClockSkew) && game.byHand !== true) {",
    tests: named
  },
  {
    name: "a row of a plan attempted although its last_op_at changed",
    file: "src/domain/PlanFile.ts",
    from: "return lastOpAt === shown.lastOpAt ? undefined",
    to: "return lastOpAt === shown.lastOpAt || lastOpAt !== null ? undefined",
    tests: named
  },
  {
    name: "what a plan showed not asked again under the lease",
    file: "src/domain/Verdict.ts",
    from: "const change = shown && changeSince(record, shown)",
    to: "const change = shown && byHand ? changeSince(record, shown) : undefined",
    tests: named
  },
  {
    name: "a row of a plan taken as by hand",
    file: "src/cleanup/pass/Selection.ts",
    from: "        shown: {\n",
    to: "        byHand: true,\n        shown: {\n",
    tests: named
  },
  {
    name: "the age of a plan not checked",
    file: "src/operator/applyPlan.ts",
    from: "if (age > Duration.toMillis(oldest)) {",
    to: "if (age > Infinity) {",
    tests: operator
  },
  {
    name: "the engine of a plan not checked",
    file: "src/operator/applyPlan.ts",
    from: "if (engineId !== here.engineId) {",
    to: 'if (engineId === "") {',
    tests: operator
  },
  {
    name: "a refused plan that cannot be applied later",
    file: "src/operator/passOf.ts",
    from: "if (end !== undefined && !hasBegun(report)) return",
    to: "if (end === null) return",
    tests: operator
  },
  {
    name: "an act whose id has come again after a failover given the result of the lost one",
    file: "src/adapters/postgres/Acts.ts",
    from: " and asked_at = ${timestamp(sql, askedAt)}",
    to: "",
    tests: stores
  },
  {
    name: "a request that comes twice with its key done twice",
    file: "src/adapters/postgres/Acts.ts",
    from: "${key?.key ?? null}::text",
    to: "null::text",
    tests: stores
  },
  {
    name: "a token taken after its expiry",
    file: "src/http/tokenFile.ts",
    from: "now >= found.expiresAt",
    to: "now >= Infinity",
    tests: tokens
  },
  {
    name: "a token taken after its line is gone",
    file: "src/http/tokens.ts",
    from: "Effect.fromResult((yield* current).tokens)",
    to: "Effect.fromResult(first.tokens)",
    tests: tokens
  },
  {
    name: "a token of a name that is there twice",
    file: "src/http/tokenFile.ts",
    from: '...repeats(tokens, "name", ({ name }) => name),',
    to: "",
    tests: tokens
  },
  {
    name: "a token file that others may read",
    file: "src/http/tokens.ts",
    from: "(mode & 0o077) === 0",
    to: "(mode & 0o007) === 0",
    tests: tokens
  },
  {
    name: "a token file of another user",
    file: "src/http/tokens.ts",
    from: "owner === ours || owner === 0",
    to: "owner !== undefined",
    tests: tokens
  },
  {
    name: "a token file kept for a clock that was set back",
    file: "src/http/tokens.ts",
    from: "Effect.flatMap(Clock.monotonicTimeNanos, (now) =>",
    to: "Effect.flatMap(Clock.currentTimeNanos, (now) =>",
    tests: tokens
  },
  {
    name: "one failed token more",
    file: "src/http/limits.ts",
    from: "times.length < bound.times",
    to: "times.length <= bound.times",
    tests: limits
  },
  {
    name: "a limit that remembers every address",
    file: "src/http/limits.ts",
    from: "HashMap.size(counted) < mostKeys",
    to: "HashMap.size(counted) < Infinity",
    tests: limits
  },
  {
    name: "a request that names another host is served",
    file: "src/http/guard.ts",
    from: "if (name === undefined || !hosts.has(name))",
    to: "if (name === undefined)",
    tests: http
  },
  {
    name: "an act for a page of another site",
    file: "src/http/guard.ts",
    from: "if (isForeign(headers)) return",
    to: "if (headers === undefined) return",
    tests: http
  },
  {
    name: "an act by a token that may only look",
    file: "src/http/authorized.ts",
    from: 'if (role !== "act") return',
    to: "if (role === undefined) return",
    tests: http
  },
  {
    name: "a token without a limit",
    file: "src/http/authorized.ts",
    from: "const busy = yield* requests.count(caller.name)",
    to: "const busy = yield* Effect.succeed(undefined)",
    tests: http
  },
  {
    name: "guesses at tokens without a limit",
    file: "src/http/authorized.ts",
    from: "const blocked = yield* failed.wait(client)",
    to: "const blocked = yield* Effect.succeed(undefined)",
    tests: http
  },
  {
    name: "a key that answers another request",
    file: "src/http/once.ts",
    from: "if (sent !== requestHash)",
    to: 'if (sent === "")',
    tests: http
  },
  {
    name: "an act that ends with its connection",
    file: "src/http/once.ts",
    from: "Effect.forkIn(Effect.provideService(work, ActKey, { key, requestHash }), scope)",
    to: "Effect.forkChild(Effect.provideService(work, ActKey, { key, requestHash }))",
    tests: http
  },
  {
    name: "an act on a game that has changed since it was seen",
    file: "src/http/acts.ts",
    from: "versionOf(record) !== version",
    to: "false",
    tests: http
  },
  {
    name: "a game cleaned that has changed on the way to its lease",
    file: "src/cleanup/pass/Selection.ts",
    from: "...(selection.shown && { shown: selection.shown })",
    to: "",
    tests: http
  },
  {
    name: "the first of two Host headers alone",
    file: "src/http/nodeServer.ts",
    from: "joinDuplicateHeaders: true",
    to: "joinDuplicateHeaders: false",
    tests: hostile
  },
  {
    name: "a problem in the middle of another answer",
    file: "src/http/nodeServer.ts",
    from: "answer?.headersSent === true || ",
    to: "",
    tests: ["test/http/nodeServer.test.ts"]
  },
  {
    name: "a tunnel's reset that ends the process",
    file: "src/http/nodeServer.ts",
    from: 'socket.on("error", () => {})',
    to: 'socket.off("error", () => {})',
    tests: ["test/http/nodeServer.test.ts", ...hostile]
  },
  {
    name: "an upgrade that is never answered",
    file: "src/http/nodeServer.ts",
    from: "shouldUpgradeCallback: () => false",
    to: "shouldUpgradeCallback: () => true",
    tests: hostile
  },
  {
    name: "two spellings of a path",
    file: "src/http/server.ts",
    from: "caseSensitive: true",
    to: "caseSensitive: false",
    tests: hostile
  },
  {
    name: "an act in a form",
    file: "src/http/guard.ts",
    from: 'method !== "POST" ||',
    to: 'method !== "PUT" ||',
    tests: hostile
  },
  {
    name: "a guess that does not count",
    file: "src/http/authorized.ts",
    from: "if (late !== undefined)",
    to: "if (late === Infinity)",
    tests: hostile
  },
  {
    name: "NUL in the id of a game",
    file: "src/http/Api.ts",
    from: '!text.includes("\\0")',
    to: 'text !== "\\0\\0"',
    tests: hostile
  },
  {
    name: "a plan lost because the engine was away",
    file: "src/operator/act.ts",
    from: 'act !== "plan_apply" && isAway',
    to: "isAway",
    tests: ["test/operator/applyPlan.test.ts"]
  },
  {
    name: "an engine that is away called a rule",
    file: "src/operator/act.ts",
    from: 'return act !== "plan_apply" && isAway({ reason: error.reason ?? null })',
    to: "return false",
    tests: ["test/operator/clean.test.ts"]
  },
  {
    name: "an act that is in flight for ever",
    file: "src/http/once.ts",
    from: "now - act.askedAt.getTime() > Duration.toMillis(longest)",
    to: "now < 0",
    tests: ["test/http/acts.test.ts"]
  },
  {
    name: "a person's pass that shortens the loop's sleep",
    file: "src/cleanup/pass/Heartbeat.ts",
    from: "(isAsleep ? Effect.void : wake)",
    to: "(isAsleep ? wake : wake)",
    tests: ["test/cleanup/pass/Heartbeat.test.ts"]
  },
  {
    name: "a person's pass that forgets that nothing is recorded",
    file: "src/cleanup/pass/CleanupPass.ts",
    from: 'trigger === "manual" && outcomes.removed + outcomes.already_absent === 0 ? before : undefined',
    to: "trigger === undefined && outcomes.removed + outcomes.already_absent === 0 ? before : undefined",
    tests: ["test/cleanup/game/Recording.test.ts"]
  },
  {
    name: "an act whose result is not recorded called one that goes on",
    file: "src/http/once.ts",
    from: "row?.act.result === null &&",
    to: "row?.act.result === undefined &&",
    tests: http
  },
  {
    name: "a plan under another name taken as a pass over everything",
    file: "src/http/Api.ts",
    from: 'over everything.\n      .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })',
    to: "over everything.\n      .annotate(HttpApi.PayloadParseOptions, {})",
    tests: http
  },
  {
    name: "a release of more than was seen, because that came under another name",
    file: "src/http/Api.ts",
    from: 'nobody has seen.\n      .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })',
    to: "nobody has seen.\n      .annotate(HttpApi.PayloadParseOptions, {})",
    tests: http
  },
  {
    name: "a plan of any size",
    file: "src/http/guard.ts",
    from: "ByteSize.mebibytes(1) :",
    to: "ByteSize.mebibytes(100) :",
    tests: http
  },
  {
    name: "plans for many at once",
    file: "src/http/readings.ts",
    from: "Semaphore.make(1)",
    to: "Semaphore.make(100)",
    tests: http
  },
  {
    name: "a pass called begun that a guard refuses",
    file: "src/http/once.ts",
    from: "Effect.delay(hasRow, waits)",
    to: "hasRow",
    tests: http
  },
  {
    name: "a proxy's 204 is a removal",
    file: "src/adapters/docker/ContainerEngine.ts",
    from: "answer.status === 204 && answer.fromEngine",
    to: "answer.status === 204",
    tests: ["test/adapters/docker/hostile.test.ts"]
  },
  {
    name: "a database that is not migrated is called away",
    file: "src/cleanup/circuits.ts",
    from: 'last?.reason._tag === "NotMigrated"',
    to: 'last?.reason._tag === "Withheld"',
    tests: ["test/cleanup/circuits.test.ts"]
  },
  {
    name: "games are begun after somebody has migrated in mid-pass",
    file: "src/cleanup/circuits.ts",
    from: 'reason._tag !== "CannotRecord" && ',
    to: 'reason._tag !== "CannotRecord" && reason._tag !== "NotMigrated" && ',
    tests: ["test/cleanup/circuits.test.ts"]
  },
  {
    name: "an upgrade that keeps its connection",
    file: "src/http/nodeServer.ts",
    from: "response.shouldKeepAlive = false",
    to: "response.shouldKeepAlive = true",
    tests: ["test/http/hostile.test.ts"]
  },
  {
    name: "those who wait behind others are not told of a tunnel",
    file: "src/http/nodeServer.ts",
    from: 'response.emit("close")',
    to: 'response.emit("closed")',
    tests: ["test/http/nodeServer.test.ts"]
  },
  {
    name: "an answer in place of another's",
    file: "src/http/nodeServer.ts",
    from: " || answer?.req.complete === true",
    to: "",
    tests: ["test/http/nodeServer.test.ts"]
  },
  {
    name: "words that the encoding lacks are not escaped",
    file: "src/adapters/postgres/words.ts",
    from: "statement(identity), isNoText",
    to: "statement(identity), () => false",
    tests: ["test/adapters/postgres/encodings.test.ts"]
  },
  {
    name: "no pause whose reason the encoding lacks",
    file: "src/adapters/postgres/Pauses.ts",
    from: "words(pause.reason, longestReason)",
    to: "words === undefined ? pause.reason.slice(longestReason) : pause.reason",
    tests: ["test/adapters/postgres/encodings.test.ts"]
  },
  {
    name: "no hold whose reason the encoding lacks",
    file: "src/adapters/postgres/Holds.ts",
    from: "words(hold.reason, longestReason)",
    to: "words === undefined ? hold.reason.slice(longestReason) : hold.reason",
    tests: ["test/adapters/postgres/encodings.test.ts"]
  },
  {
    name: "no end of a pass whose message the encoding lacks",
    file: "src/adapters/postgres/PassLog.ts",
    from: "message && words(message)",
    to: "words === undefined ? null : message",
    tests: ["test/adapters/postgres/encodings.test.ts"]
  },
  {
    name: "a trace every two seconds while a page is open",
    file: "src/http/Events.ts",
    from: "Effect.withTracerEnabled(false)",
    to: "Effect.withTracerEnabled(true)",
    tests: ["test/http/events.test.ts"]
  }
]
