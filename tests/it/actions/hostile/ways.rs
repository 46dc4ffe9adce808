//! The fields of the ways in to a host. Not here: those of its other forms.

use skiff::actions::Refused;
use skiff::actions::hosts::{self, EditHost, ForgetHost, GivePass, NewHost};

use super::fields::{Send, Shown, Target, new_host, or_default, some_host};

pub fn fields() -> Vec<(&'static str, &'static str, Send)> {
    vec![
        ("new host", "jump", |t, text| {
            Box::pin(async move {
                let shown = new_host(t, NewHost { jump: text.clone(), ..some_host() }).await?;
                Ok(jump(&text, shown.jump))
            })
        }),
        ("new host", "password", |t, text| {
            Box::pin(async move {
                let pass = GivePass { password: text.clone(), ..GivePass::default() };
                new_host(t, NewHost { pass, ..some_host() }).await?;
                Ok(Shown::Never)
            })
        }),
        ("new host", "private_key", |t, text| {
            Box::pin(async move {
                let pass = GivePass { private_key: text.clone(), ..GivePass::default() };
                let shown = new_host(t, NewHost { pass, ..some_host() }).await?;
                assert!(shown.pass_given_at.is_none() == text.trim().is_empty());
                Ok(Shown::Never)
            })
        }),
        ("pass", "passphrase", |t, text| {
            Box::pin(async move {
                let private_key = skiff::remote::keys::generate("x").unwrap().0.expose().clone();
                let pass = GivePass { private_key, passphrase: text, ..GivePass::default() };
                new_host(t, NewHost { pass, ..some_host() }).await?;
                Ok(Shown::Never)
            })
        }),
        ("edit host", "name", |t, text| {
            Box::pin(async move {
                let shown = edit_host(t, |form| form.name = text).await?;
                Ok(Shown::Trimmed(shown.line.name))
            })
        }),
        ("edit host", "address", |t, text| {
            Box::pin(async move {
                let sent = text.trim().to_owned();
                let shown = edit_host(t, |form| form.address = text).await?.line.address;
                Ok(Shown::Trimmed(if shown.eq_ignore_ascii_case(&sent) { sent } else { shown }))
            })
        }),
        ("edit host", "port", |t, text| {
            Box::pin(async move {
                let shown = edit_host(t, |form| form.port = text.clone()).await?;
                Ok(or_default(&text, shown.ssh_port.to_string()))
            })
        }),
        ("edit host", "user", |t, text| {
            Box::pin(async move {
                let shown = edit_host(t, |form| form.user = text).await?;
                Ok(Shown::Trimmed(shown.ssh_user))
            })
        }),
        ("edit host", "jump", |t, text| {
            Box::pin(async move {
                let shown = edit_host(t, |form| form.jump = text.clone()).await?;
                Ok(jump(&text, shown.jump))
            })
        }),
        ("forget host", "name", |t, text| {
            Box::pin(async move {
                let form = ForgetHost { name: text, ..ForgetHost::default() };
                hosts::forget(&t.panel.ctx, &t.panel.owner, t.host, form).await?;
                panic!("a host was forgotten by another name")
            })
        }),
        ("forget host", "gone", |t, text| {
            Box::pin(async move {
                let blank = text.trim().is_empty();
                let form = ForgetHost { name: "nothing".into(), gone: text };
                match hosts::forget(&t.panel.ctx, &t.panel.owner, t.host, form).await {
                    // The name is wrong in any case, so that the host stays.
                    Err(Refused::Fields(wrong)) if wrong.len() == 1 && blank => Ok(Shown::Default),
                    other => other.map(|_| panic!("a host was forgotten by another name")),
                }
            })
        }),
    ]
}

/// A jump host as it is shown, where it was written in another way.
fn jump(sent: &str, shown: String) -> Shown {
    let sent_back = sent.trim();
    let same = shown.eq_ignore_ascii_case(sent_back)
        || shown.eq_ignore_ascii_case(&format!("root@{sent_back}"))
        || shown.eq_ignore_ascii_case(&format!("root@[{sent_back}]"));
    or_default(sent, if same { sent_back.to_owned() } else { shown })
}

/// Changes one field of a host of its own.
async fn edit_host(t: &Target, change: impl FnOnce(&mut EditHost)) -> Result<hosts::HostView, Refused> {
    let (ctx, owner) = (&t.panel.ctx, &t.panel.owner);
    let id = hosts::create(ctx, owner, some_host()).await?;
    let known = hosts::get(ctx, owner, id).await?;
    let mut form = EditHost {
        name: known.line.name,
        address: known.line.address,
        port: known.ssh_port.to_string(),
        user: known.ssh_user,
        jump: known.jump,
    };
    change(&mut form);
    let edited = hosts::edit(ctx, owner, id, form).await;
    let view = hosts::get(ctx, owner, id).await?;
    let mut root = t.panel.test.superuser().await;
    sqlx::query("delete from hosts where id = $1").bind(id.0).execute(&mut root).await.unwrap();
    edited.map(|()| view)
}
