//! One colour for each server, the same on every page; told apart without seeing red or green.

use super::super::super::results::Server;

/// The class that carries the server's colour, see [`rules`].
pub(super) fn class(server: &Server) -> String {
    format!("k{}", index(&server.name))
}

/// The colours as custom properties, for a light and a dark page.
pub(super) fn rules() -> String {
    let rules = |colours: fn(&(&str, &str)) -> String| {
        let rule = |(index, pair)| format!(".k{index}{{--c:{}}}", colours(pair));
        PALETTE.iter().enumerate().map(rule).collect::<String>()
    };
    let light = rules(|(light, _)| (*light).to_owned());
    let dark = rules(|(_, dark)| (*dark).to_owned());
    format!("{light}@media (prefers-color-scheme:dark){{{dark}}}")
}

fn index(name: &str) -> usize {
    let known = KNOWN.iter().position(|known| *known == name);
    known.unwrap_or_else(|| {
        let sum: usize = name.bytes().map(usize::from).sum();
        KNOWN.len() + sum % (PALETTE.len() - KNOWN.len())
    })
}

/// Servers with a colour of their own; any other shares one of the rest of [`PALETTE`].
const KNOWN: [&str; 10] = [
    "ring",
    "epoll",
    "tokio-uring",
    "hyper",
    "floor",
    "nginx",
    "h2o",
    "lighttpd",
    "caddy",
    "static-web-server",
];

/// On white, and on near-black.
const PALETTE: [(&str, &str); 13] = [
    ("#0b5cad", "#5aa9f5"),
    ("#3d9bd9", "#93cdf7"),
    ("#b5579a", "#dd8fc6"),
    ("#c77f00", "#e6a532"),
    ("#7d7d7d", "#a0a0a0"),
    ("#00795a", "#35b58e"),
    ("#c2500a", "#f08248"),
    ("#8a8000", "#c9bd3a"),
    ("#84264f", "#d1648f"),
    ("#4f6d1f", "#9bbd5c"),
    ("#5b4aa8", "#a396e8"),
    ("#8a5a36", "#c79a76"),
    ("#2f7f86", "#6cc2c9"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_with_their_server() {
        for (place, name) in KNOWN.iter().enumerate() {
            assert_eq!(index(name), place);
        }
        let other = index("thttpd");
        assert_eq!(index("thttpd"), other);
        assert!((KNOWN.len()..PALETTE.len()).contains(&other));
        assert!(rules().contains(&format!(".k{other}{{")));
    }
}
