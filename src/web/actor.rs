//! Who a request comes from and where they stand: account, team, what the page's frame shows.
//! Not here: deciding what they may (`guard`, and each action).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tower_sessions::Session;

use super::error::Problem;
use super::{Web, session};
use crate::actions::accounts::{self, TeamLine};
use crate::domain::ids::AccountId;
use crate::domain::rights::{Actor, On, Permission};

/// Somebody at a door that does not ask who they are.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// The token for their forms; also in their cookie, once a page with a form was shown.
    pub token: String,
    /// The client's address.
    pub address: String,
}

/// Somebody signed in, and where they are.
#[derive(Clone, Debug)]
pub struct Here {
    /// The account.
    pub account: AccountId,
    /// Their name.
    pub name: String,
    /// Their teams, by name.
    pub teams: Vec<TeamLine>,
    /// The team in the path, as somebody who acts in it.
    pub place: Option<Place>,
    /// The token for their forms.
    pub token: String,
    /// A sentence about what was just done, shown once.
    pub flash: Option<session::Flash>,
    /// The client's address.
    pub address: String,
}

/// One's place in a team.
#[derive(Clone, Debug)]
pub struct Place {
    /// Whom the actions take.
    pub actor: Actor,
    /// The team.
    pub team: TeamLine,
    /// Jobs that run or wait now.
    pub running: i64,
}

impl Here {
    /// Finds out. A team one is not in is not found.
    pub async fn find(
        web: &Web,
        session: &Session,
        signed_in: &session::SignedIn,
        team: Option<&str>,
        address: &str,
    ) -> Result<Self, Problem> {
        let whoami =
            accounts::whoami(web.actions(), signed_in.account, signed_in.moment.as_ref(), team, address).await?;
        let Some(whoami) = whoami else {
            session::sign_out(session).await?; // the account is gone
            return Err(Problem::SignIn { back: String::new() });
        };
        let place = match (team, whoami.place) {
            (Some(_), None) => return Err(Problem::NotFound),
            (_, place) => place.map(|place| Place { actor: place.actor, team: place.team, running: place.running }),
        };
        Ok(Self {
            account: signed_in.account,
            name: whoami.name,
            teams: whoami.teams,
            place,
            token: signed_in.token.clone(),
            flash: None,
            address: address.to_owned(),
        })
    }

    /// One's place in the team of the path. Routes with `Policy::Team` always have one.
    pub fn place(&self) -> Result<&Place, Problem> {
        self.place.as_ref().ok_or(Problem::NotFound)
    }

    /// Whom the actions take.
    pub fn actor(&self) -> Result<&Actor, Problem> {
        Ok(&self.place()?.actor)
    }

    /// Whether they see what belongs to the team alone, and not to a project.
    pub fn sees_team(&self) -> Result<bool, Problem> {
        let actor = self.actor()?;
        Ok(actor.may(Permission::View, On::team(actor.team())).is_ok())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Here {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut here = parts.extensions.get::<Self>().cloned().ok_or(Problem::SignIn { back: String::new() })?;
        // Only whole pages show the sentence; it is kept until one is drawn.
        let whole = parts.method == axum::http::Method::GET && !parts.headers.contains_key("hx-request");
        if let (true, Some(session)) = (whole, parts.extensions.get::<Session>()) {
            here.flash = session::take_flash(session).await;
        }
        Ok(here)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Newcomer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or(Problem::NotFound)
    }
}

/// The parameters of the path. One that is not of its type leads nowhere, like one that names nothing.
pub struct At<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| Problem::NotFound)
    }
}
