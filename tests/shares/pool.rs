//! The pool in which messages and requests are put together.

use super::*;

/// A pool with so many chunks for clients.
fn pool_of(chunks: usize) -> Config {
    Config { assembly_bytes_max: (64 + chunks) * 4_096, ..Config::default() }
}

#[test]
fn who_has_most_of_the_pool_gives_way() {
    let mut world = world(pool_of(20));
    for _ in 0..19 {
        let n = asks(&mut world, 66, "/ws?quiet=1");
        begin_message(&mut world.clients[n], 9_000, 1);
        everybody_acts(&mut world);
    }
    let head = asks(&mut world, 66, "/ws?quiet=1");
    world.clients[head].outgoing.truncate(30);
    everybody_acts(&mut world);
    assert_eq!((world.audit.chunks, world.reactor.counters().gave_way), (20, 0), "one address may have all");
    let n = asks(&mut world, 1, "/ws?quiet=1");
    everybody_acts(&mut world);
    begin_message(&mut world.clients[n], 9_000, 8_900);
    everybody_acts(&mut world);
    assert_eq!((world.clients[n].stage, world.audit.chunks), (Stage::Open, 19 - 2 + 3));
    assert_eq!(world.reactor.counters().gave_way, 3, "the newest of them, as many as it takes");
    assert_eq!((world.clients[head].status, world.clients[head].stage), (503, Stage::Over));
    let codes: Vec<_> = world.clients[..19].iter().map(|client| client.close_code).collect();
    assert_eq!(codes, [[None; 17].as_slice(), &[Some(1013); 2]].concat());
    world.clients[n].outgoing.extend(vec![7; 100]);
    world.clients[n].asked += 1;
    everybody_acts(&mut world);
    assert_eq!((world.clients[n].answered, world.audit.chunks), (1, 17));
}

#[test]
fn among_the_clients_of_one_address_the_newest_gives_way() {
    let mut world = world(pool_of(8));
    let clients: Vec<_> = (0..8).map(|_| asks(&mut world, 1, "/ws?quiet=1")).collect();
    everybody_acts(&mut world);
    for &n in &clients {
        begin_message(&mut world.clients[n], 9_000, 1);
        everybody_acts(&mut world);
    }
    // One that comes new has to go itself.
    let late = asks(&mut world, 1, "/ws?quiet=1");
    everybody_acts(&mut world);
    begin_message(&mut world.clients[late], 9_000, 1);
    everybody_acts(&mut world);
    assert_eq!((world.clients[late].close_code, world.audit.chunks), (Some(1013), 8));
    // The first of them gets the rest of its message in, which takes two chunks more.
    for rest in [8_998, 1] {
        world.clients[0].outgoing.extend(vec![7; rest]);
        world.clients[0].asked += rest % 2;
        everybody_acts(&mut world);
    }
    let gone: Vec<_> = clients.iter().filter(|&&n| world.clients[n].close_code == Some(1013)).collect();
    assert_eq!((world.clients[0].answered, gone), (1, vec![&6, &7]));
}

#[test]
fn the_operator_has_chunks_that_no_stranger_gets() {
    let mut world = world(pool_of(2));
    for _ in 0..3 {
        let n = asks(&mut world, 66, "/ws?quiet=1");
        begin_message(&mut world.clients[n], 9_000, 1);
        everybody_acts(&mut world);
    }
    let n = world.connect(Role::Http, ListenerRole::Admin, Reader::Fast, 1 << 20);
    world.clients[n].tls = None;
    world.clients[n].ask("ok", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ");
    everybody_acts(&mut world);
    assert_eq!((world.audit.chunks, world.reactor.counters().gave_way), (2 + 1, 0));
    world.clients[n].outgoing.extend(b"y\r\n\r\n");
    everybody_acts(&mut world);
    assert_eq!((world.clients[n].status, world.audit.chunks), (200, 2));
}

#[test]
fn a_message_has_its_time() {
    let mut world = world(Config { message_ms: 2_000, ..Config::default() });
    let [never, slow, often] = [(); 3].map(|()| asks(&mut world, 1, "/ws?quiet=1"));
    everybody_acts(&mut world);
    begin_message(&mut world.clients[never], 200, 1);
    begin_message(&mut world.clients[slow], 200, 1);
    // Of an empty fragment nothing is held but that there is a message.
    let fragment = asks(&mut world, 1, "/ws?quiet=1");
    world.clients[fragment].outgoing.extend([0x02, 0x80, 0, 0, 0, 0]);
    everybody_acts(&mut world);
    for n in 0..20 {
        world.pass_time(100_000);
        // Whole messages, each a while in coming.
        begin_message(&mut world.clients[often], 200, 199);
        world.clients[often].asked += 1;
        everybody_acts(&mut world);
        world.clients[often].outgoing.push_back(7);
        if n == 15 {
            world.clients[slow].outgoing.extend(vec![7; 199]);
            world.clients[slow].asked += 1;
        }
        everybody_acts(&mut world);
    }
    let codes = [never, slow, often, fragment].map(|n| world.clients[n].close_code);
    assert_eq!(codes, [Some(1008), None, None, Some(1008)]);
    let counters = world.reactor.counters();
    assert_eq!((counters.closed.get(CloseReason::Unfinished), world.audit.chunks), (2, 0));
    assert_eq!((world.clients[slow].answered, world.clients[often].answered), (1, 20));
}
