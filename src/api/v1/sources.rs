//! Where an app comes from: a repository or an image.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::variables::Variable;
use crate::actions::apps::{self, Pair, SourceView};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::change::Set;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, patch};
use crate::api::take::{OfApp, Sent};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let read = get("/apps/{app}/source", Permission::View).title("Where an app comes from, as edited");
    let write = patch("/apps/{app}/source", Permission::EditApps).title("Change where an app comes from");
    Routes::new().about(Topic::Sources).add(read.gives::<Json<Source>>(), show).add(write.gives::<Json<Source>>(), edit)
}

/// Where an app comes from. No token, password or value of a build secret is in it.
#[derive(Serialize, JsonSchema)]
pub struct Source {
    /// `git` or `image`.
    from: String,
    /// git: the repository's address.
    git_url: Option<String>,
    /// git: the branch.
    git_branch: Option<String>,
    /// git: `public`, `deploy_key` or `token`.
    git_access: Option<String>,
    /// git, token: the user that goes with the token.
    git_token_user: Option<String>,
    /// git, deploy key: the line to paste at the forge.
    deploy_key: Option<String>,
    /// git: the Dockerfile.
    dockerfile: Option<String>,
    /// git: the folder that is sent to the builder.
    context: Option<String>,
    /// git: the stage to build; none for the last one.
    target: Option<String>,
    /// git: build arguments, visible in the image.
    build_args: Vec<Variable>,
    /// git: names of the build secrets.
    build_secrets: Vec<BuildSecretName>,
    /// image: its name.
    image: Option<String>,
    /// image: the registry's user.
    registry_user: Option<String>,
}

/// A build secret: that it is there.
#[derive(Serialize, JsonSchema)]
struct BuildSecretName {
    /// Its id in the Dockerfile.
    name: String,
}

impl Source {
    /// A source as the form has it.
    pub fn of(view: &SourceView, form: &apps::EditSource) -> Self {
        let git = form.from != "image";
        let of = |here: bool, text: &str| (here && !text.is_empty()).then(|| text.to_owned());
        Self {
            from: form.from.clone(),
            git_url: of(git, &form.git_url),
            git_branch: of(git, &form.git_branch),
            git_access: of(git, &form.git_access),
            git_token_user: of(git, &form.git_token_user),
            deploy_key: view.deploy_key.clone(),
            dockerfile: of(git, &form.dockerfile),
            context: of(git, &form.context),
            target: of(git, &form.target),
            build_args: form
                .build_args
                .iter()
                .map(|pair| Variable { name: pair.name.clone(), value: pair.value.clone() })
                .collect(),
            build_secrets: form.build_secrets.iter().map(|pair| BuildSecretName { name: pair.name.clone() }).collect(),
            image: of(!git, &form.image),
            registry_user: of(!git, &form.registry_user),
        }
    }
}

/// Changes to where an app comes from. What is not there stays as it is; `null` is the default.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EditSource {
    /// `git` (the default) or `image`.
    from: Set<String>,
    /// git: the repository's address.
    git_url: Set<String>,
    /// git: the branch; default `main`.
    git_branch: Set<String>,
    /// git: `public` (the default), `deploy_key` (a pair made by Skiff) or `token`.
    git_access: Set<String>,
    /// git, token: the user that goes with the token; default `git`.
    git_token_user: Set<String>,
    /// git, token: the token. Never in an answer.
    git_token: Set<String>,
    /// git: the Dockerfile; default `Dockerfile`.
    dockerfile: Set<String>,
    /// git: the folder that is sent to the builder; default: the repository's root.
    context: Set<String>,
    /// git: the stage to build; default: the last one.
    target: Set<String>,
    /// git: all build arguments, visible in the image.
    build_args: Set<Vec<Variable>>,
    /// git: all build secrets; one without a value keeps the one it has.
    build_secrets: Set<Vec<BuildSecret>>,
    /// image: its name.
    image: Set<String>,
    /// image: the registry's user; default: it needs none.
    registry_user: Set<String>,
    /// image: the registry's password or token. Never in an answer.
    registry_password: Set<String>,
}

/// A build secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BuildSecret {
    /// Its id in the Dockerfile.
    name: String,
    /// Its value. Never in an answer.
    #[serde(default)]
    value: Option<String>,
}

impl EditSource {
    /// Writes the changes into the form.
    pub fn apply(self, form: &mut apps::EditSource) {
        self.from.text(&mut form.from);
        self.git_url.text(&mut form.git_url);
        self.git_branch.text(&mut form.git_branch);
        self.git_access.text(&mut form.git_access);
        self.git_token_user.text(&mut form.git_token_user);
        self.git_token.text(&mut form.git_token);
        self.dockerfile.text(&mut form.dockerfile);
        self.context.text(&mut form.context);
        self.target.text(&mut form.target);
        match self.build_args {
            Set::Keep => {}
            Set::Default => form.build_args.clear(),
            Set::To(all) => {
                form.build_args = all.into_iter().map(|it| Pair { name: it.name, value: it.value }).collect();
            }
        }
        match self.build_secrets {
            Set::Keep => {}
            Set::Default => form.build_secrets.clear(),
            Set::To(all) => {
                let pair = |it: BuildSecret| Pair { name: it.name, value: it.value.unwrap_or_default() };
                form.build_secrets = all.into_iter().map(pair).collect();
            }
        }
        self.image.text(&mut form.image);
        self.registry_user.text(&mut form.registry_user);
        self.registry_password.text(&mut form.registry_password);
    }
}

async fn show(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Source>, Problem> {
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    Ok(Json(Source::of(&view.source, &view.source_form)))
}

async fn edit(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(edit): Sent<EditSource>,
) -> Result<Json<Source>, Problem> {
    let mut form = apps::get(api.actions(), &caller.actor, id).await?.source_form;
    edit.apply(&mut form);
    apps::set_source(api.actions(), &caller.actor, id, form).await?;
    show(State(api), caller, OfApp(id)).await
}
