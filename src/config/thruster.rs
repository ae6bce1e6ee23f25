//! The variables of Thruster, the proxy that Rails comes with, for what they mean here. Looks
//! them up through a function it is given.

use std::time::Duration;

use super::application::{AppListen, ApplicationArguments};
use super::bind::{ANY_HOST, Bind};
use super::raw::ServeArguments;

impl ServeArguments {
    /// Fills in what neither a flag nor a variable of this program has set, from the variables
    /// that Thruster reads, with `THRUSTER_` before their names or without. Answers with the
    /// names of those that are set and mean nothing here.
    pub fn fill_in_from_thruster(
        &mut self,
        application: &mut ApplicationArguments,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Vec<String> {
        let mut unheard = Vec::new();
        for setting in &SETTINGS {
            let prefixed = format!("{PREFIX}{}", setting.name);
            let (name, value) = match (variable(&prefixed), variable(setting.name)) {
                (Some(value), _) => (prefixed, value),
                (None, Some(value)) => (setting.name.to_owned(), value),
                (None, None) => continue,
            };
            if (setting.fill_in)(&value, self, application).is_none() {
                unheard.push(name);
            }
        }
        let set_with_prefix = |name: &&&str| variable(&format!("{PREFIX}{name}")).is_some();
        let unknown = MEANINGLESS.iter().filter(set_with_prefix);
        unheard.extend(unknown.map(|name| format!("{PREFIX}{name}")));
        unheard
    }
}

/// One variable and what it sets.
struct Setting {
    name: &'static str,
    /// Sets what is not set; none if the value means nothing here.
    fill_in: fn(&str, &mut ServeArguments, &mut ApplicationArguments) -> Option<()>,
}

const SETTINGS: [Setting; 11] = [
    Setting {
        name: "TARGET_PORT",
        fill_in: |value, _, application| {
            let listen = AppListen::PortNumber(port(value)?);
            application.app_listen.get_or_insert(listen);
            Some(())
        },
    },
    // Kubernetes sets it to a URL for a service that is called http.
    Setting {
        name: "HTTP_PORT",
        fill_in: |value, serve, _| {
            let bind = every_address(value)?;
            if serve.bind.is_empty() {
                serve.bind.push(bind);
            }
            Some(())
        },
    },
    Setting {
        name: "HTTPS_PORT",
        fill_in: |value, serve, _| {
            let bind = every_address(value)?;
            if serve.tls.tls_cert.is_empty() {
                return None;
            }
            if serve.tls.tls_bind.is_empty() {
                serve.tls.tls_bind.push(bind);
            }
            Some(())
        },
    },
    // Certificates come from files, which know their names.
    Setting {
        name: "TLS_DOMAIN",
        fill_in: |_, serve, _| (!serve.tls.tls_cert.is_empty()).then_some(()),
    },
    Setting {
        name: "HTTP_IDLE_TIMEOUT",
        fill_in: |value, serve, _| {
            serve.idle_timeout.get_or_insert(seconds(value)?);
            Some(())
        },
    },
    Setting {
        name: "HTTP_READ_TIMEOUT",
        fill_in: |value, serve, _| {
            let timeout = seconds(value)?;
            serve.head_timeout.get_or_insert(timeout);
            serve.body_timeout.get_or_insert(timeout);
            Some(())
        },
    },
    Setting {
        name: "HTTP_WRITE_TIMEOUT",
        fill_in: |value, serve, _| {
            serve.write_timeout.get_or_insert(seconds(value)?);
            Some(())
        },
    },
    Setting {
        name: "MAX_REQUEST_BODY",
        fill_in: |value, serve, _| {
            let bytes = value.parse().ok()?;
            let most = if bytes == 0 { u64::MAX } else { bytes };
            serve.upstream.max_upload.get_or_insert(most);
            Some(())
        },
    },
    Setting {
        name: "FORWARD_HEADERS",
        fill_in: |value, serve, _| {
            serve.upstream.trust_forwarded |= switch(value)?;
            Some(())
        },
    },
    Setting {
        name: "H2C_ENABLED",
        fill_in: |value, serve, _| {
            serve.tls.h2c |= switch(value)?;
            Some(())
        },
    },
    // There it may send any file, here those of a directory that is named.
    Setting {
        name: "X_SENDFILE_ENABLED",
        fill_in: |value, serve, _| {
            let is_possible = !serve.upstream.sendfile_root.is_empty();
            (is_possible || !switch(value)?).then_some(())
        },
    },
];

/// The others. Without the prefix many of them may be meant for the application.
const MEANINGLESS: [&str; 14] = [
    "ACME_DIRECTORY",
    "ACTIVE_STORAGE_INTEGRATION_ENABLED",
    "BAD_GATEWAY_PAGE",
    "CACHE_SIZE",
    "DEBUG",
    "EAB_HMAC_KEY",
    "EAB_KID",
    "GZIP_COMPRESSION_DISABLE_ON_AUTH",
    "GZIP_COMPRESSION_ENABLED",
    "GZIP_COMPRESSION_EXCEPT_CONTENT_TYPES",
    "GZIP_COMPRESSION_JITTER",
    "LOG_REQUESTS",
    "MAX_CACHE_ITEM_SIZE",
    "STORAGE_PATH",
];

const PREFIX: &str = "THRUSTER_";

fn every_address(value: &str) -> Option<Bind> {
    Some(Bind::Tcp {
        host: ANY_HOST.to_owned(),
        port: port(value)?,
    })
}

fn port(value: &str) -> Option<u16> {
    value.parse().ok().filter(|port| *port != 0)
}

/// There 0 is no limit, which nothing here is without.
fn seconds(value: &str) -> Option<Duration> {
    let seconds = value.parse().ok().filter(|seconds| *seconds != 0)?;
    (seconds <= SECONDS_MAX).then(|| Duration::from_secs(seconds))
}

/// As Go reads switches (`strconv.ParseBool`).
fn switch(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// As for the flags.
const SECONDS_MAX: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    /// What `set` comes to: settings as text, then the names that mean nothing.
    fn check(set: &[(&str, &str)], expected: &str, unheard: &[&str]) {
        check_with(ServeArguments::default(), set, expected, unheard);
    }

    fn check_with(
        mut serve: ServeArguments,
        set: &[(&str, &str)],
        expected: &str,
        unheard: &[&str],
    ) {
        let mut application = ApplicationArguments::default();
        let variable = |name: &str| {
            let found = set.iter().find(|(set, _)| *set == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let names = serve.fill_in_from_thruster(&mut application, variable);
        assert_eq!(names, unheard, "{set:?}");
        assert_eq!(text(&serve, &application), expected, "{set:?}");
    }

    fn text(serve: &ServeArguments, application: &ApplicationArguments) -> String {
        let mut text = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            text.extend(value.map(|value| format!("{name} {value}")));
        };
        let listen = application.app_listen;
        add("listen", listen.map(|listen| format!("{listen:?}")));
        add("bind", serve.bind.first().map(Bind::to_string));
        add("tls", serve.tls.tls_bind.first().map(Bind::to_string));
        let time = |time: Option<Duration>| time.map(|time| format!("{time:?}"));
        add("idle", time(serve.idle_timeout));
        add("head", time(serve.head_timeout));
        add("body", time(serve.body_timeout));
        add("write", time(serve.write_timeout));
        add(
            "upload",
            serve.upstream.max_upload.map(|size| size.to_string()),
        );
        let is_set = |is_set: bool| is_set.then(String::new);
        add("trust", is_set(serve.upstream.trust_forwarded));
        add("h2c", is_set(serve.tls.h2c));
        text.join(", ").replace(" ,", ",").trim().to_owned()
    }

    #[test]
    fn takes_what_means_something() {
        check(&[], "", &[]);
        check(&[("TARGET_PORT", "3000")], "listen PortNumber(3000)", &[]);
        check(&[("HTTP_PORT", "80")], "bind 0.0.0.0:80", &[]);
        check(&[("HTTP_IDLE_TIMEOUT", "60")], "idle 60s", &[]);
        check(&[("HTTP_READ_TIMEOUT", "30")], "head 30s, body 30s", &[]);
        check(&[("HTTP_WRITE_TIMEOUT", "30")], "write 30s", &[]);
        check(&[("MAX_REQUEST_BODY", "1000")], "upload 1000", &[]);
        let unlimited = "upload 18446744073709551615";
        check(&[("MAX_REQUEST_BODY", "0")], unlimited, &[]);
        check(&[("FORWARD_HEADERS", "true")], "trust", &[]);
        check(&[("FORWARD_HEADERS", "0")], "", &[]);
        check(&[("H2C_ENABLED", "1")], "h2c", &[]);
        check(&[("X_SENDFILE_ENABLED", "false")], "", &[]);
    }

    #[test]
    fn the_prefixed_name_wins() {
        let both = [("HTTP_PORT", "80"), ("THRUSTER_HTTP_PORT", "81")];
        check(&both, "bind 0.0.0.0:81", &[]);
    }

    #[test]
    fn names_what_means_nothing() {
        let kubernetes = [("HTTP_PORT", "tcp://10.0.0.1:80")];
        check(&kubernetes, "", &["HTTP_PORT"]);
        check(&[("HTTP_IDLE_TIMEOUT", "0")], "", &["HTTP_IDLE_TIMEOUT"]);
        check(&[("TARGET_PORT", "x")], "", &["TARGET_PORT"]);
        check(&[("X_SENDFILE_ENABLED", "1")], "", &["X_SENDFILE_ENABLED"]);
        let tls = [("TLS_DOMAIN", "example.org"), ("HTTPS_PORT", "443")];
        check(&tls, "", &["HTTPS_PORT", "TLS_DOMAIN"]);
        check(&[("THRUSTER_DEBUG", "1")], "", &["THRUSTER_DEBUG"]);
        // These may be the application's.
        check(&[("DEBUG", "1"), ("CACHE_SIZE", "1")], "", &[]);
    }

    #[test]
    fn what_is_set_already_stays() {
        let mut serve = ServeArguments {
            bind: vec![Bind::parse("127.0.0.1:1").unwrap()],
            idle_timeout: Some(Duration::from_secs(1)),
            ..ServeArguments::default()
        };
        let set = [("HTTP_PORT", "80"), ("HTTP_IDLE_TIMEOUT", "60")];
        check_with(serve.clone(), &set, "bind 127.0.0.1:1, idle 1s", &[]);
        serve.tls.tls_cert.push("chain.pem".into());
        let tls = [("TLS_DOMAIN", "example.org"), ("HTTPS_PORT", "443")];
        let expected = "bind 127.0.0.1:1, tls 0.0.0.0:443, idle 1s";
        check_with(serve, &tls, expected, &[]);
    }
}
