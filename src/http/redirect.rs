//! Explains a server's redirect. We never follow one: a forwarded prompt may arrive twice or
//! without its body, and a key must not go to whatever server is named.

use reqwest::Url;
use reqwest::header::{HeaderMap, LOCATION};

use super::origin;

/// The longest address that is shown.
const LONGEST: usize = 200;

/// The longest part of a path that is shown: longer ones may be secrets.
const LONGEST_PART: usize = 40;

/// Explains a redirect: where it leads and what to do about it. `base` is the address from
/// `setting`, and `asked` the URL that was requested.
pub(crate) fn explain(base: &Url, asked: &Url, headers: &HeaderMap, setting: &str) -> String {
    let Some(location) = headers.get(LOCATION) else {
        return format!(
            "it redirects without saying where, so {setting} is not the server's own address"
        );
    };
    let led = location.to_str().ok().and_then(|to| asked.join(to).ok());
    let Some(led) = led.filter(|led| matches!(led.scheme(), "http" | "https") && led.has_host())
    else {
        return format!(
            "it redirects to something that is not a server's address, so {setting} is not the \
             server's own"
        );
    };
    let shown = show(&led);
    match new_base(base, asked, &led) {
        Some(new) if !same(&new, base) => format!(
            "it redirects to {shown}, and redirects are not followed: set {setting}={}",
            show(&new)
        ),
        _ if led.path() == asked.path() && same(&led, asked) => format!(
            "it redirects to {shown} itself: the proxy in front of {setting} has a redirect loop"
        ),
        _ if same(&led, asked) => format!(
            "it redirects to {shown}, which differs only by a slash: the proxy in front of \
             {setting} changes paths"
        ),
        _ => format!(
            "it redirects to {shown}, which looks like a login page or another server: set \
             {setting} to the address behind it"
        ),
    }
}

/// The base address for which the same path would have been right, if the redirect shows one.
fn new_base(base: &Url, asked: &Url, led: &Url) -> Option<Url> {
    let bare = |path: &str| path.trim_end_matches('/').to_owned();
    let prefix = bare(base.path());
    let path = bare(asked.path());
    let path = path.strip_prefix(&prefix)?;
    let led_path = bare(led.path());
    let new_prefix = led_path.strip_suffix(path).filter(|_| !path.is_empty())?;
    let mut new = led.clone();
    new.set_path(new_prefix);
    Some(new)
}

/// Whether two URLs have the same server and path.
fn same(one: &Url, other: &Url) -> bool {
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    one.origin() == other.origin() && path(one) == path(other)
}

/// A URL without anything that may be secret: user, password, query, and parts of the path that
/// look like tokens.
fn show(url: &Url) -> String {
    let parts = url.path().trim_end_matches('/').split('/');
    let parts = parts.map(|part| {
        let part = part.split([';', '=']).next().unwrap_or_default();
        match part.len() > LONGEST_PART {
            true => "…",
            false => part,
        }
    });
    let shown = format!("{}{}", origin(url), parts.collect::<Vec<_>>().join("/"));
    match shown.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &shown[..at]),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn told(base: &str, path: &str, location: &[u8]) -> String {
        let base = Url::parse(base).unwrap();
        let prefix = base.path().trim_end_matches('/').to_owned();
        let mut asked = base.clone();
        asked.set_path(&format!("{prefix}{path}"));
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(location) {
            headers.insert(LOCATION, value);
        }
        explain(&base, &asked, &headers, "LETTA_BASE_URL")
    }

    #[test]
    fn an_address_that_only_moved_is_told_as_it_is_to_be_set() {
        for (base, location, set) in [
            ("http://h", "https://h/v1/agents/", "https://h"),
            (
                "http://h:8283",
                "https://h:8283/v1/agents/?a=1",
                "https://h:8283",
            ),
            (
                "http://h",
                "https://letta.example.org/v1/agents",
                "https://letta.example.org",
            ),
            ("http://h", "/letta/v1/agents/", "http://h/letta"),
            (
                "http://h/letta",
                "https://h/letta/v1/agents/",
                "https://h/letta",
            ),
            (
                "http://h/letta",
                "https://other/v1/agents/",
                "https://other",
            ),
            ("http://h", "//other/v1/agents/", "http://other"),
        ] {
            let told = told(base, "/v1/agents/", location.as_bytes());
            let end = format!("set LETTA_BASE_URL={set}");
            assert!(told.ends_with(&end), "{base} {location}: {told}");
        }
    }

    #[test]
    fn another_page_is_named_and_no_address_is_made_up() {
        for (location, named) in [
            ("/login?next=/v1/agents/", "http://h/login"),
            (
                "https://sso.example.org/start",
                "https://sso.example.org/start",
            ),
            ("", "http://h/v1/agents"),
            (
                "/v1/agents",
                "http://h/v1/agents, which differs only by a slash",
            ),
            ("http://h/v1/agents/", "to http://h/v1/agents itself"),
        ] {
            let told = told("http://h", "/v1/agents/", location.as_bytes());
            assert!(told.contains(named), "{location}: {told}");
            assert!(!told.contains("LETTA_BASE_URL="), "{location}: {told}");
        }
        for location in [
            "ftp://h/v1/agents/",
            "javascript:alert(1)",
            "http://",
            "\u{7f}",
        ] {
            let told = told("http://h", "/v1/agents/", location.as_bytes());
            assert!(
                told.contains("is not the server's own"),
                "{location}: {told}"
            );
        }
    }

    #[test]
    fn nothing_secret_of_a_location_is_shown() {
        for location in [
            "https://me:hunter2@h/v1/agents/",
            "https://h/login?token=hunter2",
            "https://h/login#hunter2",
            "/login;jsessionid=hunter2",
            "/session=hunter2/login",
            "/t/hunter2hunter2hunter2hunter2hunter2hunter2hunter2/login",
        ] {
            let told = told("http://h", "/v1/agents/", location.as_bytes());
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    proptest! {
        #[test]
        fn any_location_is_told_in_one_printable_line(
            location in prop::collection::vec(any::<u8>(), 0..700),
        ) {
            let told = told("http://h", "/v1/agents/", &location);
            prop_assert!(told.len() < 700 && !told.chars().any(char::is_control), "{}", told);
        }
    }
}
