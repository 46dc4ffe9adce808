//! The Dockerfile of a commit: the repository's own where it has one, else the text that is kept with the source, else one that is
//! written from what the commit's files say, and kept. Not here: how it is written (`domain/dockerfile/`).

use super::{Asked, of_git};
use crate::db::dockerfiles;
use crate::domain::deploy::Failure;
use crate::domain::dockerfile::{self, DockerfileText, Files, Found, Look};
use crate::domain::names::CommitId;
use crate::domain::source::Git;
use crate::jobs::stop::Stop;

/// What the commit is built with; none where that is a file of its own.
pub(super) async fn dockerfile(
    asked: &Asked<'_>,
    git: &Git,
    commit: &CommitId,
) -> Result<Option<DockerfileText>, Stop> {
    let own = asked.ctx.git.has_file(asked.source_id, commit, &git.dockerfile).await.map_err(of_git)?;
    let mut tx = asked.run.begin().await?;
    let kept = dockerfiles::of(&mut tx, &asked.run.permit, asked.source_id).await?;
    tx.commit().await?;
    let (kept, by) = kept.map(|row| (row.text, row.by)).unwrap_or_default();
    let path = &git.dockerfile;
    match (own, kept) {
        (true, None) => {
            asked.say(format!("Using {path} of the repository"));
            Ok(None)
        }
        (true, Some(_)) => {
            asked.say(format!("Using {path} of the repository; the Dockerfile kept in Skiff is not needed any more"));
            Ok(None)
        }
        (false, Some(text)) => {
            let by = if by.is_empty() { "written by Skiff".to_owned() } else { format!("as {by} left it") };
            asked.say(format!("The repository has no {path}: using the one kept in Skiff, {by}"));
            Ok(Some(text))
        }
        (false, None) => match look(asked, git, commit).await?.found {
            Found::Written(written) => Ok(Some(written.text)),
            Found::Unknown { why } => Err(Failure::NotRecognised { path: path.to_string(), detail: why }.into()),
            // It was not there a moment ago, and a commit does not change.
            Found::Own { path } => Err(Failure::NoDockerfile { path }.into()),
        },
    }
}

/// Looks at the commit and keeps what was seen; a text that is written is kept where none is.
pub(super) async fn look(asked: &Asked<'_>, git: &Git, commit: &CommitId) -> Result<Look, Stop> {
    let repositories = &asked.ctx.git;
    let own = repositories.has_file(asked.source_id, commit, &git.dockerfile).await.map_err(of_git)?;
    let found = if own {
        Found::Own { path: git.dockerfile.to_string() }
    } else {
        let seen = repositories.contents(asked.source_id, commit, &git.context, &dockerfile::READ);
        let seen = seen.await.map_err(of_git)?;
        match dockerfile::write(&Files::new(seen.names, seen.texts), asked.port) {
            Ok(written) => Found::Written(written),
            Err(unknown) => Found::Unknown { why: unknown.0 },
        }
    };
    tell(asked, git, &found);
    let look = Look { commit: commit.clone(), found };
    let permit = &asked.run.permit;
    let mut tx = asked.run.begin().await?;
    dockerfiles::looked(&mut tx, permit, asked.source_id, &look).await?;
    if let Found::Written(written) = &look.found {
        dockerfiles::keep_first(&mut tx, permit, asked.source_id, &written.text).await?;
    }
    tx.commit().await?;
    Ok(look)
}

/// Says in the log what was found.
fn tell(asked: &Asked<'_>, git: &Git, found: &Found) {
    match found {
        Found::Own { path } => asked.say(format!("The repository has a Dockerfile at {path}")),
        Found::Written(written) => {
            let (word, by) = (written.language.word(), written.evidence.join(", "));
            asked.say(format!("The repository has no {}. Skiff wrote one: {word}, by {by}", git.dockerfile));
            written.uncertain.iter().for_each(|sentence| asked.say(sentence));
        }
        Found::Unknown { why } => {
            asked.say(format!("The repository has no {}, and none was written. {why}", git.dockerfile))
        }
    }
}
