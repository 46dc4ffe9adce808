//! The session: which account a browser is signed in as, its form token, and how long it lasts.
//! Not here: where it is stored (a store is handed in; the browser's id is kept there as a hash only).

use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore, cookie::SameSite, session_store};

use super::csrf;
use crate::domain::help::Topic;
use crate::domain::ids::AccountId;
use crate::domain::rights::Moment;

/// A session nobody used for so long is over.
const IDLE: Duration = Duration::days(7);
/// A session is over after this, used or not.
const ABSOLUTE: Duration = Duration::days(30);
/// "Last seen" is written at most this often: a page that refreshes itself must not write a row each time.
const SEEN_EVERY: Duration = Duration::minutes(5);
/// The cookie over https: the prefix makes browsers refuse it from anywhere but this very host.
const SECURE_COOKIE: &str = "__Host-sid";
/// The cookie over http on loopback, where the prefix is not allowed.
const PLAIN_COOKIE: &str = "sid";

/// Keys of what a session holds. The store copies the first three into columns.
pub mod key {
    /// The account.
    pub const ACCOUNT: &str = "account";
    /// What the browser calls itself.
    pub const DEVICE: &str = "device";
    /// The client's address.
    pub const ADDRESS: &str = "address";
    /// The form token.
    pub const TOKEN: &str = "token";
    /// When it began, in seconds since 1970.
    pub const BEGAN: &str = "began";
    /// When it was last written, in seconds since 1970.
    pub const SEEN: &str = "seen";
    /// The moment of the database at which the store read it. Never stored.
    pub const MOMENT: &str = "moment";
    /// A sentence to show once.
    pub const FLASH: &str = "told";
}

/// The store that was handed in: the layer wants a sized one.
#[derive(Clone, Debug)]
pub struct Store(pub Arc<dyn SessionStore>);

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        self.0.create(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.0.save(record).await
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        self.0.load(id).await
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.0.delete(id).await
    }
}

/// The layer that reads the cookie and writes the session back.
pub fn layer(store: Store, secure: bool) -> SessionManagerLayer<Store> {
    SessionManagerLayer::new(store)
        .with_name(if secure { SECURE_COOKIE } else { PLAIN_COOKIE })
        .with_secure(secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(IDLE))
}

/// Somebody signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The account.
    pub account: AccountId,
    /// The token its forms carry.
    pub token: String,
    /// The moment at which the session was read, where the store says it.
    pub moment: Option<Moment>,
}

/// Begins a session for this account: whatever the browser held before is gone, its id with it.
pub async fn sign_in(
    session: &Session,
    account: AccountId,
    device: &str,
    address: &str,
) -> Result<(), tower_sessions::session::Error> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    // Not `flush`: it would keep the id the browser came with, planted ones too, for the record that follows.
    session.clear().await;
    session.cycle_id().await?;
    session.insert(key::ACCOUNT, account).await?;
    session.insert(key::DEVICE, device).await?;
    session.insert(key::ADDRESS, address).await?;
    session.insert(key::TOKEN, csrf::token()).await?;
    session.insert(key::BEGAN, now).await?;
    session.insert(key::SEEN, now).await
}

/// Ends the session, here and in the store.
pub async fn sign_out(session: &Session) -> Result<(), tower_sessions::session::Error> {
    session.flush().await
}

/// Who is signed in, if anybody still is. Notes that they were seen.
pub async fn signed_in(session: &Session) -> Result<Option<SignedIn>, tower_sessions::session::Error> {
    let (Some(account), Some(token), Some(began)) = (
        session.get::<AccountId>(key::ACCOUNT).await?,
        session.get::<String>(key::TOKEN).await?,
        session.get::<i64>(key::BEGAN).await?,
    ) else {
        return Ok(None);
    };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    if !(0..=ABSOLUTE.whole_seconds()).contains(&now.saturating_sub(began)) {
        session.flush().await?;
        return Ok(None);
    }
    let seen = session.get::<i64>(key::SEEN).await?.unwrap_or(began);
    if now.saturating_sub(seen) >= SEEN_EVERY.whole_seconds() {
        session.insert(key::SEEN, now).await?;
    }
    let moment = session.get::<String>(key::MOMENT).await?.map(Moment);
    Ok(Some(SignedIn { account, token, moment }))
}

/// Keeps a sentence for the next page.
pub async fn flash(session: &Session, sentence: &str) -> Result<(), tower_sessions::session::Error> {
    session.insert(key::FLASH, Kept { words: sentence.to_owned(), help: None }).await
}

/// Keeps for the next page why something was not done, and where the docs say more.
pub async fn flash_refused(session: &Session, why: &str, topic: Topic) -> Result<(), tower_sessions::session::Error> {
    session.insert(key::FLASH, Kept { words: why.to_owned(), help: Some(topic.path()) }).await
}

/// Takes the sentence that was kept.
pub async fn take_flash(session: &Session) -> Option<Flash> {
    // Looked at first: the session counts taking what is not there as a change, and would be written at every page.
    session.get::<Kept>(key::FLASH).await.ok().flatten()?;
    let kept = session.remove::<Kept>(key::FLASH).await.ok().flatten()?;
    let help = kept.help.and_then(|path| Topic::ALL.iter().copied().find(|topic| topic.path() == path));
    Some(Flash { words: kept.words, help })
}

/// A sentence about what was just done, or was not.
#[derive(Clone, Debug)]
pub struct Flash {
    /// The sentence.
    pub words: String,
    /// Where the docs say more about why it was not done; none where it was.
    pub help: Option<Topic>,
}

/// The same in the session.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    words: String,
    help: Option<String>,
}

/// What the store knows the session by: the hash of its id.
pub fn hash(session: &Session) -> Vec<u8> {
    session.id().map(|id| Sha256::digest(id.0.to_le_bytes()).to_vec()).unwrap_or_default()
}
