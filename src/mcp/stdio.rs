//! MCP over standard input and output, with the client that started this process.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::{RoleServer, ServerInitializeError};
use rmcp::transport::Transport as Talk;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::message::{self, Parsed, Refusal};
use super::{Handler, Shared, Transport};
use crate::error::{Code, Error, Result};
use crate::limits;

/// How many lines may be queued between the client and us, in each direction.
const LINES: usize = 4;

/// How much of a line that is too large is kept: enough to find the id to answer.
const BEGINNING: usize = 64 * 1024;

/// How long writing the last answers may take.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Answers until the client closes its end, or until `stop`.
///
/// # Errors
/// [`Code::Internal`] if the client doesn't speak MCP, or leaves in the middle of a message.
pub async fn serve(shared: Shared, stop: CancellationToken) -> Result<()> {
    let clock = shared.clock.clone();
    let (answers, written) = output();
    let lines = Lines {
        from_client: input(),
        to_client: answers,
        refusal: None,
    };
    let handler = Handler::new(Arc::new(shared), Transport::Stdio);
    let ended = match handler.serve_with_ct(lines, stop).await {
        Ok(session) => session.waiting().await.map(|_| ()).map_err(fault),
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {
            Ok(())
        }
        Err(e) => Err(fault(e)),
    };
    // The last answers must reach the client, unless it has stopped reading.
    tokio::select! {
        _ = written => {}
        () = clock.sleep(LAST_WORDS) => {}
    }
    ended
}

fn fault(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(
        Code::Internal,
        "can't read the client's messages from standard input",
    )
    .caused_by(e)
}

/// A line from the client.
enum Line {
    /// A complete line.
    Whole(Vec<u8>),
    /// The beginning of a line that is larger than a message may be.
    TooLarge(Vec<u8>),
}

/// Messages in both directions, one per line.
struct Lines {
    from_client: mpsc::Receiver<Line>,
    to_client: mpsc::Sender<String>,
    /// An answer still to be sent for a line that could not be understood: reading may be
    /// interrupted at any time, and continues here.
    refusal: Option<String>,
}

impl Talk<RoleServer> for Lines {
    type Error = io::Error;

    fn name() -> Cow<'static, str> {
        "stdio".into()
    }

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let to_client = self.to_client.clone();
        async move {
            let line = serde_json::to_string(&item)?;
            to_client.send(line).await.map_err(|_| closed())
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if let Some(refusal) = &self.refusal {
                self.to_client.send(refusal.clone()).await.ok()?;
                self.refusal = None;
            }
            match self.from_client.recv().await? {
                Line::Whole(line) => match message::read(&line) {
                    Parsed::Message { message, .. } => return Some(*message),
                    Parsed::Nothing => {}
                    Parsed::Refused(refusal) => self.refusal = Some(refusal.to_json()),
                },
                Line::TooLarge(line) => {
                    self.refusal =
                        Some(Refusal::too_large(&message::id_in(&line), limits::BODY).to_json());
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.from_client.close();
        Ok(())
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the client has stopped reading")
}

/// Standard output, written by a task of its own, so that lines are never mixed. It ends when all
/// senders are gone.
fn output() -> (mpsc::Sender<String>, JoinHandle<()>) {
    let (to, mut lines) = mpsc::channel::<String>(LINES);
    let writer = tokio::spawn(async move {
        let mut stdout = tokio::io::stdout();
        while let Some(mut line) = lines.recv().await {
            line.push('\n');
            let written = async {
                stdout.write_all(line.as_bytes()).await?;
                stdout.flush().await
            };
            if let Err(e) = written.await {
                tracing::debug!("could not write to standard output: {e}");
                return;
            }
        }
    });
    (to, writer)
}

/// Standard input, read on a thread of its own: a read can't be interrupted, and nothing waits for
/// this one at the end.
fn input() -> mpsc::Receiver<Line> {
    let (to, lines) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            match read_line(&mut stdin, limits::BODY) {
                Ok(None) => return,
                Ok(Some(line)) => {
                    if to.blocking_send(line).is_err() {
                        return;
                    }
                }
                Err(e) => {
                    tracing::warn!("could not read standard input: {e}");
                    return;
                }
            }
        }
    });
    lines
}

/// The next line without its line break, which the last one may lack. `None` at the end.
fn read_line(input: &mut impl BufRead, largest: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let most = u64::try_from(largest).unwrap_or(u64::MAX).saturating_add(1);
    if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(Line::Whole(line)));
    }
    if line.len() <= largest {
        return Ok(Some(Line::Whole(line)));
    }
    line.truncate(BEGINNING);
    line.shrink_to_fit();
    input.skip_until(b'\n')?;
    Ok(Some(Line::TooLarge(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_large_is_skipped_and_the_next_one_read() {
        let mut input: &[u8] = b"1234\n12345\n123456789\n\nlast";
        let mut read = Vec::new();
        while let Some(line) = read_line(&mut input, 5).unwrap() {
            read.push(match line {
                Line::Whole(line) => String::from_utf8(line).unwrap(),
                Line::TooLarge(line) => format!("too large: {}", line.len()),
            });
        }
        assert_eq!(read, ["1234", "12345", "too large: 6", "", "last"]);
    }
}
