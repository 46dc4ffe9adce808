//! Apps that leave a host: what serves there goes on until all of the new placement serves.

use expect_test::expect;

use super::pictures::check;
use super::*;

/// Release 1 serves on host 1, and host 2 has nothing of it.
fn on_the_first_of_two() -> Have {
    let mut have = have(2);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Up));
    have
}

#[test]
fn an_app_that_moves_serves_on_the_new_host_before_it_leaves_the_old_one() {
    check(
        want(2, &[0, 1]),
        on_the_first_of_two(),
        expect![[r#"
        prepare and first instance
          - create web-1 v2 at 10.64.128.2 on fra-2
            start web-1 v2 on fra-2
            wait until web-1 v2 is healthy on fra-2
          - write v2 to disk on fra-2
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-2
            send requests to web-1 v2 on fra-2
            see a request answered through the proxy on fra-2
        leave other hosts (traffic has moved)
          - write the proxy's file without this app on fra-1
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
fn a_worker_that_moves_runs_on_the_new_host_first() {
    let mut have = on_the_first_of_two();
    have.hosts[0].instances[0].served = Served::Absent;
    check(
        as_worker(want(2, &[0, 1])),
        have,
        expect![[r#"
        prepare and first instance
          - create web-1 v2 at 10.64.128.2 on fra-2
            start web-1 v2 on fra-2
            wait until web-1 v2 is healthy on fra-2
          - write v2 to disk on fra-2
        stop the old (traffic has moved)
          - stop web-1 v1 on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn a_worker_that_must_be_alone_stops_on_the_host_it_leaves_first() {
    let mut have = on_the_first_of_two();
    have.hosts[0].instances[0].served = Served::Absent;
    let mut want = as_worker(want(2, &[0, 1]));
    want.release.spec.overlap = false;
    check(
        want,
        have,
        expect![[r#"
        ! The old instances stop before the new ones start, because the app must not run twice.
        prepare
          - write v2 to disk on fra-2
        create
          - create web-1 v2 at 10.64.128.2 on fra-2
        stop the old
          - stop web-1 v1 on fra-1
        first instance
          - start web-1 v2 on fra-2
            wait until web-1 v2 is healthy on fra-2
        stop the old (traffic has moved)
          - stop web-1 v1 on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn what_a_failed_deploy_left_on_a_host_that_was_left_is_removed() {
    let mut have = on_the_first_of_two();
    have.hosts[0].instances[0] = instance(1, 1, 1, Running::Ended, Served::Absent);
    put(&mut have, 2, instance(2, 1, 2, Running::Up, Served::Up));
    let mut want = want(3, &[0, 1]);
    want.former = Some(deploy(2));
    check(
        want,
        have,
        expect![[r#"
        prepare and first instance
          - create web-1 v3 at 10.64.128.2 on fra-2
            start web-1 v3 on fra-2
            wait until web-1 v3 is healthy on fra-2
          - write v3 to disk on fra-2
        switch (traffic has moved)
          - write the proxy's file with web-1 v3 on fra-2
            send requests to web-1 v3 on fra-2
            see a request answered through the proxy on fra-2
        leave other hosts (traffic has moved)
          - write the proxy's file without this app on fra-1
        stop the old (traffic has moved)
          - stop web-1 v1 on fra-1
          - let web-1 v2 finish its requests, up to 30 s on fra-2
            stop web-1 v2 on fra-2
            take web-1 v2 out of the proxy on fra-2
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
          - remove web-1 v2 on fra-2
    "#]],
    );
}

#[test]
fn a_failed_move_leaves_the_old_host_serving() {
    let (want, mut have) = (want(2, &[0, 1]), on_the_first_of_two());
    have.hosts[0].instances[0].served = Served::Draining;
    put(&mut have, 2, instance(2, 1, 2, Running::Up, Served::Up));
    show(
        &want,
        &have,
        &give_up(&want, &have, GivingUp::Failed),
        expect![[r#"
        back to the former release
          - write the proxy's file with web-1 v1 on fra-1
            send requests to web-1 v1 on fra-1
            see a request answered through the proxy on fra-1
          - write the proxy's file without this app on fra-2
        take the new out
          - let web-1 v2 finish its requests, up to 30 s on fra-2
            stop web-1 v2 on fra-2
            take web-1 v2 out of the proxy on fra-2
            keep web-1 v2 for inspection on fra-2
    "#]],
    );
}

#[test]
fn a_plan_that_leaves_a_host_before_the_others_serve_is_found() {
    let (want, have) = (want(2, &[0, 1]), on_the_first_of_two());
    let mut broken = plan(&want, &have).unwrap();
    let at = broken.stages.iter().position(|stage| stage.name == "stop the old").unwrap();
    let early = broken.stages.remove(at);
    broken.stages.insert(0, early);
    let findings = super::super::check::check(&want, &have, &broken).join(" ");
    assert!(findings.contains("leaves before its successor is in place"), "{findings}");
}

#[test]
fn a_web_app_that_becomes_a_worker_leaves_the_proxy() {
    let mut want = as_worker(want(2, &[1]));
    want.former_web = true;
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
          - write the proxy's file without this app on fra-1
        stop the old (traffic has moved)
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}
