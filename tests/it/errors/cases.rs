//! A way to provoke every error code.

use jiff::{SignedDuration, Timestamp};
use promptyoself::clock::Clock;
use promptyoself::error::Code;

use crate::program::World;

/// A call that fails, and what is known about its error.
#[derive(Default)]
pub struct Case {
    /// The command line.
    pub argv: Vec<String>,
    /// Variables, in place of the usual ones.
    pub env: Vec<(String, String)>,
    /// Whether an SMCP server calls.
    pub plugin: bool,
    /// What the text must contain: what was understood.
    pub says: Vec<String>,
    /// Whether the text must tell the time.
    pub about_time: bool,
    /// What differs from run to run, and the name for it in the snapshot.
    pub varies: Vec<(String, String)>,
    /// Puts the surroundings right as the text says.
    pub put_right: Option<fn(&World)>,
    /// The variables once they are put right.
    pub corrected_env: Vec<(String, String)>,
}

impl Case {
    fn says(mut self, part: impl Into<String>) -> Self {
        self.says.push(part.into());
        self
    }

    fn about_time(mut self) -> Self {
        self.about_time = true;
        self
    }

    fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    fn in_plugin(mut self) -> Self {
        self.plugin = true;
        self
    }

    fn varies(mut self, value: impl Into<String>, name: &str) -> Self {
        self.varies.push((value.into(), name.into()));
        self
    }

    fn put_right(mut self, put_right: fn(&World)) -> Self {
        self.put_right = Some(put_right);
        self
    }
}

fn call(argv: &[&str]) -> Case {
    Case {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        ..Case::default()
    }
}

/// A registration that is right but for `flags`.
fn register(world: &World, flags: &[&str]) -> Case {
    let mut argv = vec![
        "register",
        "--agent-id",
        world.agent.as_str(),
        "--prompt",
        "p",
    ];
    argv.extend(flags);
    call(&argv)
}

fn in_a_minute() -> String {
    let soon = Clock::system().now() + SignedDuration::from_mins(1);
    Timestamp::from_second(soon.as_second())
        .unwrap()
        .to_string()
}

/// The way to one code; `None` where there is none from outside.
pub async fn case(code: Code, world: &World) -> Option<Case> {
    let every = ["--every", "5m"];
    Some(match code {
        Code::Usage => call(&["list", "--nonsense"]).says("'--nonsense'"),
        Code::SpecMissing => register(world, &[]).says("--every"),
        Code::SpecConflict => {
            let flags = ["--cron", "0 9 * * *", "--every", "5m"];
            register(world, &flags).says("\"0 9 * * *\"").says("\"5m\"")
        }
        Code::PromptMissing => call(&[
            "register",
            "--agent-id",
            world.agent.as_str(),
            "--prompt",
            " \n",
            "--every",
            "5m",
        ])
        .says("empty"),
        Code::AgentMissing => {
            call(&["register", "--prompt", "p", "--every", "5m"]).says("--agent-id")
        }
        Code::PolicyInvalid => {
            let flags = ["--every", "5m", "--catch-up", "newest"];
            register(world, &flags).says("\"newest\"")
        }
        Code::BudgetExceeded => register(world, &["--every", "1m"])
            .in_plugin()
            .says("1440 times"),
        Code::AgentInvalid => {
            let id = "agent/../../tools?a=1#";
            call(&[
                "register",
                "--agent-id",
                id,
                "--prompt",
                "p",
                "--every",
                "5m",
            ])
            .says(id)
        }
        Code::TargetUnknown => {
            let flags = ["--every", "5m", "--target", "nowhere"];
            register(world, &flags).says("\"nowhere\"")
        }
        Code::ConversationInvalid => {
            let flags = ["--every", "5m", "--conversation", "a b"];
            register(world, &flags).says("\"a b\"")
        }
        Code::ConversationUnknown => {
            let flags = ["--every", "5m", "--conversation", "conv-of-nobody"];
            register(world, &flags).says("conv-of-nobody")
        }
        Code::AgentUnknown => call(&[
            "register",
            "--agent-id",
            "agent-nobody",
            "--prompt",
            "p",
            "--every",
            "5m",
        ])
        .says("agent-nobody"),
        Code::TimeInvalid => register(world, &["--time", "2099-02-30 09:00"])
            .says("\"2099-02-30 09:00\"")
            .about_time(),
        Code::TimePast => register(world, &["--time", "2020-01-01T00:00:00+01:00"])
            .says("\"2020-01-01T00:00:00+01:00\"")
            .says("2019-12-31T23:00:00Z")
            .about_time(),
        Code::CronInvalid => register(world, &["--cron", "0 25 * * *"]).says("the hour field '25'"),
        Code::CronNever => register(world, &["--cron", "0 0 31 2 *"]).says("\"0 0 31 2 *\""),
        Code::IntervalInvalid => register(world, &["--every", "5x"]).says("\"5x\""),
        Code::ExceptInvalid => {
            register(world, &["--every", "1h", "--except", "2099/12/25"]).says("\"2099/12/25\"")
        }
        Code::EndBeforeFirst => {
            let end = in_a_minute();
            register(world, &["--every", "1h", "--end-at", &end])
                .says(end)
                .about_time()
        }
        Code::RepetitionsInvalid => {
            register(world, &["--every", "5m", "--max-repetitions", "0"]).says("\"0\"")
        }
        Code::TimezoneUnknown => register(world, &["--every", "5m", "--timezone", "Europe/Berln"])
            .says("\"Europe/Berln\""),
        Code::NameTaken => {
            let id = world.register("p", &["--every", "6m", "--name", "tea"]);
            register(world, &["--every", "5m", "--name", "tea"])
                .says("\"tea\"")
                .says(format!("it is {id}"))
        }
        Code::NameAmbiguous => {
            let other = "agent-22222222-2222-4222-8222-222222222222";
            world.register("p", &["--every", "6m", "--name", "tea"]);
            world
                .run(&[
                    "register",
                    "--agent-id",
                    other,
                    "--prompt",
                    "p",
                    "--every",
                    "6m",
                    "--name",
                    "tea",
                    "--skip-validation",
                ])
                .succeeded();
            call(&["cancel", "tea"])
                .says("\"tea\"")
                .says(format!("of {other}"))
        }
        Code::IdInvalid => call(&["cancel", "--id", "5.5"]).says("\"5.5\""),
        Code::ScheduleNotFound => call(&["cancel", "--id", "99"]).says("99"),
        Code::ScheduleNotActive => {
            let id = world.register("p", &every).to_string();
            world.run(&["cancel", "--id", &id]).succeeded();
            call(&["cancel", "--id", &id]).says(format!("schedule {id} was cancelled already"))
        }
        Code::ScheduleLive => {
            let id = world.register("p", &every).to_string();
            call(&["purge", "--id", &id]).says(format!("schedule {id} is active"))
        }
        Code::FileUnusable => {
            let agent = world.agent.as_str();
            call(&[
                "register",
                "--agent-id",
                agent,
                "--prompt-file",
                "/nowhere/at/all",
                "--every",
                "5m",
            ])
            .says("/nowhere/at/all")
        }
        Code::ConfigInvalid => call(&["list"])
            .env("LETTA_BASE_URL", "localhost:8283")
            .says("LETTA_BASE_URL")
            .says("localhost"),
        Code::RefusedInPlugin => Case {
            plugin: true,
            ..call(&["execute", "--loop"]).says("--loop")
        },
        Code::DatabaseUnavailable => {
            call(&["list", "--db", "/nowhere/at/all/p.db"]).says("/nowhere/at/all/p.db")
        }
        Code::DatabaseFull => {
            // SQLite gives a table whose row numbers are used up the same error as a full disk.
            world.run(&["list"]).succeeded();
            for statement in [
                "DELETE FROM sqlite_sequence WHERE name = 'schedule_revisions'",
                "INSERT INTO sqlite_sequence VALUES ('schedule_revisions', 9223372036854775807)",
            ] {
                world.sql(statement).await;
            }
            register(world, &every).says("full").says("promptyoself.db")
        }
        Code::DatabaseInvalid => {
            std::fs::write(
                world.dir().join("notes.txt"),
                "no database at all\n".repeat(100),
            )
            .unwrap();
            call(&["list", "--db", "notes.txt"]).says("notes.txt")
        }
        Code::DatabaseNewer => {
            world.run(&["list"]).succeeded();
            world
                .sql(
                    "INSERT INTO migrations SELECT 9999, 'of the future', applied_at, checksum FROM migrations",
                )
                .await;
            call(&["list"]).says("promptyoself.db").says("9999")
        }
        Code::ClockInDoubt => {
            // The machine was off for a day, and Letta's clock shows another time.
            world.run(&["list"]).succeeded();
            world
                .sql(
                    "INSERT INTO clock_readings (trusted, at, boot, uptime) \
                     VALUES (1, strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 day'), 'another', 0)",
                )
                .await;
            let hour_ago = Clock::system().now() - SignedDuration::from_hours(1);
            world.letta.set_clock(Clock::manual(hour_ago));
            call(&["execute"])
                .says("and may be wrong")
                .says("nothing was sent")
                .put_right(|world| world.letta.set_clock(Clock::system()))
        }
        Code::LettaUnreachable => call(&["test"])
            .env("LETTA_BASE_URL", "http://127.0.0.1:9")
            .says("http://127.0.0.1:9"),
        Code::LettaUnauthorized => call(&["test"])
            .env("LETTA_API_KEY", "not-hunter2")
            .says("LETTA_API_KEY")
            .says(world.letta.url()),
        Code::LettaWrongServer => {
            let other = crate::program::web_page();
            call(&["test"])
                .env("LETTA_BASE_URL", &other)
                .says(&other)
                .varies(other, "[web page]")
        }
        Code::LettaError => {
            world.letta.set_healthy(false);
            call(&["test"])
                .says("The database is temporarily unavailable.")
                .put_right(|world| world.letta.set_healthy(true))
        }
        Code::SourceMissing | Code::UploadDisabled => {
            let source = "def greet():\n    \"\"\"Greets.\"\"\"\n    return 'hi'\n";
            std::fs::write(world.dir().join("greet.py"), source).unwrap();
            match code {
                Code::SourceMissing => call(&["upload"]).env("PROMPTYOSELF_ALLOW_UPLOAD", "1"),
                _ => call(&["upload", "--source-code", "greet.py"]).says("allow_upload = true"),
            }
        }
        Code::KeyInvalid => call(&["key", "revoke", "7"]).says("key 7"),
        Code::NotPermitted => {
            let (url, key) = world.serve_with_key(Some(&world.agent));
            call(&["list", "--agent-id", "agent-other"])
                .env("PROMPTYOSELF_URL", url)
                .env("PROMPTYOSELF_KEY", key)
                .says("agent-other")
                .varies(world.agent.as_str(), "[agent]")
        }
        Code::ServerUnreachable => call(&["list"])
            .env("PROMPTYOSELF_URL", "http://127.0.0.1:9")
            .says("http://127.0.0.1:9"),
        Code::ServerWrong => {
            let other = crate::program::web_page();
            call(&["list"])
                .env("PROMPTYOSELF_URL", &other)
                .says(&other)
                .varies(other, "[web page]")
        }
        Code::LocalOnly => call(&["key", "list"])
            .env("PROMPTYOSELF_URL", "http://127.0.0.1:9")
            .says("key")
            .says("http://127.0.0.1:9"),
        Code::TooLarge => {
            let name = "morning report ".repeat(20);
            register(world, &["--every", "5m", "--name", &name]).says("299 characters")
        }
        Code::RequestInvalid
        | Code::IdempotencyConflict
        | Code::TooMany
        | Code::ScheduleBroken
        | Code::Internal => return None,
    })
}

type Prepare = fn(&World) -> Case;

/// Other ways to a code, with the names of their snapshots.
pub fn more_cases() -> Vec<(&'static str, Code, Prepare)> {
    vec![
        ("usage_no_number", Code::Usage, |_| {
            call(&["list", "--limit", "many"]).says("\"many\"")
        }),
        ("spec_conflict_start", Code::SpecConflict, |world| {
            let time = "2099-01-01T09:00:00Z";
            register(world, &["--time", time, "--start-at", "2098-01-01 09:00"]).says("start")
        }),
        ("spec_conflict_both_wrong", Code::SpecConflict, |world| {
            register(world, &["--time", "soon", "--every", "5x"])
                .says("\"soon\"")
                .says("\"5x\"")
        }),
        ("prompt_missing_none", Code::PromptMissing, |world| {
            call(&[
                "register",
                "--agent-id",
                world.agent.as_str(),
                "--every",
                "5m",
            ])
        }),
        ("time_invalid_word", Code::TimeInvalid, |world| {
            register(world, &["--time", "soon"])
                .says("\"soon\"")
                .about_time()
        }),
        ("time_invalid_hour", Code::TimeInvalid, |world| {
            register(world, &["--time", "2099-01-01 25:00"])
                .says("hours go from 00 to 23")
                .about_time()
        }),
        ("time_invalid_past_date", Code::TimeInvalid, |world| {
            register(world, &["--time", "2020-01-01"])
                .says("\"2020-01-01\"")
                .about_time()
        }),
        ("time_invalid_start", Code::TimeInvalid, |world| {
            register(world, &["--every", "5m", "--start-at", "garbage"])
                .says("--start-at")
                .says("\"garbage\"")
                .about_time()
        }),
        ("time_invalid_end", Code::TimeInvalid, |world| {
            register(world, &["--every", "2d", "--end-at", "garbage"])
                .says("--end-at")
                .says("\"garbage\"")
                .about_time()
        }),
        ("time_past_start", Code::TimePast, |world| {
            register(
                world,
                &["--cron", "0 9 * * *", "--start-at", "2020-01-01 09:00"],
            )
            .says("--start-at")
            .says("\"2020-01-01 09:00\"")
            .about_time()
        }),
        ("time_past_zone", Code::TimePast, |world| {
            register(
                world,
                &["--time", "2020-01-01 09:00", "--timezone", "Asia/Tokyo"],
            )
            .says("Asia/Tokyo")
            .about_time()
        }),
        ("cron_invalid_seconds", Code::CronInvalid, |world| {
            register(world, &["--cron", "*/5 0 9 * * *"]).says("6 fields")
        }),
        ("cron_invalid_idle_step", Code::CronInvalid, |world| {
            register(world, &["--cron", "*/90 * * * *"]).says("'*/90'")
        }),
        ("interval_invalid_mixed", Code::IntervalInvalid, |world| {
            register(world, &["--every", "1d12h"]).says("\"1d12h\"")
        }),
        ("end_before_first_once", Code::EndBeforeFirst, |world| {
            let time = "2099-01-01T09:00:00Z";
            register(world, &["--time", time, "--end-at", "2098-01-01 09:00"])
                .says("2098-01-01T09:00:00Z")
                .about_time()
        }),
        ("timezone_unknown_offset", Code::TimezoneUnknown, |world| {
            register(world, &["--every", "5m", "--timezone", "+02:00"]).says("\"+02:00\"")
        }),
        ("name_taken_quotes", Code::NameTaken, |world| {
            let name = "Ada's \"tea\" `$x`";
            world.register("p", &["--every", "6m", "--name", name]);
            register(world, &["--every", "5m", "--name", name])
        }),
        ("config_invalid_timezone", Code::ConfigInvalid, |_| {
            call(&["list"])
                .env("PROMPTYOSELF_TIMEZONE", "Europe/Berln")
                .says("PROMPTYOSELF_TIMEZONE")
                .says("\"Europe/Berln\"")
        }),
        ("config_invalid_file", Code::ConfigInvalid, |world| {
            std::fs::write(world.dir().join("settings.toml"), "databse = 'x'\n").unwrap();
            call(&["list", "--config", "settings.toml"])
                .says("settings.toml")
                .says("databse")
        }),
        ("config_invalid_database", Code::ConfigInvalid, |_| {
            call(&["list", "--db", "postgres://me:hunter2@host/db"])
                .says("--db")
                .says("PostgreSQL")
        }),
        ("config_invalid_duration", Code::ConfigInvalid, |_| {
            call(&["list"])
                .env("PROMPTYOSELF_DRAIN", "soon")
                .says("PROMPTYOSELF_DRAIN")
                .says("\"soon\"")
        }),
        ("config_invalid_together", Code::ConfigInvalid, |_| {
            call(&["list"])
                .env("PROMPTYOSELF_RETRY_FIRST", "1h")
                .says("retry_first and retry_longest")
        }),
        ("config_invalid_key", Code::ConfigInvalid, |_| {
            call(&["list"]).env("LETTA_API_KEY", "hunter2\u{1}")
        }),
        ("config_invalid_log", Code::ConfigInvalid, |_| {
            call(&["list"])
                .env("PROMPTYOSELF_LOG", "==")
                .says("PROMPTYOSELF_LOG")
        }),
        ("file_unusable_settings", Code::FileUnusable, |_| {
            call(&["list", "--config", "/nowhere/at/all.toml"]).says("/nowhere/at/all.toml")
        }),
        ("refused_in_plugin_file", Code::RefusedInPlugin, |world| {
            Case {
                plugin: true,
                ..call(&[
                    "register",
                    "--agent-id",
                    world.agent.as_str(),
                    "--prompt-file",
                    "/etc/passwd",
                    "--every",
                    "5m",
                ])
                .says("--prompt-file")
            }
        }),
        ("database_invalid_usual", Code::DatabaseInvalid, |world| {
            std::fs::write(world.database(), "no database at all\n".repeat(100)).unwrap();
            call(&["list"]).says("promptyoself.db")
        }),
        (
            "database_unavailable_folder",
            Code::DatabaseUnavailable,
            |world| {
                std::fs::create_dir(world.dir().join("folder")).unwrap();
                call(&["list", "--db", "folder"]).says("folder")
            },
        ),
        (
            "letta_unreachable_register",
            Code::LettaUnreachable,
            |world| {
                register(world, &["--every", "5m"])
                    .env("LETTA_BASE_URL", "http://127.0.0.1:9")
                    .says("--skip-validation")
            },
        ),
    ]
}
