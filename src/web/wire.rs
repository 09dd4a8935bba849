//! A connection as the HTTP server reads and writes it, which notices when the other end reads
//! nothing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::discard::Discard;
use super::places::{Owed, Place};
use crate::limits;

/// A socket whose writes fail once the other end has taken no byte for [`limits::UNREAD`].
pub(crate) struct Wire {
    socket: TcpStream,
    place: Arc<Place>,
    /// Ends when the other end has had its time; only set while it reads nothing.
    patience: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Set once we have closed our side while a body was still arriving.
    discard: Option<Discard>,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream, place: Arc<Place>) -> Self {
        close_if_unread(&socket);
        Wire {
            socket,
            place,
            patience: None,
            discard: None,
        }
    }

    /// The result of a write, or the end of our patience.
    fn watched<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.patience.take().is_some() {
                self.place.gave(Owed::Reading);
            }
            return written;
        }
        self.place.owes(Owed::Reading);
        let clock = self.place.clock();
        let patience = self.patience.get_or_insert_with(|| {
            let clock = clock.clone();
            Box::pin(async move { clock.sleep(limits::UNREAD).await })
        });
        ready!(patience.as_mut().poll(context));
        // Polling it again would panic.
        self.patience = Some(Box::pin(std::future::pending()));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the other end did not read the answer",
        )))
    }
}

/// Lets the system close the connection of a client that reads nothing, even after we have written
/// everything and closed our side.
fn close_if_unread(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    {
        let limit = u32::try_from(limits::UNREAD.as_millis()).unwrap_or(u32::MAX);
        if let Err(e) = rustix::net::sockopt::set_tcp_user_timeout(socket, limit) {
            tracing::debug!("a socket has no limit for what is not read: {e}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.place.drop_kept();
        // Don't keep what was never read for a client that reads nothing.
        if self.patience.is_some() {
            let _ = self.socket.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.watched(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, bytes);
        self.watched(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A shutdown is only requested when everything has been written.
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        if flushed.is_ready() {
            self.place.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.discard.is_none() {
            ready!(Pin::new(&mut this.socket).poll_shutdown(context))?;
            if !this.place.has_left_body() {
                return Poll::Ready(Ok(()));
            }
        }
        let discard = this
            .discard
            .get_or_insert_with(|| Discard::new(this.place.clock()));
        discard.poll(&mut this.socket, context)
    }
}
