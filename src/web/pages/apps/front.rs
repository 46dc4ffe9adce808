//! What holds for all routes of an app: its form, and the switch of maintenance. Not here: the page they stand on.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::configuration::pairs;
use super::routes::{Done, Typed, page, saved, see_or_save};
use crate::actions::Refused;
use crate::actions::routes::{self, Change, EditFront};
use crate::domain::help::Topic;
use crate::domain::ids::AppId;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, page_with};

/// The routes.
pub fn routes() -> Routes {
    let edit = Policy::Team(Permission::EditApps);
    Routes::new().about(Topic::RoutesOfApp).post("/t/{team}/apps/{id}/front", edit, set).post(
        "/t/{team}/apps/{id}/maintenance",
        edit,
        maintain,
    )
}

/// The button that shows the page of maintenance, or the app again.
pub fn switch(action: SafeUrl, here: &Here, on: bool) -> Form {
    let (verb, value) = if on { ("Show the app again", "no") } else { ("Maintenance on", "yes") };
    let mut form = Form::act(action, &here.token, verb, if on { "primary" } else { "" });
    for group in &mut form.groups {
        group.fields = vec![Field::hidden("on", value)];
    }
    form
}

/// The form, made from what holds as of then.
pub fn form(action: SafeUrl, here: &Here, input: &EditFront, as_of: &str) -> Form {
    /// Empty rows under the filled ones.
    const FREE: usize = 1;
    let ticked = |value: &str| value == "yes";
    let options = vec![
        (Choice::new("gzip", "Compress text", "for whoever can read it so"), ticked(&input.gzip)),
        (
            Choice::new("sticky", "Same instance", "who came once is sent there again, until the proxy is reloaded"),
            ticked(&input.sticky),
        ),
        (
            Choice::new(
                "h2c",
                "HTTP/2 to the app",
                "without TLS, for gRPC; its health check over HTTP is asked so too",
            ),
            ticked(&input.h2c),
        ),
    ];
    let filled = input.ports.iter().map(|pair| (pair.name.clone(), pair.value.clone()));
    let rows = filled.chain(std::iter::repeat_n((String::new(), String::new()), FREE)).collect();
    let ports = Input::Rows { first: "Port", second: "Only from these networks", secret: false, rows };
    let who = Choice::new(
        "yes",
        "Tell the app who connects",
        "each connection begins with a line of the PROXY protocol, version 2, which the app must read",
    );
    let first =
        vec![Field::hidden("as_of", as_of), Field::of(Input::Checks(options), "options", "Requests and answers")];
    Form::new(action, &here.token, "Save", first)
        .style("")
        .also("see", "See what changes")
        .folded("Pages", "while the app is worked on, or does not answer", "", vec![
            Field::of(Input::Area, "maintenance_page", "Page of maintenance")
                .value(&input.maintenance_page)
                .empty("This app is being worked on. Try again in a few minutes.")
                .hint("HTML, at most 12,000 bytes, all in one: nothing else of the app can be asked for meanwhile."),
            Field::of(Input::Area, "maintenance_allow", "Who sees the app all the same")
                .value(&input.maintenance_allow)
                .empty("nobody")
                .hint("Networks, one a line."),
            Field::of(Input::Area, "error_page", "Page where the app does not answer")
                .value(&input.error_page)
                .empty("The app at this address is not running at the moment.")
                .hint("HTML, for 502, 503 and 504 of the proxy; what the app itself answers is left alone."),
        ])
        .folded("Ports without HTTP", "for databases and the like, in place of routes", "", vec![
            Field::of(ports, "ports", "Ports of the app's hosts")
                .hint("Connections go to the app's own port as they are. Networks are separated by spaces; none means everybody."),
            Field::of(Input::Checks(vec![(who, ticked(&input.send_proxy))]), "send_proxy", "The client's address"),
        ])
        .open_filled()
}

/// The front a form sent.
fn read(sent: &Sent) -> EditFront {
    let options = sent.all("options");
    let yes = |option: &str| if options.iter().any(|sent| sent == option) { "yes" } else { "no" }.to_owned();
    EditFront {
        gzip: yes("gzip"),
        sticky: yes("sticky"),
        h2c: yes("h2c"),
        maintenance_allow: sent.get("maintenance_allow"),
        maintenance_page: sent.get("maintenance_page"),
        error_page: sent.get("error_page"),
        ports: pairs(sent, "ports"),
        send_proxy: if sent.get("send_proxy") == "yes" { "yes" } else { "no" }.to_owned(),
        as_of: sent.get("as_of"),
    }
}

async fn set(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = read(&sent);
    let (as_of, typed) = (input.as_of.clone(), Typed { front: Some(input.clone()), ..Typed::default() });
    let refused = match see_or_save(&web, &here, &session, id, &sent, Change::Front(input)).await? {
        Ok(Done::Saved(answer)) => return Ok(answer),
        Ok(Done::Seen(differences)) => {
            let mut show = page(&web, &here, id, &typed).await?;
            show.differences = Some(differences);
            show.front = show.front.map(|form| form.made_from(&as_of, &[]));
            return Ok(page_with(StatusCode::OK, &show));
        }
        Err(refused) => refused,
    };
    let Refused::Fields(errors) = refused else { return Err(refused.into()) };
    let mut show = page(&web, &here, id, &typed).await?;
    show.front = show.front.map(|form| form.made_from(&as_of, &errors).refuse(&errors));
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
}

async fn maintain(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let changed = routes::maintain(web.actions(), here.actor()?, id, sent.get("on") == "yes").await?;
    saved(&here, &session, id, changed).await
}
