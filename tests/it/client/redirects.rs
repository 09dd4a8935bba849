//! Redirects: nothing follows them, and every error says what to set.

use promptyoself::clock::Clock;
use promptyoself::letta_client::{Answer, ErrorClass, Evidence};

use super::raw::{Act, Asked, Raw, head};
use super::talks::{Came, TALKS};
use super::waits::scene;
use crate::program;

fn leads(status: u16, location: &str) -> Act {
    let location = format!("Location: {location}\r\nContent-Length: 0\r\n");
    Act::Say(head(status, "text/html", &location))
}

/// Leads every path to the same one over TLS, with a secret or two beside it.
fn to_tls(asked: &Asked) -> Act {
    leads(
        308,
        &format!(
            "https://me:hunter2@letta.test{}?token=hunter2",
            asked.path()
        ),
    )
}

#[tokio::test]
async fn nothing_that_is_asked_follows_a_redirect_and_all_of_it_says_what_to_set() {
    for status in [301, 302, 303, 307, 308] {
        for talk in TALKS {
            let (raw, letta) = scene(move |asked| match to_tls(asked) {
                Act::Say(bytes) => {
                    let text = String::from_utf8(bytes).unwrap();
                    Act::Say(text.replace("308", &status.to_string()).into_bytes())
                }
                act => act,
            })
            .await;
            let came = (talk.talk)(&letta).await;
            if talk.name == "app server" {
                assert!(!came.is_well());
                continue;
            }
            let text = match came {
                Came::Answer(Answer::Refused(refusal))
                | Came::Evidence(Evidence::Refused(refusal)) => {
                    assert_eq!(refusal.class, ErrorClass::Redirected);
                    refusal.text
                }
                Came::Question(Err(text)) => text,
                other => panic!("{}: {other:?}", talk.name),
            };
            let set = "set LETTA_BASE_URL=https://letta.test";
            assert!(text.contains(set), "{}: {text}", talk.name);
            assert!(!text.contains("hunter2"), "{text}");
            assert!(
                raw.asked()
                    .iter()
                    .all(|a| a.method != "POST" || talk.name != "find")
            );
        }
    }
}

#[tokio::test]
async fn a_redirect_in_circles_is_told_at_once() {
    let (raw, letta) = scene(|asked| leads(302, &asked.target)).await;
    let came = (TALKS[2].talk)(&letta).await;
    let Came::Question(Err(text)) = came else {
        panic!()
    };
    assert!(text.contains("has a redirect loop"), "{text}");
    assert_eq!(raw.asked().len(), 1);
}

#[tokio::test]
async fn a_prompt_that_is_led_elsewhere_after_a_good_question_was_not_sent() {
    let (raw, letta) = scene(|asked| match asked.method.as_str() {
        "POST" => leads(307, "/login"),
        _ => super::raw::well(asked),
    })
    .await;
    let prompt = super::prompt(&super::talks::agent(), 1, "hi");
    let refusal = super::refused(super::send(&letta, &prompt).await.0);
    assert_eq!(refusal.class, ErrorClass::Redirected);
    let login = format!("{}/login", raw.url());
    assert!(refusal.text.contains(&login), "{}", refusal.text);
    // No other way is tried, and nothing at the other place.
    let posts = raw.asked().into_iter().filter(|a| a.method == "POST");
    assert_eq!(posts.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_say_what_to_set_and_that_it_failed() {
    let world = program::World::new().await;
    world.run(&["list"]).succeeded();
    let raw = Raw::start(Clock::system(), to_tls).await;
    let run = |argv: &[&str], variable: &str| {
        let mut command = world.command(argv);
        command.env(variable, raw.url());
        if variable == "PROMPTYOSELF_URL" {
            command.env_remove("PROMPTYOSELF_DB_PATH");
        }
        program::Answer::read(command.output().unwrap())
    };
    for argv in [&["test"][..], &["agents"]] {
        let failed = run(argv, "LETTA_BASE_URL");
        assert_eq!((failed.status, failed.code()), (1, "letta_wrong_server"));
        let error = failed.error();
        assert!(
            error.contains("set LETTA_BASE_URL=https://letta.test"),
            "{error}"
        );
    }
    let doctor = run(&["doctor"], "LETTA_BASE_URL");
    assert_eq!(doctor.status, 1);
    let findings = doctor.json["findings"].to_string();
    assert!(
        findings.contains("set LETTA_BASE_URL=https://letta.test"),
        "{findings}"
    );
    for argv in [&["list"][..], &["test"], &["history"]] {
        let failed = run(argv, "PROMPTYOSELF_URL");
        assert_eq!(
            (failed.status, failed.code()),
            (1, "server_wrong"),
            "{failed:?}"
        );
        let error = failed.error();
        assert!(
            error.contains("set PROMPTYOSELF_URL=https://letta.test"),
            "{error}"
        );
    }
}
