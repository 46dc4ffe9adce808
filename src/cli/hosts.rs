//! `skiff hosts`: listed, added with a fingerprint that is compared, made ready. Not here: looked at (`host_checks.rs`).

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::apps::MOST;
use super::client::{Ask, Client};
use super::remote::{Answer, Common};
use super::show::{at, state, table, tell};
use super::{Failed, follow, host_checks, typed};

/// What to do with which.
#[derive(Clone, Debug, Args)]
pub struct Hosts {
    /// What to do [default: list]
    #[command(subcommand)]
    pub what: Option<What>,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// What is done.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// List them
    List,
    /// Add one: prints the line for its authorized_keys, shows its fingerprint, makes it ready
    Add(Add),
    /// Make one ready, or look at it again, and wait for that
    Provision {
        /// Its short name
        name: String,
    },
    /// Look whether hosts are as they were made; ends with 1 where something differs or one does not answer
    Check {
        /// Its short name [default: all that are ready]
        name: Option<String>,
    },
    /// Print a script that makes a server ready before it is added: as user data, or to run there as root
    Script {
        /// It shall build for the other hosts
        #[arg(long)]
        builds: bool,
        /// The port its proxy listens on
        #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
        http_port: u16,
    },
}

/// A host that shall be there.
#[derive(Clone, Debug, Args)]
pub struct Add {
    /// What people call it
    pub name: String,
    /// Where it answers SSH
    pub address: String,
    /// The port of its sshd
    #[arg(long, default_value_t = 22, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// The user to sign in as the first time
    #[arg(long, default_value = "root")]
    pub user: String,
    /// The port its proxy listens on
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    pub http_port: u16,
    /// The fingerprint of its host key, where you know it; else it is shown, and you compare it
    #[arg(long, value_name = "SHA256:…")]
    pub host_key: Option<String>,
    /// Only add it and print the line: it is made ready later, by skiff hosts provision
    #[arg(long)]
    pub later: bool,
}

/// Does it.
pub async fn run(input: Hosts) -> Result<String, Failed> {
    let client = input.common.client()?;
    match input.what.unwrap_or(What::List) {
        What::List => list(&client, &input.common).await,
        What::Add(add) => {
            let key = add.host_key.clone();
            let (host, later) = create(&client, add).await?;
            if later {
                let text = format!("{}\nThen: skiff hosts provision {}", at(&host, "public_key"), at(&host, "slug"));
                return Ok(input.common.print(Answer::new(host, text)));
            }
            tell("Put this line into ~/.ssh/authorized_keys of that user on the host:");
            tell(&at(&host, "public_key"));
            if std::io::IsTerminal::is_terminal(&std::io::stdin()) && !typed::yes("Is it there?")? {
                let slug = at(&host, "slug");
                let text = format!("It is added. When the line is there: skiff hosts provision {slug}");
                return Ok(input.common.print(Answer::new(host, text)));
            }
            ready(&client, &input.common, &at(&host, "id"), key.as_deref()).await
        }
        What::Provision { name } => {
            let host = client.ask(Ask::get(&["hosts", &name])).await?;
            ready(&client, &input.common, &at(&host, "id"), None).await
        }
        What::Check { name } => host_checks::check(&client, &input.common, name.as_deref()).await,
        What::Script { builds, http_port } => host_checks::script(&client, &input.common, builds, http_port).await,
    }
}

async fn list(client: &Client, common: &Common) -> Result<String, Failed> {
    let hosts = client.list(Ask::get(&["hosts"]), MOST).await?;
    let row = |host: &Value| {
        [
            at(host, "slug"),
            state(host, "state"),
            at(host, "address"),
            at(host, "facts.docker"),
            at(host, "instances"),
            at(host, "note"),
        ]
    };
    let rows: Vec<[String; 6]> = hosts.iter().map(row).collect();
    let text = if rows.is_empty() {
        "There are no hosts yet: skiff hosts add NAME ADDRESS".into()
    } else {
        table(["host", "state", "address", "docker", "instances", "note"], &rows)
    };
    Ok(common.print(Answer::list(hosts, text)))
}

async fn create(client: &Client, add: Add) -> Result<(Value, bool), Failed> {
    let body = json!({
        "name": add.name, "address": add.address, "port": add.port, "user": add.user,
        "http_port": add.http_port, "host_key": add.host_key,
    });
    Ok((client.ask(Ask::post(&["hosts"], body)).await?, add.later))
}

/// Makes it ready; asks about its key where it showed one that nobody has compared.
async fn ready(client: &Client, common: &Common, id: &str, key: Option<&str>) -> Result<String, Failed> {
    let mut host = provision(client, id).await?;
    let seen = at(&host, "host_key_seen");
    if !seen.is_empty() && seen != at(&host, "host_key") {
        let known = at(&host, "host_key");
        if !known.is_empty() {
            tell(&format!("ITS HOST KEY HAS CHANGED. It was {known}."));
            tell("Somebody may stand between the panel and the host. Go on only if you know why it changed.");
        }
        tell(&format!("It showed the host key {seen}"));
        tell("On the host, this prints its own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
        if key != Some(seen.as_str()) && !typed::yes("Are they the same?")? {
            let again = format!("skiff hosts provision {}", at(&host, "slug"));
            let why =
                format!("The host key is not confirmed, so nothing was done on the host. Compare it, then: {again}");
            return Err(common.not_as_wanted(Answer::new(host, ""), why));
        }
        client.ask(Ask::put(&["hosts", id, "key"], json!({ "host_key": seen }))).await?;
        host = provision(client, id).await?;
    }
    let name = at(&host, "name");
    if at(&host, "state") == "ready" && host.get("job_state").is_none_or(|state| state == "succeeded") {
        return Ok(common.print(Answer::new(host, format!("{name} is ready."))));
    }
    let why = [format!("{name} is not ready."), at(&host, "note"), at(&host, "reason")];
    let why: Vec<String> = why.into_iter().filter(|line| !line.is_empty()).collect();
    Err(common.not_as_wanted(Answer::new(host, ""), why.join("\n")))
}

/// One run that makes it ready, followed to its end; gives the host, and how the job ended beside it.
async fn provision(client: &Client, id: &str) -> Result<Value, Failed> {
    let begun = client.ask(Ask::post(&["hosts", id, "provision"], json!({}))).await?;
    let job = at(&begun, "job");
    follow::until_over(client, &["jobs", &job], "Making the host ready").await?;
    let (mut host, job) =
        tokio::try_join!(client.ask(Ask::get(&["hosts", id])), client.ask(Ask::get(&["jobs", &job])))?;
    if let Some(host) = host.as_object_mut() {
        host.insert("job_state".into(), job.get("state").cloned().unwrap_or_default());
        host.insert("reason".into(), job.get("reason").cloned().unwrap_or_default());
    }
    Ok(host)
}
