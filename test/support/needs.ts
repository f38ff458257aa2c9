import { assert, describe, it } from "@effect/vitest"

/** Tests that this user cannot run on any machine. */
export const skip = (why: string, name: string, body: () => void): void => {
  console.warn(`skipped: ${name}: ${why}`)
  describe.skip(name, body)
}

/**
 * Tests that need what a machine may lack. Where something is `missing` they are skipped, with a line that says so, or fail
 * if RTMANAGER_TEST_REQUIRE_DOCKER is 1.
 */
export const describeWith = (missing: string | undefined, name: string, body: () => void): void => {
  if (missing === undefined) {
    describe(name, body)
  } else if (process.env["RTMANAGER_TEST_REQUIRE_DOCKER"] === "1") {
    describe(name, () => it("needs what is missing here", () => assert.fail(missing)))
  } else {
    skip(missing, name, body)
  }
}
