//! Waiting until a record that was written is seen, by those that keep its zone.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Stop, Work};
use crate::domain::acme::Trouble;
use crate::domain::acme::record::{self, Next, Said};
use crate::domain::dns::Kind;
use crate::providers::names::{Keepers, NoAnswer};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

impl Work<'_> {
    /// Until all that keep it and answer have it, and no longer than is good.
    pub(super) async fn is_seen(&self, record: String, text: &str, written: Instant) -> Result<(), Stop> {
        let names = &self.ctx.names;
        let mut keepers: Option<Keepers> = None;
        let (mut resolver, mut asked) = (None, None);
        loop {
            let mut found = Vec::new();
            if keepers.is_none() {
                match names.keepers(&record, Kind::Txt).await {
                    Ok(known) => keepers = Some(known),
                    Err(NoAnswer(why)) => found.push(("its zone".to_owned(), Said::Silent(why))),
                }
            }
            if let Some(known) = &keepers {
                found = known.have(text.as_bytes()).await;
                if found.iter().all(|(_, said)| matches!(said, Said::Silent(_))) {
                    // Those may not be the ones any more, or were not reached on the way to others.
                    keepers = None;
                }
            }
            match record::next(&found, written.elapsed(), names.settle, asked) {
                Next::Seen => return Ok(()),
                Next::Over => {
                    let found = record::whereabouts(&found, resolver.as_ref());
                    return Err(Trouble::NotSeen { record, found }.into());
                }
                Next::Again => {}
                Next::Hearsay => {
                    asked = Some(written.elapsed());
                    let said = match names.texts(&record).await {
                        Ok(texts) if texts.iter().any(|known| known == text.as_bytes()) => return Ok(()),
                        Ok(_) => Said::HasNot,
                        Err(NoAnswer(why)) => Said::Silent(why),
                    };
                    resolver = Some(said);
                }
            }
            sleep(PAUSE).await;
        }
    }
}
