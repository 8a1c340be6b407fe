# The bundle and the widget are written where esbuild is installed, in the folder where the service runs.
FROM node:24.21-slim AS bundle
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
COPY src ./src
RUN node src/main.ts --bundle
COPY scripts/build.ts ./scripts/
COPY web ./web
RUN node scripts/build.ts

FROM node:24.21-slim
LABEL org.opencontainers.image.title="Afterword" \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.licenses="MIT"
# npm, which runs the scripts, writes nothing: the file system can be read-only.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 npm_config_logs_max=0 npm_config_update_notifier=false \
  NODE_COMPILE_CACHE=node_modules/.cache/afterword/compiled MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=32768
WORKDIR /app

# No embedded Postgres and no Node in the image's node_modules: DATABASE_URL names a server.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY LICENSE CHANGELOG.md ./
COPY migrations ./migrations
COPY src ./src
# For operators: npm run key, backup, restore, import and export.
COPY scripts/key.ts scripts/backup.ts scripts/restore.ts scripts/import.ts scripts/export.ts \
  scripts/open-database.ts scripts/progress.ts scripts/say.ts ./scripts/
COPY --from=bundle --chown=node:node /app/node_modules/.cache ./node_modules/.cache
COPY --from=bundle /app/web/dist ./web/dist

USER node
# Each start finds the service compiled, also in a read-only file system.
RUN node --max-semi-space-size=8 src/main.ts --bundle
EXPOSE 3000
# Node is process 1 without an init: it handles SIGTERM and starts no processes. Health is asked by HTTP,
# /livez and /readyz, because a HEALTHCHECK would start a process each time.
CMD ["node", "--max-semi-space-size=8", "src/main.ts"]
