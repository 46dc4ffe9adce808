//! What holds for every plan, however often it is left in the middle and planned again.

use proptest::prelude::*;

use super::world::World;
use super::*;
use crate::domain::app::Kind;

/// How an app may be: what decides the order of a plan.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Web,
    WebWithVolume,
    WebAlone,
    Worker,
    WorkerThatWasWeb,
    WorkerAlone,
}

#[derive(Clone, Debug)]
struct Case {
    shape: Shape,
    old: Vec<u16>,
    new: Vec<u16>,
    leftovers: u16,
    bare: bool,
    command: bool,
    peered: bool,
    crashes: Vec<u8>,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let shape = prop_oneof![
        Just(Shape::Web),
        Just(Shape::WebWithVolume),
        Just(Shape::WebAlone),
        Just(Shape::Worker),
        Just(Shape::WorkerThatWasWeb),
        Just(Shape::WorkerAlone)
    ];
    let counts = || proptest::collection::vec(0_u16..4, 1..4);
    (
        shape,
        counts(),
        counts(),
        0_u16..3,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        proptest::collection::vec(0_u8..24, 0..8),
        any::<u64>(),
    )
        .prop_filter("something is wanted", |(_, _, new, ..)| new.iter().any(|n| *n > 0))
        .prop_map(|(shape, old, new, leftovers, bare, command, peered, crashes, seed)| Case {
            shape,
            old,
            new,
            leftovers,
            bare,
            command,
            peered,
            crashes,
            seed,
        })
}

impl Case {
    /// Release 3 is wanted; release 1 serves, the deploy of release 2 failed and left kept containers.
    fn world(&self) -> World {
        let mut want = want(3, &self.new);
        want = match self.shape {
            Shape::WebWithVolume => with_volume(want),
            Shape::Worker | Shape::WorkerThatWasWeb | Shape::WorkerAlone => as_worker(want),
            Shape::Web | Shape::WebAlone => want,
        };
        want.release.spec.overlap = !matches!(self.shape, Shape::WebAlone | Shape::WorkerAlone);
        want.former = self.old.iter().any(|n| *n > 0).then(|| deploy(1));
        want.former_web = !matches!(self.shape, Shape::Worker | Shape::WorkerAlone);
        want.release_command = self.command.then(|| vec!["migrate".to_owned()]);
        let served = if want.former_web { Served::Up } else { Served::Absent };
        let mut have = have(self.old.len().max(self.new.len()) as u16);
        let mut index = 0;
        for (at, count) in self.old.iter().enumerate() {
            for _ in 0..*count {
                index += 1;
                put(&mut have, at as u16 + 1, instance(1, index, at as u16 + 1, Running::Up, served));
            }
        }
        for n in 1..=self.leftovers {
            put(&mut have, 1, instance(2, n, 1, Running::Ended, Served::Absent));
        }
        if self.bare {
            let bare = |h: &mut HostSeen| (h.image_present, h.network_present, h.volumes) = (false, false, Vec::new());
            have.hosts.iter_mut().for_each(bare);
        }
        if self.peered {
            have = super::peered(have);
            if served == Served::Up {
                let old = |at: usize| Self::count(&self.old, at) as u16;
                for at in (0..have.hosts.len()).filter(|at| old(*at) > 0) {
                    let others = (0..have.hosts.len()).filter(|other| *other != at && old(*other) > 0);
                    have.hosts[at].peers = others.map(|other| (host(other as u16 + 1), old(other))).collect();
                }
            }
        }
        World::new(want, have)
    }

    fn start_first(&self) -> bool {
        matches!(self.shape, Shape::Web | Shape::Worker | Shape::WorkerThatWasWeb)
    }

    fn count(counts: &[u16], at: usize) -> usize {
        usize::from(counts.get(at).copied().unwrap_or(0))
    }
}

/// A dice from a seed, so that a failure can be repeated.
fn dice(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed | 1;
    move |sides| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % sides
    }
}

/// What must hold after every single step.
fn promises(case: &Case, world: &World) {
    for (at, seen) in world.have.hosts.iter().enumerate() {
        let (old, new) = (Case::count(&case.old, at), Case::count(&case.new, at));
        assert!(world.up(seen.host) <= old + new, "above surge on {}: {seen:#?}", seen.name);
        let alive =
            if world.want.release.spec.kind == Kind::Web { world.serving(seen.host) } else { world.up(seen.host) };
        if case.start_first() {
            assert!(alive >= old.min(new), "{} fell to {alive}, promised {}", seen.name, old.min(new));
        }
    }
    // Whoever a host sends requests to takes them.
    if case.start_first() {
        for (here, (peer, _)) in world.have.hosts.iter().flat_map(|h| h.peers.iter().map(move |peer| (h, peer))) {
            assert!(world.serving(*peer) > 0, "{} sends requests to {peer}, where nothing serves", here.name);
        }
    }
    // An instance nobody proved healthy does not stand in a file.
    for (host, names) in &world.files {
        let seen = world.have.hosts.iter().find(|h| h.host == *host).unwrap();
        for name in names {
            assert!(seen.instances.iter().any(|i| i.name == *name), "{name} is in the file, not on the host");
        }
    }
}

/// The wanted instances and nothing else.
fn arrived(case: &Case, world: &World) {
    for (at, seen) in world.have.hosts.iter().enumerate() {
        let wanted = Case::count(&case.new, at);
        let (up, serves, file) = world.picture(seen.host);
        assert_eq!(up.len(), wanted, "{seen:#?}");
        assert!(seen.instances.iter().all(|i| i.deploy == world.want.deploy), "old ones are left");
        if world.want.release.spec.kind == Kind::Web {
            assert_eq!((&serves, &file), (&up, &up));
        }
        assert_eq!(world.written.contains(&seen.host), wanted > 0);
        let web = world.want.release.spec.kind == Kind::Web;
        let others = (0..world.have.hosts.len()).filter(|other| *other != at && Case::count(&case.new, *other) > 0);
        let peers: Vec<(HostId, u16)> = others
            .filter(|_| web && case.peered && wanted > 0)
            .map(|other| (host(other as u16 + 1), Case::count(&case.new, other) as u16))
            .collect();
        assert_eq!(seen.peers, peers, "{}", seen.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn a_deploy_arrives_however_often_it_crashes_and_breaks_no_promise_on_the_way(case in case()) {
        let mut world = case.world();
        let mut dice = dice(case.seed);
        let mut hold = |world: &World| promises(&case, world);
        for steps in &case.crashes {
            let plan = plan(&world.want, &world.have).unwrap();
            prop_assert_eq!(&plan, &super::plan(&world.want, &world.have).unwrap());
            prop_assert_eq!(crate::domain::plan::check::check(&world.want, &world.have, &plan), Vec::<String>::new());
            world.run(&plan, usize::from(*steps), &mut dice, &mut hold).unwrap();
        }
        let last = plan(&world.want, &world.have).unwrap();
        prop_assert!(world.run(&last, usize::MAX, &mut dice, &mut hold).unwrap());
        arrived(&case, &world);
        // The command may be asked for again after a crash before the first instance; never once there is one.
        prop_assert!(world.release_commands <= 1 + case.crashes.len());
        // Nothing is left to change: the same deploy again makes, stops and removes nothing.
        let again = plan(&world.want, &world.have).unwrap();
        let busy = again.stages.iter().flat_map(|s| &s.lanes).flat_map(|l| &l.steps).any(|step| matches!(
            step,
            crate::domain::plan::Step::Create { .. } | crate::domain::plan::Step::Start { .. }
                | crate::domain::plan::Step::Stop { .. } | crate::domain::plan::Step::Remove { .. }
        ));
        prop_assert!(!busy);
    }

    #[test]
    fn giving_up_from_any_moment_ends_with_the_old_serving(case in case(), sick in any::<bool>(), cancelled in any::<bool>(), back in proptest::collection::vec(0_u8..12, 0..4)) {
        let mut world = case.world();
        let before: Vec<_> = world.have.hosts.iter().map(|h| (world.picture(h.host), h.peers.clone())).collect();
        world.sick = sick;
        let mut dice = dice(case.seed);
        for steps in &case.crashes {
            // Not past the point where the new release is proven and the old is being taken away.
            let mut plan = plan(&world.want, &world.have).unwrap();
            plan.stages.retain(|stage| stage.name != "clean up");
            if world.run(&plan, usize::from(*steps), &mut dice, &mut |_| {}).is_err() {
                break;
            }
        }
        let why = if cancelled { GivingUp::Cancelled } else { GivingUp::Failed };
        for steps in &back {
            let plan = give_up(&world.want, &world.have, why);
            world.run(&plan, usize::from(*steps), &mut dice, &mut |_| {}).unwrap();
        }
        let plan = give_up(&world.want, &world.have, why);
        prop_assert_eq!(&plan, &give_up(&world.want, &world.have, why));
        prop_assert_eq!(crate::domain::plan::check::check(&world.want, &world.have, &plan), Vec::<String>::new());
        let whole = world.run(&plan, usize::MAX, &mut dice, &mut |_| {}).unwrap();
        prop_assert!(whole);
        let after: Vec<_> = world.have.hosts.iter().map(|h| (world.picture(h.host), h.peers.clone())).collect();
        prop_assert_eq!(before, after);
        let new = world.have.hosts.iter().flat_map(|h| &h.instances).filter(|i| i.deploy == world.want.deploy);
        for instance in new {
            prop_assert!(!cancelled && instance.running != Running::Up && instance.served == Served::Absent);
        }
    }
}
