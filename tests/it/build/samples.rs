//! Small repositories without a Dockerfile, one for each language. Each answers `/up`, and says at `/` what it is. None needs a package that
//! a registry would have to give.

/// A repository: what it is called, and its files.
pub struct Sample {
    /// The name.
    pub name: &'static str,
    /// What its first page says.
    pub says: &'static str,
    /// What Skiff says it is.
    pub language: &'static str,
    /// Its files.
    pub files: &'static [(&'static str, &'static str)],
}

/// What a program listens with, in JavaScript.
const SERVER_JS: &str = "const said = require('fs').readFileSync('built.txt', 'utf8');
require('http').createServer((asked, answer) => answer.end(asked.url === '/up' ? 'ok' : said)).listen(process.env.PORT);
";
const MAIN_PY: &str = "import http.server, os
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'ok' if self.path == '/up' else b'python')
http.server.ThreadingHTTPServer(('', int(os.environ['PORT'])), Page).serve_forever()
";
const MAIN_RB: &str = "require 'socket'
server = TCPServer.new('0.0.0.0', Integer(ENV['PORT']))
loop do
  client = server.accept
  line = client.gets
  while (head = client.gets) && head != \"\\r\\n\"; end
  client.write \"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 4\\r\\n\\r\\nruby\" if line
  client.close
end
";
const MAIN_GO: &str = "package main

import (
\t\"fmt\"
\t\"net/http\"
\t\"os\"
)

func main() {
\thttp.HandleFunc(\"/\", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, \"go\") })
\tpanic(http.ListenAndServe(\":\"+os.Getenv(\"PORT\"), nil))
}
";
const MAIN_RS: &str = "use std::io::{Read, Write};
fn main() {
    let port: u16 = std::env::var(\"PORT\").unwrap().parse().unwrap();
    for client in std::net::TcpListener::bind((\"0.0.0.0\", port)).unwrap().incoming() {
        let mut client = client.unwrap();
        let _ = client.read(&mut [0; 4096]);
        let _ = client.write_all(b\"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 4\\r\\n\\r\\nrust\");
    }
}
";
const MAIN_JAVA: &str = "import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
public class Main {
    public static void main(String[] words) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(Integer.parseInt(System.getenv(\"PORT\"))), 0);
        server.createContext(\"/\", asked -> {
            asked.sendResponseHeaders(200, 4);
            asked.getResponseBody().write(\"java\".getBytes());
            asked.close();
        });
        server.start();
    }
}
";
const POM: &str = "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId><artifactId>shop</artifactId><version>1</version><packaging>jar</packaging>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-jar-plugin</artifactId>
    <configuration><archive><manifest><mainClass>Main</mainClass></manifest></archive></configuration>
  </plugin></plugins></build>
</project>
";

/// The small form: what most repositories are.
pub const FEW: &[Sample] = &[
    Sample {
        name: "static",
        says: "static",
        language: "static site",
        files: &[("index.html", "static"), ("up", "ok"), (".env", "CANARY=1\n"), ("node_modules/x/index.js", "x")],
    },
    Sample {
        name: "node",
        says: "node",
        language: "Node.js",
        files: &[
            (
                "package.json",
                r#"{"name": "node", "version": "1.0.0", "engines": {"node": ">=18"}, "scripts": {"build": "node build.js", "start": "node server.js"}}"#,
            ),
            (
                "package-lock.json",
                r#"{"name": "node", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "node", "version": "1.0.0", "engines": {"node": ">=18"}}}}"#,
            ),
            ("build.js", "require('fs').writeFileSync('built.txt', 'node');\n"),
            ("server.js", SERVER_JS),
        ],
    },
    Sample {
        name: "site",
        says: "site",
        language: "static site",
        files: &[
            ("package.json", r#"{"name": "site", "version": "1.0.0", "scripts": {"build": "node build.js"}}"#),
            (
                "package-lock.json",
                r#"{"name": "site", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "site", "version": "1.0.0"}}}"#,
            ),
            (
                "build.js",
                "const fs = require('fs');\nfs.mkdirSync('dist');\nfs.writeFileSync('dist/index.html', 'site');\n",
            ),
        ],
    },
    Sample {
        name: "python",
        says: "python",
        language: "Python",
        files: &[("requirements.txt", "# none\n"), ("main.py", MAIN_PY)],
    },
];

/// The other languages.
pub const REST: &[Sample] = &[
    Sample {
        name: "ruby",
        says: "ruby",
        language: "Ruby",
        files: &[
            ("Gemfile", "source \"https://rubygems.org\"\n"),
            ("Gemfile.lock", "GEM\n  remote: https://rubygems.org/\n  specs:\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n"),
            ("main.rb", MAIN_RB),
        ],
    },
    Sample {
        name: "php",
        says: "php",
        language: "PHP",
        files: &[
            (
                "composer.json",
                r#"{"name": "acme/shop", "require": {"php": ">=8.1"}, "autoload": {"psr-4": {"Acme\\": "src/"}}}"#,
            ),
            (
                "composer.lock",
                r#"{"content-hash": "", "packages": [], "packages-dev": [], "minimum-stability": "stable", "stability-flags": [], "prefer-stable": false, "prefer-lowest": false, "platform": {"php": ">=8.1"}, "platform-dev": [], "plugin-api-version": "2.3.0"}"#,
            ),
            (
                "src/Shop.php",
                "<?php\nnamespace Acme;\nclass Shop { public static function name() { return 'php'; } }\n",
            ),
            ("public/index.php", "<?php\nrequire '../vendor/autoload.php';\necho Acme\\Shop::name();\n"),
            ("public/up", "ok"),
        ],
    },
    Sample {
        name: "go",
        says: "go",
        language: "Go",
        files: &[("go.mod", "module example.org/acme/shop\n\ngo 1.19\n"), ("cmd/shop/main.go", MAIN_GO)],
    },
    Sample {
        name: "rust",
        says: "rust",
        language: "Rust",
        files: &[
            ("Cargo.toml", "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
            ("Cargo.lock", "version = 3\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n"),
            ("src/main.rs", MAIN_RS),
        ],
    },
    Sample {
        name: "java",
        says: "java",
        language: "Java",
        files: &[("pom.xml", POM), ("src/main/java/Main.java", MAIN_JAVA)],
    },
    Sample {
        name: "gradle",
        says: "java",
        language: "Java",
        files: &[
            (
                "build.gradle",
                "apply plugin: 'java'\nsourceCompatibility = '1.8'\njar { manifest { attributes 'Main-Class': 'Main' } }\n",
            ),
            ("src/main/java/Main.java", MAIN_JAVA),
        ],
    },
];
