# The bundle and the widget are written where esbuild is installed, in the folder where the service runs.
FROM node:24.21-slim AS bundle
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
COPY src ./src
RUN node src/bundle.ts
COPY scripts/build.ts ./scripts/
COPY web ./web
RUN node scripts/build.ts

FROM node:24.21-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 \
  NODE_COMPILE_CACHE=node_modules/.cache/afterword/compiled MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=32768
WORKDIR /app

# No embedded Postgres and no Node in the image's node_modules: DATABASE_URL names a server.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY migrations ./migrations
COPY src ./src
COPY --from=bundle --chown=node:node /app/node_modules/.cache ./node_modules/.cache
COPY --from=bundle /app/web/dist ./web/dist

USER node
# Loads the bundle once, so that each start finds it compiled.
RUN node --max-semi-space-size=8 src/bundle.ts
EXPOSE 3000
# Whether the process answers: a restart does not bring back a Postgres that is away.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=8", "src/main.ts"]
