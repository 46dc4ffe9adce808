# Python, by requirements.txt, .python-version 3.12.4, manage.py, shop/wsgi.py.
# Written by Skiff: edit it as you like, or commit it as Dockerfile.

FROM python:3.12-bookworm AS build
WORKDIR /app
RUN python -m venv /venv
ENV VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip pip install --requirement requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip pip install gunicorn

FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends libpq5 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --create-home app
ENV VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=build /venv /venv
COPY --chown=10001:10001 . .
USER 10001:10001
ENV PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT}"]
CMD ["bash", "-c", "exec gunicorn --bind 0.0.0.0:${PORT} shop.wsgi:application"]
---
? Django's static files are not collected: add RUN python manage.py collectstatic --noinput where it needs them.
? gunicorn is installed beside your packages, as they do not name it: add it to them to fix its version.
