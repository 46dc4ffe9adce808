//! Bytes cut into lines, each capped: a line without an end must not fill memory.

/// A line longer than this is cut and marked.
pub const LINE_BYTES: usize = 16 * 1024;
/// Stands at the end of a cut line.
pub const CUT_MARK: &[u8] = " … [line cut at 16 KiB]".as_bytes();

/// Collects bytes into lines.
#[derive(Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    cut: bool,
}

impl Lines {
    /// Takes bytes in and hands out each line that is now complete, without its end.
    pub fn feed(&mut self, mut bytes: &[u8], on_line: &mut (dyn FnMut(&[u8]) + Send)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = bytes.split_at(end);
            self.take(head);
            self.finish(on_line);
            bytes = tail.get(1..).unwrap_or_default();
        }
        self.take(bytes);
    }

    /// Hands out what is left, if anything is.
    pub fn end(&mut self, on_line: &mut (dyn FnMut(&[u8]) + Send)) {
        if !self.line.is_empty() {
            self.finish(on_line);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES.saturating_sub(self.line.len());
        self.cut |= bytes.len() > room;
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn finish(&mut self, on_line: &mut (dyn FnMut(&[u8]) + Send)) {
        if self.cut {
            self.line.extend_from_slice(CUT_MARK);
        }
        on_line(self.line.strip_suffix(b"\r").unwrap_or(&self.line));
        self.line.clear();
        self.cut = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let text = [b"a\r\n\nbc\n".as_slice(), &[b'x'; LINE_BYTES + 5], b"\nlast"].concat();
        let mut want = vec![b"a".to_vec(), vec![], b"bc".to_vec()];
        want.push([&[b'x'; LINE_BYTES][..], CUT_MARK].concat());
        want.push(b"last".to_vec());
        for size in [1, 3, 4096, text.len()] {
            let (mut lines, mut got) = (Lines::default(), Vec::new());
            let mut keep = |line: &[u8]| got.push(line.to_vec());
            for chunk in text.chunks(size) {
                lines.feed(chunk, &mut keep);
            }
            lines.end(&mut keep);
            assert_eq!(got, want, "in pieces of {size}");
        }
    }
}
