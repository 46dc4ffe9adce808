//! Every form with every kind of wrong input: the page comes back with what was typed, and the sentence stands beside the
//! field that is wrong.

use crate::harness::door::{Panel, Visitor};

use super::scene::{self, web_form};

use skiff::actions::apps;

/// A form: the page it is on, where it is sent, and fields that are right.
struct Case<'a> {
    page: String,
    to: String,
    right: Vec<(&'a str, &'a str)>,
}

impl Case<'_> {
    /// Sends it with one field wrong and looks at the page that comes back.
    async fn refused(&self, ada: &Visitor, field: &str, wrong: &str, sentence: &str) {
        let row = field.split('.').next().unwrap();
        let known = self.right.iter().filter(|(name, _)| *name != field);
        let fields: Vec<_> = known.copied().chain([(field, wrong)]).collect();
        let answer = ada.submit(&self.page, &self.to, &fields).await;
        let (status, page) = (answer.status(), answer.text().await.unwrap());
        let what = format!("{} with {field}={:?}", self.to, wrong.chars().take(40).collect::<String>());
        assert_eq!(status, 422, "{what}: {page}");
        let more = format!("<div id=\"{row}-more\"><p class=\"error\">");
        let said = page.split(&more).nth(1).unwrap_or_else(|| panic!("{what}: no sentence beside it: {page}"));
        let said = said.split("</p>").next().unwrap();
        assert!(said.contains(sentence), "{what}: {said}");
        for (name, value) in self.right.iter().filter(|(name, _)| !name.contains("token") && *name != field) {
            let radio = format!("name=\"{name}\" value=\"{value}\" checked");
            let kept = [format!("name=\"{name}\" value=\"{value}\""), format!("name=\"{name}\" rows=")];
            assert!(page.contains(&radio) || kept.iter().any(|kept| page.contains(kept)), "{what}: {name} is lost");
        }
    }
}

/// A text longer than any name.
fn long() -> String {
    "x".repeat(300)
}

#[tokio::test]
async fn a_new_host_says_which_field_is_wrong() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    scene::ready_host(&panel, &owner, "fra-1", "203.0.113.7").await;
    let ada = panel.signed_in("ada@example.org").await;
    let (page, to) = (format!("/t/{}/hosts/new", owner.slug), format!("/t/{}/hosts", owner.slug));
    let right = vec![("name", "hel-2"), ("address", "198.51.100.23"), ("port", "22"), ("user", "root")];
    let form = Case { page, to, right };
    form.refused(&ada, "name", "", "1 to 80 visible characters").await;
    form.refused(&ada, "name", &long(), "1 to 80 visible characters").await;
    form.refused(&ada, "name", "fra-1", "has a host of this name already").await;
    form.refused(&ada, "address", "two words", "Use a").await;
    form.refused(&ada, "address", "203.0.113.7", "This is the host fra-1 already").await;
    for port in ["0", "65536", "-1", "ssh", "22.5"] {
        form.refused(&ada, "port", port, "Use a whole number from 1 to 65535.").await;
        form.refused(&ada, "http_port", port, "Use a whole number from 1 to 65535.").await;
    }
    form.refused(&ada, "user", "root; reboot", "Use").await;
    form.refused(&ada, "host_key", "MD5:00", "SHA256").await;
}

#[tokio::test]
async fn a_new_app_says_which_field_is_wrong() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let host = scene::ready_host(&panel, &owner, "fra-1", "203.0.113.7").await;
    let shop = skiff::actions::apps::NewApp { host: host.to_string(), ..web_form("Shop") };
    apps::create(&panel.ctx, &owner.actor, shop).await.unwrap();
    let ada = panel.signed_in("ada@example.org").await;
    let (page, to) = (format!("/t/{}/apps/new", owner.slug), format!("/t/{}/apps", owner.slug));
    let right = vec![
        ("name", "Mail"),
        ("from", "git"),
        ("git_url", "https://git.example.org/acme/mail.git"),
        ("git_access", "public"),
        ("kind", "web"),
        ("port", "8080"),
        ("health", "http"),
        ("health_path", "/up"),
        ("overlap", "yes"),
    ];
    let form = Case { page, to, right };
    form.refused(&ada, "name", "", "1 to 80 visible characters").await;
    form.refused(&ada, "name", &long(), "1 to 80 visible characters").await;
    form.refused(&ada, "name", "Shop", "has an app of this name already").await;
    form.refused(&ada, "git_url", "", "Use").await;
    form.refused(&ada, "git_url", "ftp://x", "Use").await;
    form.refused(&ada, "git_url", "file:///etc", "").await;
    form.refused(&ada, "git_branch", "a..b", "").await;
    form.refused(&ada, "dockerfile", "../Dockerfile", "").await;
    for port in ["", "0", "65536", "-1", "http"] {
        form.refused(&ada, "port", port, "Use a whole number from 1 to 65535.").await;
    }
    form.refused(&ada, "health_path", "up", "Use a path such as /up").await;
    form.refused(&ada, "health_interval_ms", "often", "Use a whole number from").await;
    form.refused(&ada, "memory_mib", "lots", "Use a whole number from 6").await;
    form.refused(&ada, "memory_mib", "5", "Use a whole number from 6").await;
    form.refused(&ada, "cpus", "-1", "Use a number of cores").await;
    form.refused(&ada, "cpus", "0", "Use a number of cores").await;
    for count in ["0", "65", "two"] {
        form.refused(&ada, "instances", count, "Use a whole number from 1 to 64").await;
    }
    form.refused(&ada, "drain_s", "4000", "Use a whole number from 0 to 3600 (seconds)").await;
    form.refused(&ada, "watch_errors", "101", "per cent").await;
    let routes = |domain: &'static str, path: &'static str| Case {
        page: form.page.clone(),
        to: form.to.clone(),
        right: form.right.iter().copied().chain([("routes.1", domain), ("routes.2", path)]).collect(),
    };
    routes("mail.example", "/").refused(&ada, "routes.1", "my shop.example", "Entry 1: Use a domain").await;
    routes("mail.example", "/").refused(&ada, "routes.1", "shop.example", "leads to another app already").await;
    routes("mail.example", "/").refused(&ada, "routes.2", "api", "Entry 1: Use / or a path such as /api").await;
}

#[tokio::test]
async fn the_pages_of_an_app_say_which_field_is_wrong() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let host = scene::ready_host(&panel, &owner, "fra-1", "203.0.113.7").await;
    let shop = skiff::actions::apps::NewApp { host: host.to_string(), ..web_form("Shop") };
    let app = apps::create(&panel.ctx, &owner.actor, shop).await.unwrap();
    let other = skiff::actions::apps::NewApp { host: host.to_string(), ..web_form("Mail") };
    apps::create(&panel.ctx, &owner.actor, other).await.unwrap();
    let ada = panel.signed_in("ada@example.org").await;
    let at = |below: &str| format!("/t/{}/apps/{app}/{below}", owner.slug);

    let rename = Case { page: at("configuration"), to: at("name"), right: vec![("name", "Shop")] };
    rename.refused(&ada, "name", "", "1 to 80 visible characters").await;
    rename.refused(&ada, "name", "Mail", "has an app of this name already").await;

    let routes = Case { page: at("routes"), to: at("routes"), right: vec![("domain", "new.example"), ("path", "/")] };
    routes.refused(&ada, "domain", "", "Use a domain such as").await;
    routes.refused(&ada, "domain", "a b.example", "Use a domain such as").await;
    routes.refused(&ada, "domain", "http://new.example", "without http://").await;
    routes.refused(&ada, "domain", &format!("{}.example", long()), "Use a domain such as").await;
    routes.refused(&ada, "domain", "shop.example", "lead here already").await;
    routes.refused(&ada, "domain", "mail.example", "leads to another app already").await;
    routes.refused(&ada, "path", "api", "Use / or a path such as /api").await;

    let volumes = Case { page: at("volumes"), to: at("volumes"), right: vec![("name", "more"), ("path", "/srv/more")] };
    volumes.refused(&ada, "name", "", "lowercase letters").await;
    volumes.refused(&ada, "name", "My files", "lowercase letters").await;
    volumes.refused(&ada, "name", "uploads", "has a volume of this name already").await;
    volumes.refused(&ada, "path", "srv/more", "").await;
    volumes.refused(&ada, "path", "/srv/uploads", "appears there already").await;

    let variables = Case { page: at("variables"), to: at("variables"), right: vec![("name", "NEW"), ("value", "x")] };
    variables.refused(&ada, "name", "", "letters, digits and underscores").await;
    variables.refused(&ada, "name", "9 LIVES", "letters, digits and underscores").await;
    variables.refused(&ada, "name", "STRIPE_KEY", "There is a secret of this name").await;
    variables.refused(&ada, "value", &"x".repeat(33 * 1024), "longer than 32 KiB").await;
}

/// A worker is made by the form as it stands: what only a web app is asked does not stand in its way.
#[tokio::test]
async fn a_worker_is_made_without_a_word_about_http() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    scene::ready_host(&panel, &owner, "fra-1", "203.0.113.7").await;
    let ada = panel.signed_in("ada@example.org").await;
    let fields = [
        ("name", "Mailer"),
        ("from", "image"),
        ("image", "mailer:1"),
        ("kind", "worker"),
        ("port", "8080"),
        ("health", "http"),
        ("health_worker", "alive"),
        ("overlap", "yes"),
    ];
    let (new, apps) = (format!("/t/{}/apps/new", owner.slug), format!("/t/{}/apps", owner.slug));
    let made = ada.submit(&new, &apps, &fields).await;
    assert_eq!(made.status(), 303, "{}", made.text().await.unwrap());
    let page = ada.text(&format!("{}/configuration", made.headers()["location"].to_str().unwrap())).await;
    assert!(page.contains("name=\"health_worker\" value=\"alive\" checked"), "{page}");
}
