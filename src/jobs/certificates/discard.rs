//! Certificates that nothing leads to any more: out of the running proxy, the host's folder and the ledger. Not here: which these are not
//! because they are held (`certificates.rs`).

use std::collections::BTreeSet;

use super::{Place, Trouble, dialogue};
use crate::db::certificates;
use crate::domain::ids::CertificateId;
use crate::domain::ingress::tls;

/// Takes them out, and says so. Where HAProxy goes on using some, for a list that is not ours, says that too: their files stay, as it could not
/// start without them, and so does the note of them, for the next time. All that is wanted is served all the same.
pub(super) async fn discard(
    at: &Place<'_>,
    held: &BTreeSet<CertificateId>,
    said: &mut Vec<String>,
) -> Result<(), Trouble> {
    let mut tx = at.ctx.db.begin(at.permit).await?;
    let known = certificates::on_host(&mut tx, at.permit, at.id).await?;
    tx.commit().await?;
    let mut gone: BTreeSet<CertificateId> = known.iter().copied().collect();
    gone.extend(&at.running.stored);
    gone.retain(|id| !at.want.certificates.contains(id) && !held.contains(id));
    if gone.is_empty() {
        return Ok(());
    }
    let lines: Vec<(CertificateId, String)> = gone
        .iter()
        .flat_map(|id| tls::discard(at.files, *id, &at.running.listed).into_iter().map(|line| (*id, line)))
        .collect();
    let asked: Vec<String> = lines.iter().map(|(_, line)| line.clone()).collect();
    let answers = dialogue::ask(at.host, &asked).await?;
    let used: BTreeSet<CertificateId> =
        lines.iter().zip(&answers).filter(|(_, answer)| tls::is_used(answer)).map(|((id, _), _)| *id).collect();
    gone.retain(|id| !used.contains(id));
    said.extend(used.first().map(|id| {
        format!(
            "HAProxy goes on using {}, which nothing of Skiff leads to: a list or a line of somebody else names it. Take it out there",
            at.files.certificate(*id)
        )
    }));
    if gone.is_empty() {
        return Ok(());
    }
    // Noted before, too: whoever is stopped in between leaves no note of a file that is gone.
    let none: Vec<(CertificateId, &str)> =
        known.into_iter().filter(|id| gone.contains(id)).map(|id| (id, "")).collect();
    let mut tx = at.ctx.db.begin(at.permit).await?;
    certificates::note_installed(&mut tx, at.permit, at.id, &none).await?;
    tx.commit().await?;
    let paths: Vec<String> = gone.iter().map(|id| at.files.certificate(*id)).collect();
    at.host.remove_files(&paths.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let mut tx = at.ctx.db.begin(at.permit).await?;
    certificates::forget(&mut tx, at.permit, at.id, &gone.iter().copied().collect::<Vec<_>>()).await?;
    tx.commit().await?;
    said.push(match gone.len() {
        1 => "one certificate that nothing leads to is gone from the server".to_owned(),
        many => format!("{many} certificates that nothing leads to are gone from the server"),
    });
    Ok(())
}
