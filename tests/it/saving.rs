//! Saving a schedule with the meaning it already has changes nothing, whoever saves it and in what
//! form.

use jiff::SignedDuration;
use promptyoself::error::Code;
use promptyoself::models::{AgentId, CatchUp, EnvelopeStyle, PingUrl, Policy, ScheduleType, State};
use promptyoself::schedule::{Asked, LeftOut};
use promptyoself::service::{Changes, Registration, Wish};
use reqwest::Method;
use serde_json::{Value, json};

use crate::foreign_writers::raw::Foreign;
use crate::mcp::peer::{NEWEST, Peer};
use crate::program::{self, dump};
use crate::rest::api::Api;
use crate::world::World;

const PING: &str = "https://hc-ping.com/abc";

/// Something that makes one part of a change another one.
type Edit<'a> = &'a dyn Fn(&mut Changes);

/// A schedule with every part, and the same parts in other words.
fn whole(world: &World, kind: ScheduleType, value: &str) -> Registration {
    let mut asked = world.wish("agent-a", "tick", kind, value);
    asked.name = Some("ticker".into());
    asked.when.timezone = Some("Asia/Kolkata".into());
    asked.when.end_at = Some("2030-01-01T00:00:00Z".into());
    asked.policy = Policy {
        catch_up: Some(CatchUp::Skip),
        grace: None,
        pause_on_failure: None,
        envelope: Some(EnvelopeStyle::Full),
        max_age: Some(SignedDuration::from_hours(2)),
    };
    asked.ping_url = Some(PingUrl::parse(PING).unwrap());
    if kind != ScheduleType::Once {
        asked.when.start_at = Some("2026-02-01T12:10:00Z".into());
        asked.when.except = LeftOut::parse("2026-12-25, 2026-12-31..2027-01-02").unwrap();
        asked.when.max_repetitions = Some(100);
    }
    asked
}

/// Each kind of time, and ways to write the same one.
const TIMES: [(ScheduleType, &[&str]); 3] = [
    (
        ScheduleType::Interval,
        &["1h", "60m", "3600", "3600s", "1 HOUR"],
    ),
    (
        ScheduleType::Cron,
        &[
            "@hourly",
            "0 * * * *",
            " 0  */1 * *\t* ",
            "0 0-23/1,* * * 0-7",
            "0 */2 * * *; 0 1-23/2 * * *",
            "0 * * * *; 0 */3 * * 1",
        ],
    ),
    (
        ScheduleType::Once,
        &[
            "2026-02-01T12:10:00Z",
            "2026-02-01 17:40",
            "2026-02-01T13:10:00+01:00",
            "2026-02-01 12:10:00 UTC",
        ],
    ),
];

/// Every part of a change, each as the schedule has it already.
fn same_parts(asked: &Registration, value: &str) -> Vec<Changes> {
    let repeating = asked.when.wish.asked.kind() != Some(ScheduleType::Once);
    let wish = Some(Wish {
        asked: asked.when.wish.asked,
        value: value.to_owned(),
    });
    let policy = |policy| Changes {
        policy,
        ..Changes::default()
    };
    let said = |text: &str| Some(text.to_owned());
    let mut parts = vec![
        Changes {
            wish: wish.clone(),
            ..Changes::default()
        },
        Changes {
            agent_id: asked.agent_id.clone(),
            ..Changes::default()
        },
        Changes {
            prompt: said("tick"),
            ..Changes::default()
        },
        Changes {
            timezone: said("Asia/Kolkata"),
            ..Changes::default()
        },
        Changes {
            timezone: said("asia/calcutta"),
            ..Changes::default()
        },
        Changes {
            end_at: said("2030-01-01 05:30"),
            ..Changes::default()
        },
        Changes {
            name: said("ticker"),
            ..Changes::default()
        },
        Changes {
            ping_url: Some(asked.ping_url.clone()),
            ..Changes::default()
        },
        policy(asked.policy),
        policy(Policy {
            grace: Some(SignedDuration::from_mins(10)),
            ..Policy::default()
        }),
        policy(Policy {
            pause_on_failure: Some(5),
            ..Policy::default()
        }),
    ];
    if repeating {
        parts.push(Changes {
            start_at: said("2026-02-01T12:10:00.000Z"),
            ..Changes::default()
        });
        for text in [
            "2027-01-01..2027-01-02,2026-12-31,2026-12-25",
            "2026-12-25, 2026-12-31..2027-01-02",
        ] {
            parts.push(Changes {
                except: Some(LeftOut::parse(text).unwrap()),
                ..Changes::default()
            });
        }
        parts.push(Changes {
            max_repetitions: Some(100),
            ..Changes::default()
        });
    }
    // A new field is added here, and to the parts above.
    parts.push(Changes {
        agent_id: asked.agent_id.clone(),
        prompt: said("tick"),
        wish,
        timezone: said("Asia/Kolkata"),
        start_at: asked.when.start_at.clone(),
        end_at: asked.when.end_at.clone(),
        except: Some(asked.when.except.clone()),
        max_repetitions: asked.when.max_repetitions,
        name: asked.name.clone(),
        policy: asked.policy,
        ping_url: Some(asked.ping_url.clone()),
        conversation: None,
        target: None,
        skip_validation: false,
    });
    parts
}

#[tokio::test]
async fn a_part_that_is_saved_with_the_meaning_it_has_changes_nothing() {
    for (kind, texts) in TIMES {
        for paused in [false, true] {
            let world = World::new().await;
            let asked = whole(&world, kind, texts[0]);
            let made = world.service.register(&asked).await.unwrap();
            if paused {
                world.service.pause(made.id, None).await.unwrap();
            }
            // Due and not sent, and long after its start.
            world.advance(3 * 3_600 + 600);
            let before = dump(&world.path()).await;
            for value in texts {
                for changes in same_parts(&asked, value) {
                    let told = world.service.update(made.id, &changes).await;
                    let told = told.unwrap_or_else(|e| panic!("{changes:?}: {e}"));
                    assert_eq!(told.changed, Some(false), "{changes:?}");
                    assert_eq!((told.id, told.next_run), (made.id, made.next_run));
                    assert_eq!(dump(&world.path()).await, before, "{changes:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_differs_changes_alone_and_leaves_the_time_as_it_is() {
    let url = PingUrl::parse("https://hc-ping.com/other").unwrap();
    for (kind, texts) in TIMES {
        for text in texts {
            let same = |world: &World| {
                same_parts(&whole(world, kind, texts[0]), text)
                    .pop()
                    .unwrap()
            };
            let others: [(&str, Edit<'_>); 6] = [
                ("prompt_text", &|c| c.prompt = Some("tock".into())),
                ("agent_id", &|c| c.agent_id = AgentId::parse("agent-b").ok()),
                ("name", &|c| c.name = Some("other".into())),
                ("ping_url", &|c| c.ping_url = Some(Some(url.clone()))),
                ("pause_on_failure", &|c| c.policy.pause_on_failure = Some(0)),
                ("end_at", &|c| {
                    c.end_at = Some("2029-01-01T00:00:00Z".into())
                }),
            ];
            for (column, change) in others {
                let world = World::new().await;
                let asked = whole(&world, kind, texts[0]);
                let made = world.service.register(&asked).await.unwrap();
                world.advance(7_200);
                let mut changes = same(&world);
                change(&mut changes);
                let told = world.service.update(made.id, &changes).await.unwrap();
                assert_eq!(told.changed, Some(true), "{column}");
                assert_eq!(told.next_run, made.next_run, "{column} {text}");
                let mut foreign = Foreign::connect(&world.path()).await;
                assert_eq!(
                    foreign.column(made.id, "next_run = planned_next_run").await,
                    "1"
                );
                assert_eq!(
                    foreign.column(made.id, "schedule_value").await,
                    asked_value(&made, kind)
                );
                let skipped = foreign.text("SELECT count(*) FROM occurrences").await;
                assert_eq!(skipped, "0", "{column} {text}");
            }
        }
    }
}

fn asked_value(made: &promptyoself::service::answers::Planned, kind: ScheduleType) -> String {
    match kind {
        ScheduleType::Interval => "1h".into(),
        ScheduleType::Cron => "@hourly".into(),
        ScheduleType::Once => made
            .next_run_local
            .replacen(' ', "T", 1)
            .replace(" +05:30 Asia/Kolkata", "+05:30"),
    }
}

#[tokio::test]
async fn an_interval_that_is_saved_again_and_again_still_fires_on_time() {
    let world = World::new().await;
    let made = world.every("agent-a", "tick", "1h").await;
    let mut running = world.start();
    let changes = Changes {
        wish: Some(Wish {
            asked: Asked::As(ScheduleType::Interval),
            value: "60m".into(),
        }),
        ..Changes::default()
    };
    for _ in 0..2 {
        for _ in 0..3 {
            world.advance(1_199);
            let told = world.service.update(made.id, &changes).await.unwrap();
            assert_eq!(told.changed, Some(false));
            world.advance(1);
        }
        running.until(State::Delivered).await;
    }
    running.stop().await;
    let at: Vec<String> = world
        .occurrences()
        .await
        .iter()
        .map(|o| o.intended_at.to_string())
        .collect();
    assert_eq!(at, ["2026-02-01T13:00:00Z", "2026-02-01T14:00:00Z"]);
}

#[tokio::test]
async fn another_meaning_is_a_change_as_ever() {
    let world = World::new().await;
    for (kind, value, other) in [
        (ScheduleType::Interval, "1d", "24h"),
        (ScheduleType::Interval, "1h", "61m"),
        (ScheduleType::Cron, "0 9 * * 1-5", "0 9 * * 1-6"),
        (
            ScheduleType::Once,
            "2026-03-01T00:00:00Z",
            "2026-03-01 00:00:01",
        ),
    ] {
        let id = world.register("agent-a", "tick", kind, value).await.id;
        let wish = Some(Wish {
            asked: Asked::As(kind),
            value: other.to_owned(),
        });
        let changes = Changes {
            wish,
            ..Changes::default()
        };
        let told = world.service.update(id, &changes).await.unwrap();
        assert_eq!(told.changed, Some(true), "{value} {other}");
    }
    let id = world.every("agent-a", "tick", "1h").await.id;
    let changes = Changes {
        timezone: Some("Europe/London".into()),
        ..Changes::default()
    };
    for changed in [true, false] {
        let told = world.service.update(id, &changes).await.unwrap();
        assert_eq!(told.changed, Some(changed));
    }
    for bad in ["1x", "0s"] {
        let wish = Some(Wish {
            asked: Asked::As(ScheduleType::Interval),
            value: bad.to_owned(),
        });
        let refused = world
            .service
            .update(
                id,
                &Changes {
                    wish,
                    ..Changes::default()
                },
            )
            .await;
        assert_eq!(refused.unwrap_err().code(), Code::IntervalInvalid);
    }
}

#[tokio::test]
async fn registering_the_same_in_other_words_gives_the_one_that_is_there() {
    for (kind, texts) in TIMES {
        let world = World::new().await;
        let asked = whole(&world, kind, texts[0]);
        let made = world.service.register(&asked).await.unwrap();
        for seconds in [0, 7_200] {
            // Its start and its first time have passed by then.
            world.advance(seconds);
            let before = dump(&world.path()).await;
            for text in texts {
                for zone in ["Asia/Kolkata", "ASIA/CALCUTTA"] {
                    let mut again = asked.clone();
                    again.when.wish.value = (*text).to_owned();
                    again.when.timezone = Some(zone.to_owned());
                    again.when.end_at = Some("2030-01-01 05:30".into());
                    again.policy.pause_on_failure = Some(5);
                    let told = world.service.register(&again).await.unwrap();
                    assert_eq!((told.id, told.existed), (made.id, Some(true)));
                    assert_eq!(told.next_run, made.next_run);
                }
            }
            assert_eq!(dump(&world.path()).await, before);
        }
        let mut other = asked.clone();
        other.when.timezone = Some("Europe/Berlin".into());
        other.when.start_at = None;
        if kind != ScheduleType::Once {
            let refused = world.service.register(&other).await.unwrap_err();
            assert_eq!(refused.code(), Code::NameTaken);
        }
    }
}

#[tokio::test]
async fn another_program_that_saves_the_same_row_changes_nothing() {
    let columns = [
        "agent_id",
        "prompt_text",
        "schedule_type",
        "schedule_value",
        "next_run",
        "created_at",
        "active",
        "last_run",
    ];
    let same = columns.map(|c| format!("{c} = {c}")).join(", ");
    for (kind, texts) in TIMES {
        for paused in [false, true] {
            let world = World::new().await;
            let made = world
                .service
                .register(&whole(&world, kind, texts[0]))
                .await
                .unwrap();
            if paused {
                world.service.pause(made.id, None).await.unwrap();
            }
            let mut foreign = Foreign::connect(&world.path()).await;
            world.advance(7_200);
            let kept = "id, uid, next_run, anchor, lifecycle, active, repetitions, timezone";
            let kept = format!(
                "SELECT (SELECT quote(concat_ws('|', {kept})) FROM schedules) || \
                 (SELECT count(*) FROM schedule_revisions) || (SELECT count(*) FROM occurrences)"
            );
            let before = foreign.text(&kept).await;
            let mut saves = vec![
                same.clone(),
                "next_run = replace(next_run, ' ', 'T')".to_owned(),
                "next_run = substr(next_run, 1, 19)".to_owned(),
                "next_run = substr(next_run, 1, 19) || '+00:00', timezone = 'ASIA/CALCUTTA'"
                    .to_owned(),
                "timezone = 'Asia/Kolkata'".to_owned(),
                "schedule_type = schedule_type || ' '".to_owned(),
            ];
            // What a stored time without an offset means is UTC.
            let texts = texts
                .iter()
                .filter(|t| kind != ScheduleType::Once || t.contains('T'));
            saves.extend(texts.map(|text| format!("{same}, schedule_value = '{text}'")));
            for save in saves {
                foreign.run(&format!("UPDATE schedules SET {save}")).await;
                let zone = world.service.zone.clone();
                world
                    .service
                    .db
                    .adopt_touched(&zone, world.now())
                    .await
                    .unwrap();
                let after = foreign.text(&kept).await;
                let after = after.replace("ASIA/CALCUTTA", "Asia/Kolkata");
                assert_eq!(after, before, "{save}");
                foreign.check().await;
            }
            world.assert_balanced().await;
        }
    }
}

/// What every face is asked: the interval in other words, beside parts that are as they were.
fn flags() -> Vec<(&'static str, Value)> {
    vec![
        ("every", json!("60m")),
        ("prompt", json!("tick")),
        ("timezone", json!("utc")),
        ("end_at", json!("2100-01-01 00:00")),
        ("except", json!("2099-12-26, 2099-12-25")),
        ("max_repetitions", json!(100)),
        ("name", json!("ticker")),
        ("catch_up", json!("latest")),
        ("pause_on_failure", json!(5)),
        ("envelope", json!("auto")),
    ]
}

fn assert_unchanged(face: &str, answer: &Value) {
    assert_eq!(answer["changed"], false, "{face}: {answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("nothing was changed"), "{face}: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_face_says_that_nothing_was_changed() {
    let world = program::World::new().await;
    world.run(&["halt"]).succeeded();
    let given = [
        "--every",
        "1h",
        "--name",
        "ticker",
        "--except",
        "2099-12-25..2099-12-26",
        "--max-repetitions",
        "100",
        "--end-at",
        "2100-01-01T00:00:00Z",
    ];
    let id = world.register("tick", &given);
    world.make_due(id, 60).await;
    let number = id.to_string();
    let mut argv = vec!["update".to_owned(), "--id".into(), number.clone()];
    for (name, value) in flags() {
        argv.push(format!("--{}", name.replace('_', "-")));
        argv.push(value.as_str().map_or(value.to_string(), str::to_owned));
    }
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let told = world.run(&argv).succeeded();
    assert_unchanged("command line", &told);
    // Nothing is written from here on: the first look has adopted what made it due.
    let before = dump(&world.database()).await;
    let plugin = program::Answer::read(world.plugin(&argv).output().unwrap());
    assert_unchanged("plugin", &plugin.succeeded());

    let mut body: serde_json::Map<String, Value> = serde_json::Map::new();
    body.extend(
        flags()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    let mut tool = body.clone();
    tool.insert("schedule_id".into(), json!(id));
    let mut peer = Peer::over_stdio(NEWEST, &world, &[]);
    assert_unchanged(
        "mcp",
        &peer.succeed("promptyoself_update", Value::Object(tool)),
    );
    peer.close();

    let (url, key) = world.serve_with_key(None);
    let mut remote = world.command(&argv);
    remote
        .env("PROMPTYOSELF_URL", &url)
        .env("PROMPTYOSELF_KEY", &key)
        .current_dir("/");
    assert_unchanged(
        "remote",
        &program::Answer::read(remote.output().unwrap()).succeeded(),
    );
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let patched = http
        .request(Method::PATCH, format!("{url}/api/v1/schedules/{id}"))
        .bearer_auth(&key);
    let patched: Value = patched
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_unchanged("rest", &patched);
    assert_eq!(dump(&world.database()).await, before);
    let shown = world.run(&["show", "--id", &number]).succeeded();
    assert_eq!(shown["schedule"]["next_run"], told["next_run"]);
    assert_eq!(told["next_run"], told["next_runs"][0]);
}

#[tokio::test]
async fn what_is_shown_can_be_saved_as_it_is() {
    let api = Api::new().await;
    let body = json!({ "agent_id": "agent-a", "prompt": "p", "cron": "0 9 * * mon-fri; 30 17 * * fri",
                       "name": "n", "timezone": "Europe/Berlin", "except": "2099-12-25, 2099-12-24" });
    api.post("/api/v1/schedules", body).await.is(201);
    let shown = api.get("/api/v1/schedules/1").await.is(200);
    let schedule = &shown["schedule"];
    let policy = &schedule["policy"];
    let saved = json!({
        "agent_id": schedule["agent_id"], "prompt": schedule["prompt_text"],
        "cron": schedule["schedule_value"], "timezone": schedule["timezone"], "name": schedule["name"],
        "except": schedule["except"],
        "catch_up": policy["catch_up"], "pause_on_failure": policy["pause_on_failure"],
        "envelope": policy["envelope"],
    });
    let told = api
        .send(Method::PATCH, "/api/v1/schedules/1", saved)
        .await
        .is(200);
    assert_unchanged("rest", &told);
    let change = json!({ "cron": "0 9 * * 1-5", "prompt": "q" });
    let told = api
        .send(Method::PATCH, "/api/v1/schedules/1", change)
        .await
        .is(200);
    assert_eq!(told["changed"], true);
}
