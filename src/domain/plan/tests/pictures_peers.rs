//! Hosts that send one another's requests on: when a host is shared, and when no more.

use expect_test::{Expect, expect};

use super::*;

fn check(want: Want, have: Have, picture: Expect) {
    show(&want, &have, &plan(&want, &have).unwrap(), picture);
}

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
    check(want(1, &[1, 2]), peered(have(2)), expect![[""]]);
}

#[test]
fn a_host_that_comes_is_shared_after_its_switch_and_one_that_goes_is_left_before_it_drains() {
    check(want(2, &[1, 0, 1]), two_of_three(), expect![[""]]);
}

#[test]
fn a_failure_in_the_middle_shares_as_before() {
    let (want, mut have) = (want(2, &[1, 0, 1]), two_of_three());
    put(&mut have, 1, instance(2, 1, 1, Running::Up, Served::Up));
    put(&mut have, 3, instance(2, 2, 3, Running::Up, Served::Up));
    have.hosts[0].peers = vec![(host(3), 1)];
    have.hosts[2].peers = vec![(host(1), 1)];
    show(&want, &have, &give_up(&want, &have, GivingUp::Failed), expect![[""]]);
}

#[test]
fn hosts_without_an_address_are_told_apart() {
    let mut have = peered(have(3));
    have.hosts[1].peer = None;
    let notes = |have: &Have| plan(&want(1, &[1, 1, 1]), have).unwrap().notes.join(" ");
    expect![[""]].assert_eq(&notes(&have));
    have.hosts[2].peer = None;
    expect![[""]].assert_eq(&notes(&have));
}
