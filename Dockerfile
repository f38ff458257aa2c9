# Any image with Node 26 and npm will do, such as a mirror's: --build-arg NODE_IMAGE=...
ARG NODE_IMAGE=node:26.10.0-trixie-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
# The optional packages carry the embedded PostgreSQL and Node itself: the image has a Node, and a server for a database.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
COPY bin/small-heap.sh bin/small-heap.sh
COPY src src
# Readable for the service's user, whatever the umask of the checkout was.
RUN chmod -R a+rX package.json bin src && mkdir --mode=755 compiled && chown 10001:10001 compiled
# Compiled code is kept, for a quicker start. It serves only the same user, and a Node with the same flags.
USER 10001:10001
ENV NODE_COMPILE_CACHE=/app/compiled
RUN sh bin/small-heap.sh src/main.ts --version && chmod -R a+rX compiled

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="rtmanager-containercleanup" \
      org.opencontainers.image.description="Removes the stopped containers of finished games once their retention is over, and never anything else." \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/package.json package.json
COPY --from=build /app/bin bin
COPY --from=build /app/src src
COPY --from=build /app/compiled compiled

# A number, so that an orchestrator can see that it is not root. The code is root's: the service cannot change it.
USER 10001:10001
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/compiled \
    RTMANAGER_HTTP_ADDR=0.0.0.0:8080
EXPOSE 8080
# Only whether the process makes progress: it stays healthy while the database or the engine is away.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://' + process.env.RTMANAGER_HTTP_ADDR + '/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sh", "/app/bin/small-heap.sh", "/app/src/main.ts"]
CMD ["serve"]
