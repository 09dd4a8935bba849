//! The signals that end a process.

use tokio_util::sync::CancellationToken;

use crate::error::{Code, Error, Result};

/// A token that is cancelled by SIGTERM or SIGINT.
pub(crate) fn stopped_by_signal() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    cancel_by_signal(stop.clone())
        .map_err(|e| Error::new(Code::Internal, "could not listen for signals").caused_by(e))?;
    Ok(stop)
}

/// A token that is cancelled by SIGTERM only. What a terminal sends to everything it started is
/// ignored.
#[cfg(unix)]
pub(crate) fn stopped_by_sigterm() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    // A handler stays when nobody waits for its signal any more.
    let _ignored = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    );
    let told = stop.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        told.cancel();
    });
    Ok(stop)
}

#[cfg(unix)]
fn cancel_by_signal(stop: CancellationToken) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

#[cfg(not(unix))]
fn cancel_by_signal(stop: CancellationToken) -> std::io::Result<()> {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    Ok(())
}
