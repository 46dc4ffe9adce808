//! Throttling of sign-ins. Who guesses is shut out by where they guess from, so that a stranger who knows an e-mail address
//! cannot shut its owner out: failures count against one account *from one client*, and against the client alone. What many
//! clients together do to one account only slows strangers to it down: where the account is signed in, it goes on as ever.
//! Not here: passwords.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::PgConnection;

/// The time failures are counted over.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Failures at one account from one client in that time: a person who tries all the passwords they have.
const PER_PAIR: i64 = 10;
/// Failures from one client in that time: an office behind one address.
const PER_CLIENT: i64 = 50;
/// Failures at one account from everywhere in that time: more than its people make, so somebody guesses from many places.
const PER_ACCOUNT: i64 = 100;
/// Then clients that the account is not signed in from share one attempt in this time: 1,200 guesses an hour find no
/// password of 12 characters, and its owner on a new device gets through after some tries.
const PAUSE: Duration = Duration::from_secs(3);

/// Counts an attempt before the password is looked at, so that many at once are counted too. Some where it must wait
/// for so long instead.
pub async fn attempt(conn: &mut PgConnection, email: &str, address: &str) -> Result<Option<Duration>, sqlx::Error> {
    let Subjects { account, client, pair } = Subjects::new(email, address);
    for (subject, most) in [(&pair, PER_PAIR), (&client, PER_CLIENT)] {
        if let Some(wait) = must_wait(&mut *conn, subject, most).await? {
            return Ok(Some(wait));
        }
    }
    if let Some(wait) = pause(&mut *conn, &account, email, address).await? {
        return Ok(Some(wait));
    }
    count(conn, &[account, client, pair]).await?;
    Ok(None)
}

/// How long this subject must wait, where it has failed so often in the window: until the attempt that was `most` ago
/// leaves it.
pub(super) async fn must_wait(
    conn: &mut PgConnection,
    subject: &str,
    most: i64,
) -> Result<Option<Duration>, sqlx::Error> {
    let wait = sqlx::query_scalar!(
        r#"select extract(epoch from at + make_interval(secs => $2) - now())::float8 as "wait!"
             from sign_in_failures where subject = $1 and at > now() - make_interval(secs => $2)
            order by at desc offset $3 limit 1"#,
        subject,
        WINDOW.as_secs_f64(),
        most - 1,
    )
    .fetch_optional(conn)
    .await?;
    Ok(wait.map(at_least_a_second))
}

/// Counts an attempt against these subjects, and forgets what has left the window.
pub(super) async fn count(conn: &mut PgConnection, subjects: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from sign_in_failures where at < now() - make_interval(secs => $1)", WINDOW.as_secs_f64())
        .execute(&mut *conn)
        .await?;
    sqlx::query!("insert into sign_in_failures (subject) select unnest($1::text[])", subjects)
        .execute(conn)
        .await
        .map(drop)
}

/// How long an account that many clients guess at makes this one wait; none where it is signed in from there.
async fn pause(
    conn: &mut PgConnection,
    account: &str,
    email: &str,
    address: &str,
) -> Result<Option<Duration>, sqlx::Error> {
    let wait = sqlx::query_scalar!(
        r#"select extract(epoch from max(at) + make_interval(secs => $3) - now())::float8 as "wait!"
             from sign_in_failures where subject = $1 and at > now() - make_interval(secs => $2)
           having count(*) >= $4 and max(at) > now() - make_interval(secs => $3)
              and not exists (select 1 from sessions s join accounts a on a.id = s.account_id
                               where a.email = $5 and s.address = $6 and s.expires_at > now())"#,
        account,
        WINDOW.as_secs_f64(),
        PAUSE.as_secs_f64(),
        PER_ACCOUNT,
        email.trim().to_lowercase(),
        address,
    )
    .fetch_optional(conn)
    .await?;
    Ok(wait.map(at_least_a_second))
}

/// A wait that is worth saying.
fn at_least_a_second(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(WINDOW).max(Duration::from_secs(1))
}

/// The attempt was right: what this client did wrong at the account is forgotten, and the attempt is taken back from the
/// client's and the account's.
pub async fn succeeded(conn: &mut PgConnection, email: &str, address: &str) -> Result<(), sqlx::Error> {
    let Subjects { account, client, pair } = Subjects::new(email, address);
    sqlx::query!(
        "delete from sign_in_failures
          where subject = $1
             or ctid = (select ctid from sign_in_failures where subject = $2 order by at desc limit 1)
             or ctid = (select ctid from sign_in_failures where subject = $3 order by at desc limit 1)",
        pair,
        client,
        account,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Forgets the attempts on an account, and those from the panel's own machine: its password was set there.
pub async fn forgive(conn: &mut PgConnection, email: &str) -> Result<(), sqlx::Error> {
    let Subjects { account, client, pair } = Subjects::new(email, "127.0.0.1");
    sqlx::query!("delete from sign_in_failures where subject in ($1, $2, $3)", account, client, pair)
        .execute(conn)
        .await
        .map(drop)
}

/// What stands in the table: hashes, so that it is no list of who has tried from where.
struct Subjects {
    account: String,
    client: String,
    pair: String,
}

impl Subjects {
    fn new(email: &str, address: &str) -> Self {
        let (email, place) = (email.trim().to_lowercase(), place(address));
        Self {
            account: subject("email", &email),
            client: subject("address", &place),
            pair: subject("pair", &format!("{place} {email}")),
        }
    }
}

/// What is counted, as it stands in the table.
pub(super) fn subject(kind: &str, text: &str) -> String {
    format!("{kind}:{}", hex::encode(Sha256::digest(text.as_bytes())))
}

/// Where a client is: its address, and of IPv6 the network, as everybody there has 2⁶⁴ addresses.
pub(super) fn place(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => address.segments().iter().take(4).map(|part| format!("{part:x}:")).collect(),
        Ok(address) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}
