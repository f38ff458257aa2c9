import { createServer } from "node:http"

/**
 * What listens. Whoever sends slowly gets 10 seconds for a request, of which 5 for its headers. A header that comes twice counts as
 * both of its values, so two names, tokens or media types are none that is allowed.
 */
export const nodeServer = () =>
  createServer({
    requestTimeout: 10_000,
    headersTimeout: 5_000,
    connectionsCheckingInterval: 1_000,
    joinDuplicateHeaders: true
  })
