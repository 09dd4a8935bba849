//! Connections that can be cut, one by one or all at once.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};

/// One connection, for whoever wants to cut it.
#[derive(Clone, Debug)]
pub struct Conn(Option<Arc<std::net::TcpStream>>);

impl Conn {
    /// Ends the connection at once, whatever was being said.
    pub fn cut(&self) {
        if let Some(stream) = &self.0 {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Every connection of a server.
#[derive(Clone, Default)]
pub struct Conns(Arc<Mutex<Vec<Conn>>>);

impl Conns {
    /// Ends them all.
    pub fn cut(&self) {
        self.0.lock().unwrap().drain(..).for_each(|c| c.cut());
    }
}

/// A listener that remembers its connections.
pub struct Net {
    pub listener: TcpListener,
    pub conns: Conns,
}

impl Listener for Net {
    type Io = TcpStream;
    type Addr = Conn;

    async fn accept(&mut self) -> (TcpStream, Conn) {
        loop {
            if let Ok(accepted) = self.listener.accept().await.and_then(split) {
                let mut conns = self.conns.0.lock().unwrap();
                // Those that nobody else holds any more have ended.
                conns.retain(|c| c.0.as_ref().is_some_and(|s| Arc::strong_count(s) > 1));
                conns.push(accepted.1.clone());
                return accepted;
            }
        }
    }

    fn local_addr(&self) -> io::Result<Conn> {
        Ok(Conn(None))
    }
}

fn split((stream, _): (TcpStream, SocketAddr)) -> io::Result<(TcpStream, Conn)> {
    let stream = stream.into_std()?;
    let handle = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, Conn(Some(Arc::new(handle)))))
}

impl Connected<IncomingStream<'_, Net>> for Conn {
    fn connect_info(stream: IncomingStream<'_, Net>) -> Self {
        stream.remote_addr().clone()
    }
}
