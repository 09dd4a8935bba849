//! Finding out what happened to a prompt whose outcome is unknown.

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use promptyoself::letta_client::{ErrorClass, Evidence, Lookup, RefusalKind, Rest, Target};
use promptyoself::models::{AgentId, Turn};
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

use super::sending::answer;
use super::{client, fake, lookup, prompt, refused, send, settings, unknown};
use crate::fake_letta::{FakeLetta, Options, Script};

const LATER: SignedDuration = SignedDuration::from_mins(2);

/// Loses the answer to a prompt and gives the question about it.
async fn lose(fake: &FakeLetta, letta: &Rest, agent: &AgentId, script: Script) -> Lookup {
    fake.script(agent, script);
    let sent_at = Clock::system().now();
    let doubt = unknown(send(letta, &prompt(agent, 1, "hi")).await.0);
    Lookup {
        run_id: doubt.run_id,
        ..lookup(agent, 1, sent_at, LATER)
    }
}

#[tokio::test]
async fn a_prompt_that_arrived_is_found_with_what_the_agent_said() {
    for script in [Script::CutAfter, Script::CutMidStream, Script::Garbage] {
        let (fake, letta, agent) = fake().await;
        let question = lose(&fake, &letta, &agent, script).await;
        fake.wait_for_ended(1).await;
        let Evidence::Found(delivery) = letta.find(&question).await else {
            panic!()
        };
        assert_eq!(delivery.turn, Turn::Ok);
        assert_eq!(delivery.stop_reason.as_deref(), Some("end_turn"));
        assert_eq!(delivery.run_id, Some(fake.received()[0].run_id.clone()));
        assert_eq!(delivery.reply.as_deref(), Some("fake: hi"));
    }
}

#[tokio::test]
async fn a_prompt_is_found_under_any_otid_it_was_sent_with() {
    let (fake, letta, agent) = fake().await;
    let mut question = lose(&fake, &letta, &agent, Script::CutAfter).await;
    question.otids = vec![Uuid::from_u128(5), Uuid::from_u128(1), Uuid::from_u128(6)];
    assert!(matches!(letta.find(&question).await, Evidence::Found(_)));
    question.otids = vec![Uuid::from_u128(5)];
    assert!(matches!(
        letta.find(&question).await,
        Evidence::Absent { .. }
    ));
}

#[tokio::test]
async fn a_prompt_that_never_arrived_is_absent() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutBefore).await;
    assert_eq!(
        letta.find(&question).await,
        Evidence::Absent { failed: None }
    );
}

#[tokio::test]
async fn a_prompt_sent_a_moment_ago_is_not_called_absent_yet() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutBefore).await;
    let at_once = Lookup {
        now: question.sent_at + SignedDuration::from_secs(1),
        ..question
    };
    assert!(matches!(
        letta.find(&at_once).await,
        Evidence::Unclear { .. }
    ));
}

#[tokio::test]
async fn while_its_run_goes_on_nothing_is_proved() {
    let (fake, letta, agent) = fake().await;
    fake.hold(&agent);
    let question = lose(&fake, &letta, &agent, Script::CutMidStream).await;
    let run_id = question.run_id.clone();
    assert!(run_id.is_some());
    assert_eq!(letta.find(&question).await, Evidence::Running { run_id });
    let unnamed = Lookup {
        run_id: None,
        ..question.clone()
    };
    assert_eq!(
        letta.find(&unnamed).await,
        Evidence::Running { run_id: None }
    );
    fake.release(&agent);
    fake.wait_for_ended(1).await;
    assert!(matches!(letta.find(&question).await, Evidence::Found(_)));
}

#[tokio::test]
async fn a_turn_of_several_steps_goes_on_though_its_prompt_is_kept_already() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutAfter).await;
    let run = fake.received()[0].run_id.clone();
    fake.revive(&run);
    assert!(matches!(
        letta.find(&question).await,
        Evidence::Running { .. }
    ));
    let named = Lookup {
        run_id: Some(run.clone()),
        ..question
    };
    assert_eq!(
        letta.find(&named).await,
        Evidence::Running { run_id: Some(run) }
    );
}

#[tokio::test]
async fn a_prompt_that_arrived_is_found_however_busy_others_keep_the_agent() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutAfter).await;
    assert_eq!(question.run_id, None);
    fake.foreign_run(&agent, SignedDuration::ZERO);
    let Evidence::Found(delivery) = letta.find(&question).await else {
        panic!()
    };
    assert_eq!(delivery.run_id, Some(fake.received()[0].run_id.clone()));
    assert_eq!(delivery.reply.as_deref(), Some("fake: hi"));
}

#[tokio::test]
async fn a_prompt_without_trace_may_be_in_any_run_that_is_not_orphaned() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutBefore).await;
    let run = fake.foreign_run(&agent, SignedDuration::from_mins(10));
    assert_eq!(
        letta.find(&question).await,
        Evidence::Running { run_id: None }
    );
    fake.end_foreign_run(&run);
    fake.foreign_run(&agent, SignedDuration::from_mins(61));
    assert_eq!(
        letta.find(&question).await,
        Evidence::Absent { failed: None }
    );
}

#[tokio::test]
async fn a_run_that_ends_between_two_questions_leaves_no_stale_absence() {
    for ends_at_messages in [false, true] {
        let (fake, letta, agent) = fake().await;
        fake.hold(&agent);
        let question = Lookup {
            run_id: None,
            ..lose(&fake, &letta, &agent, Script::CutMidStream).await
        };
        let path = match ends_at_messages {
            false => "/v1/runs/".to_owned(),
            true => format!("/v1/agents/{agent}/messages"),
        };
        fake.release_when_asked(&path, &agent);
        assert!(matches!(letta.find(&question).await, Evidence::Found(_)));
    }
}

#[tokio::test]
async fn the_messages_tell_of_a_prompt_though_nobody_can_say_what_runs() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutAfter).await;
    fake.script_path("/v1/runs/", Script::CutBefore);
    assert!(matches!(letta.find(&question).await, Evidence::Found(_)));
    let never_sent = Lookup {
        otids: vec![Uuid::from_u128(5)],
        ..question
    };
    let Evidence::Refused(said) = letta.find(&never_sent).await else {
        panic!()
    };
    assert_eq!(
        (said.kind, said.class),
        (RefusalKind::TargetTrouble, ErrorClass::Cut)
    );
}

#[tokio::test]
async fn a_run_that_failed_in_its_first_step_is_absent_and_tells_why() {
    let (fake, letta, agent) = fake().await;
    fake.hold(&agent);
    let sent_at = Clock::system().now();
    let script = Script::Ends {
        stop_reason: "llm_api_error".into(),
        kept: false,
        error_type: Some("llm_rate_limit".into()),
        detail: "RATE_LIMIT_EXCEEDED".into(),
    };
    fake.script(&agent, script);
    let run = {
        let outgoing = prompt(&agent, 1, "hi");
        let letta = client(&fake.url());
        let sending = tokio::spawn(async move { send(&letta, &outgoing).await });
        let run = fake.wait_for(1).await[0].run_id.clone();
        sending.abort();
        run
    };
    fake.release(&agent);
    fake.wait_for_ended(1).await;
    let question = Lookup {
        run_id: Some(run.clone()),
        ..lookup(&agent, 1, sent_at, LATER)
    };
    let Evidence::Absent {
        failed: Some(failed),
    } = letta.find(&question).await
    else {
        panic!()
    };
    assert_eq!(
        (failed.kind, failed.class),
        (RefusalKind::Later, ErrorClass::RateLimited)
    );
    assert_eq!(failed.run_id, Some(run));
    assert!(failed.otid_spent);
}

#[tokio::test]
async fn a_run_left_behind_by_a_crash_is_absent_once_it_is_too_old_and_only_a_fresh_otid_helps() {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap());
    let options = Options {
        clock: clock.clone(),
        ..Options::default()
    };
    let mut fake = FakeLetta::start_with(options).await;
    let agent = fake.add_agent();
    let letta = Rest::new(settings(&fake.url()), clock.clone()).unwrap();
    fake.script(&agent, Script::Orphan);
    let sent_at = clock.now();
    let doubt = unknown(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    fake.stop();
    let ask = || Lookup {
        run_id: doubt.run_id.clone(),
        now: clock.now(),
        ..lookup(&agent, 1, sent_at, LATER)
    };
    let Evidence::Refused(down) = letta.find(&ask()).await else {
        panic!()
    };
    assert_eq!(down.kind, RefusalKind::TargetTrouble);
    fake.start_again().await;
    clock.advance(SignedDuration::from_mins(59));
    assert!(matches!(letta.find(&ask()).await, Evidence::Running { .. }));
    clock.advance(SignedDuration::from_mins(1));
    let Evidence::Absent {
        failed: Some(failed),
    } = letta.find(&ask()).await
    else {
        panic!()
    };
    assert!(failed.otid_spent);
    assert_eq!(failed.class, ErrorClass::Interrupted);
    // The old otid leads to the run that died, for as long as the server remembers it.
    let again = unknown(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(again.run_id, doubt.run_id);
    super::delivered(send(&letta, &prompt(&agent, 2, "hi")).await.0);
}

#[tokio::test]
async fn a_turn_of_hours_goes_on_though_its_stream_was_lost() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutBefore).await;
    let now = question.now;
    let run = fake.foreign_run(&agent, SignedDuration::from_hours(2));
    let asked = |silent| Lookup {
        sent_at: now - SignedDuration::from_hours(2),
        heard_at: Some(now - silent),
        run_id: Some(run.clone()),
        ..question.clone()
    };
    let lately = asked(SignedDuration::from_mins(59));
    let run_id = Some(run.clone());
    assert_eq!(letta.find(&lately).await, Evidence::Running { run_id });
    let unnamed = Lookup {
        run_id: None,
        ..lately
    };
    assert_eq!(
        letta.find(&unnamed).await,
        Evidence::Running { run_id: None }
    );
    let long_ago = asked(SignedDuration::from_mins(61));
    let Evidence::Absent { failed: Some(died) } = letta.find(&long_ago).await else {
        panic!()
    };
    assert_eq!(died.class, ErrorClass::Interrupted);
}

#[tokio::test]
async fn a_run_that_only_seems_orphaned_speaks_on() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutAfter).await;
    let run = fake.received()[0].run_id.clone();
    fake.revive_as_old(&run, SignedDuration::from_hours(2));
    let named = Lookup {
        run_id: Some(run.clone()),
        ..question
    };
    // Its prompt was kept a moment ago.
    let run_id = Some(run.clone());
    assert_eq!(letta.find(&named).await, Evidence::Running { run_id });
    let busy = refused(send(&letta, &prompt(&agent, 2, "hi")).await.0);
    assert_eq!((busy.kind, busy.run_id), (RefusalKind::Busy, Some(run)));
    fake.age_messages(&agent, SignedDuration::from_hours(2));
    assert!(matches!(letta.find(&named).await, Evidence::Found(_)));
    super::delivered(send(&letta, &prompt(&agent, 3, "hi")).await.0);
}

#[tokio::test]
async fn a_server_whose_clock_is_hours_behind_is_judged_by_its_own_clock() {
    let clock = Clock::manual("2026-03-01T02:00:00Z".parse::<Timestamp>().unwrap());
    let options = Options {
        clock,
        ..Options::default()
    };
    let fake = FakeLetta::start_with(options).await;
    let agent = fake.add_agent();
    let letta = client(&fake.url());
    fake.hold(&agent);
    let question = lose(&fake, &letta, &agent, Script::CutMidStream).await;
    assert!(matches!(
        letta.find(&question).await,
        Evidence::Running { .. }
    ));
    fake.release(&agent);
    fake.wait_for_ended(1).await;
    assert!(matches!(letta.find(&question).await, Evidence::Found(_)));
}

#[tokio::test]
async fn a_prompt_is_found_behind_any_number_of_newer_messages() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutAfter).await;
    for n in 2..300 {
        send(&letta, &prompt(&agent, n, "more")).await;
    }
    let Evidence::Found(delivery) = letta.find(&question).await else {
        panic!()
    };
    assert_eq!(delivery.reply.as_deref(), Some("fake: hi"));
}

#[tokio::test]
async fn the_search_ends_at_the_first_message_and_at_those_older_than_the_prompt() {
    let (fake, letta, agent) = fake().await;
    for n in 2..200 {
        send(&letta, &prompt(&agent, n, "more")).await;
    }
    let path = format!("/v1/agents/{agent}/messages");
    let question = lookup(&agent, 1, Clock::system().now(), LATER);
    assert_eq!(
        letta.find(&question).await,
        Evidence::Absent { failed: None }
    );
    assert_eq!(fake.asked(&path), 5);
    fake.age_messages(&agent, SignedDuration::from_hours(24));
    assert_eq!(
        letta.find(&question).await,
        Evidence::Absent { failed: None }
    );
    assert_eq!(fake.asked(&path), 6);
}

#[tokio::test]
async fn an_agent_that_is_gone_is_told_as_permanent() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutAfter).await;
    fake.remove_agent(&agent);
    let Evidence::Refused(gone) = letta.find(&question).await else {
        panic!()
    };
    assert_eq!(
        (gone.kind, gone.class),
        (RefusalKind::Permanent, ErrorClass::AgentUnknown)
    );
}

#[rstest]
#[case(400, json!({"detail": "INVALID_ARGUMENT: bad cursor"}))]
#[case(400, json!({"detail": "bad id"}))]
#[case(422, json!({"detail": "[{'loc': ('query', 'before')}]"}))]
#[case(413, json!("too large"))]
#[tokio::test]
async fn a_question_that_is_refused_for_itself_does_not_say_that_the_agent_is_gone(
    #[case] status: u16,
    #[case] body: Value,
) {
    for asked in ["messages", "runs", "run"] {
        let (fake, letta, agent) = fake().await;
        let mut question = lose(&fake, &letta, &agent, Script::CutBefore).await;
        let path = match asked {
            "messages" => format!("/v1/agents/{agent}/messages"),
            "runs" => "/v1/runs/".to_owned(),
            _ => {
                question.run_id = Some("run-1".into());
                "/v1/runs/run-1".to_owned()
            }
        };
        fake.script_path(&path, answer(status, body.clone()));
        let evidence = letta.find(&question).await;
        // Of a run that can't be asked after, the list of those that go on tells.
        let told = match asked {
            "run" => evidence == Evidence::Absent { failed: None },
            _ => matches!(evidence, Evidence::Unclear { .. }),
        };
        assert!(told, "{asked}: {evidence:?}");
    }
}

#[tokio::test]
async fn a_server_that_can_no_longer_be_asked_proves_nothing() {
    let (fake, letta, agent) = fake().await;
    let question = lose(&fake, &letta, &agent, Script::CutAfter).await;
    fake.set_password(Some("other"));
    let Evidence::Refused(said) = letta.find(&question).await else {
        panic!()
    };
    assert_eq!(
        (said.kind, said.class),
        (RefusalKind::TargetTrouble, ErrorClass::Unauthorized)
    );
}

#[tokio::test]
async fn a_server_that_shows_only_its_newest_messages_proves_no_absence() {
    let (fake, letta, agent) = fake().await;
    for n in 2..60 {
        send(&letta, &prompt(&agent, n, "more")).await;
    }
    fake.forget_cursors();
    let question = lookup(&agent, 1, Clock::system().now(), LATER);
    assert!(matches!(
        letta.find(&question).await,
        Evidence::Unclear { .. }
    ));
}
