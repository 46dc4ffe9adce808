//! Lines of several instances on their way into one picture: the newest within bounds, by time.

use super::views::AppLogLine;

/// What a line takes beside its bytes.
const LINE_COST: usize = 160;

/// The newest lines that fit.
pub struct Batch {
    lines: Vec<AppLogLine>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
    left_out: usize,
}

impl Batch {
    /// Room for so many lines, and so many bytes.
    pub fn new(most: usize, most_bytes: usize) -> Self {
        Self { lines: Vec::new(), bytes: 0, most, most_bytes, left_out: 0 }
    }

    /// Takes a line in. The oldest go where there is no room.
    pub fn push(&mut self, line: AppLogLine) {
        self.bytes += LINE_COST + line.line.len();
        self.lines.push(line);
        // Not at every line: sorting is for many at once.
        if self.lines.len() > 2 * self.most || self.bytes > 2 * self.most_bytes {
            self.fit();
        }
    }

    /// The lines by time, and how many were left out.
    pub fn sorted(mut self) -> (Vec<AppLogLine>, usize) {
        self.fit();
        (self.lines, self.left_out)
    }

    fn fit(&mut self) {
        self.lines.sort_by_key(|line| line.at);
        let mut over = self.lines.len().saturating_sub(self.most);
        let mut bytes: usize = self.lines.iter().skip(over).map(|line| LINE_COST + line.line.len()).sum();
        while bytes > self.most_bytes
            && let Some(line) = self.lines.get(over)
        {
            bytes -= LINE_COST + line.line.len();
            over += 1;
        }
        self.lines.drain(..over);
        self.left_out += over;
        self.bytes = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::instances::Voice;
    use time::OffsetDateTime;

    fn line(at: i64, bytes: usize) -> AppLogLine {
        let at = OffsetDateTime::from_unix_timestamp(at).unwrap();
        AppLogLine { at, origin: None, voice: Voice::Out, line: vec![b'x'; bytes] }
    }

    #[test]
    fn the_newest_stay_whatever_order_they_come_in() {
        let mut batch = Batch::new(3, 1 << 20);
        for at in [5, 1, 9, 2, 8, 3, 7, 4, 6] {
            batch.push(line(at, 1));
        }
        let (lines, left_out) = batch.sorted();
        let times: Vec<i64> = lines.iter().map(|line| line.at.unix_timestamp()).collect();
        assert_eq!((times.as_slice(), left_out), ([7, 8, 9].as_slice(), 6));
    }

    #[test]
    fn a_million_lines_and_a_flood_of_long_ones_take_no_more_room_than_they_may() {
        let mut batch = Batch::new(300, 64 * 1024);
        for at in 0..1_000_000 {
            batch.push(line(at, if at % 1000 == 0 { 16 * 1024 } else { 10 }));
            assert!(batch.lines.len() <= 601 && batch.bytes <= 128 * 1024 + 17 * 1024);
        }
        let (lines, left_out) = batch.sorted();
        assert_eq!(lines.len() + left_out, 1_000_000);
        assert!(lines.len() <= 300 && lines.last().unwrap().at.unix_timestamp() == 999_999);
    }
}
