//! Listening to a turn's server-sent events until it ends.

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Response;
use serde_json::Value;

use super::classify::RequestFailure;
use super::http::Http;
use super::runs::RunState;
use super::sse::{Event, Events, StreamItem};
use super::turn::TurnRecord;
use crate::clock::Clock;
use crate::http::limits;
use crate::letta_client::target::OnRun;
use crate::models::{Doubt, ErrorClass};

/// After this many keep-alives in a row, or after [`limits::KEEP_ALIVES`], Letta is asked whether
/// the turn is still running. The stream of a run that died with its server is kept alive by pings
/// forever; they come every 20 seconds.
const KEEP_ALIVES_BEFORE_ASKING: u32 = 15;

/// A turn being listened to.
pub(super) struct Listening<'a> {
    /// The server.
    pub http: &'a Http,
    /// The agent whose turn it is.
    pub agent: &'a str,
    /// The age from which a run that never ends counts as orphaned by a crash of the server.
    pub orphan_age: SignedDuration,
    /// Receives each run id once.
    pub on_run: OnRun<'a>,
}

impl Listening<'_> {
    /// Listens to `response` until the turn ends, adding to the record.
    pub(super) async fn listen(
        &self,
        mut response: Response,
        turn: &mut TurnRecord,
    ) -> Result<(), Doubt> {
        let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
        let is_stream = kind
            .and_then(|k| k.to_str().ok())
            .is_some_and(|k| k.contains("event-stream"));
        if !is_stream {
            return self.listen_whole(response, turn).await;
        }
        let clock = self.http.clock();
        let mut patience = Patience::new(clock, self.http.idle(), self.orphan_age);
        let mut events = Events::default();
        let mut of_event: u64 = 0;
        loop {
            let (left, end) = patience.left(clock);
            let piece = match left.is_zero() {
                // However much arrives: what says nothing is silence.
                true => None,
                false => clock.within(left, response.chunk()).await,
            };
            let piece = match piece {
                None => return Err(self.given_up(end, turn)),
                Some(Err(error)) => return Err(with_run(self.http.broken(&error), turn)),
                Some(Ok(None)) => return Ok(()),
                Some(Ok(Some(piece))) => piece,
            };
            let mut rest = &piece[..];
            of_event += piece.len() as u64;
            while let Some(said) = events.next(&mut rest) {
                of_event = rest.len() as u64;
                if self.take(&said, turn) {
                    patience.has_news(clock);
                } else {
                    patience.note_keep_alive(clock);
                }
                if turn.done {
                    return Ok(());
                }
                if patience.is_to_ask(clock) {
                    self.ask(turn).await?;
                    patience.has_asked(clock);
                    if turn.done {
                        return Ok(());
                    }
                }
            }
            if of_event > limits::EVENT.read {
                return Err(with_run(self.http.too_large(&limits::EVENT), turn));
            }
        }
    }

    /// Adds an item to the record, and returns whether it was anything new about the turn.
    fn take(&self, said: &StreamItem, turn: &mut TurnRecord) -> bool {
        let StreamItem::Event(Event {
            name,
            data: Some(data),
        }) = said
        else {
            return false;
        };
        if data.trim_ascii() == b"[DONE]" {
            turn.done = true;
            return true;
        }
        // Bytes that aren't UTF-8 are replaced by markers.
        let Ok(value) = serde_json::from_str::<Value>(&String::from_utf8_lossy(data)) else {
            // An event of an unknown kind; the turn's end is decided by known ones.
            return false;
        };
        let known = turn.run_id.clone();
        turn.take(&value);
        if name == "error" && turn.error.is_none() {
            turn.error = Some(super::classify::of_run(&value));
        }
        if let Some(run) = turn
            .run_id
            .as_deref()
            .filter(|run| known.as_deref() != Some(*run))
        {
            (self.on_run)(run);
        }
        let kind = value.get("message_type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind != "ping") || name == "error"
    }

    /// Asks whether the turn is still running.
    async fn ask(&self, turn: &mut TurnRecord) -> Result<(), Doubt> {
        let Some(run) = turn.run_id.clone() else {
            let active = self.http.active_runs(self.agent, self.orphan_age).await;
            // A running one may be this one.
            if active.is_ok_and(|runs| runs.iter().all(|run| run.orphaned)) {
                let text = format!(
                    "{} only sends keep-alives, and no turn of {} is running",
                    self.http.address(),
                    self.agent
                );
                return Err(with_run(
                    RequestFailure::doubt(ErrorClass::Timeout, text),
                    turn,
                ));
            }
            return Ok(());
        };
        match self.http.run_state(&run, self.orphan_age).await {
            Ok(RunState::Ended(run)) => {
                turn.take_run(&run);
                turn.done = true;
                Ok(())
            }
            Ok(RunState::Orphaned) => {
                let text =
                    format!("{run} only sends keep-alives and is too old to be still running");
                Err(with_run(
                    RequestFailure::doubt(ErrorClass::Timeout, text),
                    turn,
                ))
            }
            Ok(RunState::Active | RunState::Undated) | Err(_) => Ok(()),
        }
    }

    /// Reads the answer of a server that does not stream.
    async fn listen_whole(&self, response: Response, turn: &mut TurnRecord) -> Result<(), Doubt> {
        let whole = self.http.complete(response, &limits::WHOLE_TURN);
        let whole = self.http.within(self.http.idle(), whole).await;
        let body = whole.map_err(|failure| with_run(failure, turn))?.body;
        turn.take_response(&body);
        if let Some(run) = turn.run_id.as_deref() {
            (self.on_run)(run);
        }
        Ok(())
    }

    /// What it means that we stopped listening.
    fn given_up(&self, end: End, turn: &TurnRecord) -> Doubt {
        let address = self.http.address();
        let text = match end {
            End::Silence => return with_run(self.http.silent(), turn),
            End::OnlySigns => {
                format!("{address} has only sent keep-alives for longer than any run may last")
            }
            End::TooLong => format!("{address} did not end the turn within {:?}", limits::TURN),
        };
        with_run(RequestFailure::doubt(ErrorClass::Timeout, text), turn)
    }
}

/// Why we stopped listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Silence,
    OnlySigns,
    TooLong,
}

/// How long to keep listening, by the clock that never jumps.
struct Patience {
    /// How long it may be silent.
    idle: SignedDuration,
    /// How long it may bring nothing new.
    without_news: SignedDuration,
    began: SignedDuration,
    sign_at: SignedDuration,
    news_at: SignedDuration,
    asked_at: SignedDuration,
    /// Keep-alives since there was news or Letta was asked.
    keep_alives: u32,
}

impl Patience {
    fn new(clock: &Clock, idle: Duration, orphan_age: SignedDuration) -> Self {
        let now = clock.moment().uptime;
        let idle = long(idle);
        Patience {
            idle,
            without_news: orphan_age.max(idle),
            began: now,
            sign_at: now,
            news_at: now,
            asked_at: now,
            keep_alives: 0,
        }
    }

    /// The time that is left, and what it means when it has passed.
    fn left(&self, clock: &Clock) -> (Duration, End) {
        let now = clock.moment().uptime;
        let ends = [
            (self.sign_at, self.idle, End::Silence),
            (self.news_at, self.without_news, End::OnlySigns),
            (self.began, long(limits::TURN), End::TooLong),
        ];
        let left = ends.map(|(since, limit, end)| {
            let left = since.saturating_add(limit).saturating_sub(now);
            (Duration::try_from(left).unwrap_or_default(), end)
        });
        let [silence, rest @ ..] = left;
        let nearer = |a: (Duration, End), b: (Duration, End)| if b.0 < a.0 { b } else { a };
        rest.into_iter().fold(silence, nearer)
    }

    fn has_news(&mut self, clock: &Clock) {
        let now = clock.moment().uptime;
        (self.sign_at, self.news_at, self.asked_at) = (now, now, now);
        self.keep_alives = 0;
    }

    fn note_keep_alive(&mut self, clock: &Clock) {
        self.sign_at = clock.moment().uptime;
        self.keep_alives += 1;
    }

    fn is_to_ask(&self, clock: &Clock) -> bool {
        let since = clock.moment().uptime.saturating_sub(self.asked_at);
        self.keep_alives >= KEEP_ALIVES_BEFORE_ASKING
            || self.keep_alives > 0 && since >= long(limits::KEEP_ALIVES)
    }

    fn has_asked(&mut self, clock: &Clock) {
        self.asked_at = clock.moment().uptime;
        self.keep_alives = 0;
    }
}

fn long(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)
}

/// What a failure in the middle of a turn means: whatever it is, the turn may continue without us.
fn with_run(failure: RequestFailure, turn: &TurnRecord) -> Doubt {
    let mut doubt = match failure {
        RequestFailure::Doubt(doubt) => doubt,
        RequestFailure::Refused(r) | RequestFailure::Failed(r) | RequestFailure::NoRoute(r) => {
            Doubt {
                class: r.class,
                text: r.text,
                run_id: None,
            }
        }
    };
    doubt.run_id.clone_from(&turn.run_id);
    doubt
}
