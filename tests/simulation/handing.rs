//! What is somebody else's, rule by rule, however the stream is torn: what is answered before,
//! and what is handed over.

use whitering::internal::connection::{Connection, Settings, Want};

use crate::site::{Site, sites};
use crate::watchdog::{handing_settings, settings};
use crate::world::{World, hold};

/// A connection, and what became of it so far.
struct Talk {
    world: World,
    connection: Connection,
    answers: Vec<u8>,
}

impl Talk {
    fn new(settings: &'static Settings) -> Self {
        let mut world = World::new(&sites()[0]);
        world.settings = settings;
        let connection = world.with(|context| Connection::new(context));
        Self {
            world,
            connection,
            answers: Vec::new(),
        }
    }

    fn send(&mut self, bytes: &str) {
        let connection = &mut self.connection;
        self.world
            .with(|context| connection.on_received(bytes.as_bytes(), context));
    }

    /// Lets answers go out until something else is wanted.
    fn answer(&mut self) -> Want {
        loop {
            let connection = &mut self.connection;
            match connection.want() {
                Want::Send => {
                    let loan = connection.lend();
                    let body = loan.body.as_ref().and_then(|part| part.bytes());
                    let sent = [&loan.buffer[loan.from..], body.unwrap_or_default()].concat();
                    self.answers.extend_from_slice(&sent);
                    let count = sent.len();
                    self.world
                        .with(|context| connection.on_sent(loan.buffer, count, context));
                }
                Want::Finish => self.world.with(|context| connection.on_finished(context)),
                want => return want,
            }
        }
    }

    /// As [`Self::answer`], where somebody else answers what is for nobody here with 299, and says
    /// whether that is the last answer.
    fn answer_with(&mut self, closes: bool) -> Want {
        loop {
            let want = self.answer();
            if want != Want::HandOver {
                return want;
            }
            assert!(self.connection.received().starts_with(MISSING.as_bytes()));
            self.answers.extend_from_slice(b"HTTP/1.1 299 ");
            let connection = &mut self.connection;
            self.world
                .with(|context| connection.on_answered(MISSING.len(), closes, context));
        }
    }

    fn received(&mut self) -> String {
        String::from_utf8(self.connection.take_received()).unwrap()
    }

    /// All but those that only ask for more, which depend on how a stream is torn.
    fn statuses(&self) -> Vec<u16> {
        let text = String::from_utf8_lossy(&self.answers);
        let statuses = text.split("HTTP/1.1 ").skip(1);
        statuses.map(|line| line[..3].parse().unwrap()).collect()
    }
}

/// The statuses of what is answered to `stream`, torn into pieces of `count` bytes, and what is
/// handed over of it.
fn outcome(settings: &'static Settings, stream: &str, count: usize) -> (Vec<u16>, Option<String>) {
    let mut talk = Talk::new(settings);
    for (index, piece) in stream.as_bytes().chunks(count).enumerate() {
        talk.send(std::str::from_utf8(piece).unwrap());
        if talk.answer() == Want::HandOver {
            assert!(!talk.connection.may_receive());
            let rest = &stream[(stream.len()).min((index + 1) * count)..];
            return (talk.statuses(), Some(talk.received() + rest));
        }
    }
    (talk.statuses(), None)
}

#[track_caller]
fn check_with(settings: &'static Settings, before: &str, theirs: &str, statuses: &[u16]) {
    let stream = [before, theirs].concat();
    let expected = (!theirs.is_empty()).then(|| theirs.to_owned());
    for count in 1..=stream.len() {
        let (mut found, handed) = outcome(settings, &stream, count);
        found.retain(|status| *status != 100);
        assert_eq!((&found[..], &handed), (statuses, &expected), "{count}");
    }
}

/// `before` is answered with `statuses`, and `theirs` is handed over.
#[track_caller]
fn check(before: &str, theirs: &str, statuses: &[u16]) {
    check_with(handing_settings(), before, theirs, statuses);
}

const ASSET: &str = "GET /a.css HTTP/1.1\r\nHost: a\r\n\r\n";
const MISSING: &str = "GET /missing HTTP/1.1\r\nHost: a\r\n\r\n";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn missing(method: &str, fields: &str) -> String {
    format!("{method} /missing HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn what_names_no_file_is_handed_over_behind_the_answers_before_it() {
    check("", MISSING, &[]);
    check("\r\n", MISSING, &[]);
    check("", &(MISSING.to_owned() + ASSET), &[]);
    check(ASSET, MISSING, &[200]);
    check(&ASSET.repeat(70), &(MISSING.to_owned() + ASSET), &[200; 70]);
    check("", "GET /missing HTTP/1.0\r\n\r\n", &[]);
    check(
        "",
        "GET http://a/missing?q HTTP/1.1\r\nHost: a\r\n\r\n",
        &[],
    );
    for method in ["HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        check(ASSET, &missing(method, ""), &[200]);
    }
    check("", &missing("GET", "Connection: close\r\n"), &[]);
    check_with(settings(), MISSING, "", &[404]);
}

#[test]
fn a_body_is_handed_over_with_its_head_and_whatever_its_length() {
    let chunked = missing("POST", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n";
    check(ASSET, &chunked, &[200]);
    check(
        "",
        &(missing("PUT", "Content-Length: 3\r\n") + "abc" + ASSET),
        &[],
    );
    // More than is read here, and not all of it there.
    check(
        "",
        &(missing("PUT", "Content-Length: 999999\r\n") + "abc"),
        &[],
    );
    // Chunks are not looked at either.
    check(
        "",
        &(missing("PUT", "Transfer-Encoding: chunked\r\n") + "zz"),
        &[],
    );
}

#[test]
fn nobody_is_told_to_go_on_who_is_handed_over() {
    let waiting = missing("PUT", "Content-Length: 3\r\nExpect: 100-continue\r\n");
    let (statuses, handed) = outcome(handing_settings(), &waiting, waiting.len());
    assert_eq!((statuses, handed), (vec![], Some(waiting.clone())));
    let ours = waiting.replace("/missing", "/a.css");
    let (statuses, _) = outcome(handing_settings(), &ours, ours.len());
    assert_eq!(statuses, [100]);
    check(&(ours + "abc"), &waiting, &[405]);
}

#[test]
fn what_is_malformed_or_for_nobody_is_answered_here() {
    let both = "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n";
    for (fields, status) in [
        (both, 400),
        ("Content-Length: 1, 1\r\n", 400),
        ("Content-Length: +1\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Expect: tea\r\n", 417),
        ("a b: c\r\n", 400),
    ] {
        check(&missing("POST", fields), "", &[status]);
    }
    check("GET /missing HTTP/1.1\r\n\r\n", "", &[400]);
    check("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "", &[400]);
    check(
        "GET https://a/missing HTTP/1.1\r\nHost: a\r\n\r\n",
        "",
        &[421],
    );
    check("GET /missing HTTP/2.0\r\nHost: a\r\n\r\n", "", &[505]);
    check("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", MISSING, &[405]);
    check("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", MISSING, &[204]);
    let large = "POST /a.css HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n";
    check(large, "", &[413]);
}

#[test]
fn an_upgrade_to_http_2_is_ignored() {
    let upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n";
    let ours = missing("GET", upgrade).replace("/missing", "/a.css");
    check(&ours, &missing("GET", upgrade), &[200]);
}

#[test]
fn http_2_begins_with_its_preface_or_not_at_all() {
    check("", PREFACE, &[]);
    check("", &(PREFACE.to_owned() + "\0\0\0\x04\0\0\0\0\0"), &[]);
    check_with(settings(), PREFACE, "", &[505]);
    check(&(ASSET.to_owned() + PREFACE), "", &[200, 505]);
    check(&("\r\n".to_owned() + PREFACE), "", &[505]);
    check("PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n", "", &[505]);
    check("PRI * HTTP/2.0\r\nHost: a\r\n\r\nSM\r\n\r\n", "", &[505]);
    check("PRI /missing HTTP/2.0\r\n\r\nSM\r\n\r\n", "", &[505]);
}

#[test]
fn half_a_preface_is_waited_for_as_long_as_a_head() {
    for length in [1, 17, 18, 23] {
        let mut talk = Talk::new(handing_settings());
        talk.send(&PREFACE[..length]);
        assert_eq!(
            (talk.answer(), talk.connection.is_idle()),
            (Want::Receive, false)
        );
        let (connection, world) = (&mut talk.connection, &mut talk.world);
        world.now = connection.deadline();
        world.with(|context| connection.on_deadline(context));
        talk.answer();
        assert_eq!(talk.statuses(), [408], "{length}");
    }
}

#[test]
fn what_arrives_late_is_kept_and_nothing_ends_the_wait() {
    let mut talk = Talk::new(handing_settings());
    talk.send(&(ASSET.to_owned() + MISSING));
    // While the answer is sent, and behind it.
    talk.send("ab");
    assert_eq!(talk.answer(), Want::HandOver);
    talk.send("cd");
    let connection = &mut talk.connection;
    talk.world.now = connection.deadline();
    talk.world.with(|context| connection.on_deadline(context));
    talk.world.draining = true;
    talk.world.with(|context| connection.on_drain(context));
    connection.on_end();
    assert!(connection.is_half_closed() && !connection.is_idle());
    assert_eq!(talk.answer(), Want::HandOver);
    assert_eq!(talk.received(), MISSING.to_owned() + "abcd");
    assert_eq!(talk.received(), "");
    talk.connection.release(&mut talk.world.pool);
    assert_eq!(talk.world.pool.lent_count(), 0);
}

#[test]
fn a_half_closed_connection_is_handed_over_when_its_answers_are_sent() {
    let mut talk = Talk::new(handing_settings());
    talk.send(&(ASSET.to_owned() + MISSING));
    talk.connection.on_end();
    assert_eq!(talk.answer(), Want::HandOver);
    assert!(talk.connection.is_half_closed());
    assert_eq!(
        (talk.statuses(), talk.received()),
        (vec![200], MISSING.to_owned())
    );
}

#[test]
fn behind_what_somebody_else_has_answered_it_goes_on() {
    let stream = [ASSET, MISSING, ASSET, MISSING, MISSING, "\r\n", ASSET].concat();
    for count in 1..=stream.len() {
        let mut talk = Talk::new(handing_settings());
        for piece in stream.as_bytes().chunks(count) {
            talk.send(std::str::from_utf8(piece).unwrap());
            assert_eq!(talk.answer_with(false), Want::Receive);
        }
        assert_eq!(talk.statuses(), [200, 299, 200, 299, 299, 200], "{count}");
        assert!(talk.connection.is_idle() && talk.connection.may_receive());
        assert_eq!(talk.world.pool.lent_count(), 0, "idle, it owns no memory");
        let idle = handing_settings().idle_timeout.as_secs();
        let deadline = u64::from(talk.connection.deadline().0);
        assert_eq!(deadline, u64::from(talk.world.now.0) + idle + 1);
        // No preface can follow.
        talk.send(PREFACE);
        talk.answer();
        assert_eq!(talk.statuses().last(), Some(&505));
    }
}

#[test]
fn the_last_answer_may_be_somebody_elses() {
    // It told the client so: what follows is dropped, and the client let finish.
    let mut talk = Talk::new(handing_settings());
    talk.send(&[MISSING, ASSET].concat());
    assert_eq!(talk.answer_with(true), Want::Receive);
    assert!(!talk.connection.is_idle(), "it lingers");
    talk.connection.on_end();
    assert_eq!((talk.answer(), talk.statuses()), (Want::Close, vec![299]));
    // The client has nothing more to say.
    let mut talk = Talk::new(handing_settings());
    talk.send(&[MISSING, ASSET].concat());
    talk.connection.on_end();
    assert_eq!(talk.answer_with(false), Want::Close);
    assert_eq!(talk.statuses(), [299, 200]);
    // The server drains.
    let mut talk = Talk::new(handing_settings());
    talk.send(MISSING);
    talk.world.draining = true;
    assert_eq!(talk.answer_with(false), Want::Receive);
    assert_eq!(talk.connection.deadline(), talk.world.now);
}

#[test]
fn draining_hands_over_too() {
    let mut talk = Talk::new(handing_settings());
    talk.world.draining = true;
    talk.send(&(ASSET.to_owned() + MISSING));
    assert_eq!(talk.answer(), Want::HandOver);
    assert_eq!(
        (talk.statuses(), talk.received()),
        (vec![200], MISSING.to_owned())
    );
}

#[test]
fn a_failed_or_cut_off_connection_is_not_handed_over() {
    let mut talk = Talk::new(handing_settings());
    talk.send(MISSING);
    talk.connection.on_error();
    assert_eq!(talk.connection.want(), Want::Abort);
}

/// Its body cannot be handed over any more.
#[test]
fn an_asset_that_went_away_while_a_body_was_read_is_not_found() {
    let mut talk = Talk::new(handing_settings());
    talk.send("POST /a.css HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
    talk.world.held = hold(&Site::empty());
    talk.send(&("b".to_owned() + MISSING));
    assert_eq!(talk.answer(), Want::HandOver);
    assert_eq!(
        (talk.statuses(), talk.received()),
        (vec![404], MISSING.to_owned())
    );
}
