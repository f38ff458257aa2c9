import { writeSync } from "node:fs"
import { Socket } from "node:net"
import { Effect } from "effect"
import { CommandFailed, exitCode } from "./CommandFailed.ts"

/** Node's file stream drops the bytes that a nearly full disk did not accept. */
const writeAll = (bytes: Uint8Array) => {
  for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written)
}

const write = (line: string) =>
  Effect.callback<void, NodeJS.ErrnoException>((resume) => {
    const { stdout } = process
    if (stdout instanceof Socket) {
      stdout.write(line, (error) => resume(error ? Effect.fail(error) : Effect.void))
    } else {
      resume(Effect.try({ try: () => writeAll(Buffer.from(line)), catch: (error) => error as NodeJS.ErrnoException }))
    }
  })

/**
 * Writes a whole line to stdout and waits for the reader. `false` if the reader is gone, which is not an error: nothing
 * more needs to be printed. Fails if the line cannot be written for another reason, such as a full disk.
 */
export const print = (text: string): Effect.Effect<boolean, CommandFailed> =>
  write(`${text}\n`).pipe(
    Effect.as(true),
    Effect.catch((error) =>
      error.code === "EPIPE" || error.code === "ECONNRESET"
        ? Effect.succeed(false)
        : Effect.fail(
            new CommandFailed({ code: exitCode.dependency, message: `cannot write to stdout: ${error.message}` })
          )
    )
  )
