//! The server as a child process: started on a free loopback port, watched, ended with its test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::Client;
use super::response::Response;
use super::{Engine, SOON, sandbox};

/// How a server is to be started.
pub(crate) struct Serve {
    engine: String,
    bind: Option<String>,
    workers: usize,
    wrapper: Vec<String>,
    arguments: Vec<String>,
    application: Vec<String>,
    environment: Vec<(String, String)>,
    stdin: Option<Stdio>,
    refusal: Option<i32>,
}

impl Serve {
    /// Serves no directory yet; add `--source` or use [`Self::new`].
    pub(crate) fn sources(engine: Engine) -> Self {
        Self {
            engine: engine.flag().to_owned(),
            bind: Some("127.0.0.1:0".to_owned()),
            workers: 2,
            wrapper: Vec::new(),
            arguments: Vec::new(),
            application: Vec::new(),
            environment: Vec::new(),
            stdin: None,
            refusal: None,
        }
    }

    /// Serves `root`.
    pub(crate) fn new(engine: Engine, root: &Path) -> Self {
        Self::sources(engine).flags([root])
    }

    /// Adds arguments.
    pub(crate) fn flags<A: AsRef<Path>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        let text = |argument: A| argument.as_ref().to_str().unwrap().to_owned();
        self.arguments.extend(arguments.into_iter().map(text));
        self
    }

    /// Starts this command as well: `run` instead of `serve`.
    pub(crate) fn running<A: AsRef<str>>(mut self, command: impl IntoIterator<Item = A>) -> Self {
        let words = command.into_iter().map(|word| word.as_ref().to_owned());
        self.application.extend(words);
        self
    }

    /// Any value of `--engine`.
    pub(crate) fn engine(mut self, engine: &str) -> Self {
        engine.clone_into(&mut self.engine);
        self
    }

    /// Another address than a free port of 127.0.0.1; none leaves out `--bind`.
    pub(crate) fn bind(mut self, address: Option<&str>) -> Self {
        self.bind = address.map(str::to_owned);
        self
    }

    /// The number of workers; two if not set.
    pub(crate) fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// Runs the server through another command that ends in an exec of its arguments.
    pub(crate) fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper
            .extend(wrapper.iter().map(|&word| word.to_owned()));
        self
    }

    /// Runs shell commands, such as `ulimit -n 64`, in the process that becomes the server.
    pub(crate) fn after(self, script: &str) -> Self {
        self.wrapped(&["sh", "-c", &format!("{script} && exec \"$@\""), "sh"])
    }

    /// Sets a variable of the environment.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What descriptor 0 is.
    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Makes the kernel refuse io_uring with `errno`.
    pub(crate) fn refused_io_uring(mut self, errno: i32) -> Self {
        self.refusal = Some(errno);
        self
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        match self.try_start() {
            Ok(server) => server,
            Err(failure) => panic!("the server did not start: {failure:?}"),
        }
    }

    /// Like [`Self::start`], for starts that may fail.
    pub(crate) fn try_start(mut self) -> Result<Server, StartFailure> {
        let child = self.command().spawn().map_err(StartFailure::NoProcess)?;
        let mut server = Server::watch(child);
        let started = Instant::now();
        while !server.stderr().contains("listening on ") {
            if let Ok(Some(_)) = server.child.try_wait() {
                let code = server.exit_code_within(SOON);
                return Err(StartFailure::Exit(code, server.stderr()));
            }
            let waited = started.elapsed();
            assert!(waited < 2 * SOON, "it does not listen: {}", server.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
        server.address = listening_address(&server.stderr(), "http");
        Ok(server)
    }

    /// Starts what must fail; returns its exit code and what it wrote on standard error.
    pub(crate) fn fail(mut self) -> (i32, String) {
        let mut server = Server::watch(self.command().spawn().unwrap());
        let code = server.exit_code_within(2 * SOON);
        (code, server.stderr())
    }

    fn command(&mut self) -> Command {
        let binary = env!("CARGO_BIN_EXE_whitering").to_owned();
        let mut words = std::mem::take(&mut self.wrapper);
        let command = match self.application.is_empty() {
            true => "serve",
            false => "run",
        };
        words.extend([binary, command.to_owned()]);
        words.append(&mut self.arguments);
        words.extend(["--engine".to_owned(), self.engine.clone()]);
        words.extend(["--workers".to_owned(), self.workers.to_string()]);
        if let Some(address) = self.bind.take() {
            words.extend(["--bind".to_owned(), address]);
        }
        if !self.application.is_empty() {
            words.push("--".to_owned());
            words.append(&mut self.application);
        }
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .envs(self.environment.drain(..))
            .stdin(self.stdin.take().unwrap_or_else(Stdio::null))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(errno) = self.refusal {
            sandbox::refuse_io_uring(&mut command, errno);
        }
        command
    }
}

/// Why there is no server.
#[derive(Debug)]
pub(crate) enum StartFailure {
    /// The process could not be made, or not be put into its sandbox.
    NoProcess(std::io::Error),
    /// It ended with a code, and said something.
    Exit(i32, String),
}

/// A server that runs until it is dropped; it must not have ended before unless asked to.
pub(crate) struct Server {
    child: Child,
    stderr: Arc<Mutex<String>>,
    address: Option<SocketAddr>,
    ended: bool,
}

impl Server {
    fn watch(mut child: Child) -> Self {
        let stderr = Arc::new(Mutex::new(String::new()));
        collect(child.stderr.take().unwrap(), Arc::clone(&stderr));
        Self {
            child,
            stderr,
            address: None,
            ended: false,
        }
    }

    /// Where it listens on TCP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("it listens on TCP")
    }

    /// Where it listens for TLS.
    pub(crate) fn tls_address(&self) -> SocketAddr {
        let mut address = None;
        super::eventually("it says where it listens for TLS", SOON, || {
            address = listening_address(&self.stderr(), "https");
            address.is_some()
        });
        address.unwrap()
    }

    /// A new connection to it.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// One request on a connection of its own; nothing may follow the answer.
    pub(crate) fn fetch(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Response {
        let mut client = self.connect();
        client.send_request(method, target, fields);
        let response = client.response(method);
        client.finish();
        response
    }

    /// [`Self::fetch`] with GET and no fields.
    pub(crate) fn get(&self, target: &str) -> Response {
        self.fetch("GET", target, &[])
    }

    /// What it has written on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: i32) {
        sandbox::signal(self.pid(), signal);
    }

    /// Asks for a reload and waits until it is done, or has failed.
    pub(crate) fn reload(&self) {
        let answers =
            |text: &str| text.matches("reloaded").count() + text.matches("reload failed").count();
        let before = answers(&self.stderr());
        self.signal(libc::SIGHUP);
        super::eventually("a reload", SOON, || answers(&self.stderr()) > before);
    }

    /// Waits for its end; returns the exit code. It must not be ended by a signal.
    pub(crate) fn exit_code_within(&mut self, limit: Duration) -> i32 {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.ended = true;
                // The reader of standard error may still have a line to take.
                std::thread::sleep(Duration::from_millis(50));
                return status
                    .code()
                    .unwrap_or_else(|| panic!("{status}: {}", self.stderr()));
            }
            assert!(
                started.elapsed() < limit,
                "it does not end within {limit:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it without warning.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.ended = true;
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptor_count(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .unwrap()
            .count()
    }

    /// [`Self::descriptor_count`] once the connections that are closing are gone.
    pub(crate) fn settled_descriptor_count(&self) -> usize {
        let mut last = self.descriptor_count();
        super::eventually("the number of descriptors settles", SOON, || {
            std::thread::sleep(Duration::from_millis(100));
            let count = self.descriptor_count();
            std::mem::replace(&mut last, count) == count
        });
        last
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kibibytes * 1024
    }

    /// The CPU time all its threads have used.
    pub(crate) fn cpu_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let nanos = tasks.filter_map(|task| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let status = self.child.try_wait();
        if !self.ended {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        let stderr = self
            .stderr
            .lock()
            .map(|text| text.clone())
            .unwrap_or_default();
        if std::thread::panicking() {
            eprintln!("the server wrote:\n{stderr}");
            return;
        }
        assert!(
            !stderr.contains("panicked"),
            "the server panicked: {stderr}"
        );
        assert!(
            self.ended || matches!(status, Ok(None)),
            "the server ended on its own, {status:?}: {stderr}"
        );
    }
}

/// Copies what the server writes, line by line, as it comes.
fn collect(stderr: ChildStderr, text: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stderr);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            text.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

/// The first TCP address of `scheme` in the start-up lines, as one to connect to.
fn listening_address(stderr: &str, scheme: &str) -> Option<SocketAddr> {
    let (_, rest) = stderr.split_once(&format!("listening on {scheme}://"))?;
    let mut address: SocketAddr = rest.split_whitespace().next()?.parse().ok()?;
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    Some(address)
}
