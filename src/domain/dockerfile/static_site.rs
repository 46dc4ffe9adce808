//! Static files, sent by nginx as a user without rights. Also where the build of another language leaves such.

use super::text::Making;
use super::{Files, Language, Recognised, bases};

/// Where a site stands that needs no build, by the file that says so.
const HOMES: [(&str, &str); 6] = [
    ("index.html", "."),
    ("public/index.html", "public"),
    ("dist/index.html", "dist"),
    ("_site/index.html", "_site"),
    ("site/index.html", "site"),
    ("docs/index.html", "docs"),
];
/// The port where the app names none: one that needs no rights.
const PORT: u16 = 8080;
/// nginx's own user in its image.
const USER: &str = "nginx";

/// Recognises it by an `index.html`.
pub fn look(files: &Files, port: Option<u16>) -> Recognised {
    let (name, folder) = HOMES.iter().find(|(name, _)| files.has(name))?;
    let mut making = Making::new(vec![(*name).to_owned()]);
    serve(&mut making, &format!("COPY {folder} /usr/share/nginx/html"), false, port);
    making.end(Language::Static)
}

/// The stage that serves what this line copies. `one_page` where unknown paths are the page's own to answer.
pub fn serve(making: &mut Making, copy: &str, one_page: bool, port: Option<u16>) {
    if port.is_none() {
        making.doubt("A static site answers requests: make the app a web app, with a port.".to_owned());
    }
    let port = port.unwrap_or(PORT);
    let missing = if one_page { "/index.html" } else { "=404" };
    if one_page {
        making.doubt("A path without a file is answered with index.html, as apps of one page want it.".to_owned());
    }
    making.line(format!("FROM {}", bases::NGINX));
    // Nothing of it is written where only root may write; what begins with a dot is not sent.
    making.lines([
        "RUN printf '%s\\n' \\",
        "    'worker_processes auto; pid /tmp/nginx.pid; error_log stderr warn; events { worker_connections 1024; }' \\",
        "    'http { include /etc/nginx/mime.types; default_type application/octet-stream; access_log off;' \\",
        "    '  sendfile on; tcp_nopush on; server_tokens off; gzip on; gzip_vary on; gzip_types text/css text/plain' \\",
        "    '    application/javascript text/javascript application/json image/svg+xml;' \\",
        "    '  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;' \\",
        "    '  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;' \\",
    ]);
    making.line(format!(
        "    '  server {{ listen {port}; root /usr/share/nginx/html; error_page 404 /404.html; absolute_redirect off;' \\"
    ));
    making.line("    '    location ~ /\\.(?!well-known/) { return 404; }' \\");
    making.line(format!("    '    location / {{ try_files $uri $uri/ {missing}; }} }} }}' > /etc/nginx/nginx.conf"));
    making.line("RUN rm -rf /usr/share/nginx/html").line(copy);
    making.run_as(Some(USER)).line(format!("EXPOSE {port}")).check(&port.to_string());
    making.start(&["nginx", "-g", "daemon off;"]);
}
