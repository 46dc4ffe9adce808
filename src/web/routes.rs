//! The only way to add a route: with a policy. What was added stands in a table, and the rights test reads it.
//! Not here: what the policies mean for a request (`guard`).

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodRouter, on};

use super::{Web, guard};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// Most bytes of a form: the largest is an app's variables, each at most 32 KiB.
pub const FORM_BYTES: usize = 1024 * 1024;

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Anyone, signed in or not.
    Open,
    /// Anyone, as long as the panel was not set up; not found afterwards.
    SetUp,
    /// Any program with the right signature; nobody needs a session. The action checks it before it reads anything.
    Signed,
    /// Somebody signed in.
    Account,
    /// A member of the team in the path who has this right on the team or on something in it.
    /// The action asks again, on the very thing.
    Team(Permission),
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// "GET", "POST" …
    pub method: &'static str,
    /// The path with its `{parameters}`.
    pub path: &'static str,
    /// Who may ask.
    pub policy: Policy,
    /// Where the docs say more about what is done there. Every act names one: a test reads the table.
    pub help: Option<Topic>,
}

/// Routes under construction.
#[derive(Default)]
pub struct Routes {
    router: Router<Web>,
    table: Vec<Route>,
    help: Option<Topic>,
}

impl Routes {
    /// No routes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the docs say more about the routes that are added from here on: whoever is refused there is led to it.
    pub fn about(mut self, topic: Topic) -> Self {
        self.help = Some(topic);
        self
    }

    /// Adds a page. A GET never changes anything.
    pub fn get<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        self.add("GET", path, policy, on(axum::routing::MethodFilter::GET, handler))
    }

    /// Adds an act: same origin and the session's token are asked for before the handler runs.
    pub fn post<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        self.add("POST", path, policy, on(axum::routing::MethodFilter::POST, handler))
    }

    /// Puts another room's routes beside these.
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.table.extend(other.table);
        self
    }

    /// The router, and the table of what is in it.
    pub fn build(self) -> (Router<Web>, Vec<Route>) {
        (self.router, self.table)
    }

    /// The guard stands before the handler: there is no other way in.
    fn add(mut self, method: &'static str, path: &'static str, policy: Policy, handler: MethodRouter<Web>) -> Self {
        let duty = guard::Duty { policy, body_bytes: FORM_BYTES, help: self.help };
        let guarded = handler.route_layer(axum::middleware::from_fn_with_state(duty, guard::guard));
        self.router = self.router.route(path, guarded);
        self.table.push(Route { method, path, policy, help: self.help });
        self
    }
}

/// True for methods that may change something.
pub fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}
