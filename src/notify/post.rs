//! Posting to the operator's URL, and pinging dead-man services.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url};

use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::http::{builder, cause, is_loopback, origin};
use crate::models::OutboxMessage;

/// HTTP clients for local and remote servers.
pub(super) struct Post {
    here: Client,
    elsewhere: Client,
}

impl Post {
    /// # Errors
    /// [`Code::Internal`] if no client can be made.
    pub(super) fn new(clock: &Clock) -> Result<Self> {
        let build = |loopback| {
            builder(loopback, clock).build().map_err(|e| {
                Error::new(Code::Internal, "could not prepare the HTTP client").caused_by(e)
            })
        };
        Ok(Post {
            here: build(true)?,
            elsewhere: build(false)?,
        })
    }

    /// Posts a notice. A 2xx status means that it was delivered; the rest of the answer is not
    /// read.
    pub(super) async fn notice(
        &self,
        url: &Url,
        message: &OutboxMessage,
    ) -> std::result::Result<(), String> {
        let request = self
            .client(url)
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(message.body.clone());
        read_answer(url, request.send().await)
    }

    /// Pings a dead-man service. A 2xx status means that the ping was received.
    pub(super) async fn ping(&self, message: &OutboxMessage) -> std::result::Result<(), String> {
        let destination = message.destination.as_deref().unwrap_or_default();
        let url = Url::parse(destination).map_err(|e| format!("the ping's address: {e}"))?;
        let request = self
            .client(&url)
            .post(url.clone())
            .body(message.body.clone());
        read_answer(&url, request.send().await)
    }

    fn client(&self, url: &Url) -> &Client {
        match is_loopback(url) {
            true => &self.here,
            false => &self.elsewhere,
        }
    }
}

fn read_answer(url: &Url, answer: reqwest::Result<Response>) -> std::result::Result<(), String> {
    let origin = origin(url);
    match answer {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) if response.status().is_redirection() => Err(format!(
            "{origin} answered {}: give the address it redirects to",
            response.status()
        )),
        Ok(response) => Err(format!("{origin} answered {}", response.status())),
        Err(e) => Err(format!("{origin}: {}", cause(&e))),
    }
}
