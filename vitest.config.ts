import { defineConfig } from "vitest/config"

export default defineConfig({
  // Where the tests run through a link, their files are found by it too.
  resolve: { preserveSymlinks: /[#?%]/.test(process.cwd()) },
  test: {
    include: ["test/**/*.test.ts"],
    // Real servers and processes on a slow machine; no test waits for time itself.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Files mostly wait for processes and servers of their own.
    maxWorkers: "100%",
    // Prints a line for each skipped test too.
    reporters: ["verbose"]
  }
})
