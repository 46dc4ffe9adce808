//! The end of an app in a browser: a delivery and its deploys lead to each other, one is replayed; then the app is removed by its
//! typed name, and nothing of it is left where it ran.

use fantoccini::Locator;

use super::fleet::click;
use super::walk::Walk;
use crate::harness::host::TestHost;
use crate::harness::world::ask;

/// From a delivery to its deploy and back; replayed, it leads to the newer one.
pub async fn replayed(walk: &Walk, app: &str) {
    walk.open(&format!("{app}/push")).await;
    click(walk, "(//td[@data-label='Deploy']//a)[1]").await;
    walk.says("The plan in words").await;
    click(walk, "//header[contains(@class, 'head')]//p//a").await;
    walk.says("Deliveries").await;
    let here = walk.browser.client.current_url().await.unwrap();
    let row = here.fragment().expect("the very delivery").to_owned();
    assert!(walk.browser.client.find(Locator::Css(&format!("#{row}"))).await.is_ok(), "{here}");
    click(walk, "(//td[contains(@class, 'acts')]//button[normalize-space(.)='Replay'])[1]").await;
    walk.says_at_last("succeeded").await;
    walk.look("deploy-replayed").await;
    walk.open(&format!("{app}/push")).await;
    walk.says("replayed").await;
    walk.look("push-replayed").await;
}

/// Removes the app one has deployed to these hosts.
pub async fn removed(walk: &Walk, app: &str, hosts: &[TestHost], domain: &str) {
    walk.open(app).await;
    walk.tab("Settings").await;
    walk.says("Its history stays").await;
    walk.look("app-removal").await;
    // Until the name is right there is nothing to press.
    let button = Locator::XPath("//button[normalize-space(.)='Remove Hello']");
    walk.fill(&[("name", "Hallo")]).await;
    assert!(!walk.browser.client.find(button).await.unwrap().is_enabled().await.unwrap());
    walk.fill(&[("name", "Hello")]).await;
    click(walk, "//button[normalize-space(.)='Remove Hello']").await;
    walk.says("What is on its hosts is being taken away.").await;
    walk.says_at_last("Nothing of it is left on any host.").await;
    walk.look("app-removed").await;
    for host in hosts {
        assert_eq!(host.docker(&["ps", "--all", "--quiet", "--filter", "label=skiff.app"]).await, "");
        assert_eq!(ask(host, domain, "/").await.0, 421);
    }
    walk.go("Apps").await;
    walk.says("No app yet").await;
    walk.go("Jobs").await;
    walk.press("Remove Hello").await;
    walk.says("remove the files of its releases").await;
    walk.look("removal-job").await;
    walk.go("History").await;
    walk.says("removed the app Hello").await;
    walk.look("history-removed").await;
}
