//! One sentence and one picture each.

use expect_test::{Expect, expect};

use super::*;

/// The plan of a deploy, in words. It is also sound.
pub(super) fn check(want: Want, have: Have, picture: Expect) {
    match plan(&want, &have) {
        Ok(plan) => show(&want, &have, &plan, picture),
        Err(refusal) => picture.assert_eq(&refusal.to_string()),
    }
}

#[test]
fn a_first_deploy_on_a_bare_host_makes_everything_side_by_side() {
    let mut have = have(1);
    (have.hosts[0].image_present, have.hosts[0].network_present) = (false, false);
    have.hosts[0].volumes.clear();
    check(
        with_volume(want(1, &[1])),
        have,
        expect![[r#"
        prepare
          - bring the image of v1 on fra-1
          - make the network 10.64.64.0/24 on fra-1
          - make the volume data on fra-1
          - write v1 to disk on fra-1
        first instance
          - create web-1 v1 at 10.64.64.2 on fra-1
            start web-1 v1 on fra-1
            wait until web-1 v1 is healthy on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v1 on fra-1
            send requests to web-1 v1 on fra-1
            see a request answered through the proxy on fra-1
    "#]],
    );
}

#[test]
fn the_next_deploy_starts_the_new_one_first_right_after_its_image_came() {
    let mut have = one_serves();
    have.hosts[0].image_present = false;
    check(
        want(2, &[1]),
        have,
        expect![[r#"
        prepare and first instance
          - bring the image of v2 on fra-1
            create web-1 v2 at 10.64.64.2 on fra-1
            start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            send requests to web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
        stop the old (traffic has moved)
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn without_a_drain_time_nothing_is_waited_for() {
    let mut want = want(2, &[1]);
    want.release.spec.drain_s = 0;
    check(
        want,
        one_serves(),
        expect![[r#"
        prepare and first instance
          - create web-1 v2 at 10.64.64.2 on fra-1
            start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            send requests to web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
        stop the old (traffic has moved)
          - send no new requests to web-1 v1 on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn on_several_hosts_the_first_healthy_instance_opens_the_way_for_the_rest() {
    let mut have = have(2);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Up));
    put(&mut have, 2, instance(1, 2, 2, Running::Up, Served::Up));
    have.hosts[1].image_present = false;
    check(
        want(2, &[2, 1]),
        have,
        expect![[r#"
        ! fra-1 and fra-2 have no private address: each of them answers with its own instances alone.
        prepare and first instance
          - create web-1 v2 at 10.64.64.2 on fra-1
            start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
          - bring the image of v2 on fra-2
          - write v2 to disk on fra-2
        the rest
          - create web-2 v2 at 10.64.64.3 on fra-1
            start web-2 v2 on fra-1
            wait until web-2 v2 is healthy on fra-1
          - create web-3 v2 at 10.64.128.2 on fra-2
            start web-3 v2 on fra-2
            wait until web-3 v2 is healthy on fra-2
        switch (traffic has moved)
          - write the proxy's file with web-1 v2, web-2 v2 on fra-1
            send requests to web-1 v2 on fra-1
            send requests to web-2 v2 on fra-1
            see a request answered through the proxy on fra-1
          - write the proxy's file with web-3 v2 on fra-2
            send requests to web-3 v2 on fra-2
            see a request answered through the proxy on fra-2
        stop the old (traffic has moved)
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
          - let web-2 v1 finish its requests, up to 30 s on fra-2
            stop web-2 v1 on fra-2
            take web-2 v1 out of the proxy on fra-2
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
          - remove web-2 v1 on fra-2
    "#]],
    );
}

#[test]
fn a_volume_makes_the_old_one_stop_first_and_the_plan_says_so() {
    check(
        with_volume(want(2, &[1])),
        one_serves(),
        expect![[r#"
        ! The old instance stops before the new one starts, because the volume data cannot be shared. Requests are refused meanwhile.
        prepare
          - write v2 to disk on fra-1
        create
          - create web-1 v2 at 10.64.64.2 on fra-1
        stop the old
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
        first instance
          - start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            send requests to web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn a_worker_has_nothing_to_do_with_the_proxy() {
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Absent));
    check(
        as_worker(want(2, &[1])),
        have,
        expect![[r#"
        prepare and first instance
          - create web-1 v2 at 10.64.64.2 on fra-1
            start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
        stop the old (traffic has moved)
          - stop web-1 v1 on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn a_worker_that_must_be_alone_stops_before_its_successor_starts() {
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Absent));
    let mut want = as_worker(want(2, &[1]));
    want.release.spec.overlap = false;
    check(
        want,
        have,
        expect![[r#"
        ! The old instances stop before the new ones start, because the app must not run twice.
        prepare
          - write v2 to disk on fra-1
        create
          - create web-1 v2 at 10.64.64.2 on fra-1
        stop the old
          - stop web-1 v1 on fra-1
        first instance
          - start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn the_release_command_runs_once_before_the_first_instance() {
    let mut want = want(2, &[1]);
    want.release_command = Some(vec!["bin/migrate".to_owned(), "--all".to_owned()]);
    check(
        want,
        one_serves(),
        expect![[r#"
        prepare
          - write v2 to disk on fra-1
        release command
          - run the release command bin/migrate --all on fra-1
        first instance
          - create web-1 v2 at 10.64.64.2 on fra-1
            start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            send requests to web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
        stop the old (traffic has moved)
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn after_a_crash_what_was_created_is_started_and_nothing_is_doubled() {
    let mut have = one_serves();
    put(&mut have, 1, instance(2, 1, 1, Running::Created, Served::Absent));
    let mut want = want(2, &[2]);
    want.release_command = Some(vec!["bin/migrate".to_owned()]);
    check(
        want,
        have,
        expect![[r#"
        prepare and first instance
          - start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
        the rest
          - create web-2 v2 at 10.64.64.2 on fra-1
            start web-2 v2 on fra-1
            wait until web-2 v2 is healthy on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2, web-2 v2 on fra-1
            send requests to web-1 v2 on fra-1
            send requests to web-2 v2 on fra-1
            see a request answered through the proxy on fra-1
        stop the old (traffic has moved)
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn after_a_crash_behind_the_switch_only_the_old_one_is_left_to_do_and_cancelling_is_over() {
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Draining));
    put(&mut have, 1, instance(2, 1, 1, Running::Up, Served::Up));
    check(
        want(2, &[1]),
        have,
        expect![[r#"
        prepare and first instance (traffic has moved)
          - wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
        stop the old (traffic has moved)
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn what_failed_deploys_left_is_removed_once_one_succeeds() {
    let mut have = one_serves();
    put(&mut have, 1, instance(2, 1, 1, Running::Ended, Served::Absent));
    let mut want = want(3, &[1]);
    want.former = Some(deploy(1));
    check(
        want,
        have,
        expect![[r#"
            prepare and first instance
              - create web-1 v3 at 10.64.64.2 on fra-1
                start web-1 v3 on fra-1
                wait until web-1 v3 is healthy on fra-1
              - write v3 to disk on fra-1
            switch (traffic has moved)
              - write the proxy's file with web-1 v3 on fra-1
                send requests to web-1 v3 on fra-1
                see a request answered through the proxy on fra-1
            stop the old (traffic has moved)
              - let web-1 v1 finish its requests, up to 30 s on fra-1
                stop web-1 v1 on fra-1
                take web-1 v1 out of the proxy on fra-1
              - stop web-1 v2 on fra-1
            clean up (traffic has moved)
              - remove web-1 v1 on fra-1
              - remove web-1 v2 on fra-1
        "#]],
    );
}

#[test]
fn a_host_that_is_not_in_the_placement_any_more_is_left_behind_the_switch() {
    let mut have = have(2);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Up));
    put(&mut have, 2, instance(1, 2, 2, Running::Up, Served::Up));
    check(
        want(2, &[1]),
        have,
        expect![[r#"
        prepare and first instance
          - create web-1 v2 at 10.64.64.2 on fra-1
            start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            send requests to web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
        leave other hosts (traffic has moved)
          - write the proxy's file without this app on fra-2
        stop the old (traffic has moved)
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
          - let web-2 v1 finish its requests, up to 30 s on fra-2
            stop web-2 v1 on fra-2
            take web-2 v1 out of the proxy on fra-2
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
          - remove web-2 v1 on fra-2
    "#]],
    );
}

#[test]
fn a_host_that_is_not_needed_and_silent_is_a_note() {
    let mut have = one_serves();
    let mut silent = super::have(2).hosts.remove(1);
    silent.unreachable = Some("connection refused".to_owned());
    have.hosts.push(silent);
    have.hosts[0].instances.clear();
    check(
        want(2, &[1]),
        have,
        expect![[r#"
        ! fra-2 cannot be reached (connection refused): what runs there of older releases stays until a later deploy.
        prepare and first instance
          - create web-1 v2 at 10.64.64.2 on fra-1
            start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            send requests to web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
    "#]],
    );
}

#[test]
fn what_a_run_bash_started_makes_way_and_is_not_removed() {
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Ended, Served::Absent));
    let mut stray = instance(1, 2, 1, Running::Up, Served::Up);
    stray.name = "skiff-a-v1-99-1".parse().unwrap();
    (stray.deploy, stray.stray) = (crate::domain::ids::DeployId(Uuid::nil()), true);
    put(&mut have, 1, stray);
    check(
        want(2, &[1]),
        have,
        expect![[r#"
        ! skiff-a-v1-99-1 on fra-1 was started by a run.bash: it is stopped, and stays there until somebody removes it.
        prepare and first instance
          - create web-1 v2 at 10.64.64.2 on fra-1
            start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            send requests to web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
        stop the old (traffic has moved)
          - stop web-1 v1 on fra-1
          - let skiff-a-v1-99-1 finish its requests, up to 30 s on fra-1
            stop skiff-a-v1-99-1 on fra-1
            take skiff-a-v1-99-1 out of the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn a_port_held_by_the_app_itself_is_no_obstacle() {
    let (mut want, mut have) = (want(2, &[1]), one_serves());
    want.host_ports = vec![25];
    let by = have.hosts[0].instances[0].name.to_string();
    have.hosts[0].ports_taken = vec![(25, by)];
    check(
        want,
        have,
        expect![[r#"
        ! The old instance stops before the new one starts, because port 25 of the host cannot be shared. Requests are refused meanwhile.
        prepare
          - write v2 to disk on fra-1
        create
          - create web-1 v2 at 10.64.64.2 on fra-1
        stop the old
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
        first instance
          - start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            send requests to web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}
