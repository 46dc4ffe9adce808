//! The Dockerfile that is kept for a repository without one: edited, looked for, forgotten with the repository.

use skiff::actions::apps::{self, DockerfileView, EditSource, FoundView, KeepDockerfile};
use skiff::db::dockerfiles;
use skiff::domain::dockerfile::{Files, Found, Look, write};
use skiff::domain::ids::{AppId, SourceId};
use skiff::domain::rights::{Actor, Permit};

use super::{conflict, fields};
use crate::harness::panel::{Panel, new_app};

fn source(url: &str) -> EditSource {
    EditSource { from: "git".into(), git_url: url.into(), ..EditSource::default() }
}

/// An app with a repository on a host that nothing answers at.
async fn app(panel: &Panel) -> AppId {
    panel.host(&panel.owner, "fra-1").await;
    let mut form = new_app("web");
    form.source = source("https://git.example.org/acme/shop.git");
    apps::create(&panel.ctx, &panel.owner, form).await.unwrap()
}

/// What a look at the repository leaves, as a worker writes it.
pub async fn looked(panel: &Panel, of: &Actor, app: AppId, names: &[&str]) {
    let permit = Permit::of_claimed_row(of.team());
    let mut tx = panel.test.begin(&permit).await.unwrap();
    let source: uuid::Uuid =
        sqlx::query_scalar("select source_id from apps where id = $1").bind(app.0).fetch_one(&mut *tx).await.unwrap();
    let files = Files::new(names.iter().map(|name| (*name).to_owned()), Default::default());
    let written = write(&files, Some(8080)).unwrap();
    dockerfiles::keep_first(&mut tx, &permit, SourceId(source), &written.text).await.unwrap();
    let look = Look { commit: "a".repeat(40).parse().unwrap(), found: Found::Written(written) };
    dockerfiles::looked(&mut tx, &permit, SourceId(source), &look).await.unwrap();
    tx.commit().await.unwrap();
}

async fn view(panel: &Panel, app: AppId) -> DockerfileView {
    apps::dockerfile(&panel.ctx, &panel.owner, app).await.unwrap().expect("it has a repository")
}

async fn keep(panel: &Panel, app: AppId, text: &str) -> Result<(), skiff::actions::Refused> {
    apps::keep_dockerfile(&panel.ctx, &panel.owner, app, KeepDockerfile { text: text.into() }).await
}

#[tokio::test]
async fn a_text_is_kept_edited_and_taken_back_to_what_skiff_wrote() {
    let panel = Panel::new().await;
    let app = app(&panel).await;
    let nothing = view(&panel, app).await;
    assert!(nothing.kept.is_none() && nothing.look.is_none() && nothing.looking.is_none());
    assert_eq!(nothing.path, "Dockerfile");

    looked(&panel, &panel.owner, app, &["index.html"]).await;
    let seen = view(&panel, app).await;
    let kept = seen.kept.unwrap();
    assert_eq!((kept.by.as_deref(), seen.difference.len()), (None, 0));
    match seen.look.unwrap().found {
        FoundView::Written { language, evidence, text, .. } => {
            assert_eq!(
                (language, evidence.as_slice(), text),
                ("static site", ["index.html".to_owned()].as_slice(), kept.text.clone())
            );
        }
        other => panic!("{other:?}"),
    }

    let edited = kept.text.replace("1.28", "1.29");
    keep(&panel, app, &edited).await.unwrap();
    let seen = view(&panel, app).await;
    let now = seen.kept.unwrap();
    assert_eq!((now.text, now.by.as_deref()), (edited.clone(), Some("Ada")));
    assert!(!seen.difference.is_empty(), "against what would be written");
    // Looked at again: what a person wrote stays.
    looked(&panel, &panel.owner, app, &["index.html", "404.html"]).await;
    assert_eq!(view(&panel, app).await.kept.unwrap().text, edited);
    // As it was written, with a browser's line ends: Skiff's again.
    keep(&panel, app, &kept.text.replace('\n', "\r\n")).await.unwrap();
    let seen = view(&panel, app).await;
    assert_eq!((seen.kept.unwrap().by, seen.difference.len()), (None, 0));

    for bad in ["", "RUN true\n", "FROM x\nRUN \u{7}"] {
        assert_eq!(fields(keep(&panel, app, bad).await), ["text"]);
    }
    let history = skiff::actions::audit::list(&panel.ctx, &panel.owner, None).await.unwrap();
    let said = history.iter().filter(|line| line.action == "app.dockerfile_kept").count();
    assert_eq!(said, 2);
}

#[tokio::test]
async fn another_repository_forgets_what_was_seen_and_what_a_person_wrote_stays() {
    let panel = Panel::new().await;
    let app = app(&panel).await;
    looked(&panel, &panel.owner, app, &["index.html"]).await;
    let branch = EditSource { git_branch: "next".into(), ..source("https://git.example.org/acme/shop.git") };
    apps::set_source(&panel.ctx, &panel.owner, app, branch).await.unwrap();
    assert!(view(&panel, app).await.kept.is_some(), "another branch of the same");
    apps::set_source(&panel.ctx, &panel.owner, app, source("https://git.example.org/acme/other.git")).await.unwrap();
    let other = view(&panel, app).await;
    assert!(other.kept.is_none() && other.look.is_none());
    keep(&panel, app, "FROM scratch").await.unwrap();
    apps::set_source(&panel.ctx, &panel.owner, app, source("https://git.example.org/acme/third.git")).await.unwrap();
    assert_eq!(view(&panel, app).await.kept.unwrap().text, "FROM scratch\n");

    let image = EditSource { from: "image".into(), image: "web:1".into(), ..EditSource::default() };
    apps::set_source(&panel.ctx, &panel.owner, app, image).await.unwrap();
    assert!(apps::dockerfile(&panel.ctx, &panel.owner, app).await.unwrap().is_none());
    assert!(conflict(keep(&panel, app, "FROM scratch").await).contains("runs an image"));
    assert!(conflict(apps::look_at_source(&panel.ctx, &panel.owner, app).await).contains("runs an image"));
}

#[tokio::test]
async fn a_look_that_waits_is_the_one_that_is_asked_for_again() {
    let panel = Panel::new().await;
    let app = app(&panel).await;
    let job = apps::look_at_source(&panel.ctx, &panel.owner, app).await.unwrap();
    assert_eq!(apps::look_at_source(&panel.ctx, &panel.owner, app).await.unwrap(), job);
    assert_eq!(view(&panel, app).await.looking, Some(job));
    let failed = "update jobs set state = 'failed', finished_at = now(), reason = 'The repository could not be read: no.' where id = $1";
    sqlx::query(failed).bind(job.0).execute(&mut panel.test.superuser().await).await.unwrap();
    let seen = view(&panel, app).await;
    assert_eq!((seen.looking, seen.failed.unwrap().1.as_str()), (None, "The repository could not be read: no."));
    looked(&panel, &panel.owner, app, &["index.html"]).await;
    assert_eq!(view(&panel, app).await.failed, None, "a deploy has looked since");
    assert_ne!(apps::look_at_source(&panel.ctx, &panel.owner, app).await.unwrap(), job);
}
