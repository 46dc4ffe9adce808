//! Every action on a team's things: who may, who may not, and that another team's things are simply not there.

use futures_util::future::LocalBoxFuture;
use skiff::actions::apps::{self, EditConfiguration, KeepDockerfile, NewRoute, RenameApp, SetVariable};
use skiff::actions::certificates::{self, NewCertificate};
use skiff::actions::hosts::{self, ConfirmHostKey, EditHost, ForgetHost, GivePass, NewHost, SetHttpPort};
use skiff::actions::instances::{self, Wanted};
use skiff::actions::invitations::{self, NewInvitation};
use skiff::actions::members::{self, SetGrant};
use skiff::actions::notices::{self, SetChannel, SetMail, SetMine};
use skiff::actions::projects::{self, NewEnvironment, NewProject};
use skiff::actions::secrets::{self, SetSecret};
use skiff::actions::tokens::{self, NewToken};
use skiff::actions::volumes::{self, NewVolume};
use skiff::actions::{Refused, acme, audit, deploys, home, hooks, jobs, releases, routes, teams};
use skiff::db::deliveries;
use skiff::domain::hook::Provider;
use skiff::domain::ids::{
    AppId, ChannelId, DeliveryId, DeployId, HostId, InvitationId, JobId, MemberId, ProjectId, RouteId, TokenId,
    VolumeId,
};
use skiff::domain::rights::{Actor, Permit, Role};

use crate::harness::panel::{Panel, new_app};

/// Ids of one team's things.
#[derive(Clone, Copy)]
struct Ids {
    host: HostId,
    project: ProjectId,
    app: AppId,
    route: RouteId,
    volume: VolumeId,
    deploy: DeployId,
    job: JobId,
    delivery: DeliveryId,
    member: MemberId,
    invitation: InvitationId,
    token: TokenId,
    channel: ChannelId,
}

type Act = for<'a> fn(&'a Panel, &'a Actor, Ids) -> LocalBoxFuture<'a, Result<(), Refused>>;

/// An action: its name, the least role that may, whether it names a thing by id, and how it is called. What is typed into
/// the forms is mostly wrong: the right is asked before the fields are looked at.
const ACTIONS: &[(&str, Role, bool, Act)] = &[
    ("home", Role::Viewer, false, |p, a, _| Box::pin(async { home::get(&p.ctx, a).await.map(drop) })),
    ("audit", Role::Viewer, false, |p, a, _| Box::pin(async { audit::list(&p.ctx, a, None).await.map(drop) })),
    ("hosts", Role::Viewer, false, |p, a, _| Box::pin(async { hosts::list(&p.ctx, a).await.map(drop) })),
    ("host", Role::Viewer, true, |p, a, i| Box::pin(async move { hosts::get(&p.ctx, a, i.host).await.map(drop) })),
    ("add host", Role::Admin, false, |p, a, _| {
        Box::pin(async { hosts::create(&p.ctx, a, NewHost::default()).await.map(drop) })
    }),
    ("team key", Role::Admin, false, |p, a, _| Box::pin(async { hosts::team_key(&p.ctx, a).await.map(drop) })),
    ("look at host", Role::Admin, true, |p, a, i| Box::pin(async move { hosts::look(&p.ctx, a, i.host).await })),
    ("provision", Role::Admin, true, |p, a, i| {
        Box::pin(async move { hosts::provision(&p.ctx, a, i.host).await.map(drop) })
    }),
    ("check host", Role::Admin, true, |p, a, i| {
        Box::pin(async move { hosts::check(&p.ctx, a, i.host).await.map(drop) })
    }),
    ("host script", Role::Admin, false, |p, a, _| {
        Box::pin(async { hosts::script(&p.ctx, a, hosts::NewScript::default()).await.map(drop) })
    }),
    ("confirm key", Role::Admin, true, |p, a, i| {
        Box::pin(async move { hosts::confirm_key(&p.ctx, a, i.host, ConfirmHostKey::default()).await })
    }),
    ("http port", Role::Admin, true, |p, a, i| {
        Box::pin(async move { hosts::set_http_port(&p.ctx, a, i.host, SetHttpPort::default()).await })
    }),
    ("https port", Role::Admin, true, |p, a, i| {
        Box::pin(async move {
            let form = hosts::SetHttpsPort { https_port: "x".into() };
            hosts::set_https_port(&p.ctx, a, i.host, form).await
        })
    }),
    ("certificates", Role::Viewer, false, |p, a, _| Box::pin(async { certificates::list(&p.ctx, a).await.map(drop) })),
    ("upload certificate", Role::Admin, false, |p, a, _| {
        Box::pin(async { certificates::upload(&p.ctx, a, NewCertificate::default()).await.map(drop) })
    }),
    ("https only", Role::Developer, true, |p, a, i| {
        Box::pin(async move { apps::set_hsts(&p.ctx, a, i.app, apps::SetHsts::default()).await })
    }),
    ("edit host", Role::Admin, true, |p, a, i| {
        Box::pin(async move { hosts::edit(&p.ctx, a, i.host, EditHost::default()).await })
    }),
    ("give pass", Role::Admin, true, |p, a, i| {
        Box::pin(async move { hosts::give_pass(&p.ctx, a, i.host, GivePass::default()).await.map(drop) })
    }),
    ("forget host", Role::Admin, true, |p, a, i| {
        Box::pin(async move { hosts::forget(&p.ctx, a, i.host, ForgetHost::default()).await.map(drop) })
    }),
    ("projects", Role::Viewer, false, |p, a, _| Box::pin(async { projects::list(&p.ctx, a).await.map(drop) })),
    ("project", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { projects::get(&p.ctx, a, i.project).await.map(drop) })
    }),
    ("new project", Role::Admin, false, |p, a, _| {
        Box::pin(async { projects::create(&p.ctx, a, NewProject::default()).await.map(drop) })
    }),
    ("new environment", Role::Admin, true, |p, a, i| {
        Box::pin(async move {
            projects::create_environment(&p.ctx, a, i.project, NewEnvironment::default()).await.map(drop)
        })
    }),
    ("apps", Role::Viewer, false, |p, a, _| Box::pin(async { apps::list(&p.ctx, a).await.map(drop) })),
    ("app", Role::Viewer, true, |p, a, i| Box::pin(async move { apps::get(&p.ctx, a, i.app).await.map(drop) })),
    ("new app's form", Role::Developer, false, |p, a, _| Box::pin(async { apps::new_form(&p.ctx, a).await.map(drop) })),
    ("new app", Role::Developer, false, |p, a, _| {
        Box::pin(async { apps::create(&p.ctx, a, new_app("\u{7}")).await.map(drop) })
    }),
    ("rename app", Role::Developer, true, |p, a, i| {
        Box::pin(async move { apps::rename(&p.ctx, a, i.app, RenameApp::default()).await })
    }),
    ("configure", Role::Developer, true, |p, a, i| {
        Box::pin(async move { apps::configure(&p.ctx, a, i.app, EditConfiguration::default()).await })
    }),
    ("set source", Role::Developer, true, |p, a, i| {
        Box::pin(async move { apps::set_source(&p.ctx, a, i.app, Default::default()).await })
    }),
    ("dockerfile", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { apps::dockerfile(&p.ctx, a, i.app).await.map(drop) })
    }),
    ("keep dockerfile", Role::Developer, true, |p, a, i| {
        Box::pin(async move { apps::keep_dockerfile(&p.ctx, a, i.app, KeepDockerfile::default()).await })
    }),
    ("look at source", Role::Developer, true, |p, a, i| {
        Box::pin(async move { apps::look_at_source(&p.ctx, a, i.app).await.map(drop) })
    }),
    ("set variable", Role::Developer, true, |p, a, i| {
        Box::pin(async move { apps::set_variable(&p.ctx, a, i.app, SetVariable::default()).await })
    }),
    ("remove variable", Role::Developer, true, |p, a, i| {
        Box::pin(async move { apps::remove_variable(&p.ctx, a, i.app, "GREETING").await })
    }),
    ("add route", Role::Developer, true, |p, a, i| {
        Box::pin(async move { routes::add(&p.ctx, a, i.app, NewRoute::default(), Default::default()).await.map(drop) })
    }),
    ("look at routes", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { routes::look(&p.ctx, a, i.app).await.map(drop) })
    }),
    ("set rules of a route", Role::Developer, true, |p, a, i| {
        Box::pin(async move { routes::set_rules(&p.ctx, a, i.app, i.route, Default::default()).await.map(drop) })
    }),
    ("apps a route could lead to", Role::Viewer, false, |p, a, i| {
        Box::pin(async move { routes::others(&p.ctx, a, i.app).await.map(drop) })
    }),
    ("lead a route to another app", Role::Developer, true, |p, a, i| {
        Box::pin(async move { routes::move_to(&p.ctx, a, i.app, i.route, i.app).await.map(drop) })
    }),
    ("preview a route", Role::Developer, true, |p, a, i| {
        Box::pin(async move { routes::preview(&p.ctx, a, i.app, routes::Change::Remove(i.route)).await.map(drop) })
    }),
    ("set front", Role::Developer, true, |p, a, i| {
        Box::pin(async move { routes::set_front(&p.ctx, a, i.app, Default::default()).await.map(drop) })
    }),
    ("maintenance", Role::Developer, true, |p, a, i| {
        Box::pin(async move { routes::maintain(&p.ctx, a, i.app, true).await.map(drop) })
    }),
    ("look at a host's proxy", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { routes::host_front(&p.ctx, a, i.host).await.map(drop) })
    }),
    ("say whom a host believes", Role::Admin, true, |p, a, i| {
        Box::pin(async move { routes::set_trust(&p.ctx, a, i.host, Default::default()).await.map(drop) })
    }),
    ("give a host a base domain", Role::Admin, true, |p, a, i| {
        Box::pin(async move { routes::set_base_domain(&p.ctx, a, i.host, "apps.example.org").await })
    }),
    ("set secret", Role::Developer, true, |p, a, i| {
        Box::pin(async move { secrets::set(&p.ctx, a, i.app, SetSecret::default()).await })
    }),
    ("add volume", Role::Developer, true, |p, a, i| {
        Box::pin(async move { volumes::add(&p.ctx, a, i.app, NewVolume::default()).await.map(drop) })
    }),
    ("deploys", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { deploys::list(&p.ctx, a, i.app, None).await.map(drop) })
    }),
    ("deploy", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { deploys::get(&p.ctx, a, i.deploy).await.map(drop) })
    }),
    ("preview", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { deploys::preview(&p.ctx, a, i.app, Default::default()).await.map(drop) })
    }),
    ("follow", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { deploys::follow(&p.ctx, a, i.deploy, 0).await.map(drop) })
    }),
    ("deploy's log", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { deploys::log(&p.ctx, a, i.deploy).await.map(drop) })
    }),
    ("request deploy", Role::Developer, true, |p, a, i| {
        let form = deploys::RequestDeploy { to: "nowhere".into(), ..Default::default() };
        Box::pin(async move { deploys::request(&p.ctx, a, i.app, form).await.map(drop) })
    }),
    ("cancel deploy", Role::Developer, true, |p, a, i| {
        Box::pin(async move { deploys::cancel(&p.ctx, a, i.deploy).await })
    }),
    ("releases", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { releases::list(&p.ctx, a, i.app, None).await.map(drop) })
    }),
    ("release", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { releases::get(&p.ctx, a, i.app, 1).await.map(drop) })
    }),
    ("jobs", Role::Viewer, false, |p, a, _| Box::pin(async { jobs::list(&p.ctx, a, false, None).await.map(drop) })),
    ("job", Role::Viewer, true, |p, a, i| Box::pin(async move { jobs::get(&p.ctx, a, i.job).await.map(drop) })),
    ("follow job", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { jobs::follow(&p.ctx, a, i.job, 0).await.map(drop) })
    }),
    ("job's log", Role::Viewer, true, |p, a, i| Box::pin(async move { jobs::log(&p.ctx, a, i.job).await.map(drop) })),
    ("cancel job", Role::Developer, true, |p, a, i| Box::pin(async move { jobs::cancel(&p.ctx, a, i.job).await })),
    ("remove volume", Role::Admin, true, |p, a, i| {
        let form = volumes::RemoveVolume::default();
        Box::pin(async move { volumes::remove(&p.ctx, a, i.app, i.volume, form).await.map(drop) })
    }),
    ("an app's logs", Role::Viewer, true, |p, a, i| {
        // Of nobody: no host is asked.
        let wanted = Wanted { position: Some(99), ..Wanted::default() };
        Box::pin(async move { instances::read(&p.ctx, a, i.app, wanted).await.map(drop) })
    }),
    ("follow an app's logs", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { instances::follow(&p.ctx, a, i.app, Wanted::default()).await.map(drop) })
    }),
    ("hook", Role::Viewer, true, |p, a, i| Box::pin(async move { hooks::get(&p.ctx, a, i.app).await.map(drop) })),
    ("turn a hook on", Role::Developer, true, |p, a, i| {
        Box::pin(async move { hooks::create(&p.ctx, a, i.app, "generic").await.map(drop) })
    }),
    ("show a hook's secret", Role::Developer, true, |p, a, i| {
        Box::pin(async move { hooks::show(&p.ctx, a, i.app).await.map(drop) })
    }),
    ("rotate a hook's secret", Role::Developer, true, |p, a, i| {
        Box::pin(async move { hooks::rotate(&p.ctx, a, i.app).await.map(drop) })
    }),
    ("deliveries", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { hooks::deliveries(&p.ctx, a, i.app, None).await.map(drop) })
    }),
    ("delivery", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { hooks::deliveries(&p.ctx, a, i.app, Some(i.delivery)).await.map(drop) })
    }),
    ("replay", Role::Developer, true, |p, a, i| {
        Box::pin(async move { hooks::replay(&p.ctx, a, i.app, i.delivery).await.map(drop) })
    }),
    ("members", Role::Viewer, false, |p, a, _| Box::pin(async { members::list(&p.ctx, a).await.map(drop) })),
    ("member", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { members::get(&p.ctx, a, i.member).await.map(drop) })
    }),
    ("give a role", Role::Admin, true, |p, a, i| {
        Box::pin(async move { members::set_grant(&p.ctx, a, i.member, SetGrant::default()).await })
    }),
    ("remove a member", Role::Admin, true, |p, a, i| {
        Box::pin(async move { members::remove(&p.ctx, a, i.member, "").await })
    }),
    ("leave", Role::Viewer, false, |p, a, _| Box::pin(async { members::leave(&p.ctx, a, "").await })),
    ("what to invite to", Role::Admin, false, |p, a, _| {
        Box::pin(async { invitations::choices(&p.ctx, a).await.map(drop) })
    }),
    ("invitations", Role::Admin, false, |p, a, _| Box::pin(async { invitations::list(&p.ctx, a).await.map(drop) })),
    ("invite", Role::Admin, false, |p, a, _| {
        Box::pin(async { invitations::create(&p.ctx, a, NewInvitation::default()).await.map(drop) })
    }),
    ("take an invitation back", Role::Admin, true, |p, a, i| {
        Box::pin(async move { invitations::revoke(&p.ctx, a, i.invitation).await })
    }),
    ("tokens", Role::Viewer, false, |p, a, _| Box::pin(async { tokens::list(&p.ctx, a).await.map(drop) })),
    ("where tokens are for", Role::Viewer, false, |p, a, _| {
        Box::pin(async { tokens::scopes(&p.ctx, a).await.map(drop) })
    }),
    ("make a token", Role::Viewer, false, |p, a, _| {
        Box::pin(async { tokens::create(&p.ctx, a, NewToken::default()).await.map(drop) })
    }),
    ("notices", Role::Viewer, false, |p, a, _| Box::pin(async { notices::overview(&p.ctx, a).await.map(drop) })),
    ("choose notices", Role::Viewer, false, |p, a, _| {
        Box::pin(async { notices::choose(&p.ctx, a, SetMine::default()).await })
    }),
    ("channels", Role::Admin, false, |p, a, _| Box::pin(async { notices::channels(&p.ctx, a).await.map(drop) })),
    ("channel", Role::Admin, true, |p, a, i| {
        Box::pin(async move { notices::get(&p.ctx, a, i.channel).await.map(drop) })
    }),
    ("add channel", Role::Admin, false, |p, a, _| {
        Box::pin(async { notices::add(&p.ctx, a, SetChannel::default()).await.map(drop) })
    }),
    ("edit channel", Role::Admin, true, |p, a, i| {
        Box::pin(async move { notices::edit(&p.ctx, a, i.channel, SetChannel::default()).await })
    }),
    ("test channel", Role::Admin, true, |p, a, i| {
        Box::pin(async move { notices::test(&p.ctx, a, i.channel).await.map(drop) })
    }),
    ("mail server", Role::Admin, false, |p, a, _| Box::pin(async { notices::mail(&p.ctx, a).await.map(drop) })),
    ("set mail server", Role::Admin, false, |p, a, _| {
        Box::pin(async { notices::set_mail(&p.ctx, a, SetMail::default()).await })
    }),
    ("teams", Role::Viewer, false, |p, a, _| Box::pin(async { teams::list(&p.ctx, a).await.map(drop) })),
    ("rename the team", Role::Owner, false, |p, a, _| Box::pin(async { teams::rename(&p.ctx, a, "").await.map(drop) })),
    ("another team", Role::Owner, false, |p, a, _| {
        Box::pin(async { teams::create_beside(&p.ctx, a, "").await.map(drop) })
    }),
    // What takes something away comes last, so that the others find it.
    ("remove channel", Role::Admin, true, |p, a, i| {
        Box::pin(async move { notices::remove(&p.ctx, a, i.channel).await })
    }),
    ("turn a hook off", Role::Developer, true, |p, a, i| {
        Box::pin(async move { hooks::remove(&p.ctx, a, i.app).await })
    }),
    ("remove secret", Role::Developer, true, |p, a, i| {
        Box::pin(async move { secrets::remove(&p.ctx, a, i.app, "KEY").await })
    }),
    ("certificate orders", Role::Viewer, false, |p, a, _| Box::pin(async { acme::list(&p.ctx, a).await.map(drop) })),
    ("order certificate", Role::Admin, false, |p, a, _| {
        Box::pin(async { acme::order(&p.ctx, a, acme::NewOrder::default()).await.map(drop) })
    }),
    ("dns accounts", Role::Viewer, false, |p, a, _| Box::pin(async { acme::accounts(&p.ctx, a).await.map(drop) })),
    ("add dns account", Role::Admin, false, |p, a, _| {
        Box::pin(async { acme::add_account(&p.ctx, a, acme::NewDnsAccount::default()).await.map(drop) })
    }),
    ("choose authority", Role::Owner, true, |p, a, _| {
        Box::pin(async { acme::choose(&p.ctx, a, acme::Choice::default()).await })
    }),
    ("certificates of app", Role::Viewer, true, |p, a, i| {
        Box::pin(async move { acme::of_app(&p.ctx, a, i.app).await.map(drop) })
    }),
    ("get certificate", Role::Developer, true, |p, a, i| {
        Box::pin(async move { acme::get_now_for(&p.ctx, a, i.app, "ours.example.org").await.map(drop) })
    }),
    ("detach volume", Role::Developer, true, |p, a, i| {
        Box::pin(async move { volumes::detach(&p.ctx, a, i.app, i.volume).await })
    }),
    ("remove route", Role::Developer, true, |p, a, i| {
        Box::pin(async move { routes::remove(&p.ctx, a, i.app, i.route).await.map(drop) })
    }),
];

async fn things(panel: &Panel, of: &Actor, name: &str) -> Ids {
    let host = panel.host(of, name).await;
    let mut form = new_app(name);
    form.variables = vec![apps::Pair { name: "GREETING".into(), value: "x".into() }];
    form.secrets = vec![apps::Pair { name: "KEY".into(), value: "x".into() }];
    form.volumes = vec![NewVolume { name: "data".into(), path: "/data".into() }];
    let app = apps::create(&panel.ctx, of, form).await.unwrap();
    panel.deployed(of, app).await;
    let deploy = deploys::request(&panel.ctx, of, app, Default::default()).await.unwrap();
    let view = apps::get(&panel.ctx, of, app).await.unwrap();
    let job = deploys::get(&panel.ctx, of, deploy).await.unwrap().job;
    let (route, volume) = (view.routes[0].id, view.volumes[0].id);
    let person = panel.person(of, Role::Viewer).await;
    let all = members::list(&panel.ctx, of).await.unwrap().members;
    let member = all.iter().find(|line| Some(line.account) == person.who().account()).unwrap().id;
    let form = NewInvitation { role: "viewer".into(), ..NewInvitation::default() };
    let invitation = invitations::create(&panel.ctx, of, form).await.unwrap().id;
    let form = NewToken { name: "ci".into(), role: "viewer".into(), days: "1".into(), ..NewToken::default() };
    let token = tokens::create(&panel.ctx, of, form).await.unwrap().line.id;
    let delivery = DeliveryId(uuid::Uuid::now_v7());
    let new = deliveries::New {
        id: delivery,
        provider: Provider::Generic,
        key: "one",
        event: "push",
        branch: "main",
        commit: "",
        author: "",
        subject: "",
        address: "",
    };
    let permit = Permit::of_claimed_row(of.team());
    let mut tx = panel.test.begin(&permit).await.unwrap();
    assert_eq!(deliveries::insert(&mut tx, &permit, app, &[new]).await.unwrap(), [delivery]);
    tx.commit().await.unwrap();
    let project = view.line.project;
    let channel = crate::notices::add(&panel.ctx, of, crate::notices::webhook(name, "http://127.0.0.1:9/")).await;
    Ids { host, project, app, route, volume, deploy, job, delivery, member, invitation, token, channel }
}

#[tokio::test]
async fn each_action_needs_its_role_and_no_more() {
    for role in [Role::Viewer, Role::Developer, Role::Admin, Role::Owner] {
        // A panel for each role: what one may do changes the things.
        let panel = Panel::new().await;
        let ids = things(&panel, &panel.owner, "ours").await;
        let actor = panel.person(&panel.owner, role).await;
        for (name, least, _, act) in ACTIONS {
            match act(&panel, &actor, ids).await {
                Err(Refused::Forbidden(forbidden)) => {
                    assert!(role < *least, "{} was refused: {name}", role.word());
                    assert_eq!(forbidden.needs, *least, "{name}");
                }
                Err(Refused::NotFound) => panic!("{} did not find: {name}", role.word()),
                Err(Refused::Internal(_)) => panic!("went wrong for {}: {name}", role.word()),
                Ok(()) | Err(Refused::Fields(_) | Refused::Conflict(_)) => {
                    assert!(role >= *least, "{} may: {name}", role.word());
                }
                Err(other) => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn another_teams_things_are_not_there() {
    let panel = Panel::new().await;
    let ids = things(&panel, &panel.owner, "ours").await;
    let stranger = panel.another_team().await;
    things(&panel, &stranger, "theirs").await;
    for (name, _, by_id, act) in ACTIONS {
        let answer = act(&panel, &stranger, ids).await;
        if *by_id {
            assert_eq!(answer, Err(Refused::NotFound), "{name}");
        }
    }
    // Whoever may not end a token is not told that it is there, in one's own team as well.
    let viewer = panel.person(&panel.owner, Role::Viewer).await;
    for actor in [&stranger, &viewer] {
        assert_eq!(tokens::revoke(&panel.ctx, actor, ids.token).await, Err(Refused::NotFound));
    }
    let home = home::get(&panel.ctx, &stranger).await.unwrap();
    assert_eq!((home.apps.len(), home.hosts.len()), (1, 1));
    assert!(home.apps[0].name == "theirs" && home.lately.iter().all(|line| line.who != "Ada"));
    let mine = apps::get(&panel.ctx, &panel.owner, ids.app).await.unwrap();
    assert_eq!((mine.routes.len(), mine.secrets.len(), mine.variables.len()), (1, 1, 1), "nothing was changed");
}

#[tokio::test]
async fn a_form_cannot_point_at_another_teams_host_or_environment() {
    let panel = Panel::new().await;
    let ids = things(&panel, &panel.owner, "ours").await;
    let ours = apps::get(&panel.ctx, &panel.owner, ids.app).await.unwrap().line.environment;
    let stranger = panel.another_team().await;
    panel.host(&stranger, "theirs").await;
    let mut form = new_app("mine");
    form.host = ids.host.to_string();
    assert_eq!(super::fields(apps::create(&panel.ctx, &stranger, form).await), ["host"]);
    let mut form = new_app("mine");
    form.environment = ours.to_string();
    assert_eq!(super::fields(apps::create(&panel.ctx, &stranger, form).await), ["environment"]);
}
