//! History by pages, on the command line, in the plugin and over MCP.

use serde_json::{Value, json};

use crate::program::{Answer, World};

fn ids(page: &Value) -> Vec<i64> {
    let occurrences = page["occurrences"].as_array().unwrap();
    let ids = occurrences.iter().map(|o| o["occurrence_id"].as_i64());
    ids.map(Option::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_history_hold_everything_once() {
    let world = World::new().await;
    for _ in 0..5 {
        let id = world.register("p", &["--every", "1h"]).to_string();
        world.run(&["run", &id]).succeeded();
    }
    let all = ids(&world.run(&["history"]).succeeded());
    assert_eq!(all.len(), 5);
    let mut peer = crate::mcp::Peer::over_stdio(
        crate::mcp::NEWEST,
        &world,
        &[("PROMPTYOSELF_EXECUTOR_AUTOSTART", "0")],
    );
    let mut pages: [Vec<i64>; 3] = Default::default();
    for offset in [0, 2, 4, 6] {
        let text = offset.to_string();
        let argv = ["history", "--limit", "2", "--offset", &text];
        pages[0].extend(ids(&world.run(&argv).succeeded()));
        let through_plugin = Answer::read(world.plugin(&argv).output().unwrap()).succeeded();
        pages[1].extend(ids(&through_plugin));
        let asked = json!({ "limit": 2, "offset": offset });
        pages[2].extend(ids(&peer.succeed("promptyoself_history", asked)));
    }
    peer.close();
    for page in pages {
        assert_eq!(page, all);
    }
}
