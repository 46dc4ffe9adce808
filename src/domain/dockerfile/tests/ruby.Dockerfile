# Ruby, by Gemfile, ruby in the Gemfile 3.3.6, config/application.rb, Gemfile.lock.
# Written by Skiff: edit it as you like, or commit it as Dockerfile.

FROM ruby:3.3-bookworm AS build
WORKDIR /app
ENV BUNDLE_DEPLOYMENT=1 BUNDLE_PATH=/gems BUNDLE_WITHOUT=development:test RAILS_ENV=production RACK_ENV=production
COPY Gemfile Gemfile.lock ./
RUN --mount=type=cache,target=/root/.bundle/cache/gems BUNDLE_GLOBAL_GEM_CACHE=true bundle install && mkdir -p /gems
COPY . .
RUN SECRET_KEY_BASE_DUMMY=1 bundle exec rails assets:precompile

FROM ruby:3.3-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends libpq5 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --create-home app
ENV BUNDLE_DEPLOYMENT=1 BUNDLE_PATH=/gems BUNDLE_WITHOUT=development:test RAILS_ENV=production RACK_ENV=production
ENV RAILS_LOG_TO_STDOUT=1 RAILS_SERVE_STATIC_FILES=1
WORKDIR /app
COPY --from=build /gems /gems
COPY --from=build --chown=10001:10001 /app ./
USER 10001:10001
ENV PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT}"]
CMD ["bash", "-c", "exec bundle exec rails server --binding 0.0.0.0 --port ${PORT}"]
---
? Rails wants a secret named RAILS_MASTER_KEY or SECRET_KEY_BASE, and its database in DATABASE_URL.
? There is a package.json too: what is built with Node.js is not built here. Add a stage for it, or commit what it makes.
