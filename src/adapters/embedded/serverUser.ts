import { stat } from "node:fs/promises"
import { dirname } from "node:path"

/** The user that the server runs as; `undefined` is our own user. */
export type ServerUser = { readonly uid: number; readonly gid: number } | undefined

/** The server refuses to run as root. If we are root, it runs as `nobody`, and that user owns the data folder. */
export const serverUser: ServerUser = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined

const mayEnter = async (path: string, user: NonNullable<ServerUser>): Promise<boolean> => {
  const { uid, gid, mode } = await stat(path)
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
  return ((mode >> shift) & 1) === 1
}

/** The first folder on the way to `path`, or `path` itself, that the server's user cannot enter or execute. */
export const blockedAt = async (path: string, user: ServerUser): Promise<string | undefined> => {
  if (user === undefined) return undefined
  const parent = dirname(path)
  const above = parent === path ? undefined : await blockedAt(parent, user)
  return above ?? ((await mayEnter(path, user)) ? undefined : path)
}
