//! What the HTTP clients of this program have in common.

use std::sync::Once;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Url};

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A client that does nothing twice by itself. Users expect the environment's proxies to serve for
/// servers elsewhere, but no proxy can reach this machine's own loopback.
pub(crate) fn builder(loopback: bool) -> ClientBuilder {
    install_tls();
    let client = Client::builder()
        .user_agent(concat!("promptyoself/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_LIMIT)
        .retry(reqwest::retry::never());
    match loopback {
        true => client.no_proxy(),
        false => client,
    }
}

/// Whether a URL leads to this machine itself.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// The innermost cause of a transport error: the outer ones repeat the URL.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut next = std::error::Error::source(error);
    while let Some(e) = next {
        text = e.to_string();
        next = e.source();
    }
    match text.is_empty() {
        true if error.is_timeout() => "timed out".into(),
        true => "no reason given".into(),
        false => text,
    }
}

/// Where a URL leads, without the parts that may hold a secret: user, path and query.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only where somebody has installed a provider already, which then serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_without_the_environments_proxies() {
        let at = |text| is_loopback(&Url::parse(text).unwrap());
        assert!(at("http://localhost:1") && at("http://127.0.0.9") && at("http://[::1]:3"));
        assert!(!at("https://api.letta.com") && !at("http://192.168.0.1"));
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_secret_in_it() {
        let url = Url::parse("https://me:hunter2@ntfy.sh:444/hunter2?auth=hunter2#x").unwrap();
        assert_eq!(origin(&url), "https://ntfy.sh:444");
    }
}
