//! A worker of either engine that hands connections over to the test it is for.

use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use whitering::internal::reactor::{
    Ended, Handed, Inbox, Listener, Message, Options, Outlet, Settings, epoll, uring,
};
use whitering::internal::sys::event::Event;
use whitering::internal::sys::socket::{ListenerOptions, listen};
use whitering::internal::sys::uring::{Ring, Sizes, probe};

use crate::site::Site;

/// A worker that hands over, in a thread of its own.
pub(crate) struct Worker {
    /// Of a plain listener, and of one whose connections are handed over unread.
    addresses: [SocketAddr; 2],
    messages: Sender<Message>,
    event: Arc<Event>,
    pub(crate) handed: Receiver<Handed>,
    /// How many connections the outlet says that it has.
    pub(crate) count: Arc<AtomicUsize>,
    thread: JoinHandle<Ended>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    Uring,
    Epoll,
}

struct Entrance {
    handed: Sender<Handed>,
    count: Arc<AtomicUsize>,
}

impl fmt::Debug for Entrance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Entrance")
    }
}

impl Outlet for Entrance {
    fn hand_over(&mut self, handed: Handed) {
        assert!(!handed.received.starts_with(b"GET /panic"), "as asked for");
        self.count.fetch_add(1, Ordering::SeqCst);
        self.handed.send(handed).unwrap();
    }

    fn connection_count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Worker {
    pub(crate) fn start(engine: Engine, site: &Site, connection_count_max: u32) -> Self {
        Self::start_with(engine, site, connection_count_max, true)
    }

    /// Has nobody to hand over to.
    pub(crate) fn start_without_outlet(engine: Engine, site: &Site) -> Self {
        Self::start_with(engine, site, 1_000, false)
    }

    fn start_with(
        engine: Engine,
        site: &Site,
        connection_count_max: u32,
        has_outlet: bool,
    ) -> Self {
        let options = ListenerOptions {
            shared_port: false,
            user_timeout: Duration::from_secs(20),
            backlog: 128,
        };
        let sockets = [None, Some(MARK)].map(|mark| {
            let socket = listen(SocketAddr::from(([127, 0, 0, 1], 0)), options).unwrap();
            (mark, socket)
        });
        let addresses = sockets
            .each_ref()
            .map(|(_, socket)| socket.local_addr().unwrap());
        let listeners = sockets.map(|(hands_over, socket)| Listener {
            socket: OwnedFd::from(socket),
            shared: false,
            inherited: false,
            hands_over,
        });
        let (messages, inbox) = unbounded();
        let (sender, handed) = unbounded();
        let event = Arc::new(Event::new().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let entrance = Entrance {
            handed: sender,
            count: Arc::clone(&count),
        };
        let inbox = Inbox {
            messages: inbox,
            event: Arc::clone(&event),
            notices: bounded(1).0,
            outlet: has_outlet.then_some(Box::new(entrance)),
        };
        let options = Options {
            settings: Settings {
                hands_over: true,
                prior_knowledge: true,
                ..Settings::default()
            },
            connection_count_max,
            file_count_max: 16,
            cpu: None,
        };
        let published = site.published.clone();
        let thread = thread::spawn(move || match engine {
            Engine::Epoll => epoll::Engine::new(options, inbox, published, listeners.into())
                .unwrap()
                .run()
                .unwrap(),
            Engine::Uring => {
                let ring = Ring::new(&probe().unwrap(), SIZES).unwrap();
                uring::Engine::new(ring, options, inbox, published, listeners.into())
                    .run()
                    .unwrap()
            }
        });
        Self {
            addresses,
            messages,
            event,
            handed,
            count,
            thread,
        }
    }

    pub(crate) fn connect(&self, listener: usize) -> TcpStream {
        let stream = TcpStream::connect(self.addresses[listener]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn next(&self) -> Handed {
        self.handed.recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn end(self, message: Message) -> (Ended, Receiver<Handed>) {
        self.messages.send(message).unwrap();
        self.event.signal();
        (self.thread.join().unwrap(), self.handed)
    }
}

/// Rather small, so that they are used up.
const SIZES: Sizes = Sizes {
    entry_count: 8,
    buffer_count: 4,
    buffer_bytes: 256,
};

/// Of the second listener.
pub(crate) const MARK: u8 = 3;

/// Longer than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
