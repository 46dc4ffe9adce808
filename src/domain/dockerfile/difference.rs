//! Two texts, line by line: what goes, what comes, what stays.

/// Lines of one text that are compared; of longer ones all is shown as gone and come.
const MOST: usize = 1_000;

/// A line of the difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// In both.
    Same(String),
    /// Only in the first.
    Gone(String),
    /// Only in the second.
    Come(String),
}

/// The shortest difference: the longest lines in common stay, what goes stands before what comes.
pub fn difference(before: &str, after: &str) -> Vec<Line> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let gone = |line: &&str| Line::Gone((*line).to_owned());
    let come = |line: &&str| Line::Come((*line).to_owned());
    if old.len() > MOST || new.len() > MOST {
        return old.iter().map(gone).chain(new.iter().map(come)).collect();
    }
    let common = common(&old, &new);
    let at = |i: usize, j: usize| common.get(i * (new.len() + 1) + j).copied().unwrap_or_default();
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (None, None) => return lines,
            (Some(a), Some(b)) if a == b => {
                lines.push(Line::Same((*a).to_owned()));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || at(i + 1, j) >= at(i, j + 1) => {
                lines.push(gone(a));
                i += 1;
            }
            (_, Some(b)) => {
                lines.push(come(b));
                j += 1;
            }
            (Some(_), None) => i += 1,
        }
    }
}

/// The number of lines in common behind each pair of places, as rows one after the other.
fn common(old: &[&str], new: &[&str]) -> Vec<u16> {
    let width = new.len() + 1;
    let mut table = vec![0_u16; width * (old.len() + 1)];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let at = |table: &[u16], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or_default();
            let best = match a == b {
                true => at(&table, i + 1, j + 1).saturating_add(1),
                false => at(&table, i + 1, j).max(at(&table, i, j + 1)),
            };
            if let Some(cell) = table.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    table
}
