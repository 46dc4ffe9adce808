//! Names of the internet, looked up by the machine's own resolver: what the panel's users would be led to. Not here: what an answer
//! means.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::domain::doctor::Resolved;

/// A resolver that is asked about one name answers in milliseconds; one that is away keeps a thread for longer than this.
const LIMIT: Duration = Duration::from_secs(3);
/// Names asked about side by side: each takes a thread of the machine while it is asked.
const AT_ONCE: usize = 32;
/// Addresses of one name that are kept: nobody has more of a panel's hosts.
const ADDRESSES: usize = 32;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// What a name leads to. An address leads to itself.
pub async fn look_up(name: &str) -> Resolved {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Resolved::Addresses([address].into());
    }
    let asked = async {
        // Never closed; whoever waits longer than the limit gets no turn.
        let _turn = TURNS.acquire().await.ok();
        tokio::net::lookup_host((name, 0)).await.map(|found| {
            let addresses: BTreeSet<IpAddr> =
                found.map(|address| address.ip().to_canonical()).take(ADDRESSES).collect();
            addresses
        })
    };
    match tokio::time::timeout(LIMIT, asked).await {
        Ok(Ok(addresses)) if addresses.is_empty() => Resolved::Nowhere,
        Ok(Ok(addresses)) => Resolved::Addresses(addresses),
        Ok(Err(error)) => refused(&error.to_string()),
        Err(_) => Resolved::NotAsked(format!("the name server did not answer within {} s", LIMIT.as_secs())),
    }
}

/// What the resolver's own words mean (getaddrinfo(3), gai_strerror of glibc and of musl).
fn refused(words: &str) -> Resolved {
    let nowhere = ["Name or service not known", "No address associated", "Name does not resolve", "Name has no usable"];
    match nowhere.iter().any(|known| words.contains(known)) {
        true => Resolved::Nowhere,
        false => {
            let why = words.rsplit(": ").next().unwrap_or(words);
            Resolved::NotAsked(format!("the name server says \"{why}\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_resolver_says_is_understood() {
        let said = |words: &str| refused(&["failed to lookup address information: ", words].concat());
        assert_eq!(said("Name or service not known"), Resolved::Nowhere);
        assert_eq!(said("No address associated with hostname"), Resolved::Nowhere);
        let Resolved::NotAsked(why) = said("Temporary failure in name resolution") else { panic!() };
        assert_eq!(why, "the name server says \"Temporary failure in name resolution\"");
    }

    #[tokio::test]
    async fn an_address_leads_to_itself_and_localhost_to_this_machine() {
        let address: IpAddr = "203.0.113.7".parse().unwrap();
        assert_eq!(look_up("203.0.113.7").await, Resolved::Addresses([address].into()));
        let Resolved::Addresses(addresses) = look_up("localhost").await else { panic!("localhost leads nowhere") };
        assert!(addresses.iter().all(|address| address.is_loopback()));
    }
}
