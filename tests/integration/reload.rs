//! SIGHUP: the new files appear, the old answers are finished, and no request fails.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::SOON;
use crate::support::sandbox::shrink_receive_buffer;
use crate::support::server::Serve;
use crate::support::site::{DIGITS, Site, pattern};

reactor_test!(a_reload_shows_the_new_files, |engine| {
    let site = Site::small();
    for flags in [&[][..], &["--memory-budget", "0"]] {
        site.file("changed.txt", "before");
        site.file("removed.txt", "before");
        let server = Serve::new(engine, site.root()).flags(flags).start();
        let mut kept = server.connect();
        let before = kept.get("/changed.txt").expect(200);
        kept.get("/removed.txt").expect(200);
        kept.get("/added.txt").expect(404);

        site.replace("changed.txt", "after");
        site.replace("added.txt", "after");
        std::fs::remove_file(site.path("removed.txt")).unwrap();
        server.reload();
        assert!(server.stderr().contains("reloaded"), "{}", server.stderr());
        for mut client in [server.connect(), kept] {
            let after = client.get("/changed.txt").expect(200);
            assert_eq!(after.text(), "after");
            assert_ne!(after.etag(), before.etag());
            assert_eq!(client.get("/added.txt").expect(200).text(), "after");
            client.get("/removed.txt").expect(404);
            client.finish();
        }
        std::fs::remove_file(site.path("added.txt")).unwrap();
    }
});

reactor_test!(a_reload_follows_an_exchanged_root, |engine| {
    let parent = Site::empty();
    parent.file("one/name.txt", "one");
    parent.file("two/name.txt", "two");
    parent.link("current", "one");
    let server = Serve::new(engine, &parent.path("current")).start();
    assert_eq!(server.get("/name.txt").expect(200).text(), "one");
    parent.link("next", "two");
    std::fs::rename(parent.path("next"), parent.path("current")).unwrap();
    server.reload();
    assert_eq!(server.get("/name.txt").expect(200).text(), "two");
});

reactor_test!(a_failed_reload_keeps_the_old_state, |engine| {
    let parent = Site::empty();
    parent.file("root/digits.txt", DIGITS);
    let server = Serve::new(engine, &parent.path("root")).start();
    std::fs::rename(parent.path("root"), parent.path("away")).unwrap();
    server.reload();
    assert!(
        server.stderr().contains("reload failed"),
        "{}",
        server.stderr()
    );
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
    std::fs::rename(parent.path("away"), parent.path("root")).unwrap();
    parent.file("root/new.txt", "new");
    server.reload();
    assert_eq!(server.get("/new.txt").expect(200).text(), "new");
});

reactor_test!(finishes_the_old_file_after_a_reload, |engine| {
    let site = Site::small();
    let old = pattern(11, 6 * 1024 * 1024);
    site.file("large.bin", &old);
    let server = Serve::new(engine, site.root()).start();
    let mut client = server.connect();
    shrink_receive_buffer(&client.stream, 16 * 1024);
    client.send_request("GET", "/large.bin", &[]);
    client.receive_at_least(10_000);
    site.replace("large.bin", "new");
    server.reload();
    assert!(client.response("GET").expect(200).body == old);
    assert_eq!(client.get("/large.bin").expect(200).text(), "new");
    client.finish();
});

reactor_test!(no_request_fails_in_five_reloads, |engine| {
    let site = Site::small();
    let large = pattern(12, 300_000);
    site.file("large.bin", &large);
    let server = Serve::new(engine, site.root()).start();
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for index in 0..4 {
            let (server, stop, count, large) = (&server, &stop, &count, &large);
            threads.push(scope.spawn(move || {
                let mut client = server.connect();
                while !stop.load(Ordering::Relaxed) {
                    if count.fetch_add(1, Ordering::Relaxed) % 100 == index {
                        client = server.connect();
                        assert!(client.get("/large.bin").expect(200).body == *large);
                    }
                    assert_eq!(client.get("/digits.txt").expect(200).body, DIGITS);
                }
            }));
        }
        for round in 0..5 {
            site.replace("changing.txt", format!("round {round}"));
            server.reload();
            assert_eq!(
                server.get("/changing.txt").expect(200).text(),
                format!("round {round}")
            );
            thread::sleep(Duration::from_millis(100));
        }
        crate::support::eventually("enough requests", SOON, || {
            count.load(Ordering::Relaxed) > 2_000
        });
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("a client failed");
        }
    });
    assert!(
        !server.stderr().contains("reload failed"),
        "{}",
        server.stderr()
    );
});

reactor_test!(many_signals_are_no_harm, |engine| {
    let site = Site::small();
    let server = Serve::new(engine, site.root()).start();
    server.get("/").expect(200);
    let before = server.settled_descriptor_count();
    for _ in 0..50 {
        server.signal(libc::SIGHUP);
        thread::sleep(Duration::from_millis(2));
    }
    server.reload();
    server.get("/").expect(200);
    // Each snapshot holds its roots open; old ones must go with their snapshot.
    crate::support::eventually("descriptors return", SOON, || {
        server.descriptor_count() <= before + 2
    });
});
