//! Editing an app. Each edit is one transaction with its line in the audit, and waits for the next deploy to take effect.
//! Not here: secrets, volumes and routes, which have files of their own.

use serde_json::json;

use super::forms::{EditConfiguration, EditSource, RenameApp, SetVariable};
use super::{configuration, entries, placement, source};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::sealing::Sealer;
use crate::actions::{Ctx, Refused};
use crate::db::apps::Row;
use crate::db::{self, Tx, audit};
use crate::domain::app::{Kind, Spec};
use crate::domain::ids::AppId;
use crate::domain::names::{DisplayName, EnvName, EnvValue};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::domain::source::Source;

/// An app that is being edited: locked, so that two edits come one after the other.
pub(in crate::actions) struct Editing {
    /// The transaction.
    pub tx: Tx<'static>,
    /// The permit.
    pub permit: Permit,
    /// The app as it is.
    pub app: Row,
}

/// Opens an app for an edit.
pub(in crate::actions) async fn begin(
    ctx: &Ctx,
    actor: &Actor,
    id: AppId,
    permission: Permission,
) -> Result<Editing, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, id, permission).await?;
    db::apps::lock(&mut tx, &permit, id).await?;
    let app = db::apps::get(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    Ok(Editing { tx, permit, app })
}

impl Editing {
    /// Keeps the new description. What was done, to what, is written down with it.
    pub async fn keep(
        mut self,
        spec: &Spec,
        action: &'static str,
        before: Option<serde_json::Value>,
        after: Option<serde_json::Value>,
    ) -> Result<(), Refused> {
        let placement = placement::with_total(&self.app.placement, spec.instances);
        let placement = placement.ok_or_else(|| Refused::field("instances", placement::SEVERAL))?;
        db::apps::update_spec(&mut self.tx, &self.permit, self.app.id, spec, &placement).await?;
        self.finish(action, before, after).await
    }

    /// Writes the event down and commits.
    pub async fn finish(
        mut self,
        action: &'static str,
        before: Option<serde_json::Value>,
        after: Option<serde_json::Value>,
    ) -> Result<(), Refused> {
        self.note(action, before, after).await?;
        self.tx.commit().await?;
        Ok(())
    }

    /// Writes the event down.
    pub(super) async fn note(
        &mut self,
        action: &'static str,
        before: Option<serde_json::Value>,
        after: Option<serde_json::Value>,
    ) -> Result<(), Refused> {
        let event =
            audit::New { action, kind: "app", subject: Some(self.app.id.0), name: &self.app.name, before, after };
        Ok(audit::record(&mut self.tx, &self.permit, event).await?)
    }
}

/// Gives an app another name. Its short name in addresses stays.
pub async fn rename(ctx: &Ctx, actor: &Actor, id: AppId, input: RenameApp) -> Result<(), Refused> {
    let mut edit = begin(ctx, actor, id, Permission::EditApps).await?;
    let mut fields = Fields::default();
    let Some(name) = fields.text::<DisplayName>("name", &input.name) else { return Err(fields.refuse()) };
    let taken = db::app_lines::names(&mut edit.tx, &edit.permit, edit.app.environment).await?;
    if name.as_ref() != edit.app.name && taken.contains(&name.to_string()) {
        return Err(Refused::field("name", "The environment has an app of this name already."));
    }
    db::apps::rename(&mut edit.tx, &edit.permit, id, &name).await?;
    let before = Some(json!({ "name": edit.app.name }));
    edit.finish("app.renamed", before, Some(json!({ "name": name }))).await
}

/// Changes what an app runs with: kind, port, health check, limits, instances, times.
pub async fn configure(ctx: &Ctx, actor: &Actor, id: AppId, input: EditConfiguration) -> Result<(), Refused> {
    let edit = begin(ctx, actor, id, Permission::EditApps).await?;
    let mut fields = Fields::default();
    let read = configuration::read(&mut fields, &input);
    let known = &edit.app.spec.0;
    let said = !input.instances.trim().is_empty();
    if said && read.as_ref().is_some_and(|s| placement::with_total(&edit.app.placement, s.instances).is_none()) {
        fields.wrong("instances", placement::SEVERAL);
    }
    if read.as_ref().is_some_and(|spec| spec.kind == Kind::Worker && !known.routes.is_empty()) {
        fields.wrong("kind", "A worker answers no requests: remove the app's domains first.");
    }
    let (Some(mut spec), true) = (read, fields.fine()) else { return Err(fields.refuse()) };
    spec.routes = known.routes.clone();
    spec.variables = known.variables.clone();
    spec.secrets = known.secrets.clone();
    spec.mounts = known.mounts.clone();
    if !said {
        spec.instances = known.instances;
    }
    let (before, after) = (configuration::form(known), configuration::form(&spec));
    let words = |form: &EditConfiguration| configuration::words(form);
    edit.keep(&spec, "app.configured", Some(words(&before)), Some(words(&after))).await
}

/// Changes where an app comes from.
pub async fn set_source(ctx: &Ctx, actor: &Actor, id: AppId, input: EditSource) -> Result<(), Refused> {
    let mut edit = begin(ctx, actor, id, Permission::EditApps).await?;
    let mut fields = Fields::default();
    let draft = source::read(&mut fields, ctx, &input, Some(&edit.app.source.0));
    let (Some(draft), true) = (draft, fields.fine()) else { return Err(fields.refuse()) };
    let sealer = Sealer::open(ctx, &mut edit.tx, &edit.permit).await?;
    let made = draft.keep(&sealer, &mut edit.tx, edit.app.source_id).await?;
    drop(sealer);
    db::sources::update(&mut edit.tx, &edit.permit, edit.app.source_id, &made).await?;
    if !same_folder(&edit.app.source.0, &made) {
        db::dockerfiles::forget(&mut edit.tx, &edit.permit, edit.app.source_id).await?;
    }
    db::apps::touch(&mut edit.tx, &edit.permit, id).await?;
    let (before, after) = (source::words(&edit.app.source.0), source::words(&made));
    edit.finish("app.source_changed", Some(before), Some(after)).await
}

/// Whether what was seen in the one is true of the other: it is the same folder of the same repository.
fn same_folder(before: &Source, after: &Source) -> bool {
    match (before, after) {
        (Source::Git(before), Source::Git(after)) => before.url == after.url && before.context == after.context,
        _ => false,
    }
}

/// Sets or replaces a plain variable.
pub async fn set_variable(ctx: &Ctx, actor: &Actor, id: AppId, input: SetVariable) -> Result<(), Refused> {
    let edit = begin(ctx, actor, id, Permission::EditApps).await?;
    let mut fields = Fields::default();
    let name = fields.text::<EnvName>("name", &input.name);
    let value = fields.text::<EnvValue>("value", &input.value);
    let mut spec = edit.app.spec.0.clone();
    if name.as_ref().is_some_and(|name| spec.secrets.contains_key(name)) {
        fields.wrong("name", "There is a secret of this name: remove it first.");
    }
    let (Some(name), Some(value), true) = (name, value, fields.fine()) else { return Err(fields.refuse()) };
    let was = spec.variables.insert(name.clone(), value);
    if spec.variables.len() + spec.secrets.len() > entries::MOST_VARIABLES {
        return Err(Refused::field("name", format!("An app has at most {} variables.", entries::MOST_VARIABLES)));
    }
    let bytes: usize = spec.variables.iter().map(|(name, value)| name.as_ref().len() + value.as_ref().len()).sum();
    if bytes > entries::MOST_VARIABLE_BYTES {
        return Err(Refused::field("value", entries::TOO_MANY_BYTES));
    }
    let action = if was.is_some() { "variable.replaced" } else { "variable.set" };
    edit.keep(&spec, action, None, Some(json!({ "variable": name }))).await
}

/// Removes a plain variable. One that is not there is gone already.
pub async fn remove_variable(ctx: &Ctx, actor: &Actor, id: AppId, name: &str) -> Result<(), Refused> {
    let edit = begin(ctx, actor, id, Permission::EditApps).await?;
    let mut spec = edit.app.spec.0.clone();
    let gone = name.parse::<EnvName>().ok().and_then(|name| spec.variables.remove_entry(&name));
    match gone {
        Some((name, _)) => edit.keep(&spec, "variable.removed", Some(json!({ "variable": name })), None).await,
        None => Err(Refused::NotFound),
    }
}
