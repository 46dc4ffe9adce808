//! The way back: one sentence and one picture each.

use expect_test::{Expect, expect};

use super::*;

/// The plan of the way back, in words.
fn check_back(want: Want, have: Have, why: GivingUp, picture: Expect) {
    show(&want, &have, &give_up(&want, &have, why), picture);
}

#[test]
fn a_failure_after_the_switch_brings_the_old_one_back_and_keeps_the_new() {
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Draining));
    put(&mut have, 1, instance(2, 1, 1, Running::Up, Served::Up));
    check_back(
        want(2, &[1]),
        have,
        GivingUp::Failed,
        expect![[r#"
        back to the former release
          - write the proxy's file with web-1 v1 on fra-1
            send requests to web-1 v1 on fra-1
            see a request answered through the proxy on fra-1
        take the new out
          - let web-1 v2 finish its requests, up to 30 s on fra-1
            stop web-1 v2 on fra-1
            take web-1 v2 out of the proxy on fra-1
            keep web-1 v2 for inspection on fra-1
    "#]],
    );
}

#[test]
fn a_cancel_before_the_switch_removes_the_new_and_leaves_the_old_alone() {
    let mut have = one_serves();
    put(&mut have, 1, instance(2, 1, 1, Running::Up, Served::Absent));
    check_back(
        want(2, &[1]),
        have,
        GivingUp::Cancelled,
        expect![[r#"
        back to the former release
          - write the proxy's file with web-1 v1 on fra-1
        take the new out
          - stop web-1 v2 on fra-1
            remove web-1 v2 on fra-1
    "#]],
    );
}

#[test]
fn a_failure_with_a_volume_stops_the_new_before_the_old_starts_again() {
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Ended, Served::Absent));
    put(&mut have, 1, instance(2, 1, 1, Running::Up, Served::Absent));
    check_back(
        with_volume(want(2, &[1])),
        have,
        GivingUp::Failed,
        expect![[r#"
        take the new out
          - stop web-1 v2 on fra-1
            keep web-1 v2 for inspection on fra-1
        start the old again
          - start web-1 v1 on fra-1
            wait until web-1 v1 is healthy on fra-1
        back to the former release
          - write the proxy's file with web-1 v1 on fra-1
            send requests to web-1 v1 on fra-1
            see a request answered through the proxy on fra-1
    "#]],
    );
}

#[test]
fn a_failed_first_deploy_leaves_nothing_in_the_proxy() {
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Up));
    check_back(
        want(1, &[1]),
        have,
        GivingUp::Failed,
        expect![[r#"
        back to the former release
          - write the proxy's file without this app on fra-1
        take the new out
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
            keep web-1 v1 for inspection on fra-1
    "#]],
    );
}

#[test]
fn where_nothing_of_the_former_is_left_the_new_one_is_not_stopped() {
    let mut have = have(1);
    put(&mut have, 1, instance(2, 1, 1, Running::Up, Served::Up));
    check_back(
        want(2, &[1]),
        have,
        GivingUp::Failed,
        expect![[r#"
        ! Nothing is left of the former release: the new one goes on as it is.
    "#]],
    );
}

#[test]
fn a_new_instance_that_docker_restarts_over_and_over_is_stopped_too() {
    let mut have = one_serves();
    put(&mut have, 1, instance(2, 1, 1, Running::Ended, Served::Absent));
    check_back(
        want(2, &[1]),
        have,
        GivingUp::Failed,
        expect![[r#"
        back to the former release
          - write the proxy's file with web-1 v1 on fra-1
        take the new out
          - stop web-1 v2 on fra-1
            keep web-1 v2 for inspection on fra-1
    "#]],
    );
}

#[test]
fn an_old_release_that_is_itself_broken_does_not_keep_the_new_one_running() {
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Ended, Served::Up));
    put(&mut have, 1, instance(2, 1, 1, Running::Up, Served::Absent));
    check_back(
        want(2, &[1]),
        have,
        GivingUp::Failed,
        expect![[r#"
        start the old again
          - start web-1 v1 on fra-1
            wait until web-1 v1 is healthy on fra-1
          - stop web-1 v2 on fra-1
            keep web-1 v2 for inspection on fra-1
        back to the former release
          - write the proxy's file with web-1 v1 on fra-1
    "#]],
    );
}
