//! The fields of certificates that are got by themselves: orders, DNS accounts, the authority.

use skiff::actions::Refused;
use skiff::actions::acme::{self, Choice, DnsAccountView, NewDnsAccount, NewOrder};

use super::fields::{Send, Shown, Target, unique};

/// Makes an account, and forgets it again: a team has room for so many.
async fn account(t: &Target, form: NewDnsAccount) -> Result<DnsAccountView, Refused> {
    let made = acme::add_account(&t.panel.ctx, &t.panel.owner, form).await?;
    let shown = acme::accounts(&t.panel.ctx, &t.panel.owner).await?.into_iter().find(|one| one.id == made.id).unwrap();
    acme::remove_account(&t.panel.ctx, &t.panel.owner, made.id).await?;
    Ok(shown)
}

fn service() -> NewDnsAccount {
    NewDnsAccount { name: unique(), kind: "hetzner".into(), token: "token".into(), ..NewDnsAccount::default() }
}

fn server() -> NewDnsAccount {
    NewDnsAccount {
        name: unique(),
        kind: "rfc2136".into(),
        server: "ns1.example.org".into(),
        key_name: "skiff".into(),
        key: "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".into(),
        ..NewDnsAccount::default()
    }
}

async fn choose(t: &Target, change: impl FnOnce(&mut Choice)) -> Result<acme::ChosenView, Refused> {
    let mut form = Choice { authority: "letsencrypt".into(), terms: true, ..Choice::default() };
    change(&mut form);
    acme::choose(&t.panel.ctx, &t.panel.owner, form).await?;
    Ok(acme::chosen(&t.panel.ctx, &t.panel.owner).await?.unwrap())
}

pub fn fields() -> Vec<(&'static str, &'static str, Send)> {
    vec![
        ("dns account", "name", |t, text| {
            Box::pin(
                async move { Ok(Shown::Trimmed(account(t, NewDnsAccount { name: text, ..service() }).await?.name)) },
            )
        }),
        ("dns account", "kind", |t, text| {
            Box::pin(async move {
                account(t, NewDnsAccount { kind: text, ..service() }).await?;
                Ok(Shown::Never)
            })
        }),
        ("dns account", "token", |t, text| {
            Box::pin(async move {
                account(t, NewDnsAccount { token: text, ..service() }).await?;
                Ok(Shown::Never)
            })
        }),
        ("dns account", "server", |t, text| {
            Box::pin(async move {
                let shown = account(t, NewDnsAccount { server: text.clone(), ..server() }).await?.server;
                let same = shown.trim_end_matches(":53").eq_ignore_ascii_case(text.trim());
                Ok(Shown::Trimmed(if same { text.trim().to_owned() } else { shown }))
            })
        }),
        ("dns account", "key_name", |t, text| {
            Box::pin(async move {
                let shown = account(t, NewDnsAccount { key_name: text.clone(), ..server() }).await?.key_name;
                Ok(Shown::Trimmed(if shown.eq_ignore_ascii_case(text.trim()) { text.trim().to_owned() } else { shown }))
            })
        }),
        ("dns account", "algorithm", |t, text| {
            Box::pin(async move {
                account(t, NewDnsAccount { algorithm: text, ..server() }).await?;
                Ok(Shown::Never)
            })
        }),
        ("dns account", "key", |t, text| {
            Box::pin(async move {
                account(t, NewDnsAccount { key: text, ..server() }).await?;
                Ok(Shown::Never)
            })
        }),
        ("certificate order", "names", |t, text| {
            Box::pin(async move {
                choose(t, |_| {}).await?;
                let made = acme::add_account(&t.panel.ctx, &t.panel.owner, service()).await?;
                let form = NewOrder { names: text.clone(), dns_account: made.id.to_string() };
                let ordered = acme::order(&t.panel.ctx, &t.panel.owner, form).await;
                if ordered.is_err() {
                    acme::remove_account(&t.panel.ctx, &t.panel.owner, made.id).await?;
                }
                let shown = acme::get(&t.panel.ctx, &t.panel.owner, ordered?.0).await?.names.join(" ");
                Ok(Shown::Trimmed(if shown.eq_ignore_ascii_case(text.trim()) { text.trim().to_owned() } else { shown }))
            })
        }),
        ("certificate order", "dns_account", |t, text| {
            Box::pin(async move {
                let form = NewOrder { names: format!("*.{}.example.org", unique()), dns_account: text };
                acme::order(&t.panel.ctx, &t.panel.owner, form).await?;
                Ok(Shown::Never)
            })
        }),
        ("authority", "authority", |t, text| {
            Box::pin(async move {
                choose(t, |form| form.authority = text).await?;
                Ok(Shown::Never)
            })
        }),
        ("authority", "directory", |t, text| {
            Box::pin(async move {
                let shown = choose(t, |form| (form.authority, form.directory) = ("other".into(), text)).await?;
                Ok(Shown::Trimmed(shown.directory))
            })
        }),
        ("authority", "email", |t, text| {
            Box::pin(async move {
                let sent = text.trim().to_owned();
                let shown = choose(t, |form| form.email = text).await?.email;
                Ok(Shown::Trimmed(if shown == sent.to_lowercase() { sent } else { shown }))
            })
        }),
        ("authority", "ca_root", |t, text| {
            Box::pin(async move {
                let shown = choose(t, |form| form.ca_root = text).await?;
                Ok(Shown::Trimmed(shown.ca_root))
            })
        }),
        ("authority", "eab_id", |t, text| {
            Box::pin(async move {
                let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAA";
                let shown = choose(t, |form| (form.eab_id, form.eab_key) = (text, key.into())).await?;
                Ok(Shown::Trimmed(shown.eab_id))
            })
        }),
        ("authority", "eab_key", |t, text| {
            Box::pin(async move {
                choose(t, |form| (form.eab_id, form.eab_key) = ("kid".into(), text)).await?;
                Ok(Shown::Never)
            })
        }),
    ]
}
