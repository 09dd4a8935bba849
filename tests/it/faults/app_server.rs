//! What can go wrong on the wire of an App Server, from the opening of the WebSocket to the end of the
//! turn, and what is to come of the prompt: the table in docs/app-server.md.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::StreamExt;
use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::AppServer;
use promptyoself::models::{Conversation, ScheduleType, State};
use promptyoself::scheduler::DeliveryReport;

use super::DELIVERED;
use super::scene::{documented_ways, show};
use crate::client;
use crate::fake_app_server::{FakeAppServer, Harm, Opening, Scope, Script};
use crate::passing_time::let_happen;
use crate::world::{START, World};

/// After so many seconds of the manual clock whatever lasts is put right, unless a row says
/// otherwise.
const RELIEF: i64 = 45;

/// After so many a fault must have passed.
const LONGEST: i64 = 600;

/// How many rows of the table are played side by side.
const AT_ONCE: usize = 6;

/// What the fault hits, and what comes after it in the same conversation.
const PROMPTS: [&str; 2] = ["the prompt that is hit", "the prompt behind it"];

/// One row of the table.
struct Fault {
    name: String,
    begin: Box<dyn Fn(&FakeAppServer) + Send + Sync>,
    /// What is decided about the prompt, but for what leaves it unknown.
    decisions: Vec<String>,
    /// After how many seconds whatever lasts is put right.
    relief: i64,
    /// Whether the whole server is held.
    holds: bool,
    /// How often the prompt is stored: once more if the server runs it again itself.
    copies: usize,
}

fn fault(
    name: impl ToString,
    begin: impl Fn(&FakeAppServer) + Send + Sync + 'static,
    decisions: &[&str],
) -> Fault {
    Fault {
        name: name.to_string(),
        begin: Box::new(begin),
        decisions: decisions.iter().map(|d| (*d).to_owned()).collect(),
        relief: RELIEF,
        holds: false,
        copies: 1,
    }
}

/// No WebSocket is opened, or one that is of no use: nothing was sent.
fn openings() -> Vec<Fault> {
    use Opening as O;
    let statuses = [
        ("redirected", &[300, 301, 302, 303, 304, 305, 307, 308][..]),
        ("unauthorized", &[401]),
        ("blocked", &[403]),
        ("rate_limited", &[429]),
        ("gateway", &[500, 501, 502, 503, 504, 530]),
        ("wrong_server", &[200, 204, 400, 404, 405, 407, 410, 426]),
    ];
    let statuses = statuses.into_iter().flat_map(|(class, statuses)| {
        let all = statuses.iter();
        all.map(move |status| (O::Status(*status), class))
    });
    let others = [
        (O::Cut, "cut"),
        (O::Silence, "timeout"),
        (O::Garbage, "cut"),
        (O::Endless, "cut"),
        (O::Unproved, "wrong_server"),
        (O::OpenedAndCut, "cut"),
        (O::OpenedAndGarbage, "garbled"),
    ];
    let all = statuses.chain(others).map(|(opening, class)| Fault {
        holds: true,
        ..fault(
            format!("{opening:?} instead of a WebSocket"),
            move |fake| fake.open_with(Some(opening)),
            &[&format!("waiting {class}"), DELIVERED],
        )
    });
    all.collect()
}

/// The answers that are waited for before the prompt is sent.
fn before_the_input() -> Vec<Fault> {
    let harms = [
        (Harm::Cut, "cut"),
        (Harm::Lost, "timeout"),
        (Harm::Silence, "timeout"),
        (Harm::Garbage, "timeout"),
        (Harm::Misshapen, "garbled"),
        (Harm::Oversize, "too_large"),
        (Harm::Failed("boom"), "server_error"),
    ];
    let of = |kind: &'static str| {
        harms.map(|(harm, class)| {
            fault(
                format!("{harm:?} in place of {kind}"),
                move |fake| fake.harm(kind, harm, usize::MAX),
                &[&format!("waiting {class}"), DELIVERED],
            )
        })
    };
    [of("runtime_start_response"), of("sync_response")]
        .into_iter()
        .flatten()
        .collect()
}

/// What becomes of the input, and of the answer to it.
fn of_the_input() -> Vec<Fault> {
    let script = |script: Script, decisions: &[&str]| {
        let name = format!("an input that meets {script:?}");
        fault(
            name,
            move |fake| fake.script("default", script.clone()),
            decisions,
        )
    };
    let answer = |harm: Harm, decisions: &[&str]| {
        fault(
            format!("{harm:?} in place of input_accepted"),
            move |fake| fake.harm("input_accepted", harm, 1),
            decisions,
        )
    };
    let taken = "Conversation default already has an active run (local-run-7)";
    vec![
        script(
            Script::CutBefore,
            &["unknown cut", "waiting not_received", DELIVERED],
        ),
        Fault {
            // Before it is sent again.
            relief: 20,
            ..script(
                Script::Silence,
                &["unknown timeout", "waiting not_received", DELIVERED],
            )
        },
        script(
            Script::NotTaken("Input was rejected by the queue".into()),
            &["waiting busy", DELIVERED],
        ),
        script(
            Script::NotTaken("Stable input ledger is at capacity".into()),
            &["waiting server_error", DELIVERED],
        ),
        script(
            Script::FailsUnstored(taken.into()),
            &["waiting busy", DELIVERED],
        ),
        script(
            Script::FailsUnstored("boom".into()),
            &["waiting nothing_ran", DELIVERED],
        ),
        script(Script::ModelError("429: slow down".into()), &[DELIVERED]),
        script(Script::CutAfter(0), &["unknown cut", DELIVERED]),
        answer(Harm::Cut, &["unknown cut", DELIVERED]),
        answer(Harm::Lost, &["unknown timeout", DELIVERED]),
        answer(Harm::Silence, &["unknown timeout", DELIVERED]),
        answer(Harm::Garbage, &["unknown timeout", DELIVERED]),
        answer(Harm::Misshapen, &["unknown garbled", DELIVERED]),
        answer(Harm::Oversize, &["unknown too_large", DELIVERED]),
        Fault {
            // It is run again as soon as its conversation is started.
            copies: 2,
            ..fault(
                "a server that is killed in the turn",
                |fake| {
                    fake.hold("default", true);
                    fake.harm("input_accepted", Harm::Killed, 1);
                },
                &["unknown cut", DELIVERED],
            )
        },
    ]
}

/// The events of the turn.
fn of_the_turn() -> Vec<Fault> {
    let harms: [(Harm, &[&str]); 7] = [
        (Harm::Cut, &["unknown cut", DELIVERED]),
        (Harm::Lost, &[DELIVERED]),
        (Harm::Silence, &["unknown timeout", DELIVERED]),
        (Harm::Garbage, &[DELIVERED]),
        (Harm::Misshapen, &[DELIVERED]),
        // For those who follow a turn it is the end of their connection.
        (Harm::Oversize, &["unknown cut", DELIVERED]),
        (Harm::Killed, &["unknown cut", DELIVERED]),
    ];
    let of = |kind: &'static str| {
        harms.map(|(harm, decisions)| {
            fault(
                format!("{harm:?} in place of {kind}"),
                move |fake| fake.harm(kind, harm, 1),
                decisions,
            )
        })
    };
    [of("stream_delta"), of("turn_finished")]
        .into_iter()
        .flatten()
        .collect()
}

#[tokio::test]
async fn whatever_an_app_servers_wire_does_a_prompt_is_stored_once_and_told_as_documented() {
    let all = [
        openings(),
        before_the_input(),
        of_the_input(),
        of_the_turn(),
    ];
    let played = futures_util::stream::iter(all.into_iter().flatten())
        .map(|fault| async move {
            play(&fault)
                .await
                .map_err(|e| format!("{}: {e}", fault.name))
        })
        .buffer_unordered(AT_ONCE);
    let wrong: Vec<String> = (played.filter_map(|result| async { result.err() }))
        .collect()
        .await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Plays one row, and says what was not as it should be.
async fn play(fault: &Fault) -> Result<(), String> {
    let clock = Clock::manual(START.parse().unwrap());
    let fake = FakeAppServer::start_at(clock.clone()).await;
    let agent = fake.add_agent();
    let scope = Scope::new(&agent, "default");
    // In place of the observer: a cut connection of ours cancels no turn.
    fake.observe(&scope);
    let server = AppServer::new(client::settings(&fake.url()), clock.clone()).unwrap();
    let world = World::on(Arc::new(server), clock.clone()).await;
    for (seconds, prompt) in (1..).zip(PROMPTS) {
        let at = world.now() + SignedDuration::from_secs(seconds);
        let mut wish = world.wish(agent.as_str(), prompt, ScheduleType::Once, &at.to_string());
        wish.conversation = Some(Conversation::Default);
        wish.skip_validation = true;
        world.service.register(&wish).await.unwrap();
    }
    (fault.begin)(&fake);
    let mut running = world.start();
    let began = clock.now();
    let mut decisions: Vec<DeliveryReport> = Vec::new();
    let mut was_held = false;
    let mut is_over = false;
    while !is_over {
        clock.advance(SignedDuration::from_millis(200));
        let_happen(&[&world.service.db]).await;
        let passed = clock.now().duration_since(began).as_secs();
        if passed == fault.relief {
            fake.heal();
        }
        if passed > LONGEST {
            return Err(format!("it did not pass: {decisions:#?}"));
        }
        while let Ok(report) = running.reports.try_recv() {
            let held = world.service.db.list_held_targets().await.unwrap();
            was_held |= !held.is_empty();
            let occurrences = world.occurrences().await;
            let of = occurrences.iter().find(|o| o.id == report.occurrence_id);
            if of.unwrap().intended_at == began + SignedDuration::from_secs(1) {
                decisions.push(report);
            } else {
                is_over |= report.state == State::Delivered;
            }
        }
    }
    running.stop().await;

    let ways = documented_ways();
    let mut from = State::Sending;
    for to in decisions.iter().map(|decision| decision.state) {
        let way = (from.to_string(), to.to_string());
        if (from, to) != (State::Unknown, State::Unknown) && !ways.contains(&way) {
            return Err(format!("{from} → {to} is not documented"));
        }
        from = match to {
            State::Waiting => State::Sending,
            to => to,
        };
    }
    let mut told: Vec<String> = decisions.iter().map(show).collect();
    told.retain(|one| one != "unknown unclear" && one != "unknown running");
    told.dedup();
    if told != fault.decisions {
        return Err(format!("{told:?} instead of {:?}", fault.decisions));
    }
    if was_held != fault.holds {
        return Err(format!("was held: {was_held}"));
    }
    // Of us the server got each prompt once under each otid, whatever it did with it.
    let received = fake.record(|r| r.received.clone());
    if let Some(again) = received.iter().find(|r| r.is_repeat) {
        return Err(format!("{again:?}"));
    }
    let messages = fake.messages(&scope);
    let of_user = messages
        .iter()
        .filter(|m| m["message_type"] == "user_message");
    let of_user: Vec<_> = of_user
        .map(|m| (m["content"].as_str().unwrap(), m["otid"].as_str().unwrap()))
        .collect();
    let otids: HashSet<&str> = of_user.iter().map(|(_, otid)| *otid).collect();
    let is_in_order = of_user.iter().enumerate().all(|(n, (text, _))| {
        let prompt = PROMPTS[usize::from(n >= fault.copies)];
        text.ends_with(prompt)
    });
    if !is_in_order || of_user.len() != fault.copies + 1 || otids.len() != 2 {
        return Err(format!("the conversation has {of_user:?}"));
    }
    Ok(())
}
