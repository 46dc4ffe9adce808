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
    /// Change the name of one, or the way in; what is not said stays as it is
    Edit(Edit),
    /// Forget one: nothing on the server is touched
    Forget {
        /// Its short name
        name: String,
        /// Its name once more, so that no other one is forgotten by mistake; asked for on a terminal
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
        /// The server is gone for good, with the instances and volumes that were on it
        #[arg(long)]
        gone: bool,
    },
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
    /// The port it serves HTTPS on; 0 for none
    #[arg(long, default_value_t = 443)]
    pub https_port: u16,
    /// The fingerprint of its host key, where you know it; else it is shown, and you compare it
    #[arg(long, value_name = "SHA256:…")]
    pub host_key: Option<String>,
    /// The server to go through, where it is reached only so
    #[arg(long, value_name = "USER@ADDRESS:PORT")]
    pub jump: Option<String>,
    /// Read the user's password from standard input: Skiff puts its key there itself, and forgets the password
    #[arg(long, conflicts_with_all = ["identity", "later"])]
    pub password_stdin: bool,
    /// A private key that lets Skiff in once, instead of a password; one with a passphrase asks for it
    #[arg(long, value_name = "FILE", conflicts_with = "later")]
    pub identity: Option<std::path::PathBuf>,
    /// Only add it and print the line: it is made ready later, by skiff hosts provision
    #[arg(long)]
    pub later: bool,
}

/// What changes of a host.
#[derive(Clone, Debug, Args)]
pub struct Edit {
    /// Its short name
    pub host: String,
    /// What people call it
    #[arg(long)]
    pub name: Option<String>,
    /// Where it answers SSH
    #[arg(long)]
    pub address: Option<String>,
    /// The port of its sshd
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The user to sign in as
    #[arg(long)]
    pub user: Option<String>,
    /// The server to go through
    #[arg(long, value_name = "USER@ADDRESS:PORT", conflicts_with = "straight")]
    pub jump: Option<String>,
    /// Through no other server any more
    #[arg(long)]
    pub straight: bool,
}

/// Does it.
pub async fn run(input: Hosts) -> Result<String, Failed> {
    let client = input.common.client()?;
    match input.what.unwrap_or(What::List) {
        What::List => list(&client, &input.common).await,
        What::Add(add) => {
            let key = add.host_key.clone();
            let lets_itself_in = add.password_stdin || add.identity.is_some();
            let jump = add.jump.clone();
            let (host, later) = create(&client, add).await?;
            if lets_itself_in {
                if let Some(jump) = jump {
                    tell(&format!("This line is needed in ~/.ssh/authorized_keys on the jump host, {jump}:"));
                    tell(&at(&host, "public_key"));
                }
                return ready(&client, &input.common, &at(&host, "id"), key.as_deref()).await;
            }
            if later {
                let text = format!("{}\nThen: skiff hosts provision {}", at(&host, "public_key"), at(&host, "slug"));
                return Ok(input.common.print(Answer::new(host, text)));
            }
            match &jump {
                None => tell("Put this line into ~/.ssh/authorized_keys of that user on the host:"),
                Some(jump) => tell(&format!("Put this line into ~/.ssh/authorized_keys on the host and on {jump}:")),
            }
            tell(&at(&host, "public_key"));
            if std::io::IsTerminal::is_terminal(&std::io::stdin()) && !typed::yes("Is it there?")? {
                let slug = at(&host, "slug");
                let text = format!("It is added. When the line is there: skiff hosts provision {slug}");
                return Ok(input.common.print(Answer::new(host, text)));
            }
            ready(&client, &input.common, &at(&host, "id"), key.as_deref()).await
        }
        What::Edit(change) => edit(&client, &input.common, change).await,
        What::Forget { name, confirm, gone } => {
            let host = client.ask(Ask::get(&["hosts", &name])).await?;
            let confirm = match confirm {
                Some(confirm) => confirm,
                None => typed::line(&format!("Type {} to forget it:", at(&host, "name")))?,
            };
            let body = json!({ "name": confirm, "gone": gone });
            let forgotten = client.ask(Ask::delete_named(&["hosts", &at(&host, "id")], body)).await?;
            let remains = forgotten.get("remains").and_then(Value::as_array).cloned().unwrap_or_default();
            let mut text = format!("{} is forgotten.", at(&forgotten, "name"));
            if !remains.is_empty() {
                text.push_str(" What remains on the server goes by these lines, as root:");
            }
            for left in remains {
                text.push_str(&format!("\n# {}\n{}", at(&left, "what"), at(&left, "line")));
            }
            Ok(input.common.print(Answer::new(forgotten, text)))
        }
        What::Provision { name } => {
            let host = client.ask(Ask::get(&["hosts", &name])).await?;
            ready(&client, &input.common, &at(&host, "id"), None).await
        }
        What::Check { name } => host_checks::check(&client, &input.common, name.as_deref()).await,
        What::Script { builds, http_port } => host_checks::script(&client, &input.common, builds, http_port).await,
    }
}

/// Only what was said is sent.
async fn edit(client: &Client, common: &Common, change: Edit) -> Result<String, Failed> {
    let mut body = serde_json::Map::new();
    let texts = [("name", change.name), ("address", change.address), ("user", change.user), ("jump", change.jump)];
    for (name, text) in texts {
        body.extend(text.map(|text| (name.to_owned(), Value::from(text))));
    }
    body.extend(change.port.map(|port| ("port".to_owned(), Value::from(port))));
    if change.straight {
        body.insert("jump".to_owned(), Value::Null);
    }
    let host = client.ask(Ask::patch(&["hosts", &change.host], Value::Object(body))).await?;
    let text = format!("{} is reached at {}@{}.", at(&host, "name"), at(&host, "ssh_user"), at(&host, "address"));
    Ok(common.print(Answer::new(host, text)))
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
    let mut body = json!({
        "name": add.name, "address": add.address, "port": add.port, "user": add.user,
        "http_port": add.http_port, "https_port": add.https_port, "host_key": add.host_key, "jump": add.jump,
    });
    let mut give = |name: &str, value: String| body.as_object_mut().map(|body| body.insert(name.into(), value.into()));
    if add.password_stdin {
        give("password", typed::hidden("The password")?);
    }
    if let Some(file) = &add.identity {
        let private = std::fs::read_to_string(file)
            .map_err(|error| Failed::Said(format!("The private key {} cannot be read: {error}", file.display())))?;
        give("private_key", private);
    }
    let added = client.ask(Ask::post(&["hosts"], body.clone())).await;
    let locked = |failed: &Failed| failed.to_string().contains("One with a passphrase needs that too");
    match added {
        // Only the panel knows whether the key is locked.
        Err(failed) if locked(&failed) && std::io::IsTerminal::is_terminal(&std::io::stdin()) => {
            if let Some(body) = body.as_object_mut() {
                body.insert("passphrase".into(), typed::hidden("The passphrase of the key")?.into());
            }
            Ok((client.ask(Ask::post(&["hosts"], body)).await?, add.later))
        }
        added => Ok((added?, add.later)),
    }
}

/// Makes it ready; asks about its key, and the jump host's before it, where one was shown that nobody has compared.
async fn ready(client: &Client, common: &Common, id: &str, key: Option<&str>) -> Result<String, Failed> {
    let mut host = provision(client, id).await?;
    for (whose, seen, pinned) in
        [("jump host", "jump_key_seen", "jump_host_key"), ("host", "host_key_seen", "host_key")]
    {
        let (seen, known) = (at(&host, seen), at(&host, pinned));
        if seen.is_empty() || seen == known {
            continue;
        }
        if !known.is_empty() {
            tell(&format!("THE KEY OF THE {} HAS CHANGED. It was {known}.", whose.to_uppercase()));
            tell("Somebody may stand between the panel and it. Go on only if you know why it changed.");
        }
        tell(&format!("The {whose} showed the key {seen}"));
        tell(&format!("On the {whose}, this prints its own: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"));
        if key != Some(seen.as_str()) && !typed::yes("Are they the same?")? {
            let again = format!("skiff hosts provision {}", at(&host, "slug"));
            let why =
                format!("The host key is not confirmed, so nothing was done on the host. Compare it, then: {again}");
            return Err(common.not_as_wanted(Answer::new(host, ""), why));
        }
        let name = if known.is_empty() { String::new() } else { at(&host, "name") };
        client.ask(Ask::put(&["hosts", id, "key"], json!({ "host_key": seen, "name": name }))).await?;
        host = provision(client, id).await?;
    }
    let name = at(&host, "name");
    if at(&host, "state") == "ready" && host.get("job_state").is_none_or(|state| state == "succeeded") {
        return Ok(common.print(Answer::new(host, format!("{name} is ready."))));
    }
    let why = [format!("{name} is not ready."), at(&host, "note"), at(&host, "reason")];
    let why: Vec<String> = why.into_iter().filter(|line| !line.is_empty()).collect();
    let why = why.join("\n") + &client.more(&host);
    Err(common.not_as_wanted(Answer::new(host, ""), why))
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
