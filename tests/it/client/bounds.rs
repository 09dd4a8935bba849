//! What a server sends is limited, whatever it is.

use promptyoself::clock::Clock;
use promptyoself::http::limits;
use promptyoself::letta_client::{Answer, Delivery, ErrorClass, Evidence, Letta, Target};
use promptyoself::models::Turn;
use rstest::rstest;
use serde_json::{Value, json};

use super::raw::{Act, Asked, Raw, TURN, answer, head, stream, well};
use super::talks::{Came, TALKS, Talk, agent};
use super::waits::scene;
use super::{client, delivered, lookup, prompt, send, unknown};
use crate::program;

/// The answer to a prompt that is answered so.
async fn sent(act: Act) -> Answer {
    let (_raw, letta) = scene(move |asked| match asked.method.as_str() {
        "POST" => act.clone(),
        _ => well(asked),
    })
    .await;
    send(&letta, &prompt(&agent(), 1, "hi")).await.0
}

/// The delivery that a stream tells of.
async fn heard(events: &[u8]) -> Delivery {
    delivered(sent(stream(events)).await)
}

#[tokio::test]
async fn no_answer_without_end_is_read_without_end() {
    let wave = "x".repeat(1 << 20).into_bytes();
    for Talk { name, talk, server } in TALKS {
        let (raw, letta) = scene(*server).await;
        talk(&letta).await;
        let requests = raw.asked();
        for (nth, asked) in requests.iter().enumerate() {
            // A text of a page is read on, so for these the length is told at once.
            let is_page = asked.query("limit").is_some();
            let is_prompt = asked.method == "POST" && asked.path().contains("/messages");
            let (server, wave) = (*server, wave.clone());
            let raw = Raw::start(Clock::system(), move |asked| match asked.n >= nth {
                true if is_page || is_prompt => {
                    let length = format!("Content-Length: {}\r\n", 700 << 20);
                    Act::Flood(head(200, "application/json", &length), wave.clone(), 700)
                }
                true => {
                    let body = [&head(200, "application/json", "")[..], b"{\"id\":\""].concat();
                    Act::Flood(body, wave.clone(), 700)
                }
                false => server(asked),
            })
            .await;
            let came = talk(&client(&raw.url())).await;
            // What is in the agent's messages is there, whatever is said of its run.
            let found = matches!(came, Came::Evidence(Evidence::Found(_)));
            assert!(!came.is_well() || found, "{name} {nth}: {came:?}");
            assert!(raw.asked().len() < requests.len() + 12, "{name} {nth}");
        }
    }
}

/// An event of 20 MB in which the reply comes before what it is.
fn large_reply() -> Vec<u8> {
    let reply = format!("é{}", "x".repeat(20 << 20));
    let event = json!({
        "content": reply, "id": "m1", "message_type": "assistant_message", "run_id": "run-1",
    });
    format!("data: {event}\n\n{TURN}").into_bytes()
}

#[tokio::test]
async fn an_oversized_reply_is_delivered_with_its_beginning() {
    let delivery = heard(&large_reply()).await;
    let reply = delivery.reply.unwrap();
    assert_eq!(delivery.turn, Turn::Ok);
    assert!(reply.starts_with("éxxx") && reply.chars().count() > 2_000);
    assert!(
        reply.len() <= limits::EVENT.text.unwrap() + 10,
        "{}",
        reply.len()
    );
}

#[tokio::test]
async fn a_reply_in_very_many_parts_or_messages_is_delivered_with_its_beginning() {
    let parts = vec![json!({"type": "text", "text": "y".repeat(10_000)}); 2_000];
    let in_parts = json!({"content": parts, "id": "m", "message_type": "assistant_message"});
    let one = json!({"content": "z".repeat(10_000), "message_type": "assistant_message"});
    for said in [
        format!("data: {in_parts}\n\n"),
        format!("data: {one}\n\n").repeat(2_000),
    ] {
        let delivery = heard(format!("{said}{TURN}").as_bytes()).await;
        let reply = delivery.reply.unwrap();
        assert!((2_000..300_000).contains(&reply.len()), "{}", reply.len());
    }
}

#[tokio::test]
async fn an_oversized_event_of_another_kind_is_left_out_and_the_turn_goes_on() {
    let numbers = format!("data: [{}1]\n\n", "1,".repeat(5 << 20));
    let tool = json!({"message_type": "tool_return_message", "tool_return": "x".repeat(20 << 20)});
    for event in [numbers, format!("event: odd\ndata: {tool}\n\n")] {
        let delivery = heard(format!("{event}{TURN}").as_bytes()).await;
        assert_eq!(delivery.reply.as_deref(), Some("well"));
    }
}

#[rstest]
#[case::mark("\u{feff}", "\n")]
#[case::carriage_returns("", "\r")]
#[case::both("\u{feff}", "\r\n")]
#[case::comments(": hello\n:\n\n", "\n")]
#[tokio::test]
async fn every_form_of_a_stream_is_understood(#[case] before: &str, #[case] end: &str) {
    let events = format!("{before}{TURN}").replace('\n', end);
    let delivery = heard(events.as_bytes()).await;
    assert_eq!(delivery.reply.as_deref(), Some("well"));
    assert_eq!(delivery.run_id.as_deref(), Some("run-1"));
}

#[tokio::test]
async fn an_event_that_never_ends_is_a_doubt() {
    let begun = [&head(200, "text/event-stream", "")[..], b"data: \""].concat();
    let wave = "x".repeat(1 << 20).into_bytes();
    let doubt = unknown(sent(Act::Flood(begun, wave, 700)).await);
    assert_eq!(doubt.class, ErrorClass::TooLarge, "{}", doubt.text);
}

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_again_with_less_in_it() {
    // Each entry is seven megabytes long, as its server says.
    let large = |asked: &Asked, body: Value| {
        let limit: u64 = asked.query("limit").unwrap().parse().unwrap();
        let length = limit * (7 << 20);
        match length > limits::PAGE.read {
            true => {
                let length = format!("Content-Length: {length}\r\n");
                Act::Stall(head(200, "application/json", &length))
            }
            false => answer(200, &body),
        }
    };
    let (raw, letta) = scene(move |asked| match asked.path() {
        "/v1/agents/" if asked.query("after").is_some() => well(asked),
        "/v1/agents/" => large(asked, json!([{"id": "agent-a"}])),
        _ => large(asked, json!([])),
    })
    .await;
    assert_eq!(letta.list_agents().await.unwrap().len(), 1);
    let sent_at = "2026-03-01T12:00:00Z".parse().unwrap();
    let question = lookup(&agent(), 1, sent_at, jiff::SignedDuration::from_mins(2));
    let found = letta.find(&question).await;
    assert_eq!(found, Evidence::Absent { failed: None });
    let asked = raw.asked();
    let limits: Vec<_> = asked.iter().filter_map(|a| a.query("limit")).collect();
    // The agents, the page after them, the runs and the messages.
    let all = ["100", "10", "1", "10", "100", "10", "1", "100", "10", "1"];
    assert_eq!(limits, all);
}

#[tokio::test]
async fn a_malformed_answer_is_an_error_and_nothing_worse() {
    let deep = "[".repeat(1 << 20);
    let gzip = [&b"\x1f\x8b\x08"[..], &[0; 64]].concat();
    let json = |more: &str, body: &[u8]| {
        Act::Say([&head(200, "application/json", more)[..], body].concat())
    };
    let headers = |n: usize| {
        let many = format!("X-A: {}\r\n", "y".repeat(1_000)).repeat(n);
        json(&many, b"{\"id\":\"agent-a\"}")
    };
    for (what, act) in [
        ("depth", json("", deep.as_bytes())),
        ("less depth", json("", "[".repeat(500).as_bytes())),
        ("packed", json("Content-Encoding: gzip\r\n", &gzip)),
        ("many headers", headers(150)),
        (
            "a header without end",
            Act::Flood(
                b"HTTP/1.1 200 OK\r\nX-A: ".to_vec(),
                vec![b'y'; 1 << 20],
                700,
            ),
        ),
        (
            "headers without end",
            Act::Flood(
                b"HTTP/1.1 200 OK\r\n".to_vec(),
                b"X-A: y\r\n".repeat(1_000),
                70_000,
            ),
        ),
        ("not HTTP", Act::Flood(Vec::new(), vec![0; 1 << 20], 700)),
    ] {
        let (raw, letta) = scene(move |_| act.clone()).await;
        let asked = letta.get_agent(&agent()).await;
        assert!(asked.is_err(), "{what}: {asked:?}");
        assert!(!raw.asked()[0].head.contains("accept-encoding"));
    }
}

#[tokio::test]
async fn any_bytes_whatever_are_survived_as_a_stream_and_as_a_body() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let parts: [&[u8]; 14] = [
        b"data: ",
        b"\n",
        b"\r",
        b"\n\n",
        b":",
        b"{\"message_type\":\"assistant_message\"",
        b"}",
        b"\"",
        b"\\u",
        b"\xEF\xBB\xBF",
        b"\xFF",
        b"[",
        b"event: error\n",
        b"\"stop_reason\":[1]",
    ];
    for _ in 0..150 {
        let mut bytes = Vec::new();
        for _ in 0..random.usize(..60) {
            bytes.extend_from_slice(parts[random.usize(..parts.len())]);
        }
        let kind = ["text/event-stream", "application/json"][random.usize(..2)];
        let answer = sent(Act::Say([&head(200, kind, "")[..], &bytes].concat())).await;
        assert!(!matches!(answer, Answer::Delivered(_)), "{answer:?}");
    }
}

/// Runs a command against a server, and gives its exit status and the most memory that it held, in
/// bytes, as the system tells it.
#[cfg(target_os = "linux")]
fn measured(command: std::process::Command) -> (i64, u64) {
    const MEASURE: &str = "import resource, subprocess, sys; \
        done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); \
        print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)";
    let mut python = std::process::Command::new("python3");
    python
        .args(["-c", MEASURE])
        .arg(command.get_program())
        .args(command.get_args());
    python.env_clear();
    let set = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    python.envs(set);
    if let Some(folder) = command.get_current_dir() {
        python.current_dir(folder);
    }
    let output = python.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (status, memory) = text.trim().split_once(' ').unwrap();
    (status.parse().unwrap(), memory.parse().unwrap())
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_program_holds_little_of_what_a_server_says_without_end() {
    let world = program::World::new().await;
    world.run(&["list"]).succeeded();
    let flood = |begun: &'static [u8], wave: Vec<u8>| {
        Raw::start(Clock::system(), move |_| {
            let head = [&head(200, "application/json", "")[..], begun].concat();
            Act::Flood(head, wave.clone(), 300)
        })
    };
    for raw in [
        flood(b"{\"id\":\"", vec![b'x'; 1 << 20]).await,
        flood(b"[", b"[],".repeat(1 << 18)).await,
    ] {
        for (argv, variable) in [
            (["agents"], "LETTA_BASE_URL"),
            (["list"], "PROMPTYOSELF_URL"),
        ] {
            let mut command = world.command(&argv);
            command.env(variable, raw.url());
            command.env_remove("PROMPTYOSELF_DB_PATH");
            let (status, memory) = measured(command);
            assert_eq!(status, 1, "{argv:?}");
            assert!(memory < 200 << 20, "{argv:?} held {memory} bytes");
        }
    }
}
