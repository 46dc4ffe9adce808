//! What a look means for alerts: asks the pure decision where it may change something, and writes down what is told. Not here:
//! when trouble is trouble (`domain::alert`), and telling.

use crate::db::Tx;
use crate::db::alerts::{self, HOST_DOWN, HostSeen, NOBODY_ANSWERS, New};
use crate::db::sights::Streak;
use crate::domain::alert::{self, Network, ONE_BY_ONE, Seen, Verdict};
use crate::domain::ids::HostId;
use crate::domain::notice::{Detail, HostTold, Kind};
use crate::domain::outgoing::is_this_machine;
use crate::domain::rights::Permit;

/// Tells what a look changed, in the look's own transaction.
pub async fn after(tx: &mut Tx<'_>, permit: &Permit, streak: Streak) -> Result<(), sqlx::Error> {
    let Streak { failures, failing_s, answers, open } = streak;
    // Most looks change nothing, and the other hosts are not asked about.
    if !alert::matters(failures, failing_s, answers, open) {
        return Ok(());
    }
    let hosts = alerts::hosts(tx, permit).await?;
    let network = alerts::network(tx, permit).await?;
    let network = if network.gone { Network::Gone } else { Network::Fine(network.back_s) };
    let seen: Vec<Seen> = hosts.iter().map(seen).collect();
    match alert::decide(&seen, network) {
        Verdict::Nothing => Ok(()),
        Verdict::Down(ids) => {
            let mut told = Vec::new();
            for host in of(&hosts, &ids) {
                let new = New { cause: &host.note, ..new(HOST_DOWN, "host", host.host.0, &host.name) };
                if alerts::open(tx, permit, &new).await? {
                    told.push(HostTold { id: host.host, name: host.name.clone(), cause: host.note.clone() });
                }
            }
            tell(tx, permit, Kind::HostDown, told).await
        }
        Verdict::Up(ids) => {
            let mut told = Vec::new();
            for host in of(&hosts, &ids) {
                if alerts::close(tx, permit, HOST_DOWN, host.host.0).await? {
                    told.push(HostTold { id: host.host, name: host.name.clone(), cause: String::new() });
                }
            }
            tell(tx, permit, Kind::HostUp, told).await
        }
        Verdict::NobodyAnswers(ids) => {
            let cause = format!("None of {} hosts answers.", ids.len());
            let new = New { cause: &cause, ..new(NOBODY_ANSWERS, "team", permit.team().0, "All hosts") };
            if !alerts::open(tx, permit, &new).await? {
                return Ok(());
            }
            let named = |host: &HostSeen| HostTold { id: host.host, name: host.name.clone(), cause: String::new() };
            let told = of(&hosts, &ids).map(named).collect();
            let detail = Detail { hosts: told, offline: true, ..Detail::default() };
            alerts::happened(tx, permit, Kind::HostDown, None, &detail).await
        }
        Verdict::SomebodyAnswers => {
            if !alerts::close(tx, permit, NOBODY_ANSWERS, permit.team().0).await? {
                return Ok(());
            }
            let detail = Detail { offline: true, ..Detail::default() };
            alerts::happened(tx, permit, Kind::HostUp, None, &detail).await
        }
    }
}

/// A few are told one by one, many in one.
async fn tell(tx: &mut Tx<'_>, permit: &Permit, kind: Kind, told: Vec<HostTold>) -> Result<(), sqlx::Error> {
    let size = if told.len() > ONE_BY_ONE { told.len() } else { 1 };
    for hosts in told.chunks(size) {
        let detail = Detail { hosts: hosts.to_vec(), ..Detail::default() };
        alerts::happened(tx, permit, kind, None, &detail).await?;
    }
    Ok(())
}

fn new<'a>(kind: &'static str, subject_kind: &'static str, subject: uuid::Uuid, name: &'a str) -> New<'a> {
    New { kind, subject_kind, subject, name, cause: "", project: None }
}

fn of<'a>(hosts: &'a [HostSeen], ids: &'a [HostId]) -> impl Iterator<Item = &'a HostSeen> {
    hosts.iter().filter(|host| ids.contains(&host.host))
}

fn seen(host: &HostSeen) -> Seen {
    Seen {
        host: host.host,
        remote: !is_this_machine(&host.address),
        failures: host.failures,
        failing_s: host.failing_s,
        answers: host.answers,
        answering_s: host.answering_s,
        told: host.told,
    }
}
