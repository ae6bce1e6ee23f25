//! Settings as the command line makes them, checked; the environment of the test is not asked.

use clap::{Args, Command, FromArgMatches};

use super::*;

/// What `flags` make.
fn parse(flags: &[&str]) -> Result<ServeArguments, clap::Error> {
    let command = ServeArguments::augment_args(Command::new("serve"))
        .mut_args(|argument| argument.env(None))
        .no_binary_name(true);
    let mut matches = command.try_get_matches_from(flags)?;
    ServeArguments::from_arg_matches_mut(&mut matches)
}

fn config(flags: &[&str]) -> Result<Config, ConfigError> {
    check(parse(flags).unwrap())
}

fn check_binds(flags: &[&str], port: Option<&str>, expected: Result<&[&str], ConfigError>) {
    let mut arguments = parse(flags).unwrap();
    arguments.root = Some("site".into());
    arguments.environment.port = port.map(str::to_owned);
    let printed = check(arguments).map(|config| {
        let binds = config.binds.iter();
        binds.map(ToString::to_string).collect::<Vec<_>>()
    });
    let expected = expected.map(|binds| binds.iter().map(ToString::to_string).collect());
    assert_eq!(printed, expected, "{flags:?} {port:?}");
}

#[test]
fn the_port_variable_counts_without_a_bind() {
    let flag = &["--bind", "127.0.0.1:1"][..];
    let wrong = |text| Err(wrong_variable("PORT", text, "a number from 1 to 65535"));
    check_binds(&[], None, Ok(&["127.0.0.1:8080"]));
    check_binds(&[], Some(""), Ok(&["127.0.0.1:8080"]));
    check_binds(&[], Some("5000"), Ok(&["0.0.0.0:5000"]));
    check_binds(&[], Some("http"), wrong("http"));
    check_binds(&[], Some("0"), wrong("0"));
    check_binds(flag, Some("http"), Ok(&["127.0.0.1:1"]));
}

#[test]
fn an_address_is_given_once() {
    let twice = ["--bind", ":80", "--bind", "0.0.0.0:80"];
    let bind = Bind::parse(":80").unwrap();
    check_binds(&twice, None, Err(ConfigError::RepeatedBind("--bind", bind)));
    let free = ["--bind", ":0,:0", "--bind", "unix:/x"];
    check_binds(&free, None, Ok(&["0.0.0.0:0", "0.0.0.0:0", "unix:/x"]));
}

/// Addresses without TLS, and those with it, of a site with a certificate.
#[track_caller]
fn check_tls(flags: &[&str], port: Option<&str>, expected: Result<(&[&str], &[&str]), &str>) {
    let certificate = ["site", "--tls-cert=c.pem", "--tls-key=k.pem"];
    let mut arguments = parse(&[&certificate, flags].concat()).unwrap();
    arguments.environment.port = port.map(str::to_owned);
    let text = |binds: &[Bind]| binds.iter().map(ToString::to_string).collect::<Vec<_>>();
    let found = check(arguments).map(|config| {
        let tls = config.tls.unwrap();
        assert_eq!(tls.certificates[0].chain.to_str(), Some("c.pem"));
        assert_eq!(tls.certificates[0].key.to_str(), Some("k.pem"));
        (text(&config.binds), text(&tls.binds))
    });
    let owned = |binds: &[&str]| binds.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = expected.map(|(plain, tls)| (owned(plain), owned(tls)));
    let found = found.map_err(|error| {
        assert!(error.is_usage());
        error.to_string()
    });
    assert_eq!(found, expected.map_err(str::to_owned), "{flags:?} {port:?}");
}

#[test]
fn with_a_certificate_only_tls_is_served() {
    let default = &["127.0.0.1:8443"][..];
    check_tls(&[], None, Ok((&[], default)));
    check_tls(
        &["--tls-bind=:443,[::]:443"],
        None,
        Ok((&[], &["0.0.0.0:443", "[::]:443"])),
    );
    check_tls(&["--bind=:80"], None, Ok((&["0.0.0.0:80"], default)));
    check_tls(&["--tls-bind=unix:/t"], None, Ok((&[], &["unix:/t"])));
    // A platform that names a port sends it requests without TLS.
    check_tls(&[], Some(""), Ok((&[], default)));
    check_tls(&[], Some("5000"), Ok((&["0.0.0.0:5000"], default)));
    check_tls(
        &["--bind=:80"],
        Some("5000"),
        Ok((&["0.0.0.0:80"], default)),
    );
}

#[test]
fn an_address_is_with_tls_or_without() {
    check_tls(
        &["--tls-bind=:1,:2,:1"],
        None,
        Err("--tls-bind 0.0.0.0:1 is given twice; leave one out"),
    );
    let both = "cannot be with TLS and without; name another address with --tls-bind";
    check_tls(
        &["--tls-bind=:1", "--bind=:2,:1"],
        None,
        Err(&format!("0.0.0.0:1 {both}")),
    );
    // Regression: the default was not looked at.
    check_tls(
        &["--bind=127.0.0.1:8443"],
        None,
        Err(&format!("127.0.0.1:8443 {both}")),
    );
    check_tls(
        &["--tls-bind=:0,:0", "--bind=:0"],
        None,
        Ok((&["0.0.0.0:0"], &["0.0.0.0:0", "0.0.0.0:0"])),
    );
}

#[test]
fn redirects_and_hsts_need_their_addresses() {
    let default = &["127.0.0.1:8443"][..];
    let plain = &["0.0.0.0:80"][..];
    let from =
        "--https-redirect needs an address without TLS to redirect from; name it with --bind";
    check_tls(&["--https-redirect"], None, Err(from));
    check_tls(
        &["--https-redirect", "--bind=:80"],
        None,
        Ok((plain, default)),
    );
    check_tls(&["--https-redirect"], Some("80"), Ok((plain, default)));
    check_tls(
        &["--https-redirect", "--bind=:80", "--tls-bind=unix:/t,:443"],
        None,
        Err(
            "--https-redirect sends clients to the port of the first --tls-bind, and unix:/t has \
             none; put an address with a port first",
        ),
    );
    check_tls(
        &["--https-redirect", "--bind=unix:/p", "--tls-bind=fd://3"],
        None,
        Ok((&["unix:/p"], &["fd://3"])),
    );
    let hsts = |what| {
        format!(
            "--hsts is for sites without plain HTTP; add --https-redirect, or leave out what \
             makes it be served: {what}"
        )
    };
    check_tls(&["--hsts=1"], None, Ok((&[], default)));
    check_tls(&["--hsts=1", "--bind=:80"], None, Err(&hsts("--bind")));
    check_tls(&["--hsts=1"], Some("80"), Err(&hsts("PORT")));
    check_tls(
        &["--hsts=1", "--bind=:80", "--https-redirect"],
        None,
        Ok((plain, default)),
    );
}

#[test]
fn settings_of_tls_need_a_certificate() {
    let missing = "needs a certificate; name its files with --tls-cert and --tls-key";
    check_error(
        &["--https-redirect"],
        &format!("--https-redirect {missing}"),
    );
    check_error(&["--hsts=1"], &format!("--hsts {missing}"));
    check_error(&["--tls-bind=:1"], &format!("--tls-bind {missing}"));
    check_error(
        &["--tls-cert=c"],
        "1 --tls-cert and 0 --tls-key; each certificate needs its key",
    );
    check_error(&["--tls-key=k"], "0 --tls-cert and 1 --tls-key");
    check_error(
        &["--tls-cert=a", "--tls-cert=b", "--tls-key=k"],
        "2 --tls-cert and 1 --tls-key",
    );
    check_refused(&["--tls-bind=443"], "'--tls-bind <ADDRESS>'");
    check_refused(&["--max-streams=0"], "0 is not in 1..=65536");
    check_refused(&["--hsts=soon"], "'--hsts <SECONDS>'");
}

#[track_caller]
fn check_http2(flags: &[&str], expected: (bool, bool, u32)) {
    let http2 = config(&[&["site"], flags].concat()).unwrap().http2;
    let found = (
        http2.over_tls,
        http2.prior_knowledge,
        http2.stream_count_max,
    );
    assert_eq!(found, expected, "{flags:?}");
}

#[test]
fn http2_is_offered_over_tls_only() {
    check_http2(&[], (true, false, 100));
    check_http2(&["--no-http2"], (false, false, 100));
    check_http2(&["--h2c", "--max-streams=7"], (true, true, 7));
}

fn check_sources(flags: &[&str], expected: Result<&[(&str, &str)], ConfigError>) {
    let sources = config(flags).map(|config| config.sources);
    let source = |(prefix, directory): &(&str, &str)| Source {
        prefix: (*prefix).to_owned(),
        directory: (*directory).into(),
    };
    let expected = expected.map(|sources| sources.iter().map(source).collect());
    assert_eq!(sources, expected, "{flags:?}");
}

#[test]
fn the_root_comes_first() {
    check_sources(&["site"], Ok(&[("/", "site")]));
    check_sources(&["--source", "/s=a"], Ok(&[("/s/", "a")]));
    check_sources(
        &["--source", "a", "--source", "s=b", "site", "--prefix", "t"],
        Ok(&[("/t/", "site"), ("/", "a"), ("/s/", "b")]),
    );
    check_sources(
        &[
            "site",
            "--prefix",
            "https://cdn.example/app/static/",
            "--script-name=/app",
        ],
        Ok(&[("/static/", "site")]),
    );
    check_sources(&[], Err(ConfigError::NoSource));
    check_sources(&["--prefix", "/s"], Err(ConfigError::PrefixWithoutRoot));
}

fn check_responses(flags: &[&str], expected: impl FnOnce(&Responses) -> bool) {
    let flags = [&["site"], flags].concat();
    let config = config(&flags).unwrap();
    assert!(
        expected(&config.responses),
        "{flags:?}: {:?}",
        config.responses
    );
}

#[test]
fn the_last_of_two_opposites_counts() {
    check_responses(&[], |responses| responses.cors);
    check_responses(&["--cors"], |responses| responses.cors);
    check_responses(&["--no-cors"], |responses| !responses.cors);
    check_responses(&["--no-cors", "--cors"], |responses| responses.cors);
    check_responses(&["--cors", "--no-cors"], |responses| !responses.cors);
    check_responses(&["--no-index-file"], |responses| {
        responses.index_file.is_none()
    });
    check_responses(&["--no-index-file", "--index-file=a"], |responses| {
        responses.index_file.as_deref() == Some("a")
    });
    check_responses(&["--max-age=none"], |responses| {
        responses.max_age_seconds.is_none()
    });
    check_responses(&["--max-age=0"], |responses| {
        responses.max_age_seconds == Some(0)
    });
    check_responses(&["--spa=index.html"], |responses| {
        responses.not_found == Some(NotFoundFile::Spa("index.html".to_owned()))
    });
}

fn check_variables(
    flags: &[&str],
    cors: &str,
    index_file: &str,
    expected: Result<(bool, Option<&str>), &str>,
) {
    let mut arguments = parse(&[&["site"], flags].concat()).unwrap();
    arguments.environment.cors = Some(cors.to_owned());
    arguments.environment.index_file = Some(index_file.to_owned());
    let found = check(arguments)
        .map(|config| (config.responses.cors, config.responses.index_file))
        .map_err(|error| (error.is_usage(), error.to_string()));
    match (&found, expected) {
        (Ok((cors, index_file)), Ok(expected)) => {
            assert_eq!((*cors, index_file.as_deref()), expected);
        }
        (Err((false, error)), Err(name)) => assert!(error.contains(name), "{error}"),
        _ => panic!("{flags:?} {cors} {index_file}: {found:?}"),
    }
}

/// Regression: clap takes a variable and an opposite flag for a conflict of two flags.
#[test]
fn a_flag_overrides_the_variable_of_its_opposite() {
    check_variables(&[], "false", "", Ok((false, None)));
    check_variables(&[], "", "a.html", Ok((true, Some("a.html"))));
    check_variables(&["--cors"], "false", "a", Ok((true, Some("a"))));
    check_variables(&["--no-cors"], "true", "a", Ok((false, Some("a"))));
    check_variables(&["--no-index-file"], "1", "a", Ok((true, None)));
    check_variables(&["--index-file=b"], "1", "", Ok((true, Some("b"))));
    check_variables(
        &[],
        "maybe",
        "a",
        Err("WHITERING_CORS is 'maybe', not true"),
    );
    check_variables(
        &[],
        "on",
        "a/b",
        Err("WHITERING_INDEX_FILE is 'a/b', not a"),
    );
}

fn check_error(flags: &[&str], part: &str) {
    let flags = [&["site"], flags].concat();
    let shown = config(&flags).unwrap_err().to_string();
    assert!(shown.contains(part), "{flags:?}: {shown}");
    assert!(!shown.contains('\n'), "{shown}");
}

#[test]
fn contradictions_name_a_remedy() {
    check_error(&["--spa=a", "--not-found=b"], "leave one out");
    check_error(&["--spa="], "--spa needs the name");
    check_error(&["--not-found="], "--not-found needs the name");
    check_error(&["--index-file="], "--no-index-file");
    check_error(&["--index-file=a/b"], "--no-index-file");
    check_error(&["--index-file=.hidden"], "--no-index-file");
    check_error(&["--max-head=1"], "--max-head must be from 1024 to");
    check_error(&["--max-head=1g"], "--max-head must be from 1024 to");
    check_error(&["--max-target=16KiB"], "raise --max-head");
}

#[test]
fn a_small_head_takes_the_target_along() {
    let limits = config(&["site", "--max-head=4k"]).unwrap().limits;
    assert_eq!(
        (limits.head_bytes_max, limits.target_bytes_max),
        (4_096, 2_048)
    );
}

fn check_refused(flags: &[&str], part: &str) {
    let shown = parse(flags).unwrap_err().to_string();
    assert!(shown.contains(part), "{flags:?}: {shown}");
}

#[test]
fn values_that_do_not_parse_name_their_flag() {
    check_refused(&["--bind=8080"], "'--bind <ADDRESS>': the port is missing");
    check_refused(&["--workers=0"], "0 is not in 1..=1024");
    check_refused(&["--max-connections=16385"], "is not in 1..=16384");
    check_refused(&["--max-age=soon"], "or none");
    check_refused(&["--max-age=+5"], "or none");
    check_refused(&["--idle-timeout=0"], "longer than 0");
    check_refused(
        &["--immutable=("],
        "'--immutable <REGEX>': unclosed group\n",
    );
    check_refused(
        &["--header=*: Date: x"],
        "Date is written by the server itself",
    );
    check_refused(&["--engine=kqueue"], "possible values: auto, uring, epoll");
}

/// Regression guard: a default is written in the help as well, and both must stay the same.
#[test]
fn the_help_states_the_defaults() {
    let command = ServeArguments::augment_args(Command::new("serve"));
    let mut flags = vec!["site".to_owned()];
    for argument in command.get_arguments() {
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let value = help
            .split_once("[default: ")
            .and_then(|(_, rest)| rest.split_once(']'));
        if let (Some(flag), Some((value, _))) = (argument.get_long(), value)
            && !["source", "workers", "tls-bind"].contains(&flag)
        {
            flags.push(format!("--{flag}={value}"));
        }
    }
    assert!(flags.len() > 12, "{flags:?}");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let written = format!("{:?}", config(&flags).unwrap());
    assert_eq!(written, format!("{:?}", Config::for_directory("site")));
}

#[test]
fn every_flag_has_a_variable_of_its_name() {
    let command = ServeArguments::augment_args(Command::new("serve"));
    for argument in command.get_arguments() {
        let name = argument.get_id().as_str().to_uppercase();
        let variable = argument
            .get_env()
            .map(|name| name.to_string_lossy().into_owned());
        let read_apart =
            ["CORS", "NO_CORS", "INDEX_FILE", "NO_INDEX_FILE"].contains(&name.as_str());
        let expected = (!read_apart).then(|| format!("WHITERING_{name}"));
        assert_eq!(variable, expected, "{name}");
    }
}
