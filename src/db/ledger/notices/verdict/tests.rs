use super::IncidentKind::{Dead, NeedsHuman, UnknownAgents};
use super::Step::{Close, CloseDelivered, CloseOfEnded, Open, OpenEnded};
use super::*;
use crate::models::Turn;

const DEAD: &str = "its prompt is dead";
const ENDED: &str = "its schedule was ended";

fn settled(state: State, verdict: &Verdict, is_last: bool) -> Settled<'_> {
    Settled {
        occurrence_id: 7,
        uid: "uid",
        agent_id: "agent-a",
        lane: "letta/agent-a",
        state,
        verdict,
        is_last,
    }
}

fn dead(code: &str) -> Verdict {
    Verdict::Dead {
        fault: Fault::new(code, "why"),
    }
}

fn waiting(needs_human: bool) -> Verdict {
    Verdict::Waiting {
        not_before: Timestamp::UNIX_EPOCH,
        fault: Fault {
            needs_human,
            ..Fault::new("pending_approval", "why")
        },
        counts: true,
        fresh_otid: false,
    }
}

fn trouble<'a>(kind: IncidentKind, affected: Affected<'a>, code: &'a str) -> Trouble<'a> {
    Trouble {
        kind,
        affected,
        occurrence_id: Some(7),
        code: Some(code),
        reason: "why",
    }
}

const OF_SCHEDULE: Affected<'_> = Affected::Schedule("uid");

const OF_AGENT: Affected<'_> = Affected::Agent {
    lane: "letta/agent-a",
    agent_id: "agent-a",
    uid: "uid",
};

#[test]
fn a_delivery_closes_what_it_proves_to_be_over() {
    let delivered = Verdict::Delivered {
        run_id: None,
        stop_reason: None,
        turn: Turn::Error,
        tokens: None,
        reply: None,
        error: None,
    };
    for is_last in [false, true] {
        let settled = settled(State::Delivered, &delivered, is_last);
        let steps = steps_after(&settled, Around::default());
        assert_eq!(steps, [CloseDelivered]);
    }
}

#[test]
fn a_dead_prompt_is_its_schedules_trouble_and_over_with_it() {
    let verdict = dead("server_error");
    let trouble = trouble(Dead, OF_SCHEDULE, "server_error");
    let goes_on = steps_after(&settled(State::Dead, &verdict, false), Around::default());
    assert_eq!(goes_on, [Close(NeedsHuman, DEAD), Open(trouble)]);
    let last = steps_after(&settled(State::Dead, &verdict, true), Around::default());
    let over = OpenEnded(trouble, "its schedule sends nothing more");
    assert_eq!(last, [Close(NeedsHuman, DEAD), over, CloseOfEnded]);
}

#[test]
fn an_agents_dead_prompt_is_over_only_with_all_of_its_schedules() {
    for code in ["agent_unknown", "expired"] {
        let verdict = dead(code);
        let trouble = trouble(Dead, OF_AGENT, code);
        let last = settled(State::Dead, &verdict, true);
        let others_go_on = steps_after(&last, Around::default());
        let expected = [Close(NeedsHuman, DEAD), Open(trouble), CloseOfEnded];
        assert_eq!(others_go_on, expected);
        let around = Around {
            agent_has_ended: true,
            ..Around::default()
        };
        let over = OpenEnded(trouble, NOTHING_FOLLOWS);
        let expected = [Close(NeedsHuman, DEAD), over, CloseOfEnded];
        assert_eq!(steps_after(&last, around), expected);
    }
}

#[test]
fn one_of_many_unknown_agents_is_told_with_the_others() {
    let verdict = dead("agent_unknown");
    let trouble = trouble(
        UnknownAgents,
        Affected::Machine("unknown_agents"),
        "agent_unknown",
    );
    for (is_last, agent_has_ended) in [(false, false), (true, false), (true, true)] {
        let around = Around {
            is_one_of_many: true,
            agent_has_ended,
        };
        let steps = steps_after(&settled(State::Dead, &verdict, is_last), around);
        assert_eq!(steps, [Close(NeedsHuman, DEAD), Open(trouble)]);
    }
    for (has_own, lately, joins) in [
        (false, MANY_UNKNOWN - 1, false),
        (false, MANY_UNKNOWN, true),
        (true, MANY_UNKNOWN, false),
    ] {
        assert_eq!(joins_the_many(has_own, lately), joins);
    }
}

#[test]
fn a_prompt_that_waits_is_trouble_only_if_it_needs_a_person() {
    let verdict = waiting(true);
    let steps = steps_after(&settled(State::Waiting, &verdict, false), Around::default());
    let trouble = trouble(NeedsHuman, OF_AGENT, "pending_approval");
    assert_eq!(steps, [Open(trouble)]);
    let verdict = waiting(false);
    let steps = steps_after(&settled(State::Waiting, &verdict, false), Around::default());
    assert_eq!(steps, []);
}

#[test]
fn a_prompt_whose_schedule_was_ended_meanwhile_leaves_nothing_open() {
    let verdict = waiting(true);
    let one = steps_after(
        &settled(State::Cancelled, &verdict, false),
        Around::default(),
    );
    assert_eq!(one, [Close(NeedsHuman, ENDED)]);
    let last = steps_after(
        &settled(State::Cancelled, &verdict, true),
        Around::default(),
    );
    let expected = [Close(NeedsHuman, ENDED), Close(Dead, ENDED), CloseOfEnded];
    assert_eq!(last, expected);
}

#[test]
fn an_unknown_fate_is_nobodys_trouble_yet() {
    let verdict = Verdict::Unknown {
        not_before: Timestamp::UNIX_EPOCH,
        reconcile_until: Timestamp::UNIX_EPOCH,
        fault: Fault::new("cut", "why"),
        run_id: None,
    };
    let steps = steps_after(&settled(State::Unknown, &verdict, true), Around::default());
    assert_eq!(steps, []);
}
