//! The only way to add a call: with a policy, and with what it takes and gives. The table is read by the rights test, the
//! document by programs. Not here: what the policies mean for a request (`guard`).

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};

use super::openapi::{Answer, Document, Gives, Told};
use super::{Api, guard};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// Most bytes of a body: the largest is an app with all its variables, each at most 32 KiB.
pub const BODY_BYTES: usize = 1024 * 1024;

/// Who may ask for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Anyone.
    Open,
    /// A token with this right on its team or on something in it. The action asks again, on the very thing.
    Token(Permission),
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// "GET", "POST" …
    pub method: &'static str,
    /// The path below the base, with its `{parameters}`.
    pub path: &'static str,
    /// Who may ask.
    pub policy: Policy,
    /// Where the docs say more about what is done there. Every act names one: a test reads the table.
    pub help: Option<Topic>,
}

/// A call under construction: where it is, who may, what it says of itself.
pub struct Call {
    route: Route,
    filter: MethodFilter,
    title: &'static str,
    answer: Answer,
}

/// Reads something, and never changes anything.
pub fn get(path: &'static str, permission: Permission) -> Call {
    Call::new("GET", MethodFilter::GET, path, Policy::Token(permission))
}

/// Asks for something to be made or done.
pub fn post(path: &'static str, permission: Permission) -> Call {
    Call::new("POST", MethodFilter::POST, path, Policy::Token(permission))
}

/// Sets something to what is sent, however often.
pub fn put(path: &'static str, permission: Permission) -> Call {
    Call::new("PUT", MethodFilter::PUT, path, Policy::Token(permission))
}

/// Changes what is sent, and leaves the rest.
pub fn patch(path: &'static str, permission: Permission) -> Call {
    Call::new("PATCH", MethodFilter::PATCH, path, Policy::Token(permission))
}

/// Takes something away.
pub fn delete(path: &'static str, permission: Permission) -> Call {
    Call::new("DELETE", MethodFilter::DELETE, path, Policy::Token(permission))
}

impl Call {
    fn new(method: &'static str, filter: MethodFilter, path: &'static str, policy: Policy) -> Self {
        Self { route: Route { method, path, policy, help: None }, filter, title: "", answer: Answer::nothing() }
    }

    /// Without a token.
    pub fn open(mut self) -> Self {
        self.route.policy = Policy::Open;
        self
    }

    /// What it is for, in one line.
    pub fn title(mut self, title: &'static str) -> Self {
        self.title = title;
        self
    }

    /// What it answers with; without this it is 204 and nothing.
    pub fn gives<T: Gives>(mut self) -> Self {
        self.answer = T::answer();
        self
    }
}

/// Calls under construction.
#[derive(Default)]
pub struct Routes {
    router: Router<Api>,
    table: Vec<Route>,
    document: Document,
    help: Option<Topic>,
}

impl Routes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the docs say more about the calls that are added from here on: whoever is refused there is led to it.
    pub fn about(mut self, topic: Topic) -> Self {
        self.help = Some(topic);
        self
    }

    /// Adds a call. The guard stands before the handler: there is no other way in. What the handler takes is written into the
    /// document from its own arguments.
    pub fn add<H, T>(mut self, call: Call, handler: H) -> Self
    where
        H: Handler<T, Api>,
        T: Told + 'static,
    {
        let Call { mut route, filter, title, answer } = call;
        route.help = self.help;
        let duty = guard::Duty { policy: route.policy, body_bytes: BODY_BYTES, help: route.help };
        let guarded = on(filter, handler).route_layer(axum::middleware::from_fn_with_state(duty, guard::guard));
        self.router = self.router.route(route.path, guarded);
        self.document.add::<T>(&route, std::any::type_name::<H>(), title, &answer);
        self.table.push(route);
        self
    }

    /// Puts another noun's calls beside these.
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.table.extend(other.table);
        self.document.merge(other.document);
        self
    }

    /// The router, the table of what is in it, and the document.
    pub fn build(self) -> (Router<Api>, Vec<Route>, String) {
        (self.router, self.table, self.document.finish())
    }
}
