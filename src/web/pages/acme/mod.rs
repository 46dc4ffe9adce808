//! Certificates that are got by themselves, and the team's DNS accounts. Not here: the panel's choice of an authority
//! (`settings.rs`), an account's token given anew (`account.rs`), an app's own domains (`apps/routes.rs`), certificates that were brought (`certificates.rs`).

mod account;
mod settings;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use crate::actions::Refused;
use crate::actions::acme::{self, DnsAccountView, NewDnsAccount, NewOrder, OrderState, OrderView};
use crate::domain::dns::{AccountKind, Algorithm};
use crate::domain::help::Topic;
use crate::domain::ids::{AcmeOrderId, DnsAccountId};
use crate::domain::rights::{On, Permission};
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Choice, Field, Form, Input, Linked, SafeUrl, Sent, Shape, Shell, Tone, When, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditProjects));
    Routes::new()
        .about(Topic::CertificateOrders)
        .get("/t/{team}/certificates/automatic", view, index)
        .post("/t/{team}/certificates/automatic", edit, order)
        .post("/t/{team}/certificates/automatic/now", edit, now)
        .post("/t/{team}/certificates/automatic/remove", edit, remove)
        .post("/t/{team}/certificates/accounts", edit, add_account)
        .post("/t/{team}/certificates/accounts/remove", edit, remove_account)
        .merge(account::routes())
        .merge(settings::routes())
}

/// How a certificate stands, as shape, colour and words.
fn badge(state: OrderState, words: &str) -> Badge {
    let (shape, tone) = match state {
        OrderState::Valid => (Shape::Disc, Tone::Well),
        OrderState::NotRenewed => (Shape::Triangle, Tone::Watch),
        OrderState::Underway => (Shape::Half, Tone::Busy),
        OrderState::Waiting => (Shape::Ring, Tone::Quiet),
        OrderState::NeedsYou => (Shape::Triangle, Tone::Watch),
        OrderState::RanOut => (Shape::Cross, Tone::Wrong),
    };
    Badge::new(shape, tone, words)
}

/// The same where the whole of why is beside it: what is waited for alone, and not where the name leads to once more.
pub fn short_badge(state: OrderState, words: &str, trouble: &str) -> Badge {
    match (state, words.split_once(": ")) {
        (OrderState::Waiting, Some((waits, _))) if !trouble.is_empty() => badge(state, waits),
        _ => badge(state, words),
    }
}

/// What the button does that gets one now: in place of a good one, another one.
pub fn verb(state: OrderState) -> &'static str {
    match state {
        OrderState::Valid => "Renew now",
        _ => "Get one now",
    }
}

/// A certificate that is wanted, and its buttons.
pub struct Row {
    /// The certificate.
    pub line: OrderView,
    /// How it stands.
    pub badge: Badge,
    /// The job that is at it.
    pub watched: Option<SafeUrl>,
    /// The buttons.
    pub acts: Vec<Form>,
}

/// A DNS account and its buttons.
pub struct Account {
    /// The account.
    pub line: DnsAccountView,
    /// Where its token or key is given anew.
    pub change: Option<SafeUrl>,
    /// The button that forgets it.
    pub remove: Option<Form>,
}

/// The page.
#[derive(Template)]
#[template(path = "acme/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The certificates.
    pub rows: Vec<Row>,
    /// The page with those behind them.
    pub more: Option<SafeUrl>,
    /// The DNS accounts.
    pub accounts: Vec<Account>,
    /// The form that orders one.
    pub order: Option<Form>,
    /// The form that adds a DNS account.
    pub account: Option<Form>,
    /// The page of the authority, for whoever chooses it.
    pub settings: Option<SafeUrl>,
    /// The page of all certificates.
    pub all: SafeUrl,
}

/// The name of every place a form of this page goes to.
fn at(team: &str, below: &[&'static str]) -> SafeUrl {
    SafeUrl::path(["t", team, "certificates"].into_iter().chain(below.iter().copied()))
}

/// A button that acts on one thing.
fn act(to: SafeUrl, token: &str, verb: &'static str, id: String) -> Form {
    let mut form = Form::act(to, token, verb, "small");
    for group in &mut form.groups {
        group.fields = vec![Field::hidden("id", id.clone())];
    }
    form
}

impl Index {
    async fn read(web: &Web, here: &Here, before: Option<AcmeOrderId>) -> Result<Self, Problem> {
        let (ctx, actor) = (web.actions(), here.actor()?);
        let (orders, accounts) = tokio::try_join!(acme::page(ctx, actor, before), acme::accounts(ctx, actor))?;
        let full = i64::try_from(orders.len()).is_ok_and(|count| count >= acme::ON_PAGE);
        let chooses = acme::may_choose(ctx, actor).await?;
        let may = actor.may(Permission::EditProjects, On::team(actor.team())).is_ok();
        let (team, token) = (here.place()?.team.slug.clone(), here.token.as_str());
        let order = order_form(&team, token, &accounts);
        let row = |line: OrderView| {
            let id = line.id.to_string();
            let acts = match (may, line.job) {
                (true, None) => vec![
                    act(at(&team, &["automatic", "now"]), token, verb(line.state), id.clone()),
                    act(at(&team, &["automatic", "remove"]), token, "Remove", id),
                ],
                _ => Vec::new(),
            };
            let watched = line.job.map(|job| SafeUrl::path(["t", &team, "jobs", &job.to_string()]));
            Row { badge: short_badge(line.state, &line.words, &line.trouble), watched, acts, line }
        };
        let account = |line: DnsAccountView| {
            let form = act(at(&team, &["accounts", "remove"]), token, "Remove", line.id.to_string());
            let change = may.then(|| account::page(&team, line.id));
            Account { change, remove: (may && line.orders == 0).then_some(form), line }
        };
        Ok(Self {
            shell: Shell::new(here, "Automatic certificates", "Hosts")
                .crumb("Certificates", Some(at(&team, &[])))
                .crumb("Automatic", None),
            more: orders.last().filter(|_| full).map(|last| at(&team, &["automatic"]).before(last.id.0)),
            rows: orders.into_iter().map(row).collect(),
            accounts: accounts.into_iter().map(account).collect(),
            order: may.then_some(order),
            account: may.then(|| account_form(&team, token)),
            settings: chooses.then(|| at(&team, &["authority"])),
            all: at(&team, &[]),
        })
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    /// Where the docs say more about its trouble.
    fn help(&self, line: &OrderView) -> Option<SafeUrl> {
        line.help.map(SafeUrl::help)
    }

    fn kind(&self, line: &DnsAccountView) -> &'static str {
        line.kind.word()
    }
}

fn order_form(team: &str, token: &str, accounts: &[DnsAccountView]) -> Form {
    let mut choices = vec![Choice::new("", "By HTTP", "the names lead to apps of this team")];
    choices.extend(accounts.iter().map(|one| Choice::new(one.id.to_string(), format!("By DNS: {}", one.name), "")));
    let fields = vec![
        Field::of(Input::Area, "names", "Names")
            .empty("*.example.org")
            .hint("One a line. Every route gets a certificate of its own anyway: order one for a star, or for several names together."),
        Field::of(Input::Select(choices), "dns_account", "Proven"),
    ];
    Form::new(at(team, &["automatic"]), token, "Get certificate", fields).style("")
}

fn account_form(team: &str, token: &str) -> Form {
    let kinds = AccountKind::ALL.map(|kind| {
        let hint = match kind {
            AccountKind::Cloudflare => "a token with Zone: DNS: Edit and Zone: Zone: Read",
            AccountKind::Hetzner => "a token of the Cloud project, read and write",
            AccountKind::Digitalocean => "a token with domain: read, create, delete",
            AccountKind::Rfc2136 => "BIND, Knot, PowerDNS: signed changes",
        };
        Choice::new(kind.slug(), kind.word(), hint)
    });
    let algorithms = Algorithm::ALL.map(|one| Choice::new(one.name(), one.name(), ""));
    let secret = |name, label: &str| Field::of(Input::Password("off"), name, label);
    let fields = vec![
        Field::text("name", "Name").empty("our domains"),
        Field::of(Input::Radio(kinds.to_vec()), "kind", "Who keeps the domains").value("cloudflare"),
        secret("token", "Token").hint("Of a service; kept sealed, and never shown again."),
    ];
    let server = vec![
        Field::code("server", "Name server").empty("ns1.example.org"),
        Field::code("key_name", "Name of the key").empty("skiff-key"),
        Field::of(Input::Select(algorithms.to_vec()), "algorithm", "Signs with").value("hmac-sha256"),
        secret("key", "Key").hint("Base64, as in the name server's file; kept sealed, and never shown again."),
    ];
    Form::new(at(team, &["accounts"]), token, "Add DNS account", fields)
        .folded("Name server", "where it is, and the key it knows", "kind=rfc2136", server)
        .style("")
}

#[derive(serde::Deserialize)]
struct Asked {
    before: Option<AcmeOrderId>,
}

async fn index(State(web): State<Web>, here: Here, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    Ok(page_with(StatusCode::OK, &Index::read(&web, &here, asked.before).await?))
}

/// Back to the page, with a sentence.
async fn done(here: &Here, session: &Session, words: &str) -> Result<Response, Problem> {
    session::flash(session, words).await?;
    Ok(Redirect::to(at(&here.place()?.team.slug, &["automatic"]).as_str()).into_response())
}

/// Back to the page, with why it was not done.
async fn not_done(here: &Here, session: &Session, why: &str, topic: Topic) -> Result<Response, Problem> {
    session::flash_refused(session, why, topic).await?;
    Ok(Redirect::to(at(&here.place()?.team.slug, &["automatic"]).as_str()).into_response())
}

/// The page once more, with why a form was refused.
fn again(
    form: Option<Form>,
    refused: Refused,
    sent: &Sent,
    names: &[&str],
) -> Result<(StatusCode, Option<Form>), Problem> {
    let typed = form.map(|form| names.iter().fold(form, |form, name| form.with(name, &sent.get(name))));
    match refused {
        Refused::Fields(errors) => Ok((StatusCode::UNPROCESSABLE_ENTITY, typed.map(|form| form.refuse(&errors)))),
        Refused::Conflict(why) => Ok((StatusCode::CONFLICT, typed.map(|form| form.refuse_whole(why)))),
        Refused::TooOften(why) => Ok((StatusCode::TOO_MANY_REQUESTS, typed.map(|form| form.refuse_whole(why)))),
        other => Err(other.into()),
    }
}

async fn order(State(web): State<Web>, here: Here, sent: Sent) -> Result<Response, Problem> {
    let input = NewOrder { names: sent.get("names"), dns_account: sent.get("dns_account") };
    match acme::order(web.actions(), here.actor()?, input).await {
        Ok((_, job)) => {
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "jobs", &job.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(refused) => {
            let mut index = Index::read(&web, &here, None).await?;
            let (status, form) = again(index.order, refused, &sent, &["names", "dns_account"])?;
            index.order = form;
            Ok(page_with(status, &index))
        }
    }
}

async fn now(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let id: AcmeOrderId = sent.get("id").parse().map_err(|_| Problem::NotFound)?;
    match acme::get_now(web.actions(), here.actor()?, id).await {
        Ok(job) => {
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "jobs", &job.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::TooOften(why)) => not_done(&here, &session, &why, Topic::CertificateLimit).await,
        Err(Refused::Conflict(why)) => not_done(&here, &session, &why, Topic::CertificateAuthority).await,
        Err(refused) => Err(refused.into()),
    }
}

async fn remove(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let id: AcmeOrderId = sent.get("id").parse().map_err(|_| Problem::NotFound)?;
    match acme::remove(web.actions(), here.actor()?, id).await {
        Ok(()) => done(&here, &session, "It is renewed no more. What was got serves until it runs out.").await,
        Err(Refused::Conflict(why)) => not_done(&here, &session, &why, Topic::CertificateOrders).await,
        Err(refused) => Err(refused.into()),
    }
}

async fn add_account(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let input = NewDnsAccount {
        name: sent.get("name"),
        kind: sent.get("kind"),
        token: sent.get("token"),
        server: sent.get("server"),
        key_name: sent.get("key_name"),
        algorithm: sent.get("algorithm"),
        key: sent.get("key"),
    };
    match acme::add_account(web.actions(), here.actor()?, input).await {
        Ok(made) => done(&here, &session, &format!("{} is kept.", made.name)).await,
        Err(refused) => {
            let mut index = Index::read(&web, &here, None).await?;
            // Tokens and keys are typed again: they are not sent back.
            let names = ["name", "kind", "server", "key_name", "algorithm"];
            let (status, form) = again(index.account, refused, &sent, &names)?;
            index.account = form;
            Ok(page_with(status, &index))
        }
    }
}

async fn remove_account(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let id: DnsAccountId = sent.get("id").parse().map_err(|_| Problem::NotFound)?;
    match acme::remove_account(web.actions(), here.actor()?, id).await {
        Ok(()) => done(&here, &session, "The DNS account is forgotten.").await,
        Err(Refused::Conflict(why)) => not_done(&here, &session, &why, Topic::CertificateOrders).await,
        Err(refused) => Err(refused.into()),
    }
}
