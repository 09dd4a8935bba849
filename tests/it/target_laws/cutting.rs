//! A proxy before a real server that cuts one connection at the moment a prompt is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Which connection is cut, and when.
#[derive(Clone)]
pub struct Cut {
    /// What the prompt contains.
    pub text: &'static str,
    /// Whether the server still gets the prompt. Its own connection then stays open.
    pub arrives: bool,
    done: Arc<AtomicBool>,
}

impl Cut {
    pub fn new(text: &'static str, arrives: bool) -> Self {
        Cut {
            text,
            arrives,
            done: Arc::default(),
        }
    }

    /// Whether this is the prompt, for the first time.
    fn is_now(&self, sent: &[u8]) -> bool {
        let text = self.text.as_bytes();
        sent.windows(text.len()).any(|part| part == text) && !self.done.swap(true, Ordering::SeqCst)
    }
}

/// Listens before a server that speaks HTTP, and gives its own address without a scheme.
pub async fn before_http(server: &str, cut: Cut) -> String {
    let server = address(server);
    let (listener, own) = listen().await;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(pass_http(client, server, cut.clone()));
        }
    });
    own
}

async fn pass_http(mut client: TcpStream, mut server: TcpStream, cut: Cut) {
    let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    let mut is_cut = false;
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Some(sent) = read.ok().filter(|n| *n > 0).map(|n| &from_client[..n]) else { return };
                is_cut |= cut.is_now(sent);
                if is_cut && !cut.arrives {
                    return;
                }
                server.write_all(sent).await.unwrap();
            }
            read = server.read(&mut from_server) => {
                let Some(answered) = read.ok().filter(|n| *n > 0).map(|n| &from_server[..n]) else { return };
                if is_cut {
                    break;
                }
                if client.write_all(answered).await.is_err() {
                    return;
                }
            }
        }
    }
    drop(client);
    while server.read(&mut from_server).await.is_ok_and(|n| n > 0) {}
}

/// Listens before a server that speaks over a WebSocket, and gives its own address without a scheme.
pub async fn before_web_socket(server: &str, token: &'static str, cut: Cut) -> String {
    let server = address(server);
    let (listener, own) = listen().await;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_messages(client, server.clone(), token, cut.clone()));
        }
    });
    own
}

async fn pass_messages(mut client: TcpStream, server: String, token: &str, cut: Cut) {
    let mut head = [0; 1_024];
    let n = client.peek(&mut head).await.unwrap_or(0);
    if !String::from_utf8_lossy(&head[..n]).contains("websocket") {
        let mut server = TcpStream::connect(&server).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        return;
    }
    let Ok(mut client) = tokio_tungstenite::accept_async(client).await else {
        return;
    };
    let mut request = format!("ws://{server}/ws").into_client_request().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let stream = TcpStream::connect(&server).await.unwrap();
    let (mut server, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    loop {
        tokio::select! {
            sent = client.next() => {
                let Some(Ok(sent)) = sent else { return };
                let is_cut = matches!(&sent, Message::Text(text) if cut.is_now(text.as_bytes()));
                if is_cut && !cut.arrives {
                    return;
                }
                server.send(sent).await.unwrap();
                if is_cut {
                    break;
                }
            }
            answered = server.next() => {
                let Some(Ok(answered)) = answered else { return };
                if client.send(answered).await.is_err() {
                    return;
                }
            }
        }
    }
    drop(client);
    while let Some(Ok(_)) = server.next().await {}
}

fn address(url: &str) -> String {
    let (_, address) = url.split_once("://").unwrap();
    address.trim_end_matches('/').to_owned()
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().to_string();
    (listener, own)
}
