//! The source form and the source it stands for. Not here: fetching or building it.

mod shown;

pub use shown::{form, view, words};

use std::collections::BTreeMap;

use super::forms::{EditSource, Pair};
use crate::actions::fields::Fields;
use crate::actions::sealing::Sealer;
use crate::actions::{Ctx, Refused};
use crate::db::Tx;
use crate::db::secrets::Owner;
use crate::domain::ids::{SecretId, SourceId};
use crate::domain::names::{
    BranchName, BuildTarget, EnvName, EnvValue, GitUrl, ImageRef, PlainName, RepoPath, has_hidden,
};
use crate::domain::secret::Secret;
use crate::domain::source::{Git, GitAccess, Image, RegistryLogin, Source};
use crate::remote::keys;

/// The most build arguments and build secrets of one source: each is a header line of a build's request.
const MOST_ENTRIES: usize = 100;
/// The longest token, password or user of a forge or registry: theirs have a few hundred characters.
const LONGEST_TOKEN: usize = 4096;
const LONGEST_USER: usize = 200;

/// A source that was read from a form, its new secrets not yet sealed.
pub struct Draft {
    source: Source,
    /// Names and values to seal, and where in the source the id goes.
    sealed: Vec<(Slot, Secret<String>)>,
}

/// Where a secret's id goes.
enum Slot {
    DeployKey,
    Token,
    Password,
    Build(PlainName),
}

impl Slot {
    /// The secret's name within its source.
    fn name(&self) -> String {
        match self {
            Self::DeployKey => "deploy key".into(),
            Self::Token => "token".into(),
            Self::Password => "registry password".into(),
            Self::Build(name) => format!("build {name}"),
        }
    }
}

/// A place for an id that is made when the source is kept.
const LATER: SecretId = SecretId(uuid::Uuid::nil());

/// How a form asks for a repository to be opened.
#[derive(Clone, Copy)]
enum Access {
    Public,
    DeployKey,
    Token,
}

/// Reads the form; `known` is the source as it is, whose secrets stay where the form leaves them empty.
pub fn read(fields: &mut Fields, ctx: &Ctx, form: &EditSource, known: Option<&Source>) -> Option<Draft> {
    match fields.choice("from", form.from.trim(), &[("git", true), ("image", false), ("", true)])? {
        true => {
            let known = known.and_then(|source| match source {
                Source::Git(git) => Some(git),
                Source::Image(_) => None,
            });
            read_git(fields, ctx, form, known)
        }
        false => {
            let known = known.and_then(|source| match source {
                Source::Image(image) => image.login.as_ref(),
                Source::Git(_) => None,
            });
            read_image(fields, form, known)
        }
    }
}

/// A git repository.
fn read_git(fields: &mut Fields, ctx: &Ctx, form: &EditSource, known: Option<&Git>) -> Option<Draft> {
    let or = |raw: &str, default: &str| if raw.trim().is_empty() { default.to_owned() } else { raw.to_owned() };
    let mut sealed = Vec::new();
    let url = fields.text::<GitUrl>("git_url", &form.git_url);
    if let Some(path) = url.as_ref().and_then(|url| url.as_ref().strip_prefix("file://")) {
        match &ctx.settings.local_sources {
            None => fields
                .wrong("git_url", "This panel does not fetch from folders of its own machine. Use https:// or ssh."),
            Some(root) if !std::path::Path::new(path).starts_with(root) => {
                let root = root.display();
                fields.wrong(
                    "git_url",
                    format!("Of this machine's own repositories, the panel reads those below {root}."),
                );
            }
            Some(_) => {}
        }
    }
    let branch = fields.text::<BranchName>("git_branch", &or(&form.git_branch, "main"));
    let dockerfile = fields.text::<RepoPath>("dockerfile", &or(&form.dockerfile, "Dockerfile"));
    if dockerfile.as_ref().is_some_and(|path| path.as_ref() == ".") {
        fields.wrong("dockerfile", "Use the path of a file inside the repository, such as Dockerfile.");
    }
    let context = fields.text::<RepoPath>("context", &form.context);
    let target = fields.optional::<BuildTarget>("target", &form.target);
    let words =
        [("public", Access::Public), ("deploy_key", Access::DeployKey), ("token", Access::Token), ("", Access::Public)];
    let access = match fields.choice("git_access", form.git_access.trim(), &words) {
        Some(Access::Public) => Some(GitAccess::Public),
        Some(Access::DeployKey) => deploy_key(fields, url.as_ref(), known, &mut sealed),
        Some(Access::Token) => token(fields, form, url.as_ref(), known, &mut sealed),
        None => None,
    };
    let args = pairs::<EnvName>(fields, "build_args", &form.build_args)
        .into_iter()
        .filter_map(|(place, name, value)| Some((name, fields.entry::<EnvValue>("build_args", place, value)?)))
        .collect::<BTreeMap<_, _>>();
    let mut secrets = BTreeMap::new();
    for (place, name, value) in pairs::<PlainName>(fields, "build_secrets", &form.build_secrets) {
        let kept = known.and_then(|git| git.secrets.get(&name)).copied();
        if let (true, Some(id)) = (value.is_empty(), kept) {
            secrets.insert(name, id);
        } else if value.is_empty() {
            fields.wrong_entry("build_secrets", place, "enter a value.");
        } else if fields.entry::<EnvValue>("build_secrets", place, value).is_some() {
            sealed.push((Slot::Build(name.clone()), Secret::new(value.to_owned())));
            secrets.insert(name, LATER);
        }
    }
    let git = Git {
        url: url?,
        branch: branch?,
        access: access?,
        dockerfile: dockerfile?,
        context: context?,
        target,
        args,
        secrets,
    };
    Some(Draft { source: Source::Git(git), sealed })
}

/// A deploy key: the pair that is there, or a new one.
fn deploy_key(
    fields: &mut Fields,
    url: Option<&GitUrl>,
    known: Option<&Git>,
    sealed: &mut Vec<(Slot, Secret<String>)>,
) -> Option<GitAccess> {
    if url.is_some_and(|url| !url.is_ssh()) {
        fields.wrong(
            "git_access",
            "A deploy key works over ssh: use the repository's ssh address, or a token for https.",
        );
        return None;
    }
    if let Some(access @ GitAccess::DeployKey { .. }) = known.map(|git| &git.access) {
        return Some(access.clone());
    }
    match keys::generate("skiff deploy key") {
        Ok((private, public)) => {
            sealed.push((Slot::DeployKey, private));
            Some(GitAccess::DeployKey { key: LATER, public })
        }
        Err(error) => {
            tracing::error!(error = %error, "No deploy key could be made");
            fields.wrong("git_access", "No key pair could be made. Try again.");
            None
        }
    }
}

/// A token: a new one, or the one that is kept.
fn token(
    fields: &mut Fields,
    form: &EditSource,
    url: Option<&GitUrl>,
    known: Option<&Git>,
    sealed: &mut Vec<(Slot, Secret<String>)>,
) -> Option<GitAccess> {
    if url.is_some_and(|url| url.is_ssh() || url.is_local()) {
        fields.wrong(
            "git_access",
            "A token works over https: use the repository's https address, or a deploy key for ssh.",
        );
        return None;
    }
    let user = if form.git_token_user.trim().is_empty() { "git" } else { form.git_token_user.trim() };
    let user = plain_word(fields, "git_token_user", user, LONGEST_USER)?.to_owned();
    if !form.git_token.is_empty() {
        let token = plain_word(fields, "git_token", form.git_token.trim(), LONGEST_TOKEN)?;
        sealed.push((Slot::Token, Secret::new(token.to_owned())));
        return Some(GitAccess::Token { user, token: LATER });
    }
    match known.map(|git| &git.access) {
        Some(GitAccess::Token { token, .. }) => Some(GitAccess::Token { user, token: *token }),
        _ => {
            fields.wrong("git_token", "Enter the token that may read the repository.");
            None
        }
    }
}

/// An image.
fn read_image(fields: &mut Fields, form: &EditSource, known: Option<&RegistryLogin>) -> Option<Draft> {
    let image = fields.text::<ImageRef>("image", &form.image);
    let mut sealed = Vec::new();
    let user = form.registry_user.trim();
    let login = if user.is_empty() {
        if !form.registry_password.is_empty() {
            fields.wrong("registry_user", "Enter the user that goes with the password.");
        }
        None
    } else {
        let user = plain_word(fields, "registry_user", user, LONGEST_USER).map(str::to_owned);
        let password = if form.registry_password.is_empty() {
            let kept = known.map(|login| login.password);
            if kept.is_none() {
                fields.wrong("registry_password", "Enter the password or token that goes with the user.");
            }
            kept
        } else {
            plain_word(fields, "registry_password", &form.registry_password, LONGEST_TOKEN).map(|password| {
                sealed.push((Slot::Password, Secret::new(password.to_owned())));
                LATER
            })
        };
        Some(RegistryLogin { user: user?, password: password? })
    };
    Some(Draft { source: Source::Image(Image { image: image?, login }), sealed })
}

/// A user, token or password: visible characters without white space, as forges and registries hand them out.
fn plain_word<'a>(fields: &mut Fields, field: &'static str, raw: &'a str, most: usize) -> Option<&'a str> {
    let fits = (1..=most).contains(&raw.len()) && !raw.chars().any(char::is_whitespace) && !has_hidden(raw);
    if !fits {
        fields.wrong(field, format!("Use 1 to {most} visible characters without spaces and line breaks."));
    }
    fits.then_some(raw)
}

/// The entries of a list of pairs with their places; empty ones are passed over, names read and seen once each.
fn pairs<'a, N>(fields: &mut Fields, field: &'static str, raw: &'a [Pair]) -> Vec<(usize, N, &'a str)>
where
    N: std::str::FromStr<Err = crate::domain::names::Bad> + PartialEq,
{
    let mut read: Vec<(usize, N, &str)> = Vec::new();
    for (place, pair) in raw.iter().enumerate().filter(|(_, pair)| !(pair.name.is_empty() && pair.value.is_empty())) {
        let Some(name) = fields.entry::<N>(field, place, &pair.name) else { continue };
        if read.iter().any(|(_, known, _)| *known == name) {
            fields.wrong_entry(field, place, "the name is there twice.");
        } else {
            read.push((place, name, pair.value.as_str()));
        }
    }
    if read.len() > MOST_ENTRIES {
        fields.wrong(field, format!("Use at most {MOST_ENTRIES} entries."));
    }
    read
}

impl Draft {
    /// Seals what is new, and gives the source with all ids in place.
    pub async fn keep(self, sealer: &Sealer<'_>, tx: &mut Tx<'_>, id: SourceId) -> Result<Source, Refused> {
        let mut source = self.source;
        for (slot, value) in &self.sealed {
            let made = sealer.set(tx, Owner::Source(id), &slot.name(), value).await?;
            match (&mut source, slot) {
                (Source::Git(Git { access: GitAccess::DeployKey { key, .. }, .. }), Slot::DeployKey) => *key = made,
                (Source::Git(Git { access: GitAccess::Token { token, .. }, .. }), Slot::Token) => *token = made,
                (Source::Git(Git { secrets, .. }), Slot::Build(name)) => {
                    secrets.insert(name.clone(), made);
                }
                (Source::Image(Image { login: Some(login), .. }), Slot::Password) => login.password = made,
                _ => return Err(Refused::internal(&"a sealed value has no place in its source")),
            }
        }
        Ok(source)
    }
}
