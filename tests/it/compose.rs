//! The panel in a container beside its Postgres, as `Dockerfile` and `docker-compose.yml` make it: on a test host, which it reaches
//! by SSH through the host gateway and makes ready, and to which it deploys. The public images are stood in for by ones made here.

use std::path::Path;
use std::time::Duration;

use crate::harness::host::{TestHost, run};

/// The repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Where it lies on the server.
const AT: &str = "/srv/skiff";
/// What a person types in that folder, without what the tests were started with.
const CLEAN: &[&str] =
    &["env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
/// `form PAGE TO FIELD=VALUE…` fills in a form as a browser does, with cookies that are kept, and prints the answer's status.
const FORM: &str = r#"panel=http://127.0.0.1:7070; jar=/root/cookies
page() { curl -s -m 20 -c $jar -b $jar "$panel$1"; }
form() {
    local token=$(page "$1" | sed -n 's/.*name="_token" value="\([^"]*\)".*/\1/p' | head -n 1) to=$2 field fields=(); shift 2
    for field in "_token=$token" "$@"; do fields+=(--data-urlencode "$field"); done
    curl -s -m 20 -o /dev/null -w '%{http_code}\n' -b $jar -c $jar -H "Origin: $panel" "${fields[@]}" "$panel$to"
}
skiff() { docker-compose exec -T skiff skiff "$@"; }
"#;
/// Tenths of a second until a panel whose database is new answers, at most.
const READY_TENTHS: u32 = 900;

struct Server {
    host: TestHost,
}

impl Server {
    /// A server with Docker, the repository's files, and the images that would come from a registry.
    async fn with_images() -> Self {
        let made = async |kind| {
            run(&format!("{ROOT}/tests/rig/panel-images"), &[kind]).await.must("an image is made").trim().to_owned()
        };
        let (host, debian, postgres) = tokio::join!(TestHost::light(), made("debian"), made("postgres"));
        host.docker(&["import", &debian, "debian:bookworm-slim"]).await;
        let start = [
            "ENV PATH=/postgresql/bin:/bin",
            "ENTRYPOINT [\"/entrypoint\"]",
            "USER 999:999",
            "VOLUME /var/lib/postgresql/data",
        ];
        let mut import = vec!["import"];
        start.iter().for_each(|change| import.extend(["--change", change]));
        host.docker(&[&import[..], &[&postgres, "postgres:17"]].concat()).await;

        let at = host.path(AT);
        std::fs::create_dir_all(at.join("docker")).unwrap();
        for file in ["Dockerfile", "docker-compose.yml", ".dockerignore", "docker/roles.sh"] {
            std::fs::copy(Path::new(ROOT).join(file), at.join(file)).unwrap();
        }
        let binary = at.join("skiff");
        run("strip", &["-o", binary.to_str().unwrap(), env!("CARGO_BIN_EXE_skiff")]).await.must("strip");
        Self { host }
    }

    /// What a person types in the repository's folder.
    async fn types(&self, script: &str) -> crate::harness::host::Said {
        let script = format!("cd {AT}\n{FORM}{script}");
        self.host.enter(&[CLEAN, &["bash", "-c", &script]].concat()).await
    }

    async fn says(&self, script: &str) -> String {
        let said = self.types(script).await;
        assert_eq!(said.status, 0, "{script}\n{}{}\n{}", said.out, said.err, self.log().await);
        said.out.trim().to_owned()
    }

    async fn log(&self) -> String {
        self.types("docker-compose logs --no-color --tail 40").await.out
    }

    async fn ready(&self) {
        for _ in 0..READY_TENTHS {
            let status = self.types("curl -s -m 5 -o /dev/null -w '%{http_code}' $panel/ready").await.out;
            if status == "200" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the panel is not ready:\n{}", self.log().await);
    }
}

#[tokio::test]
async fn a_panel_in_a_container_deploys_to_the_machine_it_stands_on() {
    let server = Server::with_images().await;
    server.says("docker build --quiet --target prebuilt --tag skiff .").await;
    let unset = server.types("docker-compose up -d").await;
    assert!(
        unset.status != 0 && unset.err.contains("POSTGRES_PASSWORD"),
        "without a password it says so: {}",
        unset.err
    );
    server.says(r#"(umask 077; echo "POSTGRES_PASSWORD=$(openssl rand -hex 24)" > .env)"#).await;
    server.says("docker-compose up -d 2>&1").await;
    server.ready().await;

    // The link of the log opens set-up, and `skiff setup` makes a new one.
    let log = server.says("docker-compose logs --no-color skiff").await;
    assert!(log.contains("/setup?token="), "{log}");
    let link = server.says("skiff setup").await;
    let token = link.rsplit_once("/setup?token=").unwrap_or_else(|| panic!("{link}")).1;
    let set_up = format!(
        r#"form "/setup?token={token}" /setup "token={token}" name=Ada email=ada@example.org team=Home "password=a long first password""#
    );
    assert_eq!(server.says(&set_up).await, "303");

    contained(&server).await;

    // This machine is a host like any other: its key line pasted, its fingerprint compared and confirmed by a person.
    let host = server.says("skiff admin host --address host.docker.internal --user skiff").await;
    let host: serde_json::Value = serde_json::from_str(&host).unwrap_or_else(|_| panic!("{host}"));
    let (id, key) = (host["host"].as_str().unwrap(), host["public_key"].as_str().unwrap());
    server.host.script_changed("user.bash", &[("PUBLIC_KEY", key)]).await;
    let stranger = server.types("skiff admin provision").await;
    assert!(stranger.status != 0 && stranger.err.contains(&server.host.host_key), "{}{}", stranger.out, stranger.err);
    let confirm = format!("form /t/home/hosts/{id} /t/home/hosts/{id}/key host_key={}", server.host.host_key);
    assert_eq!(server.says(&confirm).await, "303");
    let foreign = server.host.foreign_inventory().await;
    server.says("skiff admin provision").await;
    assert_eq!(server.host.foreign_inventory().await, foreign, "the panel's own containers stay as they are");

    server.host.load_app("rig/hello:1", "1").await;
    server.says("skiff admin app hello --image rig/hello:1 --health-path /up --domain hello.localhost --watch 1").await;
    server.says("skiff admin deploy hello").await;
    let ask = "curl -s -m 10 -H 'Host: hello.localhost' http://127.0.0.1/";
    assert_eq!(server.says(ask).await, "1");

    healthy(&server).await;

    // A restart gives back what runs and ends by itself; an upgrade is a new container. Sessions, hosts and apps stay.
    let before = server.says("docker inspect --format '{{.Id}}' $(docker-compose ps -q skiff)").await;
    server.says("docker-compose stop skiff 2>&1").await;
    let ended = "docker inspect --format '{{.State.ExitCode}} {{.State.OOMKilled}}' $(docker-compose ps -q skiff)";
    assert_eq!(server.says(ended).await, "0 false");
    assert!(server.says("docker-compose logs --no-color --tail 5 skiff").await.contains("Skiff has stopped"));
    assert_eq!(server.says(ask).await, "1", "without the panel the app serves");
    server.says("docker-compose down 2>&1 && docker-compose up -d 2>&1").await;
    server.ready().await;
    assert_ne!(server.says("docker inspect --format '{{.Id}}' $(docker-compose ps -q skiff)").await, before);
    let home = server.says(&format!("page /t/home/hosts/{id}")).await;
    assert!(home.contains("host.docker.internal"), "still signed in: {home}");
    let status = server.says("skiff admin status").await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!((&status["owned"], &status["apps"][0]["version"]), (&true.into(), &1.into()), "{status}");
    server.says("skiff admin provision").await;
}

/// Docker itself takes the container for healthy, by the check that the image brings.
async fn healthy(server: &Server) {
    let health = "docker inspect --format '{{.State.Health.Status}}' $(docker-compose ps -q skiff)";
    for _ in 0..READY_TENTHS {
        if server.says(health).await == "healthy" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the container is not healthy:\n{}", server.log().await);
}

/// What the container may, and who reaches it.
async fn contained(server: &Server) {
    let format = "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{json .HostConfig.PortBindings}} \
                  {{range .Mounts}}{{.Type}}:{{.Destination}} {{end}}";
    let how = server.says(&format!("docker inspect --format '{format}' $(docker-compose ps -q skiff)")).await;
    assert_eq!(
        how,
        r#"7070:7070 true [ALL] {"7070/tcp":[{"HostIp":"127.0.0.1","HostPort":"7070"}]} volume:/var/lib/skiff-panel"#
    );
    let outside =
        format!("curl -s -m 5 -o /dev/null -w '%{{http_code}}' http://{}:7070/up || true", server.host.address);
    assert_eq!(server.says(&outside).await, "000", "nothing listens on the machine's own address");
    // Past the published port, at the container's own address: pages are shown under a loopback name only.
    let inside = "address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' \
                  $(docker-compose ps -q skiff) | cut -d' ' -f1)\ncurl -s -m 5 -o /dev/null -w '%{http_code}' http://$address:7070/login";
    assert_eq!(server.says(inside).await, "421");
    let roles = "docker-compose exec -T database psql -U postgres -tAc \
                 \"select count(*) from pg_roles where rolname like 'skiff%' and (rolsuper or rolbypassrls or rolcreaterole)\"";
    assert_eq!(server.says(roles).await, "0", "no role passes by row-level security");
    // Neither the database's name nor its password opens anything without the other.
    let stranger =
        "docker-compose exec -T database psql -w -h 127.0.0.1 -U skiff_app -d skiff -c 'select 1' 2>&1 || true";
    assert!(server.says(stranger).await.contains("password"), "the database asks for a password");
}

#[test]
fn no_file_for_docker_hands_out_the_socket_or_a_password() {
    for file in ["Dockerfile", "docker-compose.yml", "docker/roles.sh", ".dockerignore"] {
        let text = std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
        let lower = text.to_ascii_lowercase();
        for never in ["docker.sock", "privileged", "network_mode", "pid:", "cap_add", "/var/run", "trust"] {
            assert!(!lower.contains(never), "{file} says {never}");
        }
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#') && line.contains("://skiff_")) {
            assert!(line.contains(":${POSTGRES_PASSWORD"), "{file}: {line}");
        }
    }
    let compose = std::fs::read_to_string(Path::new(ROOT).join("docker-compose.yml")).unwrap();
    let published: Vec<&str> = compose.lines().map(str::trim).filter(|line| line.ends_with(":7070\"")).collect();
    assert_eq!(published, [r#"- "127.0.0.1:7070:7070""#]);
}
