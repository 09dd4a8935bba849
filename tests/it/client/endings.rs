//! What the end of a turn means: whether the prompt was kept.

use promptyoself::letta_client::{ErrorClass, RefusalKind};
use promptyoself::models::Turn;
use rstest::rstest;

use super::sending::only;
use super::{delivered, fake, prompt, refused, send, unknown};
use crate::fake_letta::Script;

use ErrorClass as C;
use RefusalKind as K;

#[rstest]
#[case("requires_approval", true, Turn::Approval)]
#[case("max_steps", true, Turn::Interrupted)]
#[case("cancelled", true, Turn::Interrupted)]
#[case("tool_rule", true, Turn::Ok)]
#[case("error", true, Turn::Error)]
#[case("no_tool_call", true, Turn::Error)]
#[tokio::test]
async fn a_kept_prompt_is_delivered_however_its_turn_ended(
    #[case] stop_reason: &str,
    #[case] kept: bool,
    #[case] turn: Turn,
) {
    let (fake, letta, agent) = fake().await;
    fake.script(&agent, ends(stop_reason, kept, None, ""));
    let delivery = delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
    assert_eq!(delivery.turn, turn);
    assert_eq!(delivery.stop_reason.as_deref(), Some(stop_reason));
}

fn ends(stop_reason: &str, kept: bool, error_type: Option<&str>, detail: &str) -> Script {
    Script::Ends {
        stop_reason: stop_reason.into(),
        kept,
        error_type: error_type.map(str::to_owned),
        detail: detail.into(),
    }
}

#[tokio::test]
async fn a_turn_that_failed_in_a_later_step_has_kept_its_prompt() {
    for way in ["background", "stream", "async"] {
        let (fake, letta, agent) = only(way).await;
        let words = "INTERNAL_SERVER_ERROR: OpenAI API error";
        fake.script(
            &agent,
            ends("llm_api_error", true, Some("llm_error"), words),
        );
        let delivery = delivered(send(&letta, &prompt(&agent, 1, "hi")).await.0);
        assert_eq!(delivery.turn, Turn::Error, "{way}");
        assert_eq!(delivery.reply.as_deref(), Some("fake: hi"), "{way}");
    }
}

#[rstest]
#[case("llm_error", "INTERNAL_SERVER_ERROR: x", K::Later, C::LlmError)]
#[case("llm_error", "PAYMENT_REQUIRED: x", K::NeedsHuman, C::PaymentRequired)]
#[case("llm_error", "INVALID_ARGUMENT: x", K::Permanent, C::LlmError)]
#[case("llm_rate_limit", "RATE_LIMIT_EXCEEDED: x", K::Later, C::RateLimited)]
#[case(
    "llm_authentication",
    "UNAUTHENTICATED: x",
    K::NeedsHuman,
    C::LlmAuthentication
)]
#[case("llm_timeout", "", K::Later, C::LlmError)]
#[case("internal_error", "boom", K::Later, C::ServerError)]
#[case(
    "internal_error",
    "Message content is empty or invalid",
    K::Permanent,
    C::InvalidRequest
)]
#[tokio::test]
async fn a_turn_that_failed_in_its_first_step_has_kept_nothing(
    #[case] error_type: &str,
    #[case] detail: &str,
    #[case] kind: RefusalKind,
    #[case] class: ErrorClass,
) {
    for way in ["background", "stream", "async"] {
        let (fake, letta, agent) = only(way).await;
        fake.script(
            &agent,
            ends("llm_api_error", false, Some(error_type), detail),
        );
        let said = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
        assert_eq!(
            (said.kind, said.class),
            (kind, class),
            "{way}: {}",
            said.text
        );
        assert_eq!(said.run_id, Some(fake.received()[0].run_id.clone()));
        assert_eq!(said.otid_spent, way == "background");
    }
}

#[tokio::test]
async fn a_good_answer_after_which_nothing_ran_is_no_delivery() {
    for way in ["background", "stream", "async"] {
        let (fake, letta, agent) = only(way).await;
        fake.script(&agent, Script::NothingRan);
        let said = refused(send(&letta, &prompt(&agent, 1, "hi")).await.0);
        assert_eq!((said.kind, said.class), (K::Later, C::NothingRan), "{way}");
    }
}

#[tokio::test]
async fn an_open_end_that_cannot_be_asked_about_stays_open() {
    let (fake, letta, agent) = fake().await;
    fake.hold(&agent);
    fake.script(&agent, ends("llm_api_error", false, Some("llm_error"), "x"));
    let outgoing = prompt(&agent, 1, "hi");
    let sending = tokio::spawn(async move { send(&letta, &outgoing).await.0 });
    fake.wait_for(1).await;
    fake.lacks(&format!("/v1/agents/{agent}/messages"));
    fake.release(&agent);
    let doubt = unknown(sending.await.unwrap());
    assert_eq!(doubt.class, C::LlmError);
}
