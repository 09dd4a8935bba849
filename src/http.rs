//! What all HTTP clients of this program have in common.

pub(crate) mod body;
mod connect;
pub mod limits;
pub(crate) mod redirect;
pub(crate) mod shorten;
mod trust;

use std::sync::Once;

use reqwest::{Client, ClientBuilder, Url};

use crate::clock::Clock;

/// A client that never retries or follows redirects by itself. Its connect timeout runs on our
/// clock; callers limit everything else. Users expect the proxies of the environment to be used for
/// other machines, but no proxy can reach this machine's loopback.
pub(crate) fn builder(loopback: bool, clock: &Clock) -> ClientBuilder {
    install_tls();
    let client = Client::builder()
        .user_agent(concat!("promptyoself/", env!("CARGO_PKG_VERSION")))
        .connector_layer(connect::InTime(clock.clone()))
        .tls_backend_preconfigured(trust::config())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    match loopback {
        true => client.no_proxy(),
        false => client,
    }
}

/// Whether a URL points to this machine itself.
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

/// The server of a URL, without the parts that may hold a secret: user, path and query.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only if a provider has been installed already, which will do as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::{SignedDuration, Timestamp};
    use reqwest::dns::{Name, Resolve, Resolving};
    use tokio::sync::Notify;

    use super::*;

    /// Resolves no name, and reports when it is asked for one.
    struct Silent(Arc<Notify>);

    impl Resolve for Silent {
        fn resolve(&self, _: Name) -> Resolving {
            self.0.notify_one();
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test]
    async fn a_name_that_is_never_found_is_a_connection_that_was_not_made() {
        let (clock, asked) = (
            Clock::manual(Timestamp::UNIX_EPOCH),
            Arc::new(Notify::new()),
        );
        let client = builder(true, &clock).dns_resolver(Silent(asked.clone()));
        let request = client.build().unwrap().get("http://nowhere.test").send();
        let sending = tokio::spawn(request);
        asked.notified().await;
        clock.advance(SignedDuration::try_from(limits::CONNECT).unwrap());
        let error = sending.await.unwrap().unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        assert_eq!(cause(&error), "no connection within 10s");
    }

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
