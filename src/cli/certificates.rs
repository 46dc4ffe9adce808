//! `skiff certificates`: what HTTPS is served with. Those that the panel gets by itself are asked for in `orders.rs`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Ask, Client};
use super::remote::{Answer, Common};
use super::routes::as_kept;
use super::show::{at, items, plain, table, time};
use super::{Failed, orders};

/// Certificates at most.
const MOST: usize = 10_000;
/// Domains that are named in one line.
const NAMED: usize = 3;
/// Bytes of a file that are read: a chain or a key has some KiB.
const LONGEST: u64 = 64 * 1024;

/// What is done with them.
#[derive(Clone, Debug, Args)]
pub struct Certificates {
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
    /// List them: names, days left, where they are served
    List,
    /// Upload one with its chain and its key; one for the same names is replaced
    Upload {
        /// File with the certificate and, after it, those of its issuers (PEM)
        #[arg(value_name = "CHAIN.PEM")]
        chain: PathBuf,
        /// File with the private key (PEM), without a passphrase
        #[arg(value_name = "KEY.PEM")]
        key: PathBuf,
    },
    /// Remove one, here and on the hosts
    Remove {
        /// One of its names, or its id
        name: String,
    },
    /// List those that the panel gets and renews by itself, and how each stands
    Orders,
    /// Have one got for several names together, or for all below one (*.example.org)
    Order {
        /// The names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// The DNS account to prove them with; by HTTP without it
        #[arg(long, value_name = "ACCOUNT")]
        dns_account: Option<String>,
        /// Wait until it is there; ends with 1 where it is not
        #[arg(long)]
        wait: bool,
    },
    /// Have one got now, in place of when its time comes
    Get {
        /// One of its names, or the order's id
        name: String,
        /// Wait until it is there; ends with 1 where it is not
        #[arg(long)]
        wait: bool,
    },
    /// Have one renewed no more; what was got serves until it runs out
    Forget {
        /// One of its names, or the order's id
        name: String,
    },
}

/// Does it.
pub async fn run(input: Certificates) -> Result<String, Failed> {
    let client = input.common.client()?;
    let answer = match input.what.unwrap_or(What::List) {
        What::List => list(&client).await?,
        What::Upload { chain, key } => {
            let (chain, key) = (read(&chain)?, read(&key)?);
            let made = client.ask(Ask::post(&["certificates"], json!({ "chain": chain, "key": key }))).await?;
            let text =
                format!("The certificate for {} is there; good for {} days.", names(&made), at(&made, "days_left"));
            Answer::new(made, text)
        }
        What::Remove { name } => {
            let found = find(&client, &name).await?;
            client.ask(Ask::delete(&["certificates", &at(&found, "id")])).await?;
            let text = format!("The certificate for {} is removed.", names(&found));
            Answer::new(found, text)
        }
        What::Orders => orders::list(&client).await?,
        What::Order { names, dns_account, wait } => {
            orders::order(&client, &input.common, &names, dns_account.as_deref(), wait).await?
        }
        What::Get { name, wait } => orders::get(&client, &input.common, &name, wait).await?,
        What::Forget { name } => orders::forget(&client, &name).await?,
    };
    Ok(input.common.print(answer))
}

async fn list(client: &Client) -> Result<Answer, Failed> {
    let all = client.list(Ask::get(&["certificates"]), MOST).await?;
    let row = |one: &Value| {
        let places = items(one, "hosts").iter().map(|place| match at(place, "trouble").as_str() {
            "" => at(place, "name"),
            trouble => format!("{} ({trouble})", at(place, "name")),
        });
        let elsewhere = items(one, "elsewhere").iter().filter_map(Value::as_str).map(plain).collect::<Vec<_>>();
        let more = elsewhere.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let some = elsewhere.iter().take(NAMED).cloned().collect::<Vec<_>>().join(" ");
        let elsewhere = (!elsewhere.is_empty()).then(|| format!("another one for {some}{more}"));
        [
            names(one),
            at(one, "days_left"),
            time(one, "not_after"),
            at(one, "issuer"),
            places.chain(elsewhere).collect::<Vec<_>>().join(", "),
        ]
    };
    let rows: Vec<[String; 5]> = all.iter().map(row).collect();
    let text = match rows.is_empty() {
        true => "There is no certificate yet: skiff certificates upload CHAIN.PEM KEY.PEM".to_owned(),
        false => table(["names", "days left", "until (UTC)", "issuer", "served by"], &rows),
    };
    Ok(Answer::list(all, text))
}

fn names(one: &Value) -> String {
    let names = one.get("names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    names.iter().filter_map(Value::as_str).map(plain).collect::<Vec<_>>().join(", ")
}

/// The one that is meant.
async fn find(client: &Client, name: &str) -> Result<Value, Failed> {
    let all = client.list(Ask::get(&["certificates"]), MOST).await?;
    let wanted = as_kept(name);
    let named = |one: &Value| {
        let names = one.get("names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        at(one, "id") == wanted || names.iter().any(|known| known.as_str() == Some(wanted.as_str()))
    };
    let mut found: Vec<Value> = all.into_iter().filter(named).collect();
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), _) => Err(Failed::Said(format!(
            "Several certificates are for {}. Give the id: skiff certificates --json",
            plain(name)
        ))),
        (None, _) => Err(Failed::Said(format!(
            "There is no certificate for {}. Those that are there: skiff certificates",
            plain(name)
        ))),
    }
}

/// A file of PEM.
pub(super) fn read(file: &Path) -> Result<String, Failed> {
    let cannot = |why: String| Failed::Said(format!("{} cannot be read: {why}.", plain(&file.display().to_string())));
    let size = std::fs::metadata(file).map_err(|error| cannot(error.to_string()))?.len();
    if size > LONGEST {
        return Err(cannot("it is larger than 64 KiB".to_owned()));
    }
    let bytes = std::fs::read(file).map_err(|error| cannot(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| {
        let name = plain(&file.display().to_string());
        Failed::Said(format!(
            "{name} is not PEM, which is text. openssl writes it so: a certificate (DER) by `openssl x509 -inform der -in FILE -out cert.pem`, \
             a key (DER) by `openssl pkey -inform der -in FILE -out key.pem`, and what is in a .p12 or .pfx (PKCS#12) by `openssl pkcs12 -in FILE -nodes`."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_text_is_told_how_it_becomes_pem() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.cer");
        // DER begins with a sequence and its length.
        std::fs::write(&file, [0x30, 0x82, 0x03, 0xe8, 0x00]).unwrap();
        let said = read(&file).unwrap_err().to_string();
        for part in
            ["shop.cer is not PEM", "openssl x509 -inform der -in FILE -out cert.pem", "openssl pkcs12 -in FILE -nodes"]
        {
            assert!(said.contains(part), "{said}");
        }
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----").unwrap();
        assert!(read(&file).is_ok());
    }
}
