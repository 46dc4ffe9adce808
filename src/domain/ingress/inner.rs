//! Containers of the host itself come with addresses of Skiff's own plan, 10.64.0.0/10, which lies within networks that people name
//! for their offices and load balancers. Who names 10.0.0.0/8 does not mean every app on the host: of a wider network its containers
//! are no part; who means them names a network within the plan.

use std::fmt::Write as _;

use crate::domain::rules::Cidr;

/// The condition for addresses of the plan.
const PLANNED: &str = "{ src 10.64.0.0/10 }";

/// Writes a list of networks as conditions of this name, each line behind `indent`.
pub(super) fn networks(text: &mut String, indent: &str, name: &str, all: &[Cidr]) {
    for network in all {
        let _ = writeln!(text, "{indent}acl {name} src {network}");
    }
    if is_wide(all) {
        for network in all.iter().filter(|network| network.is_planned()) {
            let _ = writeln!(text, "{indent}acl {name}-near src {network}");
        }
    }
}

/// When an address is none of the list: one condition of these holds.
pub(super) fn outside(name: &str, all: &[Cidr]) -> Vec<String> {
    let mut conditions = vec![format!("!{name}")];
    if is_wide(all) {
        conditions.push(format!("{PLANNED}{}", near(name, all, " !")));
    }
    conditions
}

/// When an address is one of the list: one condition of these holds.
pub(super) fn within(name: &str, all: &[Cidr]) -> Vec<String> {
    if !is_wide(all) {
        return vec![name.to_owned()];
    }
    let mut conditions = vec![format!("{name} !{PLANNED}")];
    conditions.extend(Some(near(name, all, "")).filter(|near| !near.is_empty()));
    conditions
}

fn is_wide(all: &[Cidr]) -> bool {
    all.iter().any(Cidr::is_wider_than_plan)
}

fn near(name: &str, all: &[Cidr], before: &str) -> String {
    if all.iter().any(Cidr::is_planned) { format!("{before}{name}-near") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_network_lets_no_container_in() {
        let all = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Cidr>>();
        assert_eq!(outside("x", &all(&["10.1.2.0/24", "192.168.0.0/16"])), ["!x"]);
        assert_eq!(outside("x", &all(&["10.0.0.0/8"])), ["!x", "{ src 10.64.0.0/10 }"]);
        let both = all(&["10.0.0.0/8", "10.64.1.0/24"]);
        assert_eq!(outside("x", &both), ["!x", "{ src 10.64.0.0/10 } !x-near"]);
        assert_eq!(within("x", &both), ["x !{ src 10.64.0.0/10 }", "x-near"]);
        assert_eq!(within("x", &all(&["10.64.0.0/10"])), ["x"]);
        let mut text = String::new();
        networks(&mut text, "", "x", &both);
        assert_eq!(text, "acl x src 10.0.0.0/8\nacl x src 10.64.1.0/24\nacl x-near src 10.64.1.0/24\n");
    }
}
