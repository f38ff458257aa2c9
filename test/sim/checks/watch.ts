import { Effect, Layer } from "effect"
import { attemptOf } from "../../../src/cleanup/game/Cleaned.ts"
import { Cleaner } from "../../../src/cleanup/game/Cleaner.ts"
import { CleanupPass } from "../../../src/cleanup/pass/CleanupPass.ts"
import type { EndedAttempt } from "../../../src/domain/Outcome.ts"
import type { ContainerEngine } from "../../../src/ports/ContainerEngine.ts"
import type { GameLeases } from "../../../src/ports/GameLeases.ts"
import type { RuntimeRecords } from "../../../src/ports/RuntimeRecords.ts"
import type { Process } from "../kernel/Process.ts"
import type { Witness } from "./Witness.ts"

/** The same services, with a witness who hears of what goes through them. */

const now = ({ monotonic, wall }: Process) => ({ monotonic, wall })

const tell = (told: () => void) => Effect.sync(told)

export const leases = (witness: Witness, process: Process, port: GameLeases["Service"]): GameLeases["Service"] => ({
  acquire: (gameId) =>
    Effect.suspend(() => {
      witness.leases.asks(process, gameId, now(process))
      return port.acquire(gameId)
    }).pipe(
      Effect.tap((acquired) =>
        acquired._tag === "Leased" ? tell(() => witness.leases.holds(process, acquired)) : Effect.void
      )
    ),
  renew: (lease) =>
    Effect.suspend(() => {
      const asked = now(process)
      return Effect.tap(port.renew(lease), (granted) =>
        granted ? tell(() => witness.leases.renewed(process, lease.gameId, asked)) : Effect.void
      )
    }),
  commit: (lease, record, row) =>
    port.commit(lease, record, row).pipe(
      Effect.tap((result) =>
        result === "committed" || result === "not_recorded"
          ? tell(() => witness.leases.committed(process, lease.gameId, result === "committed"))
          : Effect.void
      ),
      Effect.tapError(() =>
        tell(() => {
          witness.leases.couldNotWrite(process, lease.gameId)
          witness.leases.committed(process, lease.gameId, false)
        })
      )
    ),
  rehearse: (record, asked) =>
    Effect.tap(port.rehearse(record, asked), (works) =>
      works ? tell(() => witness.leases.rehearsed(process)) : Effect.void
    ),
  settle: (lease, end) =>
    Effect.tapError(port.settle(lease, end), () => tell(() => witness.leases.couldNotWrite(process, lease.gameId)))
})

export const records = (
  witness: Witness,
  process: Process,
  port: RuntimeRecords["Service"]
): RuntimeRecords["Service"] => ({
  ...port,
  clock: Effect.suspend(() => {
    const before = process.wall
    return Effect.tap(port.clock, (database) =>
      tell(() => witness.leases.clock(process, { database, before, after: process.wall }))
    )
  }),
  witnesses: (moment, byHand) =>
    Effect.tap(port.witnesses(moment, byHand), (containers) => tell(() => witness.passes.asksFor(process, containers))),
  countStopped: (ended) =>
    Effect.tap(port.countStopped(ended), (games) => tell(() => witness.guards.counts(process, games))),
  listDue: (page) =>
    Effect.suspend(() => {
      witness.leases.goesBy(process, page.moment)
      return port.listDue(page)
    })
})

export const engine = (
  witness: Witness,
  process: Process,
  port: ContainerEngine["Service"]
): ContainerEngine["Service"] => ({
  ...port,
  inspect: (id) =>
    Effect.tap(port.inspect(id), (container) =>
      tell(() => {
        witness.engine.sees(process, id, container)
        if (container !== undefined) witness.passes.sees(process, id)
      })
    ),
  findByGame: (gameId) =>
    Effect.tap(port.findByGame(gameId), (ids) => tell(() => witness.passes.counts(process, ids.length)))
})

export const layerCleaner = (witness: Witness, process: Process) =>
  Layer.effect(
    Cleaner,
    Effect.map(Cleaner, (cleaner) =>
      Cleaner.of({
        ...cleaner,
        cleanup: (request) =>
          Effect.suspend(() => {
            witness.leases.goesBy(process, request.moment)
            witness.passes.begins(process)
            const ends = (summary: EndedAttempt) => tell(() => witness.passes.ends(process, summary))
            return cleaner.cleanup(request).pipe(
              Effect.tap(ends),
              Effect.tapError((error) => ends(attemptOf(error)))
            )
          })
      })
    )
  )

export const layerPass = (witness: Witness, process: Process) =>
  Layer.effect(
    CleanupPass,
    Effect.map(CleanupPass, (pass) =>
      CleanupPass.of({
        ...pass,
        runOnce: (options) =>
          Effect.suspend(() => {
            witness.passes.passBegins(process, options.acceptAbsent === true)
            return Effect.tap(pass.runOnce(options), (report) => tell(() => witness.passes.passEnded(process, report)))
          })
      })
    )
  )
