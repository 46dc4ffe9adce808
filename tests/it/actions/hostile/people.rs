//! The fields of members, invitations, teams, tokens and hooks.

use skiff::actions::invitations::{self, NewInvitation};
use skiff::actions::members::{self, SetGrant};
use skiff::actions::tokens::{self, NewToken};
use skiff::actions::{Refused, accounts, hooks, teams};
use skiff::domain::rights::Role;

use super::fields::{Send, Shown, Target, or_default, unique};

/// One row each.
pub fn fields() -> Vec<(&'static str, &'static str, Send)> {
    vec![
        ("invitation", "note", |t, text| {
            Box::pin(async move {
                let shown = invite(t, NewInvitation { note: text.clone(), ..invitation() }).await?;
                Ok(or_default(&text, shown.note))
            })
        }),
        ("invitation", "role", |t, text| {
            Box::pin(async move {
                let shown = invite(t, NewInvitation { role: text, ..invitation() }).await?;
                Ok(Shown::As(shown.words))
            })
        }),
        ("invitation", "scopes", |t, text| {
            Box::pin(async move {
                let shown = invite(t, NewInvitation { scopes: vec![text], ..invitation() }).await?;
                Ok(Shown::As(shown.words))
            })
        }),
        ("invitation", "days", |t, text| {
            Box::pin(async move {
                let shown = invite(t, NewInvitation { days: text.clone(), ..invitation() }).await?;
                Ok(or_default(&text, shown.days.to_string()))
            })
        }),
        ("member", "scope", |t, text| {
            Box::pin(async move {
                grant(t, SetGrant { scope: text, role: "viewer".into() }).await?;
                Ok(Shown::As(String::new()))
            })
        }),
        ("member", "role", |t, text| {
            Box::pin(async move {
                grant(t, SetGrant { scope: "team".into(), role: text }).await?;
                Ok(Shown::As(String::new()))
            })
        }),
        ("member", "email", |t, text| {
            Box::pin(async move {
                let person = t.panel.person(&t.panel.owner, Role::Viewer).await;
                let all = members::list(&t.panel.ctx, &t.panel.owner).await?.members;
                let id = all.iter().find(|line| Some(line.account) == person.who().account()).unwrap().id;
                members::remove(&t.panel.ctx, &t.panel.owner, id, &text).await?;
                Ok(Shown::As(String::new()))
            })
        }),
        ("leave", "team", |t, text| {
            Box::pin(async move {
                let person = t.panel.person(&t.panel.owner, Role::Viewer).await;
                members::leave(&t.panel.ctx, &person, &text).await?;
                Ok(Shown::As(String::new()))
            })
        }),
        ("team", "name", |t, text| {
            Box::pin(async move {
                teams::rename(&t.panel.ctx, &t.panel.owner, &text).await?;
                let shown = accounts::teams_of(&t.panel.ctx, t.account).await?.remove(0).name;
                teams::rename(&t.panel.ctx, &t.panel.owner, "Shop").await?;
                Ok(Shown::Trimmed(shown))
            })
        }),
        ("new team", "name", |t, text| {
            Box::pin(async move {
                let made = teams::create_beside(&t.panel.ctx, &t.panel.owner, &text).await?;
                let all = accounts::teams_of(&t.panel.ctx, t.account).await?;
                let shown = all.into_iter().find(|team| team.id == made.id).unwrap();
                assert!(shown.slug.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !shown.slug.is_empty());
                // One account is in so many teams at most.
                let mut root = t.panel.test.superuser().await;
                sqlx::query("delete from members where team_id = $1").bind(made.id.0).execute(&mut root).await.unwrap();
                Ok(Shown::Trimmed(shown.name))
            })
        }),
        ("token", "name", |t, text| {
            Box::pin(async move { Ok(Shown::Trimmed(token(t, NewToken { name: text, ..new_token() }).await?.name)) })
        }),
        ("token", "role", |t, text| {
            Box::pin(async move { Ok(Shown::As(token(t, NewToken { role: text, ..new_token() }).await?.name)) })
        }),
        ("token", "scope", |t, text| {
            Box::pin(async move {
                let shown = token(t, NewToken { scope: text.clone(), ..new_token() }).await?;
                Ok(or_default(&text, shown.scope_name))
            })
        }),
        ("token", "days", |t, text| {
            Box::pin(async move { Ok(Shown::As(token(t, NewToken { days: text, ..new_token() }).await?.name)) })
        }),
        ("hook", "provider", |t, text| {
            Box::pin(async move {
                hooks::create(&t.panel.ctx, &t.panel.owner, t.git, &text).await?;
                Ok(Shown::As(String::new()))
            })
        }),
    ]
}

fn invitation() -> NewInvitation {
    NewInvitation { role: "viewer".into(), ..NewInvitation::default() }
}

/// Made, and taken back: so many may be open.
async fn invite(t: &Target, form: NewInvitation) -> Result<invitations::Made, Refused> {
    let made = invitations::create(&t.panel.ctx, &t.panel.owner, form).await?;
    let listed = invitations::list(&t.panel.ctx, &t.panel.owner).await?.into_iter().find(|line| line.id == made.id);
    assert_eq!(listed.map(|line| line.note).as_ref(), Some(&made.note));
    invitations::revoke(&t.panel.ctx, &t.panel.owner, made.id).await?;
    Ok(made)
}

async fn grant(t: &Target, form: SetGrant) -> Result<(), Refused> {
    let all = members::list(&t.panel.ctx, &t.panel.owner).await?.members;
    let me = all.iter().find(|line| line.me).unwrap().id;
    members::set_grant(&t.panel.ctx, &t.panel.owner, me, form).await
}

fn new_token() -> NewToken {
    NewToken { name: unique(), role: "viewer".into(), scope: String::new(), days: "1".into() }
}

/// Made, and ended: one has so many at most.
async fn token(t: &Target, form: NewToken) -> Result<tokens::TokenLine, Refused> {
    let made = tokens::create(&t.panel.ctx, &t.panel.owner, form).await?.line;
    tokens::revoke(&t.panel.ctx, &t.panel.owner, made.id).await?;
    Ok(made)
}
