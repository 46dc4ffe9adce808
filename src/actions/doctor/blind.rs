//! A text for others is made blind for secrets first: every value that is sealed anywhere on the panel is taken out, whoever's it
//! is, and what looks like a secret besides (`domain/blots`). One that cannot be opened lets nothing through.

use serde_json::Value;

use crate::actions::{Ctx, Refused, hooks};
use crate::db::{self, host_logins, secrets, teams};
use crate::domain::blots;
use crate::domain::redact::Redactor;
use crate::domain::rights::{Actor, On, Permission};
use crate::domain::secret::Secret;
use crate::remote::Pass;
use crate::vault::{Context, SecretPlace};

/// Secrets that stand in no table: the passwords in the database's addresses, the master key.
pub type Known = Vec<Secret<String>>;

/// Takes secrets out of texts.
pub(super) struct Blind(Redactor);

impl Blind {
    /// Learns all there are.
    pub(super) async fn learn(ctx: &Ctx, known: &Known) -> Result<Self, Refused> {
        let mut redactor = Redactor::default();
        for value in known {
            redactor.learn(value.expose());
        }
        let mut door = ctx.db.begin_door().await?;
        let teams = teams::all(&mut door).await?;
        door.commit().await?;
        let shut = || {
            Refused::Unavailable(
                "A sealed value cannot be opened, so nobody can say that it is not in the bundle. Nothing was written."
                    .into(),
            )
        };
        for team in teams {
            let permit = Actor::on_the_panels_machine(team.id).may(Permission::OwnTeam, On::team(team.id))?;
            let mut tx = ctx.db.begin(&permit).await?;
            let data_key = host_logins::data_key(&mut tx, &permit).await?;
            let sealed = secrets::all_sealed(&mut tx, &permit).await?;
            let hooks_of_team = db::hooks::all(&mut tx, &permit).await?;
            let passes = db::host_passes::all(&mut tx, &permit).await?;
            tx.commit().await?;
            for row in passes {
                let place = Context::host_pass(team.id, row.id);
                let value = ctx.vault.unseal(&data_key, &place, &row.sealed).map_err(|_| shut())?;
                match Pass::of_kept(&value).ok_or_else(shut)? {
                    Pass::Password(password) => redactor.learn(password.expose()),
                    Pass::Key { private, passphrase } => {
                        redactor.learn(private.expose());
                        redactor.learn(passphrase.as_ref().map_or("", |locked| locked.expose().as_str()));
                    }
                }
            }
            for row in sealed {
                let place = SecretPlace { team: team.id, secret: row.id, version: row.version };
                let value = ctx.vault.open_secret(&data_key, place, &row.sealed).map_err(|_| shut())?;
                redactor.learn(&String::from_utf8_lossy(value.expose()));
            }
            for row in hooks_of_team {
                let value = hooks::opened(ctx, &data_key, team.id, &row).map_err(|_| shut())?;
                redactor.learn(value.expose());
            }
        }
        Ok(Self(redactor))
    }

    /// The same in every text of a document.
    pub(super) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(all) => all.into_iter().map(|value| self.value(value)).collect(),
            Value::Object(all) => all.into_iter().map(|(name, value)| (name, self.value(value))).collect(),
            plain => plain,
        }
    }

    /// The text without them.
    pub(super) fn text(&self, text: &str) -> String {
        let lines: Vec<String> = text.split('\n').map(|line| self.0.text(line)).collect();
        blots::blot(&lines.join("\n"))
    }
}
