import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    // As the service is run, by Node itself, which copes with a `#` in the path to the project as well.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    include: ["test/**/*.test.ts"],
    // A bound for what hangs. Real servers and processes share a machine that may be busy, and no test waits for time itself.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Files mostly wait for processes and servers of their own.
    maxWorkers: "100%",
    // Prints a line for each skipped test too.
    reporters: ["verbose"]
  }
})
