# static site, by public/index.html.
# Written by Skiff: edit it as you like, or commit it as Dockerfile.

FROM nginx:1.28-bookworm
RUN printf '%s\n' \
    'worker_processes auto; pid /tmp/nginx.pid; error_log stderr warn; events { worker_connections 1024; }' \
    'http { include /etc/nginx/mime.types; default_type application/octet-stream; access_log off;' \
    '  sendfile on; tcp_nopush on; server_tokens off; gzip on; gzip_vary on; gzip_types text/css text/plain' \
    '    application/javascript text/javascript application/json image/svg+xml;' \
    '  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;' \
    '  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;' \
    '  server { listen 8080; root /usr/share/nginx/html; error_page 404 /404.html; absolute_redirect off;' \
    '    location ~ /\.(?!well-known/) { return 404; }' \
    '    location / { try_files $uri $uri/ =404; } } }' > /etc/nginx/nginx.conf
RUN rm -rf /usr/share/nginx/html
COPY public /usr/share/nginx/html
USER nginx
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080"]
CMD ["nginx", "-g", "daemon off;"]
---
