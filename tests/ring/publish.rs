//! Snapshots that change under load, and the end of a worker: whole answers, of one version.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use whitering::internal::reactor::Message;
use whitering::internal::sys::uring::Sizes;

use crate::client::{Client, request};
use crate::site::{NAMES, Site, content};
use crate::worker::{Worker, ring};

#[test]
fn every_answer_is_of_one_snapshot() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let sites: Vec<Site> = (0..VERSION_COUNT).map(Site::new).collect();
    let worker = Worker::start(features, SIZES, 1, sites[0].published.clone());
    let (address, ended, versions_seen) = (
        worker.address(),
        AtomicBool::new(false),
        AtomicUsize::new(0),
    );
    let answer_count: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENT_COUNT)
            .map(|index| {
                scope.spawn({
                    let (ended, versions_seen) = (&ended, &versions_seen);
                    move || load(address, index, ended, versions_seen)
                })
            })
            .collect();
        for swap in 1..=SWAP_COUNT {
            let site = &sites[swap % VERSION_COUNT];
            worker.tell(Message::Publish(site.published.clone()));
            thread::sleep(Duration::from_millis(15));
        }
        ended.store(true, Ordering::SeqCst);
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    });
    assert!(
        answer_count >= CLIENT_COUNT * 4,
        "only {answer_count} answers"
    );
    let seen = versions_seen.load(Ordering::SeqCst).count_ones();
    assert!(
        seen as usize == VERSION_COUNT,
        "only {seen} versions were seen"
    );
    worker.drain();
}

/// Asks until the end; returns how many answers there were.
fn load(
    address: SocketAddr,
    index: usize,
    ended: &AtomicBool,
    versions_seen: &AtomicUsize,
) -> usize {
    let mut client = Client::connect(address);
    let (mut versions, mut tags) = (HashMap::new(), HashMap::new());
    let mut count = 0;
    while !ended.load(Ordering::SeqCst) {
        let name = NAMES[(index + count) % NAMES.len()];
        let response = client.get(&format!("/{name}")).expect(200);
        let version = std::str::from_utf8(&response.body[..4])
            .unwrap()
            .parse()
            .unwrap();
        assert!(
            response.body == content(version, name),
            "a mixture in {name}"
        );
        // One tag never names two contents, nor one content two tags.
        let tag = response.etag().to_owned();
        assert_eq!(
            versions.entry((name, tag.clone())).or_insert(version),
            &version,
            "{name}"
        );
        assert_eq!(
            tags.entry((name, version)).or_insert(tag.clone()),
            &tag,
            "{name}"
        );
        versions_seen.fetch_or(1 << version, Ordering::SeqCst);
        count += 1;
    }
    client.finish();
    count
}

#[test]
fn a_drain_answers_everything_and_ends() {
    let Some((features, _alone)) = ring() else {
        return;
    };
    let site = Site::with_huge(1);
    let worker = Worker::start(features, SIZES, 2, site.published.clone());
    let address = worker.address();
    let connect =
        |count: usize| -> Vec<Client> { (0..count).map(|_| Client::connect(address)).collect() };
    let (mut asked, mut begun, mut idle, mut pipelined) =
        (connect(100), connect(50), connect(50), connect(4));
    for client in &mut idle {
        client.get("/small-0").expect(200);
    }
    let text = request("GET", "/medium-2", &[]);
    for client in &mut begun {
        client.send(&text[..20]);
    }
    for client in &mut pipelined {
        // No socket holds these answers: they are under way when the drain begins.
        client.send_request("GET", "/huge", &[]);
        client.send_request("GET", "/disk-1", &[]);
        client.receive_at_least(100);
    }
    // What was sent before the drain is answered, although the worker has not seen it yet.
    worker.paused(|| {
        for client in &mut asked {
            client.send_request("GET", "/disk-0", &[]);
        }
        worker.tell(Message::Drain);
    });
    for client in &mut idle {
        client.expect_close();
    }
    for client in &mut begun {
        client.send(&text[20..]);
        assert!(client.response("GET").expect(200).body == site.content("medium-2"));
        client.expect_close();
    }
    for client in &mut asked {
        assert!(client.response("GET").expect(200).body == site.content("disk-0"));
        client.expect_close();
    }
    for client in &mut pipelined {
        assert!(client.response("GET").expect(200).body == site.content("huge"));
        assert!(client.response("GET").expect(200).body == site.content("disk-1"));
        client.expect_close();
    }
    let report = worker.join();
    assert_eq!((report.ended.cut_count, report.ended.panic_count), (0, 0));
    assert_eq!(report.outstanding, (0, 0));
    assert!(TcpStream::connect(address).is_err(), "still listening");
}

const SIZES: Sizes = Sizes {
    entry_count: 32,
    buffer_count: 16,
    buffer_bytes: 512,
};
const CLIENT_COUNT: usize = 64;
const VERSION_COUNT: usize = 10;
const SWAP_COUNT: usize = 100;
