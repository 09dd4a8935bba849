//! The address of a dead-man service for a schedule.

use url::Url;

use super::words;
use crate::error::{Code, Error, Result, field, message};
use crate::http::origin;
use crate::limits;

/// How much of the end of an address is shown: enough to tell two apart, too little to use it.
const SHOWN: usize = 4;

words! {
    /// What a dead-man service is told.
    Ping {
        /// A prompt is about to be sent.
        Start => "start",
        /// It was delivered, and the agent's turn ended well.
        Success => "success",
        /// It was given up, or the turn did not end well.
        Fail => "fail",
    }
}

/// The address of a check like those of healthchecks.io: it is requested as it is on success, and
/// with `/start` and `/fail` appended to its path otherwise. Anybody who knows it can report for
/// the schedule.
#[derive(Clone, PartialEq, Eq)]
pub struct PingUrl(Url);

impl PingUrl {
    /// Parses an address.
    ///
    /// # Errors
    /// [`Code::PolicyInvalid`] unless it is an http or https address without user and password.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |problem: &str| {
            // The text may hold a secret, so it is not repeated.
            Error::new(
                Code::PolicyInvalid,
                message![
                    field("ping_url"),
                    " {problem}: give the address of the check, beginning with http:// or https://, \
                     or none"
                ],
            )
        };
        if text.len() > limits::ADDRESS {
            let most = limits::ADDRESS;
            return Err(bad(&format!("has more than {most} characters")));
        }
        let mut url = Url::parse(text.trim()).map_err(|_| bad("is not a web address"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("is not a web address"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("contains a user name or password: leave it out"));
        }
        url.set_fragment(None);
        Ok(PingUrl(url))
    }

    /// The whole address, to be stored.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address for a ping.
    pub fn of(&self, ping: Ping) -> String {
        let suffix = match ping {
            Ping::Success => return self.0.to_string(),
            Ping::Start | Ping::Fail => ping.as_str(),
        };
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{suffix}", self.0.path().trim_end_matches('/')));
        url.into()
    }

    /// Its server: scheme, name and port.
    pub fn server(&self) -> String {
        origin(&self.0)
    }

    /// The address without the part that makes it usable.
    pub fn redacted(&self) -> String {
        let path = self.0.path().trim_end_matches('/');
        let shown = match path.len() >= 4 * SHOWN && path.is_ascii() {
            true => &path[path.len() - SHOWN..],
            false => "",
        };
        format!("{}/…{shown}", origin(&self.0))
    }
}

impl std::fmt::Debug for PingUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PingUrl({})", self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_put_after_the_path_and_before_a_query() {
        let plain = PingUrl::parse("https://hc-ping.com/abc/").unwrap();
        assert_eq!(plain.of(Ping::Success), "https://hc-ping.com/abc/");
        assert_eq!(plain.of(Ping::Start), "https://hc-ping.com/abc/start");
        let query = PingUrl::parse(" http://h:81/p/x?create=1#top").unwrap();
        assert_eq!(query.of(Ping::Success), "http://h:81/p/x?create=1");
        assert_eq!(query.of(Ping::Fail), "http://h:81/p/x/fail?create=1");
    }

    #[test]
    fn an_address_is_shown_so_that_nobody_can_use_it() {
        for (given, shown) in [
            (
                "https://hc-ping.com/5f2b8d1c-0000-4000-8000-00000000beef",
                "https://hc-ping.com/…beef",
            ),
            ("https://h/short?token=hunter2", "https://h/…"),
        ] {
            let url = PingUrl::parse(given).unwrap();
            assert_eq!(url.redacted(), shown);
            assert_eq!(format!("{url:?}"), format!("PingUrl({shown})"));
        }
    }

    #[test]
    fn what_is_no_address_of_a_check_is_refused_without_repeating_it() {
        for wrong in [
            "hunter2",
            "ftp://hunter2/",
            "https://me:hunter2@h/x",
            "https://hunter2@h/",
        ] {
            let error = PingUrl::parse(wrong).unwrap_err();
            assert_eq!(error.code(), Code::PolicyInvalid, "{wrong}");
            assert!(!error.chain().contains("hunter2"), "{}", error.chain());
        }
    }
}
