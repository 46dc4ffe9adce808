//! A second person in a browser of her own: invited as developer of *dev* and nothing else, what she can do and what is not there
//! for her; then her role is taken back and she is removed while she is signed in.

use fantoccini::Locator;

use super::fleet::{add, click, ready};
use super::walk::Walk;
use crate::build::forge::{Behaviour, Forge};
use crate::build::repo::Repo;
use crate::harness::door::PASSWORD;
use crate::harness::host::TestHost;
use crate::harness::quiet::assert_quiet;
use crate::harness::served::Served;

const DOMAIN: &str = "sketch.example";
const IMAGE: &str = "127.0.0.1:5000/hello:1";

/// Looks at a page that refuses: the browser writes its status to the console.
async fn refused(walk: &Walk, words: &str, name: &str) {
    walk.says(words).await;
    walk.browser.picture(name).await;
    walk.browser.console().await;
}

/// An app of the image, in an environment by its words. Says its page.
async fn app(walk: &Walk, name: &str, domain: &str, place: Option<&str>) -> String {
    walk.open(&format!("{}/apps/new", walk.team)).await;
    click(walk, "//input[@name='from'][@value='image']").await;
    walk.fill(&[("name", name), ("image", IMAGE), ("port", "8080"), ("routes.1", domain)]).await;
    if let Some(place) = place {
        let path = format!("//select[@name='environment']/option[normalize-space(.)='{place}']");
        click(walk, "//details[.//select[@name='environment']]/summary").await;
        click(walk, &path).await;
    }
    walk.press("Health").await;
    walk.fill(&[("health_path", "/up")]).await;
    walk.press("From one release").await;
    walk.fill(&[("drain_s", "1"), ("watch_s", "0")]).await;
    walk.press("Create app").await;
    walk.says(&format!("{name} was never deployed")).await;
    walk.path().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_developer_of_dev_sees_dev_and_nothing_else() {
    let repo = Repo::new();
    let forge = Forge::serve(repo.root.path(), Behaviour::default()).await;
    let host = TestHost::bare().await;
    let panel = Served::start(&forge.ca_file).await;
    let mut ada = Walk::new(&panel.base, "members", DOMAIN, &format!("MAP *.example {}", host.address)).await;
    ada.browser.client.goto(&panel.set_up_link()).await.unwrap();
    ada.fill(&[("name", "Ada Lovelace"), ("email", "ada@example.org"), ("password", PASSWORD), ("team", "Harbour")])
        .await;
    ada.press("Become the owner").await;
    ada.says("Add the first host").await;
    ada.team = ada.path().await;
    let host_page = add(&ada, &host, "fra-1").await;
    ready(&ada, &host_page).await;
    host.load_app(IMAGE, "1").await;
    let shop = app(&ada, "Shop", "shop.example", None).await;
    ada.go("Projects").await;
    ada.press("Main").await;
    ada.says("Another environment").await;
    ada.fill(&[("name", "dev")]).await;
    ada.press("Create environment").await;
    ada.says("dev").await;
    let project = ada.path().await;
    ada.look("project").await;
    let sketch = app(&ada, "Sketch", DOMAIN, Some("Main / dev")).await;

    ada.go("Team").await;
    ada.press("Invite").await;
    ada.says("Makes a link that lets one person in, once.").await;
    ada.fill(&[("note", "Grace")]).await;
    for place in ["the whole team", "Main / dev"] {
        click(&ada, &format!("//label[.//b[normalize-space(.)='{place}']]//input[@name='scopes']")).await;
    }
    ada.look("invitation-new").await;
    ada.press("Make the link").await;
    let link = ada.browser.wait_text("#link").await;
    ada.says("As developer").await;
    ada.look("invitation-made").await;

    let mut grace = Walk::new(&panel.base, "members", DOMAIN, &format!("MAP *.example {}", host.address)).await;
    grace.team.clone_from(&ada.team);
    grace.browser.client.goto(&link).await.unwrap();
    grace.says("Ada Lovelace invites Grace").await;
    grace.look("join").await;
    grace.fill(&[("name", "Grace Hopper"), ("email", "grace@example.org"), ("password", PASSWORD)]).await;
    grace.press("Make an account and join").await;
    grace.says("Sketch").await;
    grace.look("grace-home").await;
    within(&grace, &shop, &sketch, &host_page, &project).await;

    // Used once, the link is nobody's.
    grace.browser.client.goto(&link).await.unwrap();
    refused(&grace, "This invitation was used", "join-again").await;

    // She has the page open on which she may deploy; then she may not.
    grace.open(&sketch).await;
    grace.says("1 of 1 instance").await;
    role(&ada, "viewer").await;
    grace.press("Deploy").await;
    refused(&grace, "developer", "grace-refused").await;
    grace.open(&sketch).await;
    grace.says("1 of 1 instance").await;
    let deploy = grace.browser.client.find(Locator::XPath("//button[normalize-space(.)='Deploy']")).await;
    assert!(deploy.is_err(), "a viewer has no such button");
    grace.look("grace-viewer").await;

    ada.go("Team").await;
    ada.press("Grace Hopper").await;
    ada.says("What they asked for goes on under their name.").await;
    ada.look("member").await;
    ada.fill(&[("email", "grace@example.org")]).await;
    click(&ada, "//button[normalize-space(.)='Remove from the team']").await;
    ada.says("From now on they see nothing of this team.").await;
    grace.open(&sketch).await;
    refused(&grace, "Nothing is here", "grace-removed").await;
    grace.open("/").await;
    grace.says("team").await;
    grace.browser.picture("grace-without-a-team").await;

    ada.go("History").await;
    ada.says("removed Grace Hopper from the team").await;
    ada.says("asked to deploy Sketch").await;
    ada.look("history").await;
    assert_quiet(&panel.db).await;
    assert!(!panel.said().contains(" ERROR "), "{}", panel.said());
    panel.stop().await;
}

/// What a developer of *dev* can do, and what is not there for her.
async fn within(grace: &Walk, shop: &str, sketch: &str, host: &str, project: &str) {
    grace.open(sketch).await;
    grace.press("Deploy").await;
    grace.says_at_last("succeeded").await;
    grace.look("grace-deploy").await;
    grace.open(sketch).await;
    grace.says("1 of 1 instance").await;
    assert_eq!(grace.visit_app().await.trim(), "1");
    grace.look("grace-app").await;
    grace.tab("Settings").await;
    grace.says("Running").await;
    let shown = grace.browser.wait_text("main").await;
    assert!(!shown.contains("Remove Sketch"), "an app is removed by admins: {shown}");

    grace.go("Apps").await;
    grace.says("Sketch").await;
    let shown = grace.browser.wait_text("main").await;
    assert!(!shown.contains("Shop"), "{shown}");
    grace.look("grace-apps").await;
    for (path, name) in [(shop, "grace-no-prod"), (host, "grace-no-host")] {
        grace.open(path).await;
        refused(grace, "Nothing is here", name).await;
    }
    grace.open(project).await;
    grace.says("dev").await;
    let shown = grace.browser.wait_text("main").await;
    assert!(!shown.contains("prod"), "{shown}");
    grace.look("grace-project").await;
    grace.go("Hosts").await;
    grace.look("grace-hosts").await;
    grace.go("Team").await;
    grace.says("You see a part of this team.").await;
    grace.look("grace-team").await;
    grace.go("History").await;
    grace.look("grace-history").await;
    for page in ["/invitations/new", "/hosts/new"] {
        grace.open(&format!("{}{page}", grace.team)).await;
        refused(grace, "admin", &format!("grace-no{}", page.replace('/', "-"))).await;
    }
}

/// Gives Grace another role in *dev*.
async fn role(ada: &Walk, role: &str) {
    ada.go("Team").await;
    ada.press("Grace Hopper").await;
    ada.says("Change it").await;
    click(ada, &format!("//input[@name='role'][@value='{role}']")).await;
    ada.press("Set the role").await;
    ada.says("That holds from now on.").await;
}
