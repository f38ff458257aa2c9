import { Clock, Duration, Effect, HashMap, Option, Order, Ref, Result } from "effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"

/** Most often within a window that slides, by key. */
interface Bound {
  readonly times: number
  readonly window: Duration.Duration
}

/** By key, when it was counted within the last window: monotonic nanoseconds, oldest first, and never more than `times`. */
type Counted = HashMap.HashMap<string, ReadonlyArray<bigint>>

const recent = (counted: Counted, key: string, { window }: Bound, now: bigint) =>
  Option.getOrElse(HashMap.get(counted, key), (): ReadonlyArray<bigint> => []).filter(
    (at) => now - at < Duration.toNanosUnsafe(window)
  )

/** Whole seconds until the key is under its bound; `undefined` if it is. */
const secondsLeft = (times: ReadonlyArray<bigint>, bound: Bound, now: bigint): number | undefined => {
  const [oldest] = times
  if (oldest === undefined || times.length < bound.times) return undefined
  return Math.ceil(Number(oldest + Duration.toNanosUnsafe(bound.window) - now) / 1e9)
}

/** What a limit remembers at most, whatever the number of keys that come: some megabytes. */
export const mostKeys = 10_000

const newestFirst = Order.mapInput(
  Order.flip(Order.BigInt),
  ([, times]: readonly [string, ReadonlyArray<bigint>]) => times.at(-1) ?? 0n
)

/**
 * If there is no room for another key, the half that was counted last is kept. So room is made once in thousands of keys, and whoever
 * wants a count forgotten has to have thousands of other keys counted first.
 */
const withRoom = (counted: Counted): Counted =>
  HashMap.size(counted) < mostKeys
    ? counted
    : HashMap.fromIterable(
        HashMap.toEntries(counted)
          .toSorted(newestFirst)
          .slice(0, mostKeys / 2)
      )

/** What `count` answers, and what is remembered then. */
export const counting =
  (key: string, bound: Bound, now: bigint) =>
  (counted: Counted): [number | undefined, Counted] => {
    const times = recent(counted, key, bound, now)
    const left = secondsLeft(times, bound, now)
    if (left !== undefined) return [left, counted]
    return [undefined, HashMap.set(withRoom(counted), key, [...times, now])]
  }

/** How often something may happen, by key. Elapsed time is monotonic: a clock that is set back blocks nobody. */
export interface Limit {
  /** Whole seconds to wait, for `Retry-After`; `undefined` if the key is under its limit. Counts nothing. */
  readonly wait: (key: string) => Effect.Effect<number | undefined>
  /** The same, and counts it unless the key has to wait. */
  readonly count: (key: string) => Effect.Effect<number | undefined>
}

const make = (bound: Bound): Effect.Effect<Limit> =>
  Effect.map(Ref.make<Counted>(HashMap.empty()), (counted) => ({
    wait: (key) =>
      Effect.zipWith(Ref.get(counted), Clock.monotonicTimeNanos, (counted, now) =>
        secondsLeft(recent(counted, key, bound, now), bound, now)
      ),
    count: (key) => Effect.flatMap(Clock.monotonicTimeNanos, (now) => Ref.modify(counted, counting(key, bound, now)))
  }))

/** Whose an address is: with IPv6 one machine can have every address of a /64. */
export const clientOf = (address: string): string =>
  Result.match(NetAddress.ipFromString(address.replace(/%.*/, "")), {
    onFailure: () => address,
    onSuccess: (parsed) => {
      const ip = NetAddress.toCanonical(parsed)
      return NetAddress.isIpv4Address(ip)
        ? NetAddress.formatIp(ip)
        : IpNetwork.format(IpNetwork.fromAddressUnsafe(ip, 64))
    }
  })

/** By client: tokens that were nobody's. Ask `wait` before a token is checked, and `count` once it has failed. */
export const failedTokens = make({ times: 5, window: Duration.minutes(1) })

/** By client: warnings that it is blocked. */
export const blockWarnings = make({ times: 1, window: Duration.minutes(1) })

/** By the token's name: requests. */
export const tokenRequests = make({ times: 20, window: Duration.seconds(1) })
