//! Sending a prompt again under its id, which only the server's memory of ids makes safe.

use jiff::SignedDuration;
use promptyoself::clock::Clock;
use promptyoself::letta_client::{AppServer, ErrorClass, Outgoing, Target};

use super::{delivered, id, send, settings, unknown};
use crate::client::waits::timing;
use crate::fake_app_server::{FakeAppServer, Scope, Script};

#[tokio::test]
async fn a_prompt_is_sent_again_under_its_id_within_an_hour_and_never_later() {
    for (minutes, is_sent_again) in [(59, true), (61, false)] {
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        let mut fake = FakeAppServer::start_at(clock.clone()).await;
        let agent = fake.add_agent();
        let server = AppServer::new(settings(&fake.url(), None), clock.clone()).unwrap();
        let outgoing = crate::client::prompt(&agent, 1, "hi");
        fake.observe(&Scope::new(&agent, "default"));
        let sent_at = clock.now();
        fake.script("default", Script::CutAfter(0));
        unknown(send(&server, &outgoing).await.0);
        fake.wait_for_quiet().await;
        fake.start_again().await;

        clock.advance(SignedDuration::from_mins(minutes));
        let again = Outgoing {
            not_found_since: Some(sent_at),
            ..outgoing
        };
        let (step, limit) = (SignedDuration::from_secs(1), SignedDuration::from_mins(1));
        let sending = server.send(&again, &|_| ());
        let (answer, _) = timing(&clock, step, limit, sending).await;
        match is_sent_again {
            true => drop(delivered(answer)),
            false => assert_eq!(unknown(answer).class, ErrorClass::NothingRan),
        }
        assert_eq!(fake.asked("input"), 1 + usize::from(is_sent_again));
        assert_eq!(fake.turns(&id(1)), 1, "{minutes}");
        assert_eq!(fake.count(&Scope::new(&agent, "default"), &id(1)), 1);
    }
}
