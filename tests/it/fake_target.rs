//! A target in memory, for tests of the scheduler: it answers as scripted and records what it was
//! sent, in order.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::Timestamp;
use promptyoself::letta_client::{
    Agent, Answer, Delivery, ErrorClass, Evidence, Letta, Lookup, NewTool, OnRun, Outgoing,
    Refusal, RefusalKind, ServerInfo, Target, Tool,
};
use promptyoself::models::{AgentId, LETTA, Lane, Recipient, TargetName, Turn};
use tokio::sync::watch;
use uuid::Uuid;

/// One prompt that was sent to a [`FakeTarget`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Whom it was for.
    pub agent: String,
    /// The conversation it was for.
    pub conversation: String,
    /// The name it was sent under.
    pub otid: Uuid,
    /// When it was first sent under that name without being found afterwards.
    pub not_found_since: Option<Timestamp>,
    /// The content of its first message.
    pub text: String,
    /// Whether it has been answered.
    pub answered: bool,
}

/// What a [`FakeTarget`] does with the next prompt for an agent.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers at once.
    Answer(Answer),
    /// Tells a run id, then answers.
    Run(&'static str, Answer),
    /// Tells a run id and never answers.
    Hang(&'static str),
}

/// A target in memory. Without a script every prompt is delivered.
pub struct FakeTarget {
    name: TargetName,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    sent: Vec<Sent>,
    finds: Vec<Lookup>,
    /// The agents of the conversations that were made.
    conversations: Vec<String>,
    acts: HashMap<String, VecDeque<Act>>,
    evidence: HashMap<String, VecDeque<Evidence>>,
    held: HashSet<String>,
    down: Option<Refusal>,
    date: Option<Timestamp>,
    at_once: HashMap<String, usize>,
    overlapped: bool,
    most_at_once: usize,
}

impl FakeTarget {
    /// A target that is well.
    pub fn new() -> Arc<Self> {
        FakeTarget::named(LETTA)
    }

    /// A target of this name that is well.
    pub fn named(name: &str) -> Arc<Self> {
        Arc::new(FakeTarget {
            name: TargetName::new(name),
            state: Mutex::default(),
            changes: watch::Sender::new(0),
        })
    }

    /// A delivery that went well, with `reply` as what the agent said.
    pub fn delivered(reply: &str) -> Answer {
        Answer::Delivered(Delivery {
            run_id: Some("run-fake".into()),
            stop_reason: Some("end_turn".into()),
            turn: Turn::Ok,
            tokens: Some(15),
            reply: Some(reply.into()),
            error: None,
        })
    }

    /// A refusal because the agent is in another turn.
    pub fn busy() -> Answer {
        let text = "the agent is in another turn";
        Answer::Refused(Refusal::new(RefusalKind::Busy, ErrorClass::Busy, text))
    }

    /// Adds what happens to the next prompt for `agent` that nothing is planned for yet.
    pub fn script(&self, agent: &str, act: Act) {
        let mut state = self.state();
        state.acts.entry(agent.into()).or_default().push_back(act);
    }

    /// Adds an answer to the next search for a prompt of `agent`. Without one it is absent.
    pub fn evidence(&self, agent: &str, evidence: Evidence) {
        let mut state = self.state();
        state
            .evidence
            .entry(agent.into())
            .or_default()
            .push_back(evidence);
    }

    /// Lets prompts for `agent` hang until [`FakeTarget::release`].
    pub fn hold(&self, agent: &str) {
        self.state().held.insert(agent.into());
    }

    /// Lets held prompts for `agent` go on.
    pub fn release(&self, agent: &str) {
        self.state().held.remove(agent);
        self.changed();
    }

    /// Makes every request be refused like this, or none.
    pub fn set_down(&self, refusal: Option<Refusal>) {
        self.state().down = refusal;
    }

    /// Says what time it is by its clock; else it doesn't tell.
    pub fn set_date(&self, date: Timestamp) {
        self.state().date = Some(date);
    }

    /// Every prompt that was sent, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.state().sent.clone()
    }

    /// Every search for a prompt, in order.
    pub fn finds(&self) -> Vec<Lookup> {
        self.state().finds.clone()
    }

    /// Whether one agent was ever sent a prompt while it had another.
    pub fn overlapped(&self) -> bool {
        self.state().overlapped
    }

    /// The most prompts that were on their way at once.
    pub fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    /// Waits until `n` prompts have been sent, and gives them.
    pub async fn wait_for_sent(&self, n: usize) -> Vec<Sent> {
        self.wait(|s| s.sent.len() >= n).await;
        self.sent()
    }

    /// Waits until `n` prompts have been answered.
    pub async fn wait_for_answered(&self, n: usize) {
        self.wait(|s| s.sent.iter().filter(|s| s.answered).count() >= n)
            .await;
    }

    /// Waits until `n` searches have been made.
    pub async fn wait_for_finds(&self, n: usize) {
        self.wait(|s| s.finds.len() >= n).await;
    }

    async fn wait(&self, until: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        while !until(&self.state()) {
            changes.changed().await.unwrap();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }
}

#[async_trait]
impl Target for FakeTarget {
    fn name(&self) -> TargetName {
        self.name.clone()
    }

    fn address(&self) -> String {
        "http://fake".into()
    }

    fn lane(&self, recipient: &Recipient, _: Uuid) -> Lane {
        Lane::of(&self.name(), &recipient.agent)
    }

    async fn create_conversation(&self, agent: &AgentId) -> Result<String, Refusal> {
        let mut state = self.state();
        if let Some(refusal) = state.down.clone() {
            return Err(refusal);
        }
        state.conversations.push(agent.to_string());
        Ok(format!("conv-{}", state.conversations.len()))
    }

    async fn check_conversation(&self, _: &AgentId, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    async fn check(&self) -> Result<ServerInfo, Refusal> {
        let (down, date) = {
            let state = self.state();
            (state.down.clone(), state.date)
        };
        match down {
            Some(refusal) => Err(refusal),
            None => Ok(ServerInfo {
                version: Some("fake".into()),
                date,
            }),
        }
    }

    async fn send(&self, outgoing: &Outgoing, on_run: OnRun<'_>) -> Answer {
        let agent = outgoing.recipient.agent.to_string();
        let (at, act) = {
            let mut state = self.state();
            let text = outgoing
                .messages
                .first()
                .and_then(|m| m["content"].as_str());
            state.sent.push(Sent {
                agent: agent.clone(),
                conversation: outgoing.recipient.conversation.to_string(),
                otid: outgoing.otid,
                not_found_since: outgoing.not_found_since,
                text: text.unwrap_or_default().into(),
                answered: false,
            });
            let here = state.at_once.entry(agent.clone()).or_default();
            *here += 1;
            if *here > 1 {
                state.overlapped = true;
            }
            state.most_at_once = state.most_at_once.max(state.at_once.values().sum());
            let act = match state.down.clone() {
                Some(refusal) => Some(Act::Answer(Answer::Refused(refusal))),
                None => state.acts.get_mut(&agent).and_then(VecDeque::pop_front),
            };
            (state.sent.len() - 1, act)
        };
        self.changed();
        let _leaving = Leaving(self, agent.clone());
        if let Some(Act::Run(run, _) | Act::Hang(run)) = &act {
            on_run(run);
        }
        if let Some(Act::Hang(_)) = &act {
            std::future::pending::<()>().await;
        }
        self.wait(|s| !s.held.contains(&agent)).await;
        self.state().sent[at].answered = true;
        match act {
            Some(Act::Answer(answer) | Act::Run(_, answer)) => answer,
            _ => Self::delivered("fake: yes"),
        }
    }

    async fn find(&self, lookup: &Lookup) -> Evidence {
        let agent = lookup.recipient.agent.to_string();
        let mut state = self.state();
        state.finds.push(lookup.clone());
        let evidence = match state.down.clone() {
            Some(refusal) => Evidence::Refused(refusal),
            None => state
                .evidence
                .get_mut(&agent)
                .and_then(VecDeque::pop_front)
                .unwrap_or(Evidence::Absent { failed: None }),
        };
        drop(state);
        self.changed();
        evidence
    }
}

#[async_trait]
impl Letta for FakeTarget {
    async fn list_agents(&self) -> Result<Vec<Agent>, Refusal> {
        self.check().await.map(|_| Vec::new())
    }

    async fn get_agent(&self, agent: &AgentId) -> Result<Agent, Refusal> {
        self.check().await.map(|_| Agent {
            target: None,
            id: agent.to_string(),
            name: None,
            created_at: None,
            last_updated: None,
        })
    }

    async fn create_tool(&self, _: &NewTool) -> Result<Tool, Refusal> {
        self.check().await.map(|_| Tool {
            id: "tool-fake".into(),
            name: None,
        })
    }
}

/// Counts a send as ended, also when it was dropped half-way.
struct Leaving<'a>(&'a FakeTarget, String);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        *self.0.state().at_once.entry(self.1.clone()).or_default() -= 1;
        self.0.changed();
    }
}

mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::client::{lookup, prompt};

    #[tokio::test]
    async fn a_fake_target_answers_as_scripted_and_records_in_order() {
        let (target, agent) = (FakeTarget::new(), AgentId::parse("a").unwrap());
        target.script("a", Act::Answer(FakeTarget::busy()));
        target.script("a", Act::Run("run-1", FakeTarget::delivered("scripted")));
        let runs = Mutex::new(Vec::new());
        let mut answers = Vec::new();
        for n in 1..4 {
            let on_run = |run: &str| runs.lock().unwrap().push(run.to_owned());
            answers.push(target.send(&prompt(&agent, n, "hi"), &on_run).await);
        }
        let expected = [
            FakeTarget::busy(),
            FakeTarget::delivered("scripted"),
            FakeTarget::delivered("fake: yes"),
        ];
        assert_eq!(answers, expected);
        assert_eq!(*runs.lock().unwrap(), ["run-1"]);
        target.wait_for_answered(3).await;
        let otids: Vec<_> = target.sent().iter().map(|s| s.otid.as_u128()).collect();
        assert_eq!(otids, [1, 2, 3]);
        assert!(!target.overlapped());
    }

    #[tokio::test]
    async fn a_fake_target_holds_and_hangs_until_it_is_let_go() {
        let (target, agent) = (FakeTarget::new(), AgentId::parse("a").unwrap());
        target.script("a", Act::Hang("run-1"));
        target.hold("a");
        let mut sending = Vec::new();
        for n in 1..3 {
            let (target, outgoing) = (target.clone(), prompt(&agent, n, "hi"));
            let spawned = target.clone();
            sending.push(tokio::spawn(async move {
                spawned.send(&outgoing, &|_| ()).await
            }));
            target.wait_for_sent(sending.len()).await;
        }
        let sent = target.sent();
        assert!(
            sent.iter()
                .all(|s| !s.answered && s.agent == "a" && s.text == "hi")
        );
        assert!(target.overlapped());
        assert_eq!(target.most_at_once(), 2);
        target.release("a");
        assert_eq!(
            sending.pop().unwrap().await.unwrap(),
            FakeTarget::delivered("fake: yes")
        );
        assert!(!sending[0].is_finished());
        sending[0].abort();
    }

    #[tokio::test]
    async fn a_fake_target_that_is_down_refuses_everything() {
        let (target, agent) = (FakeTarget::new(), AgentId::parse("a").unwrap());
        let question = lookup(&agent, 1, Timestamp::UNIX_EPOCH, SignedDuration::ZERO);
        let unclear = Evidence::Unclear { text: "fog".into() };
        target.evidence("a", unclear.clone());
        assert_eq!(target.find(&question).await, unclear);
        assert_eq!(
            target.find(&question).await,
            Evidence::Absent { failed: None }
        );
        let down = Refusal::new(RefusalKind::TargetTrouble, ErrorClass::Unreachable, "down");
        target.set_down(Some(down.clone()));
        assert_eq!(
            target.find(&question).await,
            Evidence::Refused(down.clone())
        );
        assert_eq!(target.check().await, Err(down.clone()));
        let answer = target.send(&prompt(&agent, 1, "hi"), &|_| ()).await;
        assert_eq!(answer, Answer::Refused(down));
        target.wait_for_finds(3).await;
        assert_eq!(target.finds().len(), 3);
    }
}
