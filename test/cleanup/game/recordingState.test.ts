import { assert, describe, it } from "@effect/vitest"
import {
  began,
  ended,
  failed,
  initial,
  passEnd,
  type RecordingState,
  verdict
} from "../../../src/cleanup/game/recordingState.ts"
import { PassRefused } from "../../../src/domain/PassRefused.ts"
import { StoreError, Unavailable } from "../../../src/ports/StoreError.ts"

const locked = (operation: string) =>
  new StoreError({ operation, reason: new Unavailable({ cause: new Error("lock timeout") }) })

const rehearsed: RecordingState = { ...initial, rehearsed: true }
const codeOf = (answer: ReturnType<typeof verdict>) =>
  typeof answer === "string" ? answer : answer._tag === "Refused" ? answer.code : answer._tag

describe("whether a game may remove its container", () => {
  const oneUnderWay = began(rehearsed, "a")
  const two = began(oneUnderWay, "b")
  const oneFailed = failed(two, "a", PassRefused.cannotRecord("denied"))
  const oneHeldUp = failed(two, "a", locked("commit"))
  it.each([
    ["nothing was rehearsed", initial, "store_unavailable"],
    ["a rehearsal succeeded", rehearsed, "go"],
    ["its own rehearsal failed", { ...rehearsed, unrecordable: new Map([["game", "denied"]]) }, "store_unavailable"],
    ["that of another game failed", { ...rehearsed, unrecordable: new Map([["other", "denied"]]) }, "rehearse"],
    ["others are under way", oneUnderWay, "go"],
    ["one was not recorded, and another is under way", ended(oneFailed, "a", false), "wait"],
    ["one was not recorded, and another was", ended(ended(oneFailed, "a", false), "b", true), "rehearse"],
    ["none was recorded", ended(ended(oneFailed, "a", false), "b", false), "PassRefused"],
    ["none could be recorded now", ended(ended(oneHeldUp, "a", false), "b", false), "StoreError"],
    ["what failed was not a removal", failed(rehearsed, "c", locked("commit")), "go"],
    ["it was refused all the same", failed(rehearsed, "c", PassRefused.cannotRecord("denied")), "PassRefused"],
    ["the last pass did not record, and none is under way", { ...rehearsed, isProbing: true }, "go"],
    ["the last pass did not record, and one is under way", { ...oneUnderWay, isProbing: true }, "wait"],
    ["the last pass did not record, and this one has", ended({ ...two, isProbing: true }, "a", true), "go"]
  ] as const)("when %s: %s", (_, state, expected) => {
    assert.strictEqual(codeOf(verdict(state, "game")), expected)
  })

  it.each([
    ["that of another game failed", { ...rehearsed, unrecordable: new Map([["other", "denied"]]) }, "go"],
    [
      "its own removal was not recorded",
      { ...rehearsed, unrecordable: new Map([["game", "denied"]]) },
      "store_unavailable"
    ],
    ["one was not recorded meanwhile, and another is under way", ended(oneFailed, "a", false), "wait"],
    ["none was recorded meanwhile", ended(ended(oneFailed, "a", false), "b", false), "PassRefused"]
  ] as const)("after a rehearsal of its own, when %s: %s", (_, state, expected) => {
    assert.strictEqual(codeOf(verdict(state, "game", true)), expected)
  })

  it.each([
    ["every removal was recorded", ended(two, "a", true), undefined],
    ["one was refused, and none recorded since", oneFailed, "PassRefused"],
    ["one was refused, and another recorded since", ended(oneFailed, "b", true), undefined],
    ["one could not be recorded now", oneHeldUp, undefined],
    ["one was refused, and another could not be recorded now", failed(oneFailed, "b", locked("commit")), "PassRefused"]
  ] as const)("and how a pass ends when %s: %s", (_, state, expected) => {
    assert.strictEqual(passEnd(state)?._tag, expected)
  })
})
