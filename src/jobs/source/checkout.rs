//! A commit of a source, brought to the panel and looked at: who made it, and whether it can be built at all.

use super::{Asked, of_git};
use crate::domain::deploy::{Failure, Target};
use crate::domain::names::CommitId;
use crate::domain::release::Commit;
use crate::domain::source::{Git, GitAccess};
use crate::jobs::stop::Stop;
use crate::providers::git::{Access, Repository, Tree};

/// The commit the target means now.
pub(super) async fn head(asked: &Asked<'_>, git: &Git, access: &Access) -> Result<CommitId, Stop> {
    let repository = Repository { source: asked.source_id, url: &git.url, access };
    match asked.target {
        Target::Commit { id } => Ok(id.clone()),
        Target::Ref { name } => {
            asked.note(format!("asking for {name}"));
            asked.ctx.git.tip(repository, name).await.map_err(of_git)
        }
        Target::Head | Target::Release { .. } | Target::Scale { .. } => {
            asked.note(format!("asking for {}", git.branch));
            asked.ctx.git.head(repository, &git.branch).await.map_err(of_git)
        }
    }
}

/// Fetches the commit and reads its author and subject.
pub(super) async fn fetch(asked: &Asked<'_>, git: &Git, access: &Access, commit: &CommitId) -> Result<Commit, Stop> {
    let repository = Repository { source: asked.source_id, url: &git.url, access };
    asked.note(format!("fetching {}", commit.short()));
    let branch = match asked.target {
        Target::Ref { name } => name,
        Target::Head | Target::Commit { .. } | Target::Release { .. } | Target::Scale { .. } => &git.branch,
    };
    asked.ctx.git.fetch(repository, branch, commit).await.map_err(of_git)?;
    let told = asked.ctx.git.describe(asked.source_id, commit).await.map_err(of_git)?;
    asked.say(format!("{branch} is at {}: {} ({})", commit.short(), told.subject, told.author));
    Ok(told)
}

/// Looks whether the commit can be built; what cannot is refused in words. `own` where the Dockerfile is a file of it.
pub(super) async fn look(asked: &Asked<'_>, git: &Git, commit: &CommitId, own: bool) -> Result<Tree, Stop> {
    let dockerfile = own.then_some(&git.dockerfile);
    let looking = asked.ctx.git.inspect(asked.source_id, commit, dockerfile, &git.context);
    let tree = looking.await.map_err(of_git)?;
    if tree.submodules {
        return Err(Stop::Failed(Failure::SourceUnsupported { what: "submodules".into() }));
    }
    Ok(tree)
}

/// The source's key or token, opened.
pub(super) async fn access(asked: &Asked<'_>, git: &Git) -> Result<Access, Stop> {
    Ok(match &git.access {
        GitAccess::Public => Access::Public,
        GitAccess::DeployKey { key, .. } => Access::DeployKey(asked.open_text("the deploy key", *key).await?),
        GitAccess::Token { user, token } => {
            Access::Token { user: user.clone(), token: asked.open_text("the repository's token", *token).await? }
        }
    })
}
