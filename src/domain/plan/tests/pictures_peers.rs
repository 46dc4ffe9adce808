//! Hosts that send one another's requests on: when a host is shared, and when no more.

use expect_test::expect;

use super::pictures::check;
use super::*;

/// Release 1 serves on hosts 1 and 2, which share; host 3 has nothing of it.
fn two_of_three() -> Have {
    let mut have = peered(have(3));
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Up));
    put(&mut have, 2, instance(1, 2, 2, Running::Up, Served::Up));
    have.hosts[0].peers = vec![(host(2), 1)];
    have.hosts[1].peers = vec![(host(1), 1)];
    have
}

#[test]
fn two_hosts_share_once_both_serve() {
    check(
        want(1, &[1, 2]),
        peered(have(2)),
        expect![[r#"
        prepare and first instance
          - create web-1 v1 at 10.64.64.2 on fra-1
            start web-1 v1 on fra-1
            wait until web-1 v1 is healthy on fra-1
          - write v1 to disk on fra-1
          - write v1 to disk on fra-2
        the rest
          - create web-2 v1 at 10.64.128.2 on fra-2
            start web-2 v1 on fra-2
            wait until web-2 v1 is healthy on fra-2
          - create web-3 v1 at 10.64.128.3 on fra-2
            start web-3 v1 on fra-2
            wait until web-3 v1 is healthy on fra-2
        switch (traffic has moved)
          - write the proxy's file with web-1 v1 on fra-1
            send requests to web-1 v1 on fra-1
            see a request answered through the proxy on fra-1
          - write the proxy's file with web-2 v1, web-3 v1 on fra-2
            send requests to web-2 v1 on fra-2
            send requests to web-3 v1 on fra-2
            see a request answered through the proxy on fra-2
        share between the hosts (traffic has moved)
          - send requests to fra-2 × 2 too on fra-1
          - send requests to fra-1 × 1 too on fra-2
    "#]],
    );
}

#[test]
fn a_host_that_comes_is_shared_after_its_switch_and_one_that_goes_is_left_before_it_drains() {
    check(
        want(2, &[1, 0, 1]),
        two_of_three(),
        expect![[r#"
            prepare and first instance
              - create web-1 v2 at 10.64.64.2 on fra-1
                start web-1 v2 on fra-1
                wait until web-1 v2 is healthy on fra-1
              - write v2 to disk on fra-1
              - write v2 to disk on fra-3
            the rest
              - create web-2 v2 at 10.64.192.2 on fra-3
                start web-2 v2 on fra-3
                wait until web-2 v2 is healthy on fra-3
            switch (traffic has moved)
              - write the proxy's file with web-1 v2 on fra-1
                send requests to web-1 v2 on fra-1
                see a request answered through the proxy on fra-1
              - write the proxy's file with web-2 v2 on fra-3
                send requests to web-2 v2 on fra-3
                see a request answered through the proxy on fra-3
            share between the hosts (traffic has moved)
              - send requests to fra-3 × 1 too on fra-1
              - send requests to fra-1 × 1 too on fra-3
              - send requests to no other host on fra-2
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
fn a_failure_in_the_middle_shares_as_before() {
    let (want, mut have) = (want(2, &[1, 0, 1]), two_of_three());
    put(&mut have, 1, instance(2, 1, 1, Running::Up, Served::Up));
    put(&mut have, 3, instance(2, 2, 3, Running::Up, Served::Up));
    have.hosts[0].peers = vec![(host(3), 1)];
    have.hosts[2].peers = vec![(host(1), 1)];
    show(
        &want,
        &have,
        &give_up(&want, &have, GivingUp::Failed),
        expect![[r#"
            back to the former release
              - write the proxy's file with web-1 v1 on fra-1
              - write the proxy's file with web-2 v1 on fra-2
            share between the hosts as before
              - send requests to fra-2 × 1 too on fra-1
              - send requests to fra-1 × 1 too on fra-2
              - send requests to no other host on fra-3
            leave other hosts
              - write the proxy's file without this app on fra-3
            take the new out
              - let web-1 v2 finish its requests, up to 30 s on fra-1
                stop web-1 v2 on fra-1
                take web-1 v2 out of the proxy on fra-1
                keep web-1 v2 for inspection on fra-1
              - let web-2 v2 finish its requests, up to 30 s on fra-3
                stop web-2 v2 on fra-3
                take web-2 v2 out of the proxy on fra-3
                keep web-2 v2 for inspection on fra-3
        "#]],
    );
}

#[test]
fn hosts_without_an_address_are_told_apart() {
    let mut have = peered(have(3));
    have.hosts[1].peer = None;
    let notes = |have: &Have| plan(&want(1, &[1, 1, 1]), have).unwrap().notes.join(" ");
    expect!["fra-2 has no private address: it answers with its own instances alone, and the others without them."]
        .assert_eq(&notes(&have));
    have.hosts[2].peer = None;
    expect!["fra-2 and fra-3 have no private address: each of them answers with its own instances alone."]
        .assert_eq(&notes(&have));
}
