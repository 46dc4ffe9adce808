//! Plans that take an app off its hosts.

use expect_test::expect;

use super::*;
use crate::domain::names::ImageRef;
use crate::domain::plan::tests::world::World;
use crate::domain::plan::{Left, Step, remove};

fn left(on: u16) -> Left {
    let images = ["skiff/app:1", "skiff/app:2"].map(|image| image.parse::<ImageRef>().unwrap()).to_vec();
    Left { host: host(on), proxy: true, images, network: true }
}

#[test]
fn everything_of_ours_goes_in_an_order_that_serves_to_the_last_moment() {
    let (want, have, left) = (want(1, &[1]), one_serves(), left(1));
    let plan = remove(&want, &have, &left).unwrap();
    show(
        &want,
        &have,
        &plan,
        expect![[r#"
            out of the proxy
              - write the proxy's file without this app on fra-1
            stop
              - let web-1 v1 finish its requests, up to 30 s on fra-1
                stop web-1 v1 on fra-1
                take web-1 v1 out of the proxy on fra-1
            remove
              - remove web-1 v1 on fra-1
            clean up
              - give back the place in the proxy on fra-1
                remove the files of its releases on fra-1
                remove the network of its environment on fra-1
                remove the image skiff/app:1 on fra-1
                remove the image skiff/app:2 on fra-1
        "#]],
    );
}

#[test]
fn a_host_that_is_away_has_no_plan_and_the_others_have_theirs() {
    let want = want(1, &[1, 1]);
    let mut have = have(2);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Up));
    have.hosts[1].unreachable = Some("no route".to_owned());
    assert_eq!(remove(&want, &have, &left(2)), None);
    assert!(remove(&want, &have, &left(1)).is_some());
}

#[test]
fn hosts_that_share_stop_sending_first() {
    let want = want(1, &[1, 1]);
    let mut have = peered(have(2));
    for on in [1, 2] {
        put(&mut have, on, instance(1, on, on, Running::Up, Served::Up));
        have.hosts[usize::from(on) - 1].peers = vec![(host(3 - on), 1)];
    }
    let plan = remove(&want, &have, &left(1)).unwrap();
    let first = plan.stages.first().unwrap().lanes.first().unwrap().steps.first().unwrap();
    assert_eq!(*first, Step::Share { peers: Vec::new() });
}

#[test]
fn what_failed_what_is_gone_and_what_somebody_started() {
    // As the job wants it: nothing takes the place of what goes.
    let mut want = want(2, &[1]);
    want.former = None;
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Ended, Served::Absent));
    put(&mut have, 1, instance(2, 1, 1, Running::Missing, Served::Absent));
    let mut stray = instance(1, 9, 1, Running::Up, Served::Up);
    (stray.stray, stray.name) = (true, "skiff-by-hand".parse().unwrap());
    put(&mut have, 1, stray);
    let bare = Left { host: host(1), proxy: false, images: Vec::new(), network: false };
    let plan = remove(&want, &have, &bare).unwrap();
    show(
        &want,
        &have,
        &plan,
        expect![[r#"
            out of the proxy
              - write the proxy's file without this app on fra-1
            stop
              - stop web-1 v1 on fra-1
              - let skiff-by-hand finish its requests, up to 30 s on fra-1
                stop skiff-by-hand on fra-1
                take skiff-by-hand out of the proxy on fra-1
            remove
              - remove web-1 v1 on fra-1
              - remove web-1 v2 on fra-1
            clean up
              - remove the files of its releases on fra-1
        "#]],
    );
}

#[test]
fn left_at_any_step_it_is_taken_up_and_ends_the_same() {
    let (want, left) = (want(1, &[2]), left(1));
    let mut have = have(1);
    for index in [1, 2] {
        put(&mut have, 1, instance(1, index, 1, Running::Up, Served::Up));
    }
    let plan = remove(&want, &have, &left).unwrap();
    let steps = plan.stages.iter().flat_map(|stage| &stage.lanes).map(|lane| lane.steps.len()).sum::<usize>();
    for after in 0..=steps {
        let mut world = World::new(want.clone(), have.clone());
        world.run(&plan, after, &mut |_| 0, &mut |_| {}).unwrap();
        let again = remove(&want, &world.have, &left).unwrap();
        assert_eq!(check::check(&want, &world.have, &again), Vec::<String>::new(), "left after {after} steps");
        world.run(&again, usize::MAX, &mut |_| 0, &mut |_| {}).unwrap();
        assert!(world.have.hosts[0].instances.is_empty() && !world.have.hosts[0].network_present, "after {after}");
        assert!(world.files[&host(1)].is_empty());
    }
}
