//! One response, one file: what is replaced, truncated, overwritten or deleted while it is sent,
//! or between its load and its request, is never mixed with anything else.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use crate::support::client::{Client, ReadError};
use crate::support::sandbox::shrink_receive_buffer;
use crate::support::server::{Serve, Server};
use crate::support::site::{DIGITS, Site, pattern};
use crate::support::{Engine, SOON, eventually};

/// A file that fits no socket buffer.
const LARGE_BYTES: usize = 12 * 1024 * 1024;

/// A site with `/large.bin`, a server that has it on disk, and a client in the middle of it.
struct Midway {
    site: Site,
    server: Server,
    client: Client,
    content: Vec<u8>,
}

fn midway(engine: Engine) -> Midway {
    let site = Site::small();
    let content = pattern(17, LARGE_BYTES);
    site.file("large.bin", &content);
    let server = Serve::new(engine, site.root()).start();
    let mut client = server.connect();
    shrink_receive_buffer(&client.stream, 16 * 1024);
    client.send_request("GET", "/large.bin", &[]);
    client.receive_at_least(100_000);
    Midway {
        site,
        server,
        client,
        content,
    }
}

/// Takes the rest, which must end too early.
#[track_caller]
fn expect_early_end(mut client: Client) -> Vec<u8> {
    match client.try_response("GET") {
        Err(ReadError::Truncated { body, announced }) => {
            assert_eq!(announced, LARGE_BYTES);
            body
        }
        Ok(_) => panic!("a whole answer from a file that is no longer the same"),
        Err(error) => panic!("{error:?}"),
    }
}

reactor_test!(a_replaced_file_is_finished, |engine| {
    let Midway {
        site,
        mut client,
        content,
        server,
    } = midway(engine);
    site.replace("large.bin", pattern(18, LARGE_BYTES));
    assert!(client.response("GET").expect(200).body == content);
    drop(server);
});

reactor_test!(a_deleted_file_is_finished, |engine| {
    let Midway {
        site,
        mut client,
        content,
        server,
    } = midway(engine);
    fs::remove_file(site.path("large.bin")).unwrap();
    assert!(client.response("GET").expect(200).body == content);
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
});

reactor_test!(a_truncated_file_ends_the_answer, |engine| {
    let Midway {
        site,
        client,
        content,
        server,
    } = midway(engine);
    let file = OpenOptions::new()
        .write(true)
        .open(site.path("large.bin"))
        .unwrap();
    file.set_len(50_000).unwrap();
    let received = expect_early_end(client);
    assert!(received[..50_000] == content[..50_000]);
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
});

reactor_test!(an_overwritten_file_ends_the_answer, |engine| {
    let Midway {
        site,
        client,
        server,
        ..
    } = midway(engine);
    let mut file = OpenOptions::new()
        .write(true)
        .open(site.path("large.bin"))
        .unwrap();
    file.seek(SeekFrom::Start(LARGE_BYTES as u64 / 2)).unwrap();
    file.write_all(&pattern(19, LARGE_BYTES / 2)).unwrap();
    drop(file);
    expect_early_end(client);
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
});

reactor_test!(a_file_rewritten_in_place_ends_the_answer, |engine| {
    let Midway { site, client, .. } = midway(engine);
    // `File::create` truncates first, as editors and `cp` do.
    let mut file = File::create(site.path("large.bin")).unwrap();
    file.write_all(&pattern(20, LARGE_BYTES)).unwrap();
    drop(file);
    expect_early_end(client);
});

/// One request for `/name.txt`: `contents` are the only bodies it may have, each with one tag.
#[track_caller]
fn ask(server: &Server, contents: &[&[u8]], tags: &mut Vec<(Vec<u8>, String)>) -> u16 {
    let answer = server.get("/name.txt");
    if answer.status == 200 {
        assert!(
            contents.contains(&answer.body.as_slice()),
            "a body that no file had"
        );
        let pair = (answer.body.clone(), answer.etag().to_owned());
        let known = tags
            .iter()
            .find(|(body, tag)| *body == pair.0 || *tag == pair.1);
        assert!(
            known.is_none_or(|known| *known == pair),
            "one tag, two contents"
        );
        tags.push(pair);
    }
    answer.status
}

/// The file changes between load and first request, so no open descriptor hides the change.
fn changed_before_it_was_asked_for(engine: Engine, new: &[u8], change: impl FnOnce(&Site)) {
    let site = Site::small();
    let old = pattern(21, 300_000);
    site.file("name.txt", &old);
    let server = Serve::new(engine, site.root())
        .flags(["--memory-budget", "0"])
        .start();
    change(&site);
    let mut tags = Vec::new();
    eventually("the new file is served", 2 * SOON, || {
        let status = ask(&server, &[new], &mut tags);
        assert!(matches!(status, 200 | 503), "{status}");
        std::thread::sleep(Duration::from_millis(50));
        status == 200
    });
    assert_eq!(server.get("/digits.txt").expect(200).body, DIGITS);
}

reactor_test!(a_file_replaced_after_load_is_noticed, |engine| {
    let new = pattern(22, 290_000);
    changed_before_it_was_asked_for(engine, &new, |site| site.replace("name.txt", &new));
});

reactor_test!(
    a_file_of_equal_length_replaced_after_load_is_noticed,
    |engine| {
        let new = pattern(23, 300_000);
        changed_before_it_was_asked_for(engine, &new, |site| site.replace("name.txt", &new));
    }
);

reactor_test!(a_file_overwritten_after_load_is_noticed, |engine| {
    let new = pattern(24, 300_000);
    changed_before_it_was_asked_for(engine, &new, |site| {
        fs::write(site.path("name.txt"), &new).unwrap()
    });
});

reactor_test!(a_file_deleted_after_load_is_not_found, |engine| {
    let site = Site::small();
    site.file("name.txt", pattern(25, 300_000));
    let server = Serve::new(engine, site.root())
        .flags(["--memory-budget", "0"])
        .start();
    fs::remove_file(site.path("name.txt")).unwrap();
    server.get("/name.txt").expect(404);
    // A directory, a pipe or a link out of the root in its place is no file either.
    fs::create_dir(site.path("name.txt")).unwrap();
    assert!(matches!(server.get("/name.txt").status, 404 | 503));
    fs::remove_dir(site.path("name.txt")).unwrap();
    site.link("name.txt", "/etc/passwd");
    assert!(matches!(server.get("/name.txt").status, 403 | 404 | 503));
});

reactor_test!(a_file_in_use_may_be_replaced_again_and_again, |engine| {
    let site = Site::small();
    let contents = [
        pattern(26, 50_000),
        pattern(27, 40_000),
        pattern(28, 50_000),
    ];
    let allowed: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    site.file("name.txt", &contents[0]);
    let server = Serve::new(engine, site.root())
        .flags(["--memory-budget", "0"])
        .start();
    let mut tags = Vec::new();
    for round in 0..12 {
        site.replace("name.txt", &contents[round % 3]);
        for _ in 0..3 {
            let status = ask(&server, &allowed, &mut tags);
            assert!(matches!(status, 200 | 503), "{status}");
            // A load gives up on a file that changes each time it reads it.
            std::thread::sleep(Duration::from_millis(60));
        }
        if round % 4 == 3 {
            // A reload that the server began on its own may have come in between.
            server.reload();
            eventually("the last content is served", SOON, || {
                ask(&server, &allowed, &mut tags) == 200
                    && tags
                        .last()
                        .is_some_and(|(body, _)| *body == contents[round % 3])
            });
        }
    }
    fs::remove_file(site.path("name.txt")).unwrap();
    server.reload();
    eventually("it is gone", SOON, || server.get("/name.txt").status == 404);
});
