//! Certificates that are got by themselves: what is wanted, how it stands, DNS accounts, the panel's authority.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::jobs::{Begun, Nothing};
use crate::actions::acme::{
    self, ChosenView, DnsAccess, DnsAccountView, DomainView, NewDnsAccount, OrderState, OrderView,
};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Created, Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post, put};
use crate::api::take::{Asked, OfApp, OfId, Sent};
use crate::domain::dns::AccountKind;
use crate::domain::help::Topic;
use crate::domain::ids::{AcmeOrderId, DnsAccountId};
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit, own) = (Permission::View, Permission::EditProjects, Permission::OwnTeam);
    let (orders, accounts, authority) = ("/certificate-orders", "/dns-accounts", "/certificate-authority");
    Routes::new()
        .about(Topic::CertificateOrders)
        .add(
            get(orders, view)
                .title("Certificates that Skiff gets and renews, and how each stands")
                .gives::<Page<Order>>(),
            list,
        )
        .add(
            post(orders, edit)
                .title("Have a certificate got for several names together, or for all below one")
                .gives::<Created<Order>>(),
            order,
        )
        .add(
            post("/certificate-orders/{id}/now", edit)
                .title("Have a certificate got now, in place of when its time comes")
                .gives::<Accepted<Begun>>(),
            now,
        )
        .add(
            delete("/certificate-orders/{id}", edit)
                .title("Have a certificate renewed no more; what was got serves until it runs out"),
            remove,
        )
        .add(
            get("/apps/{app}/certificates", view)
                .title("How the certificates of an app's domains stand")
                .gives::<Page<DomainCertificate>>(),
            of_app,
        )
        .add(
            post("/apps/{app}/certificates", Permission::EditApps)
                .title("Have the certificate of one of an app's domains got now")
                .gives::<Accepted<Begun>>(),
            now_for,
        )
        .add(
            get(accounts, view).title("Accounts with whoever keeps the team's domains").gives::<Page<DnsAccount>>(),
            list_accounts,
        )
        .add(
            post(accounts, edit)
                .title("Keep an account that proves names by DNS; its token is sealed and never shown again")
                .gives::<Created<DnsAccount>>(),
            add_account,
        )
        .add(
            put("/dns-accounts/{id}", edit)
                .title("Give a DNS account another token, or another key or place; certificates that it failed are tried again")
                .gives::<Json<DnsAccount>>(),
            change_account,
        )
        .add(delete("/dns-accounts/{id}", edit).title("Forget a DNS account that no certificate needs"), remove_account)
        .about(Topic::CertificateAuthority)
        .add(get(authority, own).title("The panel's certificate authority").gives::<Json<Authority>>(), chosen)
        .add(
            put(authority, own)
                .title("Choose the panel's certificate authority; for owners of its first team")
                .gives::<Json<Authority>>(),
            choose,
        )
        .add(delete(authority, own).title("Have the panel get no certificates any more"), forget)
}

/// A certificate that is got and renewed by itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CertificateOrder")]
struct Order {
    /// The id.
    id: Uuid,
    /// The names.
    names: Vec<String>,
    /// How it stands.
    state: OrderState,
    /// The same in few words.
    words: String,
    /// What is wrong and what to try; empty where nothing is.
    trouble: String,
    /// Where the docs say more about that.
    help: Option<Topic>,
    /// The DNS account it is proven with; none where it is proven by HTTP.
    dns_account: Option<String>,
    /// Until when what is there is valid.
    not_after: Option<Time>,
    /// When it is tried again or renewed; none while it waits for a person.
    next_at: Option<Time>,
    /// When it was last tried.
    tried_at: Option<Time>,
    /// The job that waits or runs for it.
    job: Option<Uuid>,
}

impl From<OrderView> for Order {
    fn from(view: OrderView) -> Self {
        Self {
            id: view.id.0,
            names: view.names,
            state: view.state,
            words: view.words,
            trouble: view.trouble,
            help: view.help,
            dns_account: view.dns_account,
            not_after: view.not_after.map(Time),
            next_at: view.next_at.map(Time),
            tried_at: view.tried_at.map(Time),
            job: view.job.map(|job| job.0),
        }
    }
}

/// A certificate that shall be got.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewCertificateOrder")]
struct Wanted {
    /// The names: domains, or `*.example.org` for all below one.
    names: Vec<String>,
    /// The DNS account to prove them with; by HTTP without it, which needs each name to lead to an app of the team.
    #[serde(default)]
    dns_account: Option<Uuid>,
}

/// How the certificate of a domain stands.
#[derive(Serialize, JsonSchema)]
struct DomainCertificate {
    /// The domain.
    domain: String,
    /// How it stands; none where there is none.
    state: Option<OrderState>,
    /// The same in few words.
    words: String,
    /// What is wrong and what to try; empty where nothing is.
    trouble: String,
    /// Where the docs say more about that.
    help: Option<Topic>,
    /// The order it is got by.
    order: Option<Uuid>,
    /// The job that waits or runs for it.
    job: Option<Uuid>,
}

impl From<DomainView> for DomainCertificate {
    fn from(view: DomainView) -> Self {
        Self {
            domain: view.domain,
            state: view.state,
            words: view.words,
            trouble: view.trouble,
            help: view.help,
            order: view.order.map(|id| id.0),
            job: view.job.map(|job| job.0),
        }
    }
}

/// One of an app's domains.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CertificateOfDomain")]
struct OfDomain {
    /// The domain.
    domain: String,
}

/// An account with whoever keeps domains; never its token.
#[derive(Serialize, JsonSchema)]
struct DnsAccount {
    /// The id.
    id: Uuid,
    /// What it is called.
    name: String,
    /// Who keeps the domains.
    kind: AccountKind,
    /// Of a name server: where it is; empty for the others.
    server: String,
    /// Its key's name.
    key_name: String,
    /// How many certificates are proven with it.
    orders: i64,
    /// When it was entered.
    created_at: Time,
}

impl From<DnsAccountView> for DnsAccount {
    fn from(view: DnsAccountView) -> Self {
        Self {
            id: view.id.0,
            name: view.name,
            kind: view.kind,
            server: view.server,
            key_name: view.key_name,
            orders: view.orders,
            created_at: view.created_at.into(),
        }
    }
}

/// An account that shall be kept.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewDnsAccount")]
struct WantedAccount {
    /// What it is called: 1–80 characters.
    name: String,
    /// `cloudflare`, `hetzner`, `digitalocean`, or `rfc2136`: a name server that takes signed changes.
    kind: String,
    /// The token of a service.
    #[serde(default)]
    token: String,
    /// Of a name server: where it is, with a port where that is not 53.
    #[serde(default)]
    server: String,
    /// Its key's name.
    #[serde(default)]
    key_name: String,
    /// `hmac-sha256` (without it too), `hmac-sha384` or `hmac-sha512`.
    #[serde(default)]
    algorithm: String,
    /// The key, in base64.
    #[serde(default)]
    key: String,
}

/// How an account is got into from now on. Its kind and its name stay.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DnsAccess")]
struct WantedAccess {
    /// The token of a service.
    #[serde(default)]
    token: String,
    /// Of a name server: where it is; without it as before, as all that follows.
    #[serde(default)]
    server: String,
    /// Its key's name.
    #[serde(default)]
    key_name: String,
    /// `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    #[serde(default)]
    algorithm: String,
    /// The key, in base64.
    #[serde(default)]
    key: String,
}

/// The panel's certificate authority; never a key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CertificateAuthority")]
struct Authority {
    /// Where its directory is; none where no authority is chosen.
    directory: Option<String>,
    /// Whom it may write to.
    email: String,
    /// Its own root (PEM), where the machine does not trust it anyway.
    ca_root: String,
    /// The id of the key that binds the account.
    eab_id: String,
    /// Who agreed to its terms.
    terms_agreed_by: String,
    /// When.
    terms_agreed_at: Option<Time>,
    /// The account's address there; none before the first certificate.
    account: Option<String>,
}

impl From<Option<ChosenView>> for Authority {
    fn from(view: Option<ChosenView>) -> Self {
        let directory = view.as_ref().map(|view| view.directory.clone());
        let terms_agreed_at = view.as_ref().map(|view| view.terms_agreed_at.into());
        let of = |read: fn(&ChosenView) -> &String| view.as_ref().map(read).cloned().unwrap_or_default();
        Self {
            directory,
            email: of(|view| &view.email),
            ca_root: of(|view| &view.ca_root),
            eab_id: of(|view| &view.eab_id),
            terms_agreed_by: of(|view| &view.terms_agreed_by),
            terms_agreed_at,
            account: view.as_ref().and_then(|view| view.account.clone()),
        }
    }
}

/// The authority that shall be the panel's.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChosenCertificateAuthority")]
struct WantedAuthority {
    /// `letsencrypt`, `letsencrypt-staging` or `other`.
    authority: String,
    /// Where the directory of another one is.
    #[serde(default)]
    directory: String,
    /// Whom it may write to.
    #[serde(default)]
    email: String,
    /// Its own root (PEM).
    #[serde(default)]
    ca_root: String,
    /// The id of the key that binds the account (RFC 8555 §7.3.4).
    #[serde(default)]
    eab_id: String,
    /// The key, in base64url; without it the one that is there stays.
    #[serde(default)]
    eab_key: String,
    /// True where its terms are agreed to: without that it gives none.
    terms_agreed: bool,
}

/// Which orders are listed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Begins {
    /// Where the page begins: `next` of the one before.
    #[serde(default)]
    cursor: Option<Uuid>,
}

async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(from): Asked<Begins>,
) -> Result<Json<Page<Order>>, Problem> {
    let lines = acme::page(api.actions(), &caller.actor, from.cursor.map(AcmeOrderId)).await?;
    Ok(Page::part(lines, acme::ON_PAGE, |line| line.id.to_string()))
}

async fn order(State(api): State<Api>, caller: Caller, Sent(wanted): Sent<Wanted>) -> Result<Created<Order>, Problem> {
    let input = acme::NewOrder {
        names: wanted.names.join("\n"),
        dns_account: wanted.dns_account.map(|id| id.to_string()).unwrap_or_default(),
    };
    let (id, _) = acme::order(api.actions(), &caller.actor, input).await?;
    let view = acme::get(api.actions(), &caller.actor, id).await?;
    Ok(Created::at(format!("/certificate-orders/{id}"), view.into()))
}

async fn now(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<AcmeOrderId>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<Begun>, Problem> {
    let job = acme::get_now(api.actions(), &caller.actor, id).await?;
    Ok(Begun::of(Some(job)))
}

async fn remove(State(api): State<Api>, caller: Caller, OfId(id): OfId<AcmeOrderId>) -> Result<StatusCode, Problem> {
    acme::remove(api.actions(), &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn of_app(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
) -> Result<Json<Page<DomainCertificate>>, Problem> {
    let all = acme::of_app(api.actions(), &caller.actor, id).await?;
    Ok(Page::whole(all.into_iter().map(DomainCertificate::from)))
}

async fn now_for(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(OfDomain { domain }): Sent<OfDomain>,
) -> Result<Accepted<Begun>, Problem> {
    let job = acme::get_now_for(api.actions(), &caller.actor, id, &domain).await?;
    Ok(Begun::of(Some(job)))
}

async fn list_accounts(State(api): State<Api>, caller: Caller) -> Result<Json<Page<DnsAccount>>, Problem> {
    let all = acme::accounts(api.actions(), &caller.actor).await?;
    Ok(Page::whole(all.into_iter().map(DnsAccount::from)))
}

async fn add_account(
    State(api): State<Api>,
    caller: Caller,
    Sent(wanted): Sent<WantedAccount>,
) -> Result<Created<DnsAccount>, Problem> {
    let WantedAccount { name, kind, token, server, key_name, algorithm, key } = wanted;
    let input = NewDnsAccount { name, kind, token, server, key_name, algorithm, key };
    let made = acme::add_account(api.actions(), &caller.actor, input).await?;
    Ok(Created::at(format!("/dns-accounts/{}", made.id), made.into()))
}

async fn change_account(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<DnsAccountId>,
    Sent(wanted): Sent<WantedAccess>,
) -> Result<Json<DnsAccount>, Problem> {
    let WantedAccess { token, server, key_name, algorithm, key } = wanted;
    let input = DnsAccess { token, server, key_name, algorithm, key };
    Ok(Json(acme::change_account(api.actions(), &caller.actor, id, input).await?.into()))
}

async fn remove_account(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<DnsAccountId>,
) -> Result<StatusCode, Problem> {
    acme::remove_account(api.actions(), &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn chosen(State(api): State<Api>, caller: Caller) -> Result<Json<Authority>, Problem> {
    Ok(Json(acme::chosen(api.actions(), &caller.actor).await?.into()))
}

async fn choose(
    State(api): State<Api>,
    caller: Caller,
    Sent(wanted): Sent<WantedAuthority>,
) -> Result<Json<Authority>, Problem> {
    let WantedAuthority { authority, directory, email, ca_root, eab_id, eab_key, terms_agreed } = wanted;
    let input = acme::Choice { authority, directory, email, ca_root, eab_id, eab_key, terms: terms_agreed };
    acme::choose(api.actions(), &caller.actor, input).await?;
    Ok(Json(acme::chosen(api.actions(), &caller.actor).await?.into()))
}

async fn forget(State(api): State<Api>, caller: Caller) -> Result<StatusCode, Problem> {
    acme::forget(api.actions(), &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
