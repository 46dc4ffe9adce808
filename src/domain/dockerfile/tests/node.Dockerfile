# Node.js, by package.json, engines.node from 20.1, package-lock.json, its script build, it begins in dist/server.js.
# Written by Skiff: edit it as you like, or commit it as Dockerfile.

FROM node:22-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY . .
RUN npm run build
RUN npm prune --omit=dev

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build --chown=node:node /app ./
USER node
ENV PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT}"]
CMD ["node", "dist/server.js"]
---
? The program must listen at the port that PORT says (8080), on all addresses.
