//! Addresses of servers of tests that stop and start again: nobody else is given them meanwhile.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

/// An address of this machine. Whoever connects to it while no server listens there is refused.
pub struct Port {
    /// Bound to the address, and listening never: so the system gives the port to nobody.
    _held: TcpSocket,
    address: SocketAddr,
}

impl Port {
    /// One that nobody else has.
    pub fn new() -> Self {
        Port::at("127.0.0.1:0".parse().unwrap())
    }

    /// The one of another server, which was stopped.
    pub fn at(address: SocketAddr) -> Self {
        let held = socket_at(address);
        Port {
            address: held.local_addr().unwrap(),
            _held: held,
        }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens there. Whoever did so before has to have ended.
    pub fn listen(&self) -> TcpListener {
        socket_at(self.address).listen(1_024).unwrap()
    }
}

fn socket_at(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    // The one that holds the address and the one that listens there.
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// Ends a task that listens: when this returns, it listens no more.
pub async fn end(serving: &JoinHandle<()>) {
    serving.abort();
    while !serving.is_finished() {
        tokio::task::yield_now().await;
    }
}
