//! `skiff deploy` and `skiff rollback`: asked for, and followed until it serves where that is wanted.

use clap::Args;
use serde_json::{Value, json};

use super::client::{Ask, Client};
use super::remote::{Answer, Common, app_in_path};
use super::show::{at, facts, items, plain, tell};
use super::{Failed, follow};

/// A deploy.
#[derive(Clone, Debug, Args)]
pub struct Deploy {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// A branch, a tag, or a whole commit [default: the head of its branch]
    #[arg(long = "ref", value_name = "REF", conflicts_with = "image")]
    pub reference: Option<String>,
    /// An image, which becomes the app's, where it is not built
    #[arg(long)]
    pub image: Option<String>,
    /// Follow it until it serves, and end with 0 only then
    #[arg(long)]
    pub wait: bool,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// A way back.
#[derive(Clone, Debug, Args)]
pub struct Rollback {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// The release's number [default: the newest kept one below the one that serves]
    #[arg(long, value_name = "RELEASE", value_parser = clap::value_parser!(i32).range(1..))]
    pub to: Option<i32>,
    /// Follow it until it serves, and end with 0 only then
    #[arg(long)]
    pub wait: bool,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// Asks for a deploy.
pub async fn deploy(input: Deploy) -> Result<String, Failed> {
    let body = match (&input.reference, &input.image) {
        (Some(reference), _) => json!({ "ref": reference }),
        (None, Some(image)) => json!({ "image": image }),
        (None, None) => json!({}),
    };
    let ask = Ask::post(&["apps", &app_in_path(&input.app), "deploys"], body).once();
    begin(&input.common, ask, input.wait).await
}

/// Asks for the way back.
pub async fn rollback(input: Rollback) -> Result<String, Failed> {
    let body = input.to.map_or_else(|| json!({}), |to| json!({ "release": to }));
    let ask = Ask::post(&["apps", &app_in_path(&input.app), "rollback"], body).once();
    begin(&input.common, ask, input.wait).await
}

/// Asks, follows where that is wanted, says how it ended.
async fn begin(common: &Common, ask: Ask, wait: bool) -> Result<String, Failed> {
    let client = common.client()?;
    let asked = client.ask(ask).await?;
    let id = at(&asked, "id");
    let name = at(&asked, "app.name");
    if !wait {
        let text = facts(&[
            ("Deploy", id.clone()),
            ("Of", name),
            ("Intent", at(&asked, "intent")),
            ("Look at it", page(&client, &id).await?),
        ]);
        return Ok(common.print(Answer::new(asked, text)));
    }
    tell(&format!("· Deploy {id} of {name}: {}", at(&asked, "intent")));
    let what = format!("The deploy {id}");
    follow::until_over(&client, &["deploys", &id], &what).await?;
    let over = client.ask(Ask::get(&["deploys", &id])).await?;
    let serves = at(&over, "state") == "succeeded";
    let answer = Answer::new(over.clone(), if serves { ended_well(&over) } else { String::new() });
    if serves {
        Ok(common.print(answer))
    } else {
        Err(common.not_as_wanted(answer, reason(&over) + &client.more(&over)))
    }
}

/// Where its page is: the panel's own address for people, which need not be the one it was asked at.
async fn page(client: &Client, id: &str) -> Result<String, Failed> {
    let me = client.ask(Ask::get(&["me"])).await?;
    Ok(format!("{}/t/{}/deploys/{id}", at(&me, "base_url"), at(&me, "team.slug")))
}

fn ended_well(deploy: &Value) -> String {
    let urls: Vec<String> = items(deploy, "urls").iter().filter_map(Value::as_str).map(plain).collect();
    let place = if urls.is_empty() { String::new() } else { format!(" at {}", urls.join(", ")) };
    let serves = format!("Release #{} of {} serves{place}.", at(deploy, "release"), at(deploy, "app.name"));
    match at(deploy, "watch_until").as_str() {
        "" => serves,
        _ => format!("{serves} It is watched for a while, and taken back if it crashes or answers errors."),
    }
}

/// Why it does not serve, and what to try.
fn reason(deploy: &Value) -> String {
    let mut lines = vec![match at(deploy, "state").as_str() {
        "superseded" => "A newer deploy of the same app took its place.".to_owned(),
        "cancelled" => "It was cancelled; the former release serves.".to_owned(),
        "taken_back" => "The new release was taken back.".to_owned(),
        "failed" => "The deploy failed.".to_owned(),
        other => format!("The deploy is {}.", other.replace('_', " ")),
    }];
    lines.extend([at(deploy, "failure"), at(deploy, "advice")].into_iter().filter(|line| !line.is_empty()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_ended_is_said() {
        let well = json!({"state": "succeeded", "release": 3, "app": {"name": "web"}, "urls": ["http://web.example/"], "watch_until": null});
        assert_eq!(ended_well(&well), "Release #3 of web serves at http://web.example/.");
        let failed =
            json!({"state": "failed", "failure": "web-1 did not become healthy.", "advice": "Look at its log."});
        assert_eq!(reason(&failed), "The deploy failed.\nweb-1 did not become healthy.\nLook at its log.");
        assert_eq!(reason(&json!({"state": "superseded"})), "A newer deploy of the same app took its place.");
    }
}
