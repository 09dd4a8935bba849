//! The same with an App Server, which is restarted meanwhile. It runs again what it had taken, and
//! stores it another time under the same id; of us it receives everything once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use promptyoself::clock::Clock;
use promptyoself::letta_client::AppServer;
use promptyoself::models::{AgentId, Conversation};
use serde_json::Value;

use super::account::{Account, Figures};
use super::kills::{Kills, Plan};
use super::load::Schedules;
use super::{AGENTS, KILLS_OF_A_SPELL, pause_between_top_ups, say, seed, size};
use crate::client;
use crate::daemon::Program;
use crate::fake_app_server::{FakeAppServer, Load, Scope, Script};
use crate::observer::{children, until_gone};

/// The token that the server wants.
const TOKEN: &str = "pw-test";

/// What the whole server goes through between the kills and under them.
#[derive(Clone, Copy, Debug)]
enum Spell {
    Restarted,
    Frozen,
    TokenRefused,
}

const EVERY_SPELL: [Spell; 3] = [Spell::Restarted, Spell::Frozen, Spell::TokenRefused];

impl Spell {
    /// A restart comes after the time, everything else lasts for it.
    fn cast(self, fake: &Arc<FakeAppServer>, time: Duration) {
        let fake = fake.clone();
        match self {
            Spell::Restarted => {}
            Spell::Frozen => fake.freeze(true),
            Spell::TokenRefused => fake.set_token(Some("another")),
        }
        tokio::spawn(async move {
            Clock::system().sleep(time).await;
            match self {
                Spell::Restarted => fake.restart(),
                Spell::Frozen => fake.freeze(false),
                Spell::TokenRefused => fake.set_token(Some(TOKEN)),
            }
        });
    }

    /// How often it was met.
    fn met(self, fake: &FakeAppServer) -> usize {
        match self {
            Spell::Restarted => fake.record(|r| r.reruns.len()),
            Spell::Frozen => fake.asked("while frozen"),
            Spell::TokenRefused => fake.asked("without the token"),
        }
    }
}

/// What it does wrong to some of a thousand inputs.
fn mishaps() -> Vec<(u32, Script)> {
    let in_use = "Input was rejected by the queue";
    let full = "Stable input ledger is at capacity";
    vec![
        (5, Script::CutBefore),
        (5, Script::CutAfter(0)),
        (5, Script::CutAfter(1)),
        (5, Script::CutAfter(4)),
        (20, Script::NotTaken(in_use.into())),
        (20, Script::NotTaken(full.into())),
        (20, Script::FailsUnstored("boom".into())),
        (20, Script::ModelError("429: slow down".into())),
        (50, Script::Runs(3)),
    ]
}

/// The conversation of an agent that has a name and is not made by us.
fn own_conversation(agent: &AgentId) -> String {
    format!("local-conv-of-{agent}")
}

/// Of three prompts one is sent into a conversation of its own, one into the agent's, and one
/// where nothing else is said; for two of the agents that is the default conversation, which all
/// agents share.
fn conversation_of(agent: &AgentId, n: usize) -> Option<Conversation> {
    match n % 3 {
        0 => Some(Conversation::New),
        1 => Some(Conversation::parse(&own_conversation(agent)).unwrap()),
        _ => (agent.as_str().ends_with("01") || agent.as_str().ends_with("02"))
            .then_some(Conversation::Default),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_an_app_server_too_each_prompt_arrives_once_whenever_the_daemon_is_killed() {
    let (seed, size) = (seed(), size());
    say(&format!(
        "crash, App Server: PROMPTYOSELF_SEED={seed} repeats its random part"
    ));
    let fake = Arc::new(FakeAppServer::start().await);
    fake.set_token(Some(TOKEN));
    fake.set_load(Load {
        random: fastrand::Rng::with_seed(seed ^ 1),
        before: 0..30,
        turn: 100..700,
        mishaps: mishaps(),
    });
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("promptyoself.db");
    let agents: Vec<AgentId> = (0..AGENTS).map(|_| fake.add_agent()).collect();
    for agent in &agents {
        fake.add_conversation(agent, &own_conversation(agent));
    }
    let program =
        Program::new(&database, &fake.ws_url(), TOKEN).with("PROMPTYOSELF_RETRY_FIRST", "0.3");
    let settings = client::settings(&fake.url());
    let target = Arc::new(AppServer::new(settings, Clock::system()).unwrap());

    let mut schedules = Schedules::new(&database, target, agents, conversation_of, seed ^ 2).await;
    let mut plan = Plan::new(seed ^ 3, size.kills);
    let mut kills = Kills::default();
    let mut spells = EVERY_SPELL.into_iter().cycle();
    let mut random = fastrand::Rng::with_seed(seed ^ 4);
    while let Some(kill) = plan.next() {
        schedules.top_up().await;
        if kills.all.is_multiple_of(KILLS_OF_A_SPELL) {
            let time = Duration::from_millis(random.u64(300..1_500));
            spells.next().unwrap().cast(&fake, time);
        }
        let reached = kills.kill(&kill, &program, &*fake, &database).await;
        plan.note(kill, reached);
    }
    let daemon = loop {
        schedules.top_up().await;
        let daemon = program.start(&["serve"], "serve");
        if schedules.instants() >= size.occurrences {
            break daemon;
        }
        pause_between_top_ups().await;
        daemon.stop();
    };
    // As somebody does who is told that a conversation is blocked.
    fake.restart();
    schedules.until_all_is_settled().await;
    let observers = children(daemon.pid());
    let log = daemon.stop();
    assert!(!log.contains("ERROR"), "{log}");

    let account = Account::read(&database).await;
    account.is_what_was_asked_for(schedules.wishes());
    schedules.are_balanced().await;
    let figures = holds_each_prompt_once(&account, &fake);
    account.keeps_the_order_of_each_lane(|o| &o.lane);
    // Who was killed left its turns to an observer; only a turn that the server began again itself
    // may be left before an observer has heard of it.
    let wedges = fake.record(|r| r.wedges.clone());
    assert!(wedges.iter().all(|(_, is_rerun)| *is_rerun), "{wedges:?}");
    for observer in observers {
        until_gone(observer).await;
    }
    let met = EVERY_SPELL.map(|spell| (spell, spell.met(&fake)));
    say(&format!(
        "crash, App Server: {kills}, {figures}, met under spells {met:?}, \
         blocked {}",
        wedges.len()
    ));
    assert!(met.iter().all(|(_, n)| *n > 0), "{met:?}");
    assert_eq!(plan.unreached(), [], "these points were never died at");
    assert!(
        kills.in_flight * 10 >= kills.all * 8,
        "too few kills found work in flight: {kills}"
    );
}

/// Every delivered occurrence is in its conversation under one otid, which the server took from us
/// once; it is there once more for each time that the server itself ran it again.
fn holds_each_prompt_once(account: &Account, fake: &FakeAppServer) -> Figures {
    let (mut otids, owner) = account.otids();
    let received = fake.record(|r| r.received.clone());
    for input in &received {
        let id = owner.get(input.id.as_str());
        let occurrence = &account.occurrences[id.unwrap_or_else(|| panic!("{input:?}"))];
        assert_eq!(input.scope.agent, occurrence.agent);
        // The server would recognise it, but nothing may rely on that. Only what it took and did not
        // store may come again, from a daemon that was dead when it was told.
        assert!(!input.is_repeat, "{input:?} of {occurrence:?}");
    }
    let reruns = fake.record(|r| r.reruns.clone());
    let mut stored: HashMap<String, (usize, Scope)> = HashMap::new();
    for (scope, messages) in fake.all_messages() {
        let of_user = messages
            .iter()
            .filter(|m| m["message_type"] == "user_message");
        for message in of_user {
            let otid = message["otid"].as_str().unwrap();
            let occurrence = &account.occurrences[&owner[otid]];
            assert_eq!(
                text(&message["content"]).lines().last(),
                Some(&*occurrence.prompt)
            );
            let copies = stored.entry(otid.to_owned()).or_insert((0, scope.clone()));
            assert_eq!(copies.1, scope, "one prompt in two conversations");
            copies.0 += 1;
        }
    }
    // One turn for each prompt: none waited behind another in one conversation.
    assert!(fake.begun().iter().all(|of| of.len() == 1));
    for (otid, (copies, _)) in &stored {
        let again = reruns.iter().filter(|id| *id == otid).count();
        assert!(
            (1..=1 + again).contains(copies),
            "{copies} copies of {otid}, run again {again} times"
        );
    }
    let mut figures = Figures::default();
    let mut made = HashSet::new();
    for (id, occurrence) in &account.occurrences {
        figures.instants += occurrence.count;
        let otids = otids.remove(id).unwrap_or_default();
        let kept: Vec<_> = otids.iter().filter_map(|otid| stored.get(*otid)).collect();
        let told = || format!("{occurrence:?} {otids:?} {kept:?}");
        match occurrence.state.as_str() {
            "coalesced" => {
                assert_eq!(otids.len(), 0, "{}", told());
                figures.coalesced += occurrence.count;
                continue;
            }
            "delivered" => {
                assert_eq!(kept.len(), 1, "{}", told());
                let scope = &kept[0].1;
                let conversation = occurrence.conversation.as_deref();
                assert_eq!(conversation, Some(&*scope.conversation), "{}", told());
                let is_shared = scope.conversation == "default"
                    || scope.conversation == format!("local-conv-of-{}", scope.agent);
                assert!(is_shared || made.insert(scope.clone()), "{}", told());
            }
            "dead" => {
                let error = occurrence.error.as_deref().unwrap_or_default();
                assert!(error.starts_with("delivery_unknown: "), "{}", told());
                assert!(kept.len() <= 1, "{}", told());
                figures.unknown += 1;
            }
            _ => panic!("{}", told()),
        }
        figures.sent += 1;
        figures.received += kept.len();
    }
    figures.resends = account.attempts.iter().filter(|a| a.n > 1).count();
    figures
}

/// The text of a message's content.
fn text(content: &Value) -> &str {
    content.as_str().unwrap_or_default()
}
