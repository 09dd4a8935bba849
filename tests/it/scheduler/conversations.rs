//! In which conversation of its agent a prompt is sent.

use promptyoself::letta_client::{ErrorClass, Refusal, RefusalKind};
use promptyoself::models::{Conversation, ScheduleType, State};
use promptyoself::scheduler::Mode;
use promptyoself::service::Changes;

use crate::fake_target::{Act, FakeTarget};
use crate::world::World;

async fn every_minute(world: &World, conversation: Conversation) -> i64 {
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, "1m");
    wish.conversation = Some(conversation);
    world.service.register(&wish).await.unwrap().id
}

fn conversations(world: &World) -> Vec<String> {
    let sent = world.target.sent().into_iter();
    sent.map(|sent| sent.conversation).collect()
}

async fn deliver(world: &World) {
    world.start_on(&world.service, Mode::Once).ended().await;
}

#[tokio::test]
async fn a_new_conversation_is_a_fresh_one_for_each_run() {
    let world = World::new().await;
    every_minute(&world, Conversation::New).await;
    for _ in 0..3 {
        world.advance(60);
        deliver(&world).await;
    }
    assert_eq!(conversations(&world), ["conv-1", "conv-2", "conv-3"]);
    let stored: Vec<_> = (world.occurrences().await.into_iter())
        .map(|o| o.conversation.unwrap().to_string())
        .collect();
    assert_eq!(stored, ["conv-1", "conv-2", "conv-3"]);
}

#[tokio::test]
async fn a_prompt_that_is_tried_again_stays_in_the_conversation_that_was_made_for_it() {
    let world = World::new().await;
    every_minute(&world, Conversation::New).await;
    world
        .target
        .script("agent-a", Act::Answer(FakeTarget::busy()));
    let mut running = world.start();
    world.advance(60);
    running.until(State::Waiting).await;
    world.advance(30);
    running.until(State::Delivered).await;
    running.stop().await;
    assert_eq!(conversations(&world)[..2], ["conv-1", "conv-1"]);
}

#[tokio::test]
async fn a_prompt_without_a_conversation_goes_to_the_usual_one() {
    let world = World::new().await;
    world.every("agent-a", "tick", "1m").await;
    world.advance(60);
    deliver(&world).await;
    assert_eq!(conversations(&world), ["default"]);
    assert_eq!(world.occurrences().await[0].conversation, None);
}

#[tokio::test]
async fn another_conversation_holds_for_what_is_not_claimed_yet() {
    let world = World::new().await;
    let id = every_minute(&world, Conversation::Default).await;
    world.advance(60);
    deliver(&world).await;
    let changes = Changes {
        conversation: Some(Conversation::Id("conv-x".into())),
        ..Changes::default()
    };
    let update = async || world.service.update(id, &changes).await.unwrap().changed;
    assert_eq!(update().await, Some(true));
    assert_eq!(update().await, Some(false));
    world.advance(60);
    deliver(&world).await;
    assert_eq!(conversations(&world), ["default", "conv-x"]);
}

#[tokio::test]
async fn a_run_by_hand_goes_to_the_conversation_of_its_schedule() {
    let world = World::new().await;
    let id = every_minute(&world, Conversation::Id("conv-x".into())).await;
    world.service.run(id).await.unwrap();
    deliver(&world).await;
    assert_eq!(conversations(&world), ["conv-x"]);
}

/// Nothing was sent, so nothing can be lost or doubled.
#[tokio::test]
async fn a_prompt_whose_conversation_could_not_be_made_is_tried_again() {
    let world = World::new().await;
    every_minute(&world, Conversation::New).await;
    world.target.set_down(Some(Refusal::new(
        RefusalKind::TargetTrouble,
        ErrorClass::Unreachable,
        "as scripted",
    )));
    world.advance(60);
    deliver(&world).await;
    assert!(world.target.sent().is_empty());
    world.target.set_down(None);
    world.advance(60);
    deliver(&world).await;
    assert!(conversations(&world).contains(&"conv-1".to_owned()));
}
