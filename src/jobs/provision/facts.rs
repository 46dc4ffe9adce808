//! Reading what a host says of itself: hostile text, taken line by line, unknown names left out.

use crate::domain::host::Facts;

/// Characters kept of one value.
const MAX_VALUE: usize = 120;

/// `NAME=value` lines into facts. What is missing or unreadable stays empty.
pub fn read(lines: &[String]) -> Facts {
    let mut facts = Facts::default();
    for (name, value) in lines.iter().filter_map(|line| line.split_once('=')) {
        let value: String = value.chars().filter(|c| !c.is_control()).take(MAX_VALUE).collect();
        let number = || value.trim().parse().unwrap_or(0);
        match name {
            "OS" => facts.os = value,
            "KERNEL" => facts.kernel = value,
            "ARCH" => facts.arch = value,
            "CPUS" => facts.cpus = value.trim().parse().unwrap_or(0),
            "MEMORY_MIB" => facts.memory_mib = number(),
            "DISK_MIB" => facts.disk_mib = number(),
            "DISK_FREE_MIB" => facts.disk_free_mib = number(),
            "DOCKER" => facts.docker = value,
            "HAPROXY" => facts.haproxy = value,
            "INIT" => facts.init = value,
            _ => {}
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    #[test]
    fn facts_are_read_and_garbage_is_left_out() {
        let lines = ["OS=Debian \u{1b}[31m12", "CPUS=x", "MEMORY_MIB=2048", "WHAT=ever", "no line"].map(str::to_owned);
        let facts = super::read(&lines);
        assert_eq!((facts.os.as_str(), facts.cpus, facts.memory_mib), ("Debian [31m12", 0, 2048));
    }
}
