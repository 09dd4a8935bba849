//! Dates on which a schedule does not run: on every face, in the account, and when they change.

use promptyoself::error::Code;
use promptyoself::models::{Lifecycle, PromptSchedule, ScheduleType, State};
use promptyoself::schedule::LeftOut;
use promptyoself::scheduler::Mode;
use promptyoself::service::{Changes, Registration};
use reqwest::Method;
use serde_json::{Value, json};

use crate::mcp::peer::{NEWEST, Peer};
use crate::program;
use crate::rest::api::Api;
use crate::world::World;

fn dates(text: &str) -> LeftOut {
    LeftOut::parse(text).unwrap()
}

fn leaving_out(world: &World, interval: &str, except: &str) -> Registration {
    let mut wish = world.wish("agent-a", "tick", ScheduleType::Interval, interval);
    wish.when.except = dates(except);
    wish
}

/// A world with a schedule that leaves out these dates.
async fn world_leaving_out(interval: &str, except: &str) -> (World, i64) {
    let world = World::new().await;
    let wish = leaving_out(&world, interval, except);
    let made = world.service.register(&wish).await.unwrap();
    (world, made.id)
}

fn change(except: &str) -> Changes {
    Changes {
        except: Some(dates(except)),
        ..Changes::default()
    }
}

async fn get(world: &World, id: i64) -> PromptSchedule {
    world.service.db.get_schedule(id).await.unwrap().unwrap()
}

async fn deliver(world: &World) {
    world.start_on(&world.service, Mode::Once).ended().await;
}

/// How many instants have come to which state, in order.
async fn counts(world: &World) -> Vec<(State, i64)> {
    world.assert_balanced().await;
    world.account().await
}

const HOUR: i64 = 3_600;

#[tokio::test]
async fn an_instant_on_a_left_out_date_is_in_no_account_and_uses_no_repetition() {
    let world = World::new().await;
    let mut wish = leaving_out(&world, "6h", "2026-02-02..2026-02-03");
    wish.when.max_repetitions = Some(3);
    let made = world.service.register(&wish).await.unwrap();
    let runs: Vec<String> = made.next_runs.iter().map(ToString::to_string).collect();
    let wanted = [
        "2026-02-01T18:00:00Z",
        "2026-02-04T00:00:00Z",
        "2026-02-04T06:00:00Z",
    ];
    assert_eq!(runs, wanted);
    assert!(
        made.describes.ends_with(", except 2026-02-02..2026-02-03"),
        "{}",
        made.describes
    );
    world.advance(6 * HOUR);
    deliver(&world).await;
    // In the midst of the dates, nothing is due.
    world.advance(30 * HOUR);
    deliver(&world).await;
    assert_eq!(counts(&world).await, [(State::Delivered, 1)]);
    world.advance(48 * HOUR);
    deliver(&world).await;
    assert_eq!(
        counts(&world).await,
        [
            (State::Delivered, 1),
            (State::Coalesced, 1),
            (State::Delivered, 1)
        ]
    );
    let schedule = get(&world, made.id).await;
    assert_eq!(
        (schedule.lifecycle, schedule.repetitions),
        (Lifecycle::Finished, 3)
    );
}

#[tokio::test]
async fn a_change_of_the_dates_keeps_the_phase_and_what_passed_by_the_dates_of_its_time() {
    let (world, id) = world_leaving_out("7h", "none").await;
    // 19:00 and 02:00 have passed unsent.
    world.advance(15 * HOUR);
    let told = world
        .service
        .update(id, &change("2026-02-01..2026-02-02"))
        .await
        .unwrap();
    assert_eq!(told.changed, Some(true));
    assert_eq!(told.next_run.to_string(), "2026-02-03T06:00:00Z");
    assert_eq!(counts(&world).await, [(State::Skipped, 2)]);
    // The same dates change nothing, and other parts keep them.
    let same = world
        .service
        .update(id, &change("2026-02-02,2026-02-01"))
        .await
        .unwrap();
    assert_eq!((same.changed, same.next_run), (Some(false), told.next_run));
    let prompt = Changes {
        prompt: Some("tock".into()),
        max_repetitions: Some(50),
        ..Changes::default()
    };
    let told = world.service.update(id, &prompt).await.unwrap();
    assert!(
        told.describes.contains("except 2026-02-01..2026-02-02"),
        "{}",
        told.describes
    );
    // None of them: from now on, in the phase of the beginning.
    let told = world.service.update(id, &change("none")).await.unwrap();
    assert_eq!(told.next_run.to_string(), "2026-02-02T09:00:00Z");
    assert!(!told.describes.contains("except"), "{}", told.describes);
    world.advance(7 * HOUR);
    deliver(&world).await;
    assert_eq!(
        counts(&world).await,
        [(State::Skipped, 2), (State::Delivered, 1)]
    );
}

#[tokio::test]
async fn a_new_time_keeps_the_dates_and_a_single_one_has_none() {
    let (world, id) = world_leaving_out("1h", "2026-02-02").await;
    let to = |kind, value: &str| Changes {
        wish: Some(world.wish("agent-a", "tick", kind, value).when.wish),
        ..Changes::default()
    };
    let cron = to(ScheduleType::Cron, "0 9 * * *; 0 10 * * *");
    let told = world.service.update(id, &cron).await.unwrap();
    assert_eq!(told.next_run.to_string(), "2026-02-03T09:00:00Z");
    let once = to(ScheduleType::Once, "2026-02-02T09:00:00Z");
    let told = world.service.update(id, &once).await.unwrap();
    assert_eq!(told.next_run.to_string(), "2026-02-02T09:00:00Z");
    assert!(!told.describes.contains("except"), "{}", told.describes);
    let refused = world
        .service
        .update(id, &change("2026-02-02"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::SpecConflict);
    let mut wish = world.wish("agent-a", "x", ScheduleType::Once, "2026-02-02T09:00:00Z");
    wish.when.except = dates("2026-02-02");
    let refused = world.service.register(&wish).await.unwrap_err();
    assert_eq!(refused.code(), Code::SpecConflict);
    world.assert_balanced().await;
}

#[tokio::test]
async fn dates_that_leave_nothing_are_refused_like_a_pattern_that_never_fires() {
    let world = World::new().await;
    let mut wish = leaving_out(&world, "6h", "2026-02-01..2026-02-03");
    wish.when.end_at = Some("2026-02-03T23:00:00Z".into());
    let refused = world.service.register(&wish).await.unwrap_err();
    assert_eq!(refused.code(), Code::CronNever);
    assert_eq!(
        refused.to_string(),
        "it would never run: every run until its end at 2026-02-03T23:00:00Z is on one of the dates \
         in --except"
    );
    wish.when.except = dates("2026-02-01..2026-02-02");
    let made = world.service.register(&wish).await.unwrap();
    let before = crate::program::dump(&world.path()).await;
    let refused = world
        .service
        .update(made.id, &change("2026-02-01..2026-02-03"))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::CronNever);
    assert_eq!(crate::program::dump(&world.path()).await, before);
    // An end that comes too early for another reason is told as that.
    wish.when.except = dates("none");
    wish.when.end_at = Some("2026-02-01T17:00:00Z".into());
    let refused = world.service.register(&wish).await.unwrap_err();
    assert_eq!(refused.code(), Code::EndBeforeFirst);
}

#[tokio::test]
async fn dates_are_shown_compared_recorded_and_cleared_over_rest() {
    let api = Api::new().await;
    let body = json!({ "agent_id": "agent-a", "prompt": "p", "cron": "0 9 * * *; 30 17 * * 1-5",
                       "name": "n", "except": "2026-12-26, 2026-12-25, 2027-01-01" });
    let made = api.post("/api/v1/schedules", body.clone()).await.is(201);
    let told = ", except 2026-12-25..2026-12-26 and 1 more date";
    assert!(
        made["describes"].as_str().unwrap().ends_with(told),
        "{made}"
    );
    assert_eq!(
        made["understood"],
        "every day at 09:00 and every weekday at 17:30 UTC"
    );
    assert_eq!(
        api.post("/api/v1/schedules", body).await.is(200)["existed"],
        true
    );
    let shown = api.get("/api/v1/schedules/1").await.is(200);
    assert_eq!(
        shown["schedule"]["except"],
        "2026-12-25..2026-12-26, 2027-01-01"
    );
    let save = |except: Value| {
        api.send(
            Method::PATCH,
            "/api/v1/schedules/1",
            json!({ "except": except }),
        )
    };
    assert_eq!(
        save(json!("2027-01-01,2026-12-25..2026-12-26"))
            .await
            .is(200)["changed"],
        false
    );
    assert_eq!(save(json!("none")).await.is(200)["changed"], true);
    let log = api
        .get("/api/v1/changes?schedule_id=1&limit=1")
        .await
        .is(200);
    assert_eq!(log["changes"][0]["what"], "except");
    let shown = api.get("/api/v1/schedules/1").await.is(200);
    assert!(shown["schedule"].get("except").is_none(), "{shown}");
    let refused = save(json!("christmas")).await;
    assert_eq!(
        (refused.status, &refused.json["code"]),
        (400, &json!("except_invalid"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_takes_dates_one_by_one_and_from_files() {
    let world = program::World::new().await;
    world.run(&["halt"]).succeeded();
    std::fs::write(
        world.dir().join("dates.txt"),
        "2030-12-25 # Christmas\n2031-01-01\n",
    )
    .unwrap();
    std::fs::write(
        world.dir().join("holidays.ics"),
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Labour Day\r\nDTSTART;VALUE=DATE:20310501\r\n\
         DTEND;VALUE=DATE:20310502\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    )
    .unwrap();
    let given = [
        "--every",
        "1h",
        "--except",
        "2030-12-24",
        "--except=2030-12-31",
        "--except-file",
        "dates.txt",
    ];
    let id = world.register("tick", &given);
    let number = id.to_string();
    let shown = || {
        let shown = world.run(&["show", &number]).succeeded();
        shown["schedule"]["except"].clone()
    };
    assert_eq!(shown(), "2030-12-24..2030-12-25, 2030-12-31..2031-01-01");
    world
        .run(&["update", &number, "--except-file", "holidays.ics"])
        .succeeded();
    assert_eq!(shown(), "2031-05-01");
    world
        .run(&["update", &number, "--prompt", "tock"])
        .succeeded();
    assert_eq!(shown(), "2031-05-01");
    let preview = [
        "preview",
        "--every",
        "1d",
        "--start-at",
        "2031-04-30T12:00:00Z",
        "--count",
        "2",
        "--except-file",
        "holidays.ics",
    ];
    let runs = world.run(&preview).succeeded();
    assert_eq!(runs["runs"][1]["utc"], "2031-05-02T12:00:00Z");
    world
        .run(&["update", &number, "--except", "none"])
        .succeeded();
    assert_eq!(shown(), Value::Null);
    std::fs::write(world.dir().join("bad.txt"), "2030-12-25\nchristmas\n").unwrap();
    let refused = world.run(&["update", &number, "--except-file", "bad.txt"]);
    assert_eq!(refused.code(), "except_invalid");
    let begins = "--except-file \"bad.txt\": line 2: \"christmas\" is neither a date";
    assert!(refused.error().starts_with(begins), "{}", refused.error());
    let missing = world.run(&["update", &number, "--except-file", "missing.txt"]);
    assert_eq!(missing.code(), "file_unusable");
    let plugin = world.plugin(&["update", "--id", &number, "--except-file", "dates.txt"]);
    let refused = program::Answer::read({ plugin }.output().unwrap());
    assert_eq!(refused.code(), "refused_in_plugin");
    assert_eq!(shown(), Value::Null);

    let mut peer = Peer::over_stdio(NEWEST, &world, &[]);
    let mut tool = |except: &str| {
        let call = json!({ "schedule_id": id, "prompt": "tick", "except": except });
        peer.succeed("promptyoself_update", call);
    };
    tool("2030-12-25");
    assert_eq!(shown(), "2030-12-25");
    // What a model fills in for nothing keeps them; the word that is offered clears them.
    tool("None");
    assert_eq!(shown(), "2030-12-25");
    tool("none");
    assert_eq!(shown(), Value::Null);
    peer.close();
}

#[tokio::test]
async fn dates_that_another_program_makes_unreadable_break_their_schedule_alone() {
    let (world, id) = world_leaving_out("1h", "2026-02-02").await;
    let other = world.every("agent-a", "tock", "1h").await;
    let mut foreign = crate::foreign_writers::raw::Foreign::connect(&world.path()).await;
    let set =
        |dates: &str| format!("UPDATE schedules SET except_dates = '{dates}' WHERE id = {id}");
    foreign.run(&set("christmas")).await;
    world.advance(HOUR);
    deliver(&world).await;
    let broken = get(&world, id).await;
    assert_eq!(broken.lifecycle, Lifecycle::Broken);
    let reason = broken.broken_reason.unwrap();
    assert!(
        reason.contains("\"christmas\" is neither a date"),
        "{reason}"
    );
    assert_eq!(get(&world, other.id).await.repetitions, 1);
    // Dates that can be read count from the next run on.
    foreign.run(&set("2026-02-01")).await;
    world.advance(HOUR);
    deliver(&world).await;
    let again = get(&world, id).await;
    assert_eq!(again.lifecycle, Lifecycle::Active);
    assert_eq!(again.next_run.unwrap().to_string(), "2026-02-02T00:00:00Z");
    world.assert_balanced().await;
}
