//! Sentences about the proxy's text. The real HAProxy is asked in `tests/it/ingress`.

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::domain::ids::HostId;
use crate::domain::names::Domain;
use crate::domain::observed::Served;
use crate::domain::rules::Wire;

fn route(domain: &str, path: &str) -> Route {
    Route { domain: domain.parse::<Domain>().unwrap(), path: path.parse().unwrap() }
}

fn ingress() -> Ingress {
    let name = |n: &str| n.parse::<ContainerName>().unwrap();
    let mut ingress = Ingress::empty(Home::default(), 80);
    ingress.backends.push(Backend {
        slot: 2,
        app: AppId(uuid::Uuid::from_u128(7)),
        port: 8080,
        servers: vec![(name("web-2"), [10, 64, 0, 3].into()), (name("web-1"), [10, 64, 0, 2].into())],
        peers: Vec::new(),
        ruled: Vec::new(),
        front: Default::default(),
    });
    ingress.routes = vec![(route("shop.test", "/"), 2), (route("shop.test", "/api"), 1), (route("a.test", "/x/y"), 2)];
    ingress
}

#[test]
fn what_no_route_leads_to_is_answered_as_nothing_else_is() {
    assert!(ingress().haproxy_cfg().contains(&format!("return status {NOWHERE} ")));
}

#[test]
fn the_file_has_a_backend_per_slot_and_its_servers_between_two_marks() {
    let text = ingress().haproxy_cfg();
    let from = text.find("backend b0001").unwrap();
    let to = text.find("backend b0003").unwrap();
    expect![[r#"
        backend b0001
            # spare

        backend b0002
            # app 00000000-0000-0000-0000-000000000007
            # b0002 servers: begin
            server web-1 10.64.0.2:8080 weight 100
            server web-2 10.64.0.3:8080 weight 100
            # b0002 servers: end

    "#]]
    .assert_eq(&text[from..to]);
    assert_eq!(text.matches("\nbackend b").count(), 64);
    assert_eq!(text, ingress().haproxy_cfg());
}

#[test]
fn the_map_has_a_line_per_route_in_order() {
    expect![[r#"
        a.test/x/y/ b0002
        shop.test/ b0002
        shop.test/api/ b0001
        ~a.test/x/y/ b0002
        ~shop.test/ b0002
        ~shop.test/api/ b0001
    "#]]
    .assert_eq(&ingress().routes_map());
}

#[test]
fn spares_are_added_before_they_run_out() {
    let mut ingress = ingress();
    for (slot, last) in [(1, 64), (48, 64), (49, 128), (64, 128), (113, 192), (MAX_SLOTS, MAX_SLOTS)] {
        ingress.backends[0].slot = slot;
        assert_eq!(ingress.last_slot(), last, "highest taken {slot}");
    }
}

#[test]
fn a_server_is_added_with_the_line_of_the_file() {
    let name = "web-1".parse().unwrap();
    let lines =
        [admit(2, &name, [10, 64, 0, 2].into(), 8080, Wire::Plain), drain(2, &name), dismiss(2, &name)].concat();
    expect![[r#"
        add server b0002/web-1 10.64.0.2:8080 weight 100
        set server b0002/web-1 state ready
        set server b0002/web-1 state drain
        set server b0002/web-1 state maint
        shutdown sessions server b0002/web-1
        del server b0002/web-1"#]]
    .assert_eq(&lines.join("\n"));
    let line = lines[0].strip_prefix("add server b0002/").unwrap();
    assert!(ingress().haproxy_cfg().contains(&format!("    server {line}\n")));
}

#[test]
fn the_running_map_is_turned_into_the_wanted_one() {
    let running = read_map(
        "0x1 shop.test/ b0003\n0x2 shop.test/api/ b0001\n0x3 old.test/ b0009\n0x4 a.test/x/y/ b0002\n0x5 a.test/x/y/ b0003\n0x6 evil;quit b0001\n",
    );
    let lines = map_changes(&Home::default().map, &running, &ingress().route_entries());
    expect![[r#"
        del map /etc/skiff/maps/routes.map a.test/x/y/
        add map /etc/skiff/maps/routes.map a.test/x/y/ b0002
        set map /etc/skiff/maps/routes.map shop.test/ b0002
        del map /etc/skiff/maps/routes.map old.test/
        add map /etc/skiff/maps/routes.map ~shop.test/api/ b0001
        add map /etc/skiff/maps/routes.map ~a.test/x/y/ b0002
        add map /etc/skiff/maps/routes.map ~shop.test/ b0002"#]]
    .assert_eq(&lines.join("\n"));

    // While a route moves nothing is held against half of its domain's keys; other domains stay as they are.
    let before: String = ingress().route_entries().iter().map(|(key, slot)| format!("0x1 {key} {slot}\n")).collect();
    let mut moved = ingress().route_entries();
    for key in ["shop.test/api/", "~shop.test/api/"] {
        moved.insert(key.into(), "b0003".into());
    }
    expect![[r#"
        del map /etc/skiff/maps/routes.map ~shop.test/
        del map /etc/skiff/maps/routes.map ~shop.test/api/
        set map /etc/skiff/maps/routes.map shop.test/api/ b0003
        add map /etc/skiff/maps/routes.map ~shop.test/api/ b0003
        add map /etc/skiff/maps/routes.map ~shop.test/ b0002"#]]
    .assert_eq(&map_changes(&Home::default().map, &read_map(&before), &moved).join("\n"));
    assert!(map_changes(&Home::default().map, &read_map(&before), &ingress().route_entries()).is_empty());
}

#[test]
fn a_reload_is_needed_only_for_a_slot_the_running_proxy_lacks() {
    let running = (1..=64).collect();
    assert_eq!(needs_reload(&running, &ingress().fixed(), &ingress()), None);
    let mut grown = ingress();
    grown.backends[0].slot = 65;
    let why = needs_reload(&running, &ingress().fixed(), &grown).unwrap();
    expect!["The running proxy has no backend b0065 yet: its spare ones are used up."].assert_eq(&why);
}

#[test]
fn servers_are_read_by_their_two_states() {
    let head = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord\n";
    let line = |name: &str, op: u8, admin: u8| {
        format!("4 b0001 1 {name} 127.0.0.1 {op} {admin} 100 100 4 1 0 2 0 0 0 0 - 18090 -\n")
    };
    let text = [head.to_owned(), line("up", 2, 0), line("draining", 2, 8), line("maint", 0, 1), line("down", 0, 0)];
    let seen: Vec<Served> = read_servers(&text.concat()).into_iter().map(|s| s.served).collect();
    assert_eq!(seen, [Served::Up, Served::Draining, Served::Down, Served::Down]);
    let backend = Backend { slot: 1, ..ingress().backends[0].clone() };
    let servers = read_servers(&text.concat());
    assert_eq!(servers_to_admit(&backend, &servers).len(), 2);
    assert_eq!(servers_to_dismiss(&backend, &servers).len(), 4);
}

#[test]
fn the_workers_and_a_failed_reload_are_read() {
    let text = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n501             master          2 [failed: 1]   0d00h00m05s     2.6.12\n# workers\n549             worker          1               0d00h00m01s     2.6.12\n# old workers\n504             worker          2               0d00h00m05s     2.6.12\n# programs\n";
    let seen = read_processes(text);
    assert_eq!((seen.worker.map(|w| w.pid), seen.old.len(), seen.reloads, seen.failed), (Some(549), 1, 2, 1));
    // As 3.2 lists them after a reload that failed: the one that goes on is the newest of the old ones.
    let text = "#<PID> <type> <reloads> <uptime> <version>\n15337 master 3 [failed: 1] 0d00h00m02s 3.2.25\n# workers\n# old workers\n\
                15342 worker 3 0d00h00m02s 3.2.25\n15399 worker 1 0d00h00m01s 3.2.25\n\n";
    let seen = read_processes(text);
    assert_eq!(
        (seen.worker.map(|w| w.pid), seen.old.first().map(|w| w.pid), seen.failed),
        (Some(15399), Some(15342), 1)
    );
    // And in the moment of one that goes on, there is none.
    assert_eq!(read_processes(&text.replace("failed: 1", "failed: 0")).worker, None);
    assert_eq!(read_pid("Name: HAProxy\nNbthread: 2\nPid: 4711\nUptime: 0d\n"), Some(4711));
    assert_eq!(read_pid("Pid: x\n"), None);
}

#[test]
fn answers_are_told_apart() {
    let cases = [
        ("\n", Answer::Done),
        ("New server registered.\n\n", Answer::Done),
        ("Server deleted.\n", Answer::Done),
        ("Already exists a server with the same name in backend.\n", Answer::AlreadyThere),
        ("No such server.\n", Answer::Absent),
        ("entry not found.\n", Answer::Absent),
        ("No such backend.\n", Answer::NoSuchBackend),
        ("Server still has connections attached to it, cannot remove it.\n", Answer::Busy),
        ("Permission denied\n", Answer::Refused("Permission denied".to_owned())),
    ];
    for (text, answer) in cases {
        assert_eq!(read_answer(text), answer);
    }
}

fn mixed() -> Ingress {
    let mut ingress = ingress();
    let host = HostId(uuid::Uuid::from_u128(9));
    ingress.peering = Some(Peering { address: [10, 0, 0, 1].into(), admitted: vec![[10, 0, 0, 2].into()] });
    ingress.backends[0].peers = vec![Peer { host, address: [10, 0, 0, 2].into(), weight: 3 }];
    ingress
}

#[test]
fn a_host_takes_requests_of_the_others_for_its_own_instances_alone() {
    let text = mixed().haproxy_cfg();
    let from = text.find("frontend peers").unwrap();
    let to = text.find("\nbackend nowhere").unwrap();
    expect![[r#"
        frontend peers
            bind 10.0.0.1:7080 transparent
            bind abns@skiff-own id 102
            tcp-request connection reject unless { so_id 102 } || { src -f /etc/skiff/maps/peers.lst }
            # The longest route that the request's host, path and one more slash begin with, and the one that a kind reader would take.
            http-request set-var(txn.host) req.hdr(host),field(1,:),field(1,/),rtrim(.),lower
            # With it begin the keys of a kind reader: nobody asks for those by name.
            http-request deny deny_status 400 if { var(txn.host) -m beg ~ }
            http-request set-var(txn.path) path
            http-request set-var(txn.route) var(txn.host),concat(,txn.path,/),map_beg(/etc/skiff/maps/routes.map)
            http-request deny deny_status 400 if { path -m found } !{ path,url_dec -m found }
            http-request set-var(txn.path) "path,url_dec,lower,regsub(';[^/]*',,g),regsub('[/\\\\]+',/,g)"
            http-request set-var(txn.read) str(~),concat(,txn.host),concat(,txn.path,/),map_beg(/etc/skiff/maps/routes.map)
            acl kind var(txn.read) -m found
            acl as-read var(txn.read),field(1,|),strcmp(txn.route) eq 0
            acl as-read var(txn.read),field(2,|),strcmp(txn.route) eq 0
            acl as-read var(txn.read),field(3,|),strcmp(txn.route) eq 0
            acl as-read var(txn.read),field(4,|),strcmp(txn.route) eq 0
            http-request deny deny_status 400 if kind !as-read || kind { var(txn.path) -m reg /\.\.?(/|$) } || kind { path_sub -i %00 }
            http-request set-var(txn.slot) var(txn.route),field(1,:)
            http-request set-var(txn.inner) bool(true)
            http-request set-var(txn.timing) var(txn.route),field(2,:)
            use_backend b%[var(txn.slot),bytes(1)] if { var(txn.slot) -m found }
            default_backend nowhere
    "#]]
    .assert_eq(&text[from..to]);
    let from = text.find("backend m0002").unwrap();
    let to = text.find("backend m0003").unwrap();
    expect![[r#"
        backend m0002
            timeout connect 1s
            http-reuse never
            server own abns@skiff-own weight 2
            server p-00000000000000000000000000000007-00000000000000000000000000000009 10.0.0.2:7080 weight 3 check inter 2s fall 2 rise 1

    "#]]
    .assert_eq(&text[from..to]);
    assert_eq!(mixed().peers_list(), "10.0.0.1\n10.0.0.2\n");
    expect![[r#"
        a.test/x/y/ m0002
        shop.test/ m0002
        shop.test/api/ b0001
        ~a.test/x/y/ m0002
        ~shop.test/ m0002
        ~shop.test/api/ b0001
    "#]]
    .assert_eq(&mixed().routes_map());
    assert!(!ingress().haproxy_cfg().contains("7080"), "a host without such an address has nothing of it");
}

#[test]
fn the_running_proxy_is_turned_to_the_wanted_hosts() {
    let seen =
        |name: String, last: u8| PeerSeen { slot: 2, name, address: [10, 0, 0, last].into(), weight: 1, listed: true };
    let backend = mixed().backends.remove(0);
    let known = peer_name(backend.app, backend.peers[0].host).to_string();
    assert_eq!(named_peer(&known), Some((backend.app, backend.peers[0].host)));
    let gone = peer_name(backend.app, HostId(uuid::Uuid::from_u128(8))).to_string();
    let (lines, last) = share(&backend, &[seen(known.clone(), 2), seen(gone, 3), seen("x;quit".to_owned(), 4)]);
    expect![[r#"
        set server m0002/own weight 2
        set server m0002/p-00000000000000000000000000000007-00000000000000000000000000000008 state maint
        set server m0002/p-00000000000000000000000000000007-00000000000000000000000000000009 weight 3
        set server m0002/p-00000000000000000000000000000007-00000000000000000000000000000009 state ready
        -
        del server m0002/p-00000000000000000000000000000007-00000000000000000000000000000008"#]]
    .assert_eq(&format!("{}\n-\n{}", lines.join("\n"), last.join("\n")));
    let (lines, _) = share(&backend, &[]);
    assert!(
        lines[1].ends_with("10.0.0.2:7080 weight 3 check inter 2s fall 2 rise 1")
            && lines[2].starts_with("enable health")
    );
    // The same host under another address.
    let (lines, last) = share(&backend, &[seen(known, 7)]);
    assert!(lines.iter().any(|line| line.starts_with("del server")) && last.is_empty(), "{lines:?}");
    assert_eq!(
        mixed().admitted_changes(&[[10, 0, 0, 1].into(), [10, 0, 0, 5].into()]),
        ["add acl /etc/skiff/maps/peers.lst 10.0.0.2", "del acl /etc/skiff/maps/peers.lst 10.0.0.5"]
    );
}

proptest! {
    #[test]
    fn garbage_is_survived(text in "(?s).{0,400}", lines in proptest::collection::vec("[# a-z0-9,._:-]{0,80}", 0..12)) {
        for text in [text, lines.join("\n"), format!("# pxname,svname,scur\n{}", lines.join("\n"))] {
            read_map(&text);
            read_servers(&text);
            read_peers(&text);
            read_list(&text);
            read_stat(&text);
            read_processes(&text);
            read_answer(&text);
        }
    }

    #[test]
    fn slots_keep_their_names(slot in 1..=MAX_SLOTS) {
        prop_assert_eq!(slot_number(&slot_name(slot)), Some(slot));
    }
}
