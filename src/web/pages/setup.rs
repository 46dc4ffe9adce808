//! The first run: whoever has the one-time link becomes the owner, and is signed in at once. Where the panel has no name yet, one can
//! be given on the way.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::login::with_token;
use crate::actions::Refused;
use crate::actions::setup::{self, SetUp};
use crate::actions::setup_name::{self, Offer, Wanted};
use crate::domain::help::Topic;
use crate::door::client;
use crate::web::actor::Newcomer;
use crate::web::assets::{self, Links};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Way, page_with};
use crate::web::{Web, session};

/// What one agrees to at Let's Encrypt.
const TERMS: &str = "https://letsencrypt.org/repository/";

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::SignIn).get("/setup", Policy::SetUp, show).post("/setup", Policy::SetUp, set_up)
}

/// The page.
#[derive(Template)]
#[template(path = "setup/show.html")]
pub struct Show {
    /// The assets.
    pub assets: Links,
    /// The way to the first running app.
    pub way: Way,
    /// The form.
    pub form: Form,
    /// Where the authority's terms are read; none where nobody is asked to agree to them.
    pub terms: Option<SafeUrl>,
}

impl Show {
    /// The form, with what was typed.
    pub fn new(token: &str, input: &SetUp, offer: Option<&Offer>) -> Self {
        let fields = vec![
            Field::hidden("token", &input.token),
            Field::text("name", "Your name").value(&input.name).focus(),
            Field::of(Input::Email, "email", "E-mail").value(&input.email).hint("What you sign in with."),
            Field::of(Input::Password("new-password"), "password", "Password").hint("At least 12 characters."),
            Field::text("team", "Team")
                .value(&input.team)
                .hint("Who it all belongs to: a company, a group, a name of your own."),
        ];
        let mut form = Form::new(SafeUrl::path(["setup"]), token, "Become the owner", fields);
        if let Some(offer) = offer {
            let hint = "optional: HTTPS from anywhere";
            form = form.folded("The panel's own address", hint, "", name_fields(&input.address, offer)).open_filled();
        }
        let terms = offer.filter(|offer| !offer.authority).and_then(|_| SafeUrl::web(TERMS));
        Self { assets: assets::links(), way: Way::new(0), form, terms }
    }
}

/// The fields of the panel's name.
fn name_fields(typed: &Wanted, offer: &Offer) -> Vec<Field> {
    let hint = match &offer.made_name {
        Some(made) => format!("Of your own, with a DNS record for this server's address; or {made}, which needs none."),
        None => {
            "With a DNS record for the address of this server. It is tried, and kept once it leads here.".to_owned()
        }
    };
    let empty = offer.made_name.clone().unwrap_or_else(|| "panel.example.org".to_owned());
    let mut fields = vec![Field::code("domain", "Domain").value(&typed.domain).empty(empty).hint(hint)];
    if !offer.authority {
        let terms = Choice::new("yes", "I agree to the terms of Let's Encrypt", "which signs the certificate, free");
        fields.push(
            Field::code("acme_email", "E-mail for the authority")
                .value(&typed.acme_email)
                .hint("Whom Let's Encrypt may write to. May be left empty."),
        );
        fields.push(Field::of(Input::Checks(vec![(terms, typed.terms)]), "terms", "Terms"));
    }
    fields
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    token: String,
}

async fn show(State(web): State<Web>, newcomer: Newcomer, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    if !setup::opens(web.actions(), &asked.token).await? {
        return Err(Problem::Conflict(
            "This link was used, is too old, or a newer one was printed. On the panel's machine, sudo skiff setup prints a new one.".to_owned(),
        ));
    }
    let input = SetUp { token: asked.token, ..SetUp::default() };
    let offer = setup_name::offer(web.actions()).await?;
    let show = Show::new(&newcomer.token, &input, offer.as_ref());
    Ok(with_token(page_with(StatusCode::OK, &show), &web, &newcomer))
}

async fn set_up(
    State(web): State<Web>,
    newcomer: Newcomer,
    session: Session,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = SetUp {
        token: sent.get("token"),
        name: sent.get("name"),
        email: sent.get("email"),
        password: sent.get("password"),
        team: sent.get("team"),
        address: Wanted {
            domain: sent.get("domain"),
            acme_email: sent.get("acme_email"),
            terms: sent.get("terms") == "yes",
        },
    };
    match setup::create_owner(web.actions(), &newcomer.address, input.clone()).await {
        Ok(owner) => {
            session::sign_in(&session, owner.account, &client::agent(&headers), &newcomer.address).await?;
            let Some(tried) = owner.tried else {
                return Ok(Redirect::to(SafeUrl::path(["t", &owner.team]).as_str()).into_response());
            };
            let said = match tried {
                Ok(()) => "The name is being tried, and kept as soon as it leads here. This address goes on working."
                    .to_owned(),
                Err(why) => format!("You are the owner. The name could not be tried: {why}"),
            };
            session::flash(&session, &said).await?;
            Ok(Redirect::to(SafeUrl::path(["t", &owner.team, "panel"]).as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let offer = setup_name::offer(web.actions()).await?;
            let mut show = Show::new(&newcomer.token, &input, offer.as_ref());
            show.form = show.form.refuse(&errors);
            Ok(with_token(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show), &web, &newcomer))
        }
        Err(refused) => Err(refused.into()),
    }
}
