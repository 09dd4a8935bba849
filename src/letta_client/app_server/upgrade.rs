//! Opens the WebSocket to an App Server with our own HTTP client, so that its rules apply: no
//! redirects, our TLS trust, and a time limit for connecting.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Client, Response, StatusCode, Upgraded, Url};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::clock::Clock;
use crate::error::{Code, Error};
use crate::http::{self, cause, limits, redirect};
use crate::ids::new_id;
use crate::letta_client::v1::http::credentials;
use crate::letta_client::v1::{RestSettings, address};
use crate::models::{ErrorClass, Refusal, RefusalKind};

/// An open WebSocket.
pub(super) type Socket = WebSocketStream<Upgraded>;

/// Opens WebSockets to one server.
pub(super) struct Connector {
    client: Client,
    base: Url,
    /// The setting that holds the address.
    url_setting: String,
    clock: Clock,
}

impl Connector {
    /// Prepares the client; nothing is sent yet.
    pub(super) fn new(settings: &RestSettings, clock: Clock) -> Result<Self, Error> {
        let base = address::read(&settings.base_url)?;
        let client = http::upgrading_builder(http::is_loopback(&base), &clock)
            .default_headers(credentials(settings.api_key.as_ref())?)
            // A connection that was upgraded is never reused.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|e| {
                Error::new(Code::Internal, "could not prepare the HTTP client").caused_by(e)
            })?;
        Ok(Connector {
            client,
            base,
            url_setting: settings.url_setting(),
            clock,
        })
    }

    /// Opens a WebSocket.
    pub(super) async fn open(&self) -> Result<Socket, Refusal> {
        let opened = self.clock.within(limits::QUESTION, self.upgrade()).await;
        opened.unwrap_or_else(|| {
            Err(self.trouble(
                ErrorClass::Timeout,
                format!("did not open a WebSocket within {:?}", limits::QUESTION),
            ))
        })
    }

    async fn upgrade(&self) -> Result<Socket, Refusal> {
        let key = STANDARD.encode(new_id().as_bytes());
        let sent = self
            .client
            .get(self.url())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key)
            .send();
        let response = sent.await.map_err(|e| match e.is_connect() {
            true => self.unreachable(&cause(&e)),
            false => self.trouble(
                ErrorClass::Cut,
                format!("ended the connection early: {}", cause(&e)),
            ),
        })?;
        let accepted = response
            .headers()
            .get(SEC_WEBSOCKET_ACCEPT)
            .is_some_and(|accept| {
                accept.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes()
            });
        if response.status() != StatusCode::SWITCHING_PROTOCOLS || !accepted {
            return Err(self.not_opened(&response));
        }
        let upgraded = response.upgrade().await.map_err(|e| {
            self.trouble(
                ErrorClass::Cut,
                format!("ended the connection early: {}", cause(&e)),
            )
        })?;
        let bounds = WebSocketConfig::default()
            .max_message_size(Some(limits::MESSAGE.held))
            .max_frame_size(Some(limits::MESSAGE.held));
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(bounds)).await)
    }

    /// What it means if no WebSocket was opened. The server has read nothing but the request for
    /// it.
    fn not_opened(&self, response: &Response) -> Refusal {
        let status = response.status();
        let class = match status.as_u16() {
            300..=399 => {
                let (asked, headers) = (response.url(), response.headers());
                let text = redirect::explain(&self.base, asked, headers, &self.url_setting);
                let text = format!("HTTP {}: {text}", status.as_u16());
                return Refusal::new(RefusalKind::TargetTrouble, ErrorClass::Redirected, text);
            }
            401 => ErrorClass::Unauthorized,
            403 => ErrorClass::Blocked,
            429 => ErrorClass::RateLimited,
            500..=599 => ErrorClass::Gateway,
            _ => ErrorClass::WrongServer,
        };
        let text = match class {
            ErrorClass::Unauthorized => "refused our token (HTTP 401)".to_owned(),
            _ => format!("opened no WebSocket: HTTP {}", status.as_u16()),
        };
        self.trouble(class, text)
    }

    fn unreachable(&self, cause: &str) -> Refusal {
        Refusal::new(
            RefusalKind::TargetTrouble,
            ErrorClass::Unreachable,
            format!("cannot connect to {}: {cause}", self.address()),
        )
    }

    fn trouble(&self, class: ErrorClass, text: impl std::fmt::Display) -> Refusal {
        let text = format!("{} {text}", self.address());
        Refusal::new(RefusalKind::TargetTrouble, class, text)
    }

    fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    fn url(&self) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/ws", self.base.path().trim_end_matches('/')));
        url
    }
}
