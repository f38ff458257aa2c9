import { acts } from "./views/acts.js"
import { game } from "./views/game.js"
import { games } from "./views/games.js"
import { holds } from "./views/holds.js"
import { log } from "./views/log.js"
import { now } from "./views/now.js"

/** @import { Route, View } from "./types.ts" */

/** @type {ReadonlyMap<string, View<any>>} */
const views = new Map(Object.entries({ now, games, game, log, holds, acts }))

/**
 * An address that nobody made leads to the first view.
 *
 * @param {Route} route
 * @returns {View<any>}
 */
export const viewOf = ({ name }) => views.get(name) ?? now
