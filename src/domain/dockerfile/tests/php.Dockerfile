# PHP, by composer.json, public/index.php, php 8.2, composer.lock.
# Written by Skiff: edit it as you like, or commit it as Dockerfile.

FROM composer:2 AS packages
WORKDIR /app
COPY composer.json composer.lock ./
RUN --mount=type=cache,target=/tmp/cache \
    composer install --no-dev --no-interaction --no-scripts --no-autoloader --prefer-dist --ignore-platform-reqs
COPY . .
RUN composer dump-autoload --no-dev --no-interaction --no-scripts --optimize --ignore-platform-reqs

FROM php:8.4-apache-bookworm
RUN docker-php-ext-install pdo_mysql
RUN a2enmod rewrite \
    && sed -i 's/^Listen 80$/Listen ${PORT}/' /etc/apache2/ports.conf \
    && sed -i 's/:80>/:${PORT}>/' /etc/apache2/sites-available/000-default.conf \
    && sed -ri 's#^(\s*DocumentRoot) .*#\1 /var/www/html/public#' /etc/apache2/sites-available/000-default.conf
RUN printf '%s\n' '<LocationMatch "/\.(?!well-known/)">' 'Require all denied' '</LocationMatch>' > /etc/apache2/conf-enabled/dot-files.conf
WORKDIR /var/www/html
COPY --from=packages --chown=www-data:www-data /app ./
USER www-data
ENV PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT}"]
CMD ["apache2-foreground"]
---
? These extensions need libraries that are not installed here: gd. Add lines for them before USER.
