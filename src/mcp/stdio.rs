//! MCP over standard input and output, with the one client that started us.

use std::io::Read;
use std::sync::Arc;

use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Handler, Shared, Transport};
use crate::error::{Code, Error, Result};

/// How much is read ahead of what has been understood, in bytes.
const READ_AHEAD: usize = 64 * 1024;

/// Answers until the client closes our input, or until `stop`.
///
/// # Errors
/// [`Code::Internal`] if the client speaks no MCP at all, or goes away in the middle of a message.
pub async fn serve(shared: Shared, stop: CancellationToken) -> Result<()> {
    let transport = (input(), tokio::io::stdout());
    let handler = Handler::new(Arc::new(shared), Transport::Stdio);
    let ended = match handler.serve_with_ct(transport, stop).await {
        Ok(session) => session.waiting().await.map(|_| ()).map_err(fault),
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {
            Ok(())
        }
        Err(e) => Err(fault(e)),
    };
    // What was answered last must be seen.
    let _ = tokio::io::stdout().flush().await;
    ended
}

fn fault(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(
        Code::Internal,
        "the client's messages on standard input can't be followed",
    )
    .caused_by(e)
}

/// Standard input, read on a thread of its own: a read can't be called back, and nobody waits for
/// this one at the end.
fn input() -> impl AsyncRead + Send + Unpin + 'static {
    let (mut to, from) = tokio::io::duplex(READ_AHEAD);
    let runtime = Handle::current();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = vec![0; READ_AHEAD];
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => {
                    if runtime.block_on(to.write_all(&buffer[..n])).is_err() {
                        return;
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    tracing::warn!("could not read standard input: {e}");
                    return;
                }
            }
        }
    });
    from
}
