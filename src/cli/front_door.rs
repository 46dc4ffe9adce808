//! `skiff admin acme` and `skiff admin address`: the authority that certificates come from, and the panel's own name, by a shell of
//! the panel's machine. Waits with words on standard error; what was reached by before goes on working in any case.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::admin::find_host;
use super::{Failed, show, typed};
use crate::actions::acme::{self, Choice, ChosenView, OrderState};
use crate::actions::panel::{self, AddressLine};
use crate::actions::{Ctx, Refused};
use crate::domain::names::Domain;
use crate::domain::rights::Actor;

/// Bytes of a root or a key that are read: a certificate has some KiB.
const LONGEST_FILE: u64 = 64 * 1024;
/// How long a name is waited for: one that leads here is reached within seconds, and an authority takes some more.
const REACHED_WITHIN: Duration = Duration::from_secs(90);
/// How long it is waited for once it was said what is missing: a person will hardly mend it while this waits.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What stands for a name made of the server's address.
const MADE: &str = "auto";

/// A certificate authority that shall be the panel's.
#[derive(Clone, Debug, Args)]
pub struct Acme {
    /// letsencrypt, letsencrypt-staging or other [default: other with --directory, else what is chosen already, else letsencrypt]
    #[arg(long)]
    pub authority: Option<String>,
    /// The https:// address of another one's directory
    #[arg(long, value_name = "URL")]
    pub directory: Option<String>,
    /// Whom it may write to
    #[arg(long)]
    pub email: Option<String>,
    /// File with the root of an authority of your own (PEM), or - for standard input
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// The id of the key it wants accounts bound to (EAB) [default: where the same authority was chosen before, the one that is kept]
    #[arg(long, value_name = "ID")]
    pub eab_id: Option<String>,
    /// File with that key, or - for standard input [default: it is typed without echo]
    #[arg(long, value_name = "FILE", requires = "eab_id")]
    pub eab_key_file: Option<PathBuf>,
    /// Says that its terms are agreed to
    #[arg(long)]
    pub agree_to_terms: bool,
}

/// A name the panel shall have.
#[derive(Clone, Debug, Args)]
pub struct Address {
    /// The name, such as panel.example.org; "auto" for one made of the server's public address
    pub domain: String,
    /// The host whose proxy leads to the panel [default: the only one that serves HTTPS, or this machine]
    #[arg(long)]
    pub host: Option<String>,
}

/// Chooses an authority. What is not said stays, where the same was chosen before.
pub async fn choose(ctx: &Ctx, actor: &Actor, input: Acme) -> Result<Value, Failed> {
    let standard = |file: &Option<PathBuf>| file.as_ref().is_some_and(|file| file.as_os_str() == "-");
    if standard(&input.root)
        && input.eab_id.is_some()
        && (standard(&input.eab_key_file) || input.eab_key_file.is_none())
    {
        let words = "Standard input is the root: give the key that belongs to --eab-id by --eab-key-file FILE.";
        return Err(Failed::Said(words.to_owned()));
    }
    let root = input.root.as_deref().map(|file| read_file("root", file)).transpose()?;
    let known = acme::chosen(ctx, actor).await?;
    let (authority, directory) = match (input.authority, input.directory, &known) {
        // Somebody's choice stays where no other is named.
        (None, None, Some(known)) => (known.authority.to_owned(), known.directory.clone()),
        (None, None, None) => ("letsencrypt".to_owned(), String::new()),
        (None, Some(directory), _) => ("other".to_owned(), directory),
        (Some(authority), Some(directory), _) if authority != "other" => {
            let words = format!("--directory {directory} is for --authority other; {authority} has one of its own.");
            return Err(Failed::Said(words));
        }
        (Some(authority), None, Some(known)) if authority == "other" && known.authority == "other" => {
            (authority, known.directory.clone())
        }
        (Some(authority), directory, _) => (authority, directory.unwrap_or_default()),
    };
    let same =
        |known: &&ChosenView| known.authority == authority && (authority != "other" || known.directory == directory);
    let of = |read: fn(&ChosenView) -> &String| known.as_ref().filter(same).map(read).cloned().unwrap_or_default();
    let bound = known.as_ref().filter(same).map(|known| known.eab_id.as_str());
    let eab_key = match (&input.eab_id, &input.eab_key_file) {
        (_, Some(file)) => read_file("key", file)?,
        // The one that is kept.
        (Some(id), None) if bound == Some(id.trim()) => String::new(),
        (Some(id), None) => typed::hidden(&format!("Key {}", show::plain(id)))?,
        (None, None) => String::new(),
    };
    let choice = Choice {
        email: input.email.unwrap_or_else(|| of(|known| &known.email)),
        ca_root: root.unwrap_or_else(|| of(|known| &known.ca_root)),
        eab_id: input.eab_id.unwrap_or_else(|| of(|known| &known.eab_id)),
        eab_key,
        terms: input.agree_to_terms,
        authority: authority.clone(),
        directory: directory.clone(),
    };
    let same_key = choice.eab_key.trim().is_empty() || acme::is_bound_by(ctx, actor, &choice.eab_key).await?;
    let changed = !known.as_ref().filter(same).is_some_and(|known| {
        same_key
            && known.email == choice.email.trim()
            && known.ca_root == choice.ca_root.trim()
            && known.eab_id == choice.eab_id.trim()
    });
    if changed {
        acme::choose(ctx, actor, choice).await?;
    }
    let chosen = acme::chosen(ctx, actor).await?;
    Ok(json!({ "directory": chosen.map(|chosen| chosen.directory), "changed": changed }))
}

/// A file, or standard input.
fn read_file(what: &str, file: &Path) -> Result<String, Failed> {
    let cannot = |why: String| Failed::Said(format!("The {what} {} cannot be read: {why}.", file.display()));
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().lock().take(LONGEST_FILE).read_to_string(&mut text),
        false => std::fs::File::open(file).and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text)),
    };
    read.map_err(|error| cannot(error.to_string()))?;
    match text.trim().is_empty() {
        true => Err(cannot("nothing is in it".to_owned())),
        false => Ok(text),
    }
}

/// Gives the panel a name and waits until it is reached by it.
pub async fn address(ctx: &Ctx, actor: &Actor, input: Address) -> Result<Value, Failed> {
    let view = panel::address(ctx, actor).await?;
    let host = match (&input.host, view.servers.as_slice()) {
        (Some(name), _) => find_host(ctx, actor, name).await?.to_string(),
        (None, [_, _, ..]) => {
            view.servers.iter().find(|server| server.here).map(|server| server.id.to_string()).unwrap_or_default()
        }
        (None, _) => String::new(),
    };
    let domain = match input.domain.as_str() {
        MADE => {
            let mut servers = view.servers.iter().filter(|server| host.is_empty() || server.id.to_string() == host);
            servers.find_map(|server| server.made_name.clone()).ok_or_else(no_public_address)?
        }
        typed => typed.parse::<Domain>().map_err(|bad| Refused::field("domain", bad.0))?.to_string(),
    };
    let former = view.serving.as_ref().map(|line| line.domain.clone()).filter(|former| former.as_ref() != domain);
    let there =
        |line: &AddressLine| line.domain.as_ref() == domain && (host.is_empty() || line.host.to_string() == host);
    if let Some(line) = view.serving.filter(there) {
        return Ok(json!({ "url": line.url, "kept": true, "changed": false }));
    }
    let form = panel::NewAddress { domain: domain.clone(), host, keep: true };
    panel::try_address(ctx, actor, form).await?;
    let answer = wait(ctx, actor, &domain).await?;
    if let Some(former) = former {
        show::tell(&format!(
            "{former} leads here no more. Forges that push to it and machines that signed in with it are given the new name there."
        ));
    }
    Ok(answer)
}

fn no_public_address() -> Failed {
    Failed::Said(
        "No name can be made of this server's address, as it is not a public one. Give the panel a name of yours, or one made of \
         the address that the internet knows it by, such as 203-0-113-7.sslip.io."
            .to_owned(),
    )
}

async fn wait(ctx: &Ctx, actor: &Actor, domain: &str) -> Result<Value, Failed> {
    let mut until = Instant::now() + REACHED_WITHIN;
    let mut told = String::new();
    loop {
        let view = panel::address(ctx, actor).await?;
        let former = view.serving.as_ref().map(|line| line.domain.clone());
        // A name that is led through another server serves and is on trial at once.
        let on_trial = view.trial.as_ref().is_some_and(|line| line.domain.as_ref() == domain);
        if let Some(line) = view.serving.filter(|line| line.domain.as_ref() == domain && !on_trial) {
            // It was kept, though not all could be tried.
            if !line.note.is_empty() && line.note != told {
                show::tell(&line.note);
            }
            return Ok(json!({ "url": line.url, "kept": true, "changed": true }));
        }
        let Some(trial) = view.trial.filter(|line| line.domain.as_ref() == domain) else {
            return Err(Failed::Said(format!("Somebody else ended the trial of {domain} meanwhile.")));
        };
        if let (Some(_), Some(former)) = (trial.reached_at, &former) {
            let answer = json!({ "url": trial.url, "kept": false, "changed": false });
            let reason = format!(
                "{} {former} stays the panel's name until somebody keeps the new one: open {} within 15 minutes, sign in and keep it. \
                 Where {former} works no more, give it up on the page Panel, at {}, and then: sudo skiff admin address {domain}",
                trial.note, trial.url, view.loopback
            );
            return Err(Failed::Ended { answer, reason: reason.trim_start().to_owned(), help: None });
        }
        let (words, missing) = stands(ctx, actor, &trial).await?;
        if !words.is_empty() && words != told {
            show::tell(&words);
            told = words;
        }
        if missing {
            until = until.min(Instant::now() + PATIENCE);
        }
        if Instant::now() > until {
            let answer = json!({ "url": trial.url, "kept": false, "changed": false });
            let reason = format!(
                "{told} {domain} is tried for half an hour, and kept as soon as it leads here{}. After that: sudo skiff admin address {domain}",
                match former {
                    Some(_) => ", or, where it is seen from inside alone, once you open it and keep it",
                    None => "",
                }
            );
            return Err(Failed::Ended { answer, reason: reason.trim_start().to_owned(), help: None });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// How the trial stands, in words, and whether something is missing that does not come by itself. What keeps the certificate away
/// says more than that there is none.
async fn stands(ctx: &Ctx, actor: &Actor, trial: &AddressLine) -> Result<(String, bool), Failed> {
    let order = acme::of_name(ctx, actor, trial.domain.as_ref()).await?;
    Ok(match order {
        Some(order) if order.state == OrderState::Valid => (trial.note.clone(), false),
        // What the last try found is old while another one is made.
        Some(order) if !order.trouble.is_empty() && order.job.is_none() => (order.trouble, true),
        Some(_) => (format!("A certificate for {} is being got.", trial.domain), false),
        None => (trial.note.clone(), !trial.note.is_empty()),
    })
}
