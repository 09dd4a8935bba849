//! A real Letta that is killed in the middle of a turn.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{ErrorClass, Evidence, Lookup, RefusalKind, Target};
use uuid::Uuid;

use super::RealLetta;
use crate::client::{delivered, lookup, prompt, refused, send, unknown};

#[tokio::test]
async fn a_turn_whose_server_is_killed_is_unknown_then_absent_once_its_run_is_too_old() {
    let real = RealLetta::alone().await;
    let agent = real.new_agent().await;
    let letta = real.client();
    let sent_at = Clock::system().now();
    let text = format!("[[sleep 60]] {}", Uuid::new_v4());
    let outgoing = prompt(&agent, Uuid::new_v4().as_u128(), &text);
    let sending = {
        let (letta, outgoing) = (real.client(), outgoing.clone());
        tokio::spawn(async move { send(&letta, &outgoing).await })
    };
    real.wait_for_model(&text).await;
    real.stop_letta().await;
    let (answer, runs) = sending.await.unwrap();
    let doubt = unknown(answer);
    assert_eq!(doubt.class, ErrorClass::Cut);
    assert_eq!(doubt.run_id, runs.first().cloned());

    let later = Clock::system().now() + SignedDuration::from_mins(1);
    let ask = Lookup {
        run_id: doubt.run_id,
        now: later,
        ..lookup(
            &agent,
            outgoing.otid.as_u128(),
            sent_at,
            SignedDuration::ZERO,
        )
    };
    let Evidence::Refused(down) = letta.find(&ask).await else {
        panic!()
    };
    assert_eq!(
        (down.kind, down.class),
        (RefusalKind::TargetTrouble, ErrorClass::Unreachable)
    );

    real.start_letta().await;
    assert!(matches!(letta.find(&ask).await, Evidence::Running { .. }));
    let busy = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(busy.kind, RefusalKind::Busy);

    // The same question of somebody to whom a run of a second counts as orphaned.
    let impatient = Lookup {
        orphan_age: SignedDuration::from_secs(1),
        ..ask
    };
    let Evidence::Absent { failed: Some(why) } = letta.find(&impatient).await else {
        panic!()
    };
    assert!(why.otid_spent);
    assert_eq!(why.class, ErrorClass::Interrupted);
    assert_eq!(real.count(&agent, outgoing.otid).await, 0);
    delivered(
        send(
            &letta,
            &prompt(&real.new_agent().await, Uuid::new_v4().as_u128(), "hi"),
        )
        .await
        .0,
    );
}
