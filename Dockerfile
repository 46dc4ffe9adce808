# The panel in a container; docs/guide/docker.md says how it is run. Two ways to the same image:
#   docker compose up -d                              builds the program here (some minutes the first time)
#   docker build --target prebuilt --tag skiff .      takes the program "skiff" that lies beside this file
FROM debian:bookworm-slim AS base
# git fetches what is deployed; the rest the program brings along.
RUN if ! command -v git >/dev/null || [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then \
      apt-get update && apt-get install -y --no-install-recommends ca-certificates git openssh-client && rm -rf /var/lib/apt/lists/*; \
    fi && \
    groupadd --system --gid 7070 skiff-panel && \
    useradd --system --uid 7070 --gid 7070 --home-dir /var/lib/skiff-panel --no-create-home --shell /usr/sbin/nologin skiff-panel && \
    install -d -m 700 -o 7070 -g 7070 /var/lib/skiff-panel
# The container's port is published on its machine's loopback address alone: see docker-compose.yml.
ENV SKIFF_DATA_DIR=/var/lib/skiff-panel SKIFF_LISTEN=0.0.0.0:7070 SKIFF_PUBLISHED_ON_LOOPBACK=true
USER 7070:7070
VOLUME /var/lib/skiff-panel
EXPOSE 7070
# Ready is: it answers, and its database does.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/bin/bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/7070 && printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["/usr/local/bin/skiff"]
CMD ["serve"]

FROM base AS prebuilt
COPY --chown=0:0 skiff /usr/local/bin/skiff

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Queries were checked against a database when they were committed.
RUN SQLX_OFFLINE=true cargo build --release --locked --bin skiff

FROM base AS panel
COPY --from=build --chown=0:0 /src/target/release/skiff /usr/local/bin/skiff
