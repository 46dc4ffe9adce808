//! Stopping, and restarting one instance: one sentence and one picture each.

use expect_test::{Expect, expect};

use super::super::{restart, stop};
use super::world::World;
use super::*;

/// A plan in words, executed in the small world, which refuses what a real host would.
fn check_run(want: &Want, have: &Have, plan: &Plan, picture: Expect) -> World {
    picture.assert_eq(&words::Words::new("web", want, have).plan(plan));
    let mut world = World::new(want.clone(), have.clone());
    assert!(world.run(plan, usize::MAX, &mut |_| 0, &mut |_| {}).unwrap());
    world
}

fn two_serve() -> Have {
    let mut have = one_serves();
    put(&mut have, 1, instance(1, 2, 1, Running::Up, Served::Up));
    have
}

#[test]
fn a_stopped_app_is_in_no_proxy_and_its_containers_stay() {
    let (want, have) = (want(1, &[2]), two_serve());
    let world = check_run(
        &want,
        &have,
        &stop(&want, &have),
        expect![[r#"
            out of the proxy
              - write the proxy's file without this app on fra-1
            stop
              - let web-1 v1 finish its requests, up to 30 s on fra-1
                stop web-1 v1 on fra-1
                take web-1 v1 out of the proxy on fra-1
              - let web-2 v1 finish its requests, up to 30 s on fra-1
                stop web-2 v1 on fra-1
                take web-2 v1 out of the proxy on fra-1
        "#]],
    );
    assert_eq!((world.up(host(1)), world.serving(host(1))), (0, 0));
    assert_eq!(world.have.hosts[0].instances.len(), 2);
    assert!(world.files[&host(1)].is_empty());
}

#[test]
fn a_worker_is_stopped_without_a_word_to_the_proxy_and_a_silent_host_is_named() {
    let want = as_worker(want(1, &[1, 1]));
    let mut have = have(2);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Absent));
    have.hosts[1].unreachable = Some("no route".to_owned());
    check_run(
        &want,
        &have,
        &stop(&want, &have),
        expect![[r#"
            ! fra-2 cannot be reached: what runs there goes on.
            stop
              - stop web-1 v1 on fra-1
        "#]],
    );
}

#[test]
fn stopping_what_stands_still_does_nothing_but_say_so_again() {
    let (want, mut have) = (want(1, &[1]), have(1));
    put(&mut have, 1, instance(1, 1, 1, Running::Created, Served::Absent));
    check_run(
        &want,
        &have,
        &stop(&want, &have),
        expect![[r#"
            out of the proxy
              - write the proxy's file without this app on fra-1
        "#]],
    );
}

#[test]
fn one_of_two_is_restarted_while_the_other_serves() {
    let (want, have) = (want(1, &[2]), two_serve());
    let which = have.hosts[0].instances[0].id;
    let plan = restart(&want, &have, which).unwrap();
    let world = check_run(
        &want,
        &have,
        &plan,
        expect![[r#"
            restart
              - let web-1 v1 finish its requests, up to 30 s on fra-1
                stop web-1 v1 on fra-1
                start web-1 v1 on fra-1
                wait until web-1 v1 is healthy on fra-1
                send requests to web-1 v1 on fra-1
                see a request answered through the proxy on fra-1
        "#]],
    );
    assert_eq!(world.serving(host(1)), 2);
    // Left at any step, the other one serves.
    let steps = plan.stages[0].lanes[0].steps.len();
    for left in 0..=steps {
        let mut world = World::new(want.clone(), have.clone());
        world.run(&plan, left, &mut |_| 0, &mut |world| assert!(world.serving(host(1)) >= 1)).unwrap();
        // And whoever takes it up comes to the same end.
        let again = restart(&want, &world.have, which).unwrap();
        world.run(&again, usize::MAX, &mut |_| 0, &mut |world| assert!(world.serving(host(1)) >= 1)).unwrap();
        assert_eq!(world.serving(host(1)), 2, "left after {left} steps");
    }
}

#[test]
fn the_only_one_that_serves_is_not_restarted_in_its_place() {
    let (want, have) = (want(1, &[1]), one_serves());
    let said = restart(&want, &have, have.hosts[0].instances[0].id).unwrap_err().0;
    assert_eq!(
        said,
        "Nothing else on fra-1 takes its requests meanwhile. Restart the whole app: new instances are started first."
    );
    assert!(restart(&want, &have, InstanceId(Uuid::nil())).unwrap_err().0.starts_with("This instance is not there"));
}
