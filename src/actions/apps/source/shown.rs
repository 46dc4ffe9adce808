//! A source as pages and the audit show it. No secret is in any of it.

use crate::actions::apps::forms::{EditSource, Pair};
use crate::actions::apps::views::SourceView;
use crate::domain::source::{GitAccess, Source};

/// The form of a source, filled in. Secrets stay empty.
pub fn form(source: &Source) -> EditSource {
    match source {
        Source::Git(git) => EditSource {
            from: "git".into(),
            git_url: git.url.to_string(),
            git_branch: git.branch.to_string(),
            git_access: match &git.access {
                GitAccess::Public => "public".into(),
                GitAccess::DeployKey { .. } => "deploy_key".into(),
                GitAccess::Token { .. } => "token".into(),
            },
            git_token_user: match &git.access {
                GitAccess::Token { user, .. } => user.clone(),
                GitAccess::Public | GitAccess::DeployKey { .. } => String::new(),
            },
            dockerfile: git.dockerfile.to_string(),
            context: git.context.to_string(),
            target: git.target.as_ref().map(ToString::to_string).unwrap_or_default(),
            build_args: git
                .args
                .iter()
                .map(|(name, value)| Pair { name: name.to_string(), value: value.to_string() })
                .collect(),
            build_secrets: git
                .secrets
                .keys()
                .map(|name| Pair { name: name.to_string(), value: String::new() })
                .collect(),
            ..EditSource::default()
        },
        Source::Image(image) => EditSource {
            from: "image".into(),
            image: image.image.to_string(),
            registry_user: image.login.as_ref().map(|login| login.user.clone()).unwrap_or_default(),
            ..EditSource::default()
        },
    }
}

/// A source in words.
pub fn view(source: &Source) -> SourceView {
    match source {
        Source::Git(git) => {
            let (access, deploy_key) = match &git.access {
                GitAccess::Public => ("public", None),
                GitAccess::DeployKey { public, .. } => ("deploy key", Some(public.clone())),
                GitAccess::Token { .. } => ("token", None),
            };
            SourceView {
                from: "git",
                address: git.url.to_string(),
                branch: Some(git.branch.to_string()),
                access,
                deploy_key,
                dockerfile: Some(git.dockerfile.to_string()),
                context: Some(git.context.to_string()),
                target: git.target.as_ref().map(ToString::to_string),
                build_secrets: git.secrets.keys().map(ToString::to_string).collect(),
            }
        }
        Source::Image(image) => SourceView {
            from: "image",
            address: image.image.to_string(),
            branch: None,
            access: if image.login.is_some() { "registry login" } else { "public" },
            deploy_key: None,
            dockerfile: None,
            context: None,
            target: None,
            build_secrets: Vec::new(),
        },
    }
}

/// A source for the audit: no secret is in it, and no value of a build argument.
pub fn words(source: &Source) -> serde_json::Value {
    let view = view(source);
    let args: Vec<String> = match source {
        Source::Git(git) => git.args.keys().map(ToString::to_string).collect(),
        Source::Image(_) => Vec::new(),
    };
    serde_json::json!({
        "from": view.from,
        "address": view.address,
        "branch": view.branch,
        "access": view.access,
        "dockerfile": view.dockerfile,
        "context": view.context,
        "target": view.target,
        "build arguments": args,
        "build secrets": view.build_secrets,
    })
}
