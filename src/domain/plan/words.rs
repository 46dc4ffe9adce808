//! A plan in words: each step a short sentence for the page, a whole plan an indented text.

use std::collections::BTreeMap;

use super::{Plan, Step, Want, instance_name};
use crate::domain::ids::{HostId, VolumeId};
use crate::domain::names::ContainerName;
use crate::domain::observed::Have;

/// The names people know, for what a plan names by ids.
#[derive(Clone, Debug)]
pub struct Words {
    app: String,
    number: i32,
    new: ContainerNames,
    hosts: BTreeMap<HostId, String>,
    old: BTreeMap<ContainerName, String>,
    volumes: BTreeMap<VolumeId, String>,
}

/// How new instances are recognised: by what stands before their index.
#[derive(Clone, Debug)]
struct ContainerNames(String);

impl Words {
    /// The words for plans made of these two; `app` is the app's short name.
    pub fn new(app: &str, want: &Want, have: &Have) -> Self {
        let first = instance_name(&want.release, want.deploy, 0);
        let old = have.hosts.iter().flat_map(|h| h.instances.iter());
        Self {
            app: app.to_owned(),
            number: want.release.number,
            new: ContainerNames(first.as_ref().trim_end_matches('0').to_owned()),
            hosts: have.hosts.iter().map(|h| (h.host, h.name.clone())).collect(),
            old: old
                .filter(|i| !i.stray)
                .map(|i| (i.name.clone(), format!("{app}-{} v{}", i.index, i.number)))
                .collect(),
            volumes: want.release.spec.mounts.iter().map(|m| (m.volume, m.name.to_string())).collect(),
        }
    }

    /// "web-2 v5": the second instance of release 5.
    pub fn instance(&self, name: &ContainerName) -> String {
        match (self.old.get(name), name.as_ref().strip_prefix(&self.new.0)) {
            (Some(label), _) => label.clone(),
            (None, Some(index)) => format!("{}-{index} v{}", self.app, self.number),
            (None, None) => name.to_string(),
        }
    }

    /// The host's name.
    pub fn host(&self, host: HostId) -> String {
        self.hosts.get(&host).cloned().unwrap_or_else(|| format!("host {host}"))
    }

    /// One step as a short sentence: "start web-2 v5 on fra-1".
    pub fn step(&self, host: HostId, step: &Step) -> String {
        format!("{} on {}", self.what(step), self.host(host))
    }

    /// One step without its host.
    fn what(&self, step: &Step) -> String {
        let of = |name| self.instance(name);
        match step {
            Step::BringImage => format!("bring the image of v{}", self.number),
            Step::ClearNetwork { name } => format!("remove the old network {name}"),
            Step::MakeNetwork { bridge } => format!("make the network {}", bridge.subnet()),
            Step::MakeVolume { volume } => match self.volumes.get(volume) {
                Some(name) => format!("make the volume {name}"),
                None => format!("make the volume {volume}"),
            },
            Step::WriteRelease => format!("write v{} to disk", self.number),
            Step::RunReleaseCommand { argv, .. } => format!("run the release command {}", argv.join(" ")),
            Step::Create { name, address, .. } => format!("create {} at {address}", of(name)),
            Step::Start { name } => format!("start {}", of(name)),
            Step::AwaitHealthy { name, .. } => format!("wait until {} is healthy", of(name)),
            Step::WriteIngress { servers } if servers.is_empty() => {
                "write the proxy's file without this app".to_owned()
            }
            Step::WriteIngress { servers } => {
                let names: Vec<String> = servers.iter().map(|(name, _)| of(name)).collect();
                format!("write the proxy's file with {}", names.join(", "))
            }
            Step::Admit { name, .. } => format!("send requests to {}", of(name)),
            Step::Share { peers } if peers.is_empty() => "send requests to no other host".to_owned(),
            Step::Share { peers } => {
                let names: Vec<String> =
                    peers.iter().map(|(host, count)| format!("{} × {count}", self.host(*host))).collect();
                format!("send requests to {} too", names.join(", "))
            }
            Step::AskThrough => "see a request answered through the proxy".to_owned(),
            Step::Drain { name, seconds: 0 } => format!("send no new requests to {}", of(name)),
            Step::Drain { name, seconds } => format!("let {} finish its requests, up to {seconds} s", of(name)),
            Step::Dismiss { name } => format!("take {} out of the proxy", of(name)),
            Step::Stop { name, .. } => format!("stop {}", of(name)),
            Step::Remove { name, .. } => format!("remove {}", of(name)),
            Step::Keep { name } => format!("keep {} for inspection", of(name)),
            Step::LeaveProxy => "give back the place in the proxy".to_owned(),
            Step::RemoveFiles => "remove the files of its releases".to_owned(),
            Step::RemoveImage { image } => format!("remove the image {image}"),
            Step::RemoveNetwork => "remove the network of its environment".to_owned(),
        }
    }

    /// The whole plan: its notes, then its stages; each lane begins with a hyphen.
    pub fn plan(&self, plan: &Plan) -> String {
        let mut text = String::new();
        for note in &plan.notes {
            text.push_str(&format!("! {note}\n"));
        }
        for stage in &plan.stages {
            let moved = if stage.after_switch { " (traffic has moved)" } else { "" };
            text.push_str(&format!("{}{moved}\n", stage.name));
            for lane in &stage.lanes {
                for (at, step) in lane.steps.iter().enumerate() {
                    let mark = if at == 0 { "- " } else { "  " };
                    text.push_str(&format!("  {mark}{}\n", self.step(lane.host, step)));
                }
            }
        }
        text
    }
}
