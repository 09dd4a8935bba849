//! HTTP and WebSockets of a fake App Server.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::Inner;
use super::harm::Harmed;
use super::requests;
use super::state::{Client, Out};
use super::turns;

/// Serves every connection until the server is stopped.
pub async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Otherwise the second of two small messages waits for the first one's acknowledgement.
        stream.set_nodelay(true).unwrap();
        let connection = connection(stream, inner.clone());
        inner.spawn(connection);
    }
}

async fn connection(mut stream: TcpStream, inner: Arc<Inner>) {
    let Some((path, headers)) = head(&mut stream).await else {
        return;
    };
    // A server that stands still answers nothing, here as there.
    inner.thaw().await;
    let given = headers
        .get("authorization")
        .and_then(|h| h.strip_prefix("Bearer "));
    let token = inner.state().token.clone();
    let refusal = match (&token, given) {
        (Some(_), None) => Some("missing websocket bearer token"),
        (Some(token), Some(given)) if token != given => Some("invalid websocket bearer token"),
        _ => None,
    };
    match (path.as_str(), headers.get("sec-websocket-key"), refusal) {
        ("/ws", Some(_), Some(why)) => {
            *inner
                .state()
                .asked
                .entry("without the token".into())
                .or_default() += 1;
            let answer =
                format!("HTTP/1.1 401 {why}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        ("/ws", Some(key), None) => {
            let accept = derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-accept: {accept}\r\n\r\n"
            );
            let opening = inner.state().opening;
            if let Some(opening) = opening {
                opening.carry_out(stream, &answer).await;
            } else if stream.write_all(answer.as_bytes()).await.is_ok() {
                let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
                talk(socket, inner).await;
            }
        }
        ("/app-server-info", _, refusal) => {
            let (status, body) = match refusal {
                Some(why) => ("401 Unauthorized", json!({"error": why})),
                None => (
                    "200 OK",
                    json!({"type": "app_server_info_response", "success": true, "backend": "local",
                           "letta_code_version": "0.34.12", "protocol_version": 1}),
                ),
            };
            let date = jiff::fmt::rfc2822::DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&inner.state().clock.now())
                .unwrap();
            answer(
                &mut stream,
                status,
                &format!("date: {date}\r\n"),
                &body.to_string(),
            )
            .await;
        }
        _ => answer(&mut stream, "404 Not Found", "", "").await,
    }
}

async fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

async fn head(stream: &mut TcpStream) -> Option<(String, HashMap<String, String>)> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers
        .map(|(k, v)| (k.to_lowercase(), v.to_owned()))
        .collect();
    Some((path, headers))
}

async fn talk(socket: WebSocketStream<TcpStream>, inner: Arc<Inner>) {
    let (mut sink, mut stream) = socket.split();
    let (out, mut outs) = mpsc::unbounded_channel();
    let id = {
        let mut state = inner.state();
        let id = state.next();
        let follows = HashSet::new();
        state.clients.insert(id, Client { out, follows });
        id
    };
    let writing = async {
        let (mut left, mut is_silent) = (usize::MAX, false);
        while let Some(next) = outs.recv().await {
            match next {
                Out::CutAfter(n) => left = n,
                Out::Text(_) if is_silent => {}
                Out::Text(text) => match inner.harmed(text) {
                    Harmed::Text(text) => {
                        if sink.send(Message::text(text)).await.is_err() {
                            return;
                        }
                        left -= 1;
                    }
                    Harmed::Nothing => {}
                    Harmed::Silence => is_silent = true,
                    Harmed::Cut => return,
                },
            }
            if left == 0 {
                return;
            }
        }
    };
    let reading = async {
        while let Some(Ok(message)) = stream.next().await {
            inner.thaw().await;
            let Message::Text(text) = message else {
                continue;
            };
            inner.delay_input(&text).await;
            if !requests::take(&inner, id, &text) {
                return;
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
    turns::left(&inner, id);
}
