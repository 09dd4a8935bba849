//! Listening to a turn's server-sent events until it ends.

use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use reqwest::Response;
use serde_json::Value;

use super::classify::Fault;
use super::http::Http;
use super::runs::Life;
use super::turn::Heard;
use super::{Doubt, ErrorClass, OnRun};

/// After this many pings in a row Letta is asked whether the run still goes on. The stream of a
/// run that died with its server is kept alive by pings for ever; they come every 20 seconds.
const PINGS_BEFORE_ASKING: u32 = 15;

/// Listens to `response` until the turn ends, adding to `heard`. Each run id heard is told to
/// `on_run` once.
pub(super) async fn listen(
    http: &Http,
    response: Response,
    orphan_age: jiff::SignedDuration,
    heard: &mut Heard,
    on_run: OnRun<'_>,
) -> Result<(), Doubt> {
    let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
    let is_stream = kind
        .and_then(|k| k.to_str().ok())
        .is_some_and(|k| k.contains("event-stream"));
    if !is_stream {
        return listen_whole(http, response, heard, on_run).await;
    }
    let mut events = response.bytes_stream().eventsource();
    let mut pings = 0;
    loop {
        // A byte is a sign of life, so the limit starts again with every event, pings included.
        let event = match tokio::time::timeout(http.idle(), events.next()).await {
            Err(_) => return Err(with_run(http.silent(), heard)),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => {
                let text = format!("the stream of {} broke: {}", http.address(), short(&error));
                return Err(with_run(Fault::doubt(ErrorClass::Cut, text), heard));
            }
            Ok(Some(Ok(event))) => event,
        };
        if event.data.trim() == "[DONE]" {
            heard.done = true;
            return Ok(());
        }
        let Ok(value) = serde_json::from_str::<Value>(&event.data) else {
            // An event of a kind we don't know; the turn's end is decided by those we do.
            continue;
        };
        let known = heard.run_id.clone();
        heard.take(&value);
        if event.event == "error" && heard.error.is_none() {
            heard.error = Some(super::classify::of_run(&value));
        }
        if let Some(run) = heard
            .run_id
            .as_deref()
            .filter(|run| known.as_deref() != Some(*run))
        {
            on_run(run);
        }
        pings = match value.get("message_type").and_then(Value::as_str) {
            Some("ping") => pings + 1,
            _ => 0,
        };
        if pings >= PINGS_BEFORE_ASKING {
            pings = 0;
            let Some(run) = heard.run_id.clone() else {
                continue;
            };
            match http.life_of(&run, orphan_age).await {
                Ok(Life::Ended(run)) => {
                    heard.take_run(&run);
                    heard.done = true;
                    return Ok(());
                }
                Ok(Life::Orphaned) => {
                    let text = format!("{run} only sends signs of life and is too old to go on");
                    return Err(with_run(Fault::doubt(ErrorClass::Timeout, text), heard));
                }
                Ok(Life::Runs | Life::Undated) | Err(_) => {}
            }
        }
    }
}

/// Understands the answer of a server that does not stream.
async fn listen_whole(
    http: &Http,
    response: Response,
    heard: &mut Heard,
    on_run: OnRun<'_>,
) -> Result<(), Doubt> {
    let whole = match tokio::time::timeout(http.idle(), http.complete(response)).await {
        Err(_) => Err(http.silent()),
        Ok(whole) => whole,
    };
    let body = whole.map_err(|fault| with_run(fault, heard))?.body;
    heard.take_response(&body);
    if let Some(run) = heard.run_id.as_deref() {
        on_run(run);
    }
    Ok(())
}

/// What a fault in the middle of a turn means: whatever it is, the turn may go on without us.
fn with_run(fault: Fault, heard: &Heard) -> Doubt {
    let mut doubt = match fault {
        Fault::Doubt(doubt) => doubt,
        Fault::Refused(r) | Fault::Failed(r) | Fault::NoRoute(r) => Doubt {
            class: r.class,
            text: r.text,
            run_id: None,
        },
    };
    doubt.run_id.clone_from(&heard.run_id);
    doubt
}

/// What broke a stream, without the URL that the outer error repeats.
fn short(error: &dyn std::error::Error) -> String {
    let mut text = String::from("the connection ended");
    let mut next = error.source();
    while let Some(e) = next {
        text = e.to_string();
        next = e.source();
    }
    text
}
