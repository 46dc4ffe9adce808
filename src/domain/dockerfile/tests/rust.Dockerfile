# Rust, by Cargo.toml, its program shop, Cargo.lock.
# Written by Skiff: edit it as you like, or commit it as Dockerfile.

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,id=shop-target,target=/src/target,sharing=locked \
    find . -path ./target -prune -o -type f -exec touch {} + && \
    cargo build --release --locked --bin shop && cp target/release/shop /server

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends libssl3 && rm -rf /var/lib/apt/lists/*
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /server /usr/local/bin/server
WORKDIR /app
USER 10001:10001
ENV PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT}"]
CMD ["server"]
---
? The program must listen at the port that PORT says (8080), on all addresses.
