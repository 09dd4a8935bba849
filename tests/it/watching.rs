//! What goes on until it is told to stop: `list --watch` and `history --follow`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::printed::{HOSTILE, check, hostile_world};
use crate::program::World;
use crate::terminal::without_colours;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l";
const LEAVE: &str = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";
const CTRL_C: &str = "\u{3}";

/// A `history --follow` that writes into a pipe. It is killed when dropped.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(world: &World, flags: &[&str], env: &[(&str, &str)]) -> Follower {
        let argv = [&["history", "--follow"], flags].concat();
        let mut command = world.command(&argv);
        command.envs(env.iter().copied()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (written, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = written.send(line);
            }
        });
        Follower { child, lines }
    }

    /// The next delivery that it tells.
    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Delivers a schedule's prompt, which is then due.
async fn deliver(world: &World, id: i64) {
    world.make_due(id, 2).await;
    world.run(&["execute"]).succeeded();
}

/// What was written to a terminal without our orders for the cursor.
fn without_cursor(written: &str) -> String {
    let ours = [ENTER, LEAVE, "\u{1b}[H", "\u{1b}[K", "\u{1b}[J"];
    let without = |text: String, order: &&str| text.replace(*order, "");
    ours.iter().fold(written.to_owned(), without)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_shows_what_others_change_and_leaves_the_terminal_as_it_was() {
    let world = World::new().await;
    world.register("Stand up", &["--every", "2h", "--name", "first"]);
    let mut terminal = world.at_terminal(&["list", "--watch"]);
    terminal.wait_until(|written| written.contains("first"));
    world.register("Sit down", &["--every", "3h", "--name", "second"]);
    terminal.wait_until(|written| written.contains("second"));
    world.run(&["pause", "1"]).succeeded();
    terminal.wait_until(|written| written.contains("paused"));
    terminal.type_in(CTRL_C);
    let written = terminal.finish();
    assert_eq!(written.status, Some(0), "{written:?}");
    assert!(written.text.starts_with(ENTER), "{written:?}");
    assert!(written.text.ends_with(LEAVE), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_that_has_not_changed_is_not_read_or_drawn_again() {
    let world = World::new().await;
    world.register("Stand up", &["--every", "50h"]);
    let mut terminal = world.at_terminal(&["list", "--watch"]);
    terminal.wait_until(|written| written.contains("in 2 d 1 h"));
    world.register("Sit down", &["--every", "3h", "--name", "second"]);
    let written = terminal.wait_until(|written| written.contains("second"));
    terminal.type_in(CTRL_C);
    terminal.finish();
    // The clock of the heading goes on, a second at a time; nothing else draws.
    let seconds = written.matches("schedules at").count();
    assert!(seconds < 200, "{seconds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_watched_on_a_terminal_only_and_mistakes_are_told_as_usual() {
    let world = World::new().await;
    let refused = world.run(&["list", "--watch"]);
    assert_eq!(refused.code(), "usage");
    assert!(
        refused.error().contains("--watch draws on a terminal"),
        "{refused:?}"
    );
    let written = world.at_terminal(&["list", "--watch", "--json"]).finish();
    assert_eq!(written.status, Some(2), "{written:?}");
    let written = world
        .at_terminal(&["list", "--watch", "--limit", "none"])
        .finish();
    assert_eq!(written.status, Some(2), "{written:?}");
    assert!(!written.text.contains(ENTER), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_refuses_what_never_returns() {
    let world = World::new().await;
    for argv in [["list", "--watch"], ["history", "--follow"]] {
        let answer: Value =
            serde_json::from_slice(&world.plugin(&argv).output().unwrap().stdout).unwrap();
        assert_eq!(answer["code"], "refused_in_plugin", "{argv:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_delivery_is_followed_once_and_by_the_filters() {
    let world = World::new().await;
    let [first, second] = ["1h", "2h"].map(|every| world.register("p", &["--every", every]));
    deliver(&world, first).await;
    let all = Follower::start(&world, &[], &[]);
    assert_eq!(
        all.next()["schedule_id"],
        first,
        "it begins with the last ones"
    );
    let of_second = Follower::start(&world, &["--id", &second.to_string()], &[]);
    let dead = Follower::start(&world, &["--state", "dead"], &[]);
    deliver(&world, second).await;
    let told = all.next();
    assert_eq!(told, world.last_delivery(second), "as the history shows it");
    assert_eq!(of_second.next(), told);
    deliver(&world, first).await;
    assert_eq!(all.next(), world.last_delivery(first));
    deliver(&world, second).await;
    assert_eq!(all.next(), world.last_delivery(second));
    assert_eq!(of_second.next(), world.last_delivery(second));
    assert!(dead.lines.try_recv().is_err());
    assert!(all.lines.try_recv().is_err(), "each is told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_followed_that_never_settles_or_is_no_delivery() {
    let world = World::new().await;
    for flags in [
        ["--state", "waiting"],
        ["--state", "sending"],
        ["--changes", "true"],
    ] {
        let argv = [&["history", "--follow"][..], &flags].concat();
        let refused = world.run(&argv);
        assert_eq!(refused.code(), "usage", "{refused:?}");
        assert!(refused.error().contains("--follow"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_survives_the_scheduler_and_the_server_it_asks() {
    let world = World::new().await;
    let id = world.register("p", &["--every", "1h"]);
    let key = world.key(None);
    let url = world.serve();
    let address = url.trim_start_matches("http://").to_owned();
    let remote = [
        ("PROMPTYOSELF_URL", url.as_str()),
        ("PROMPTYOSELF_KEY", key.as_str()),
    ];
    let here = Follower::start(&world, &[], &[]);
    let there = Follower::start(&world, &[], &remote);
    world.make_due(id, 2).await;
    let told = here.next();
    assert_eq!(told["state"], "delivered");
    assert_eq!(there.next(), told);
    world.stop_servers();
    deliver(&world, id).await;
    assert_eq!(here.next(), world.last_delivery(id));
    let _again = world.start(&["serve", "--listen", &address], &[]);
    assert_eq!(
        there.next(),
        world.last_delivery(id),
        "it was away meanwhile"
    );
    world.make_due(id, 2).await;
    let told = here.next();
    assert_eq!(there.next(), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_text_moves_the_cursor_of_who_watches_or_follows() {
    let world = hostile_world().await;
    for argv in [&["list", "--watch", "--all"][..], &["history", "--follow"]] {
        let mut terminal = world.at_terminal(argv);
        terminal.wait_until(|written| written.contains("FORGED") || written.contains("\\nF"));
        terminal.type_in(CTRL_C);
        let written = terminal.finish();
        assert_eq!(written.status, Some(0), "{argv:?}: {written:?}");
        check(&format!("{argv:?}"), &without_cursor(&written.text));
        let (text, _) = without_colours(&written.text);
        assert!(!text.contains(HOSTILE), "{argv:?}: {text}");
    }
    let followed = Follower::start(&world, &[], &[]).next();
    assert_eq!(followed["reply"], json!(HOSTILE), "JSON is exact");
}
