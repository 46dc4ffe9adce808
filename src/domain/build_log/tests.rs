use super::*;
use expect_test::{Expect, expect};

fn picture(lines: &[Line], expected: Expect) {
    let told: Vec<String> = lines
        .iter()
        .map(|line| {
            let mark = match line.stream {
                Stream::Skiff => "·",
                Stream::Out => "1",
                Stream::Err => "2",
            };
            format!("{mark} {}\n", String::from_utf8_lossy(&line.text).replace('\r', "␍"))
        })
        .collect();
    expected.assert_eq(&told.concat());
}

#[test]
fn steps_side_by_side_are_told_apart() {
    let mut log = BuildLog::default();
    let mut lines = log.began(1, "[internal] load build definition from Dockerfile");
    lines.extend(log.done(1, 10));
    lines.extend(log.began(2, "[build 1/3] FROM docker.io/library/rust:1"));
    lines.extend(log.cached(2));
    lines.extend(log.began(3, "[build 2/3] RUN make"));
    lines.extend(log.output(3, Stream::Out, b"one\ntw"));
    lines.extend(log.began(4, "[stage-1 2/2] RUN npm ci"));
    lines.extend(log.output(4, Stream::Err, b"10%\r20%\r30%\n"));
    lines.extend(log.output(3, Stream::Out, b"o\nlast without an end"));
    lines.extend(log.done(3, 12_400));
    lines.extend(log.done(4, 1_350));
    lines.extend(log.output(0, Stream::Out, b"of no step"));
    lines.extend(log.end());
    picture(
        &lines,
        expect![[r#"
        · [build 1/3] FROM docker.io/library/rust:1
        · [build 1/3] cached
        · [build 2/3] RUN make
        1 one
        · [stage-1 2/2] RUN npm ci
        2 10%␍20%␍30%
        · [build 2/3] RUN make
        1 two
        1 last without an end
        · [build 2/3] done in 12 s
        · [stage-1 2/2] done in 1.3 s
        1 of no step
    "#]],
    );
    assert_eq!(log.tally().to_string(), "0 of 2 steps cached");
    assert_eq!(log.failed(), None);
}

#[test]
fn a_build_that_is_begun_again_repeats_nothing_of_finished_steps() {
    let mut log = BuildLog::default();
    let mut lines = log.began(1, "[1/4] FROM busybox");
    lines.extend(log.cached(1));
    lines.extend(log.began(2, "[2/4] RUN one"));
    lines.extend(log.output(2, Stream::Out, b"one\n"));
    lines.extend(log.done(2, 100));
    lines.extend(log.began(3, "[3/4] RUN two"));
    lines.extend(log.done(3, 100));
    lines.extend(log.began(4, "[4/4] RUN three"));
    lines.extend(log.output(4, Stream::Out, b"three, hal"));
    lines.extend(log.end());
    log.again();
    // The numbers are another build's; one step is cached, one has to run once more, one was never finished.
    lines.extend(log.began(1, "[2/4] RUN one"));
    lines.extend(log.cached(1));
    lines.extend(log.began(2, "[1/4] FROM busybox"));
    lines.extend(log.done(2, 0));
    lines.extend(log.began(3, "[3/4] RUN two"));
    lines.extend(log.output(3, Stream::Out, b"two\n"));
    lines.extend(log.done(3, 200));
    lines.extend(log.began(4, "[4/4] RUN three"));
    lines.extend(log.output(4, Stream::Out, b"three, whole\n"));
    lines.extend(log.done(4, 300));
    picture(
        &lines,
        expect![[r#"
        · [1/4] FROM busybox
        · [1/4] cached
        · [2/4] RUN one
        1 one
        · [2/4] done in 0.1 s
        · [3/4] RUN two
        · [3/4] done in 0.1 s
        · [4/4] RUN three
        1 three, hal
        · [3/4] RUN two
        1 two
        · [3/4] done in 0.2 s
        · [4/4] RUN three
        1 three, whole
        · [4/4] done in 0.3 s
    "#]],
    );
    assert_eq!(log.tally().to_string(), "1 of 3 steps cached");
}

#[test]
fn the_step_that_failed_is_named() {
    let mut log = BuildLog::default();
    log.began(1, "[2/2] RUN false");
    let mut lines = log.output(1, Stream::Err, b"why");
    let error = "process \"/bin/sh -c false\" did not complete successfully: exit code: 1";
    lines.extend(log.failing(1, "[2/2] RUN false", error));
    picture(
        &lines,
        expect![[r#"
        2 why
        · [2/2] failed: process "/bin/sh -c false" did not complete successfully: exit code: 1
    "#]],
    );
    assert_eq!(log.failed(), Some(("[2/2] RUN false", error)));
}

#[test]
fn a_flood_without_line_ends_and_a_name_of_a_megabyte_stay_small() {
    let mut log = BuildLog::default();
    let lines = log.began(1, &format!("[1/1] RUN \u{1b}[2J{}", "x".repeat(1_000_000)));
    assert!(lines[0].text.len() < 2 * MAX_NAME && !lines[0].text.contains(&0x1b));
    let told = log.output(1, Stream::Out, &vec![b'y'; 10 * MAX_HELD + 5]);
    assert!(told.iter().all(|line| line.text.len() <= MAX_HELD));
    assert_eq!(told.iter().map(|line| line.text.len()).sum::<usize>(), 10 * MAX_HELD);
    for n in 0..5_000 {
        log.began(n, "[1/1] RUN x");
    }
    assert!(log.steps.len() <= MAX_STEPS);
}
