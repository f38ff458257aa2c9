import { assert, describe, it } from "@effect/vitest"

/**
 * Tests that need what a machine may lack. Where something is `missing` they are skipped, with a line that says so, or fail
 * if RTMANAGER_TEST_REQUIRE_DOCKER is 1.
 */
export const describeWith = (missing: string | undefined, name: string, body: () => void): void => {
  if (missing === undefined) {
    describe(name, body)
  } else if (process.env.RTMANAGER_TEST_REQUIRE_DOCKER === "1") {
    describe(name, () => it("needs what is missing here", () => assert.fail(missing)))
  } else {
    console.warn(`skipped: ${name}: ${missing}`)
    describe.skip(name, body)
  }
}
