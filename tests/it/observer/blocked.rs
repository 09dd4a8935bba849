//! A conversation that some other client has left in a turn, and that takes nothing until the server is
//! restarted.

use promptyoself::clock::Clock;
use promptyoself::letta_client::{AppServer, Target};
use serde_json::Value;

use super::{Scene, is_all};
use crate::app_server::{prompt_in, settings};

fn incidents(scene: &Scene) -> Vec<Value> {
    let test = scene.program.json(&["test"]);
    test["incidents"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_conversation_is_one_incident_with_its_remedy_and_others_go_on() {
    let mut scene = Scene::new().await;
    scene.program = (scene.program.clone()).with("PROMPTYOSELF_APPROVAL_POLL", "1s");
    let client = AppServer::new(settings(&scene.fake.url(), None), Clock::system()).unwrap();
    let named = client.create_conversation(&scene.agent).await.unwrap();
    scene.fake.hold(&named, true);
    let theirs = prompt_in(&scene.agent, &named, 1, "from somebody else");
    tokio::select! {
        answer = client.send(&theirs, &|_| ()) => panic!("{answer:?}"),
        () = scene.fake.wait_for_begun(1) => {}
    }
    drop(client);
    scene.fake.wait_for_quiet().await;
    scene.fake.hold(&named, false);
    assert!(scene.fake.is_wedged(&named));

    for prompt in ["first", "second"] {
        scene.ask_in(&named, prompt);
    }
    scene.ask("elsewhere");
    let daemon = scene.serve();
    let delivered = |o: &&Value| o["state"] == "delivered";
    let until = scene
        .program
        .until(|h| h.iter().filter(delivered).count() == 1);
    until.await;
    // It is asked again and again, and that is no news.
    scene.fake.wait_for_asked("input", 5).await;
    let open = incidents(&scene);
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!(open[0]["kind"], "needs_human");
    assert!(
        open[0]["reason"].as_str().unwrap().contains("restarted"),
        "{open:#?}"
    );

    scene.fake.start_again().await;
    scene
        .program
        .until(|h| h.len() == 3 && is_all(h, "delivered"))
        .await;
    assert_eq!(incidents(&scene), [] as [Value; 0]);
    daemon.stop();
}
