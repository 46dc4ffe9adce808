//! What is kept and for how long, and what may go. Not here: removing anything.
//!
//! Nothing is ever guessed to be ours: images and containers that may go stand in the ledger, and are removed by name.

/// Releases of an app that can be gone back to in one click: about two weeks of work at a deploy a day, and at most so
/// many images of an app on a host's disk.
pub const RELEASES: usize = 10;
/// Hours a failed container is kept for inspection, unless a deploy that succeeds takes it away before.
pub const FAILED_HOURS: i32 = 72;
/// Days that deploys, jobs and their logs are kept: a quarter of a year answers "what was changed then". The deploys of
/// kept releases stay longer, without their logs. Logs go by whole months, so a line may live a month longer.
pub const HISTORY_DAYS: i32 = 90;

/// One release of an app, as the decision sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub number: i32,
    /// True where a deploy of it has succeeded once.
    pub served: bool,
    /// True where somebody holds it: it serves, the watch may go back to it, or a deploy of it waits or runs.
    pub held: bool,
}

/// The releases that are kept no more. Kept are those that are held, the newest [`RELEASES`], and the newest so many
/// that ever served: a row of failures must not push out the last good ones.
pub fn retired(known: &[Known]) -> Vec<i32> {
    let mut newest: Vec<&Known> = known.iter().collect();
    newest.sort_by_key(|release| std::cmp::Reverse(release.number));
    let mut served = 0;
    let mut retired = Vec::new();
    for (place, release) in newest.into_iter().enumerate() {
        served += usize::from(release.served);
        let kept = release.held || place < RELEASES || (release.served && served <= RELEASES);
        if !kept {
            retired.push(release.number);
        }
    }
    retired
}

/// Of the names found in an app's folder on a host, the release folders that may go: numbers the app has given out and
/// does not keep. Anything else is not ours to judge.
pub fn folders(found: &[String], kept: &[i32], last: i32) -> Vec<i32> {
    let number = |name: &String| name.parse::<i32>().ok().filter(|number| number.to_string() == *name);
    let given = found.iter().filter_map(number).filter(|number| (1..=last).contains(number));
    given.filter(|number| !kept.contains(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(number: i32, served: bool) -> Known {
        Known { number, served, held: false }
    }

    #[test]
    fn the_newest_ten_are_kept() {
        let all: Vec<Known> = (1..=12).map(|number| release(number, true)).collect();
        assert_eq!(retired(&all), [2, 1]);
        assert_eq!(retired(&all[..10]), [0; 0]);
    }

    #[test]
    fn failures_do_not_push_out_what_served() {
        let mut all: Vec<Known> = (1..=11).map(|number| release(number, true)).collect();
        all.extend((12..=30).map(|number| release(number, false)));
        // Of the failed ones the newest ten, of those that served the newest ten.
        assert_eq!(retired(&all), [20, 19, 18, 17, 16, 15, 14, 13, 12, 1]);
    }

    #[test]
    fn what_somebody_holds_stays_however_old() {
        let mut all: Vec<Known> = (1..=40).map(|number| release(number, true)).collect();
        all[2].held = true;
        let gone = retired(&all);
        assert!(!gone.contains(&3) && gone.contains(&2) && gone.contains(&4) && gone.len() == 29, "{gone:?}");
    }

    #[test]
    fn only_numbers_that_were_given_out_are_folders_of_ours() {
        let found = ["1", "2", "3", "03", "+3", "-1", "0", "99", "3.bak", "..", "lost+found"].map(str::to_owned);
        assert_eq!(folders(&found, &[2], 12), [1, 3]);
    }
}
