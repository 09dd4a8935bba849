//! What people, agents and other programs do while schedulers are running.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use promptyoself::error::{Code, Result};
use promptyoself::models::{CatchUp, Conversation, Payload, Policy, ScheduleType};
use promptyoself::schedule::LeftOut;
use promptyoself::service::{Changes, Registration, When, Wish};

use serde_json::json;

use super::faults::pick;
use super::invariants::stored;
use super::trace::{Law, broken};
use super::world::{NOBODY, World};

const INTERVALS: [&str; 8] = ["50s", "90s", "5m", "7m", "20m", "1h", "3h", "1d"];

const CRONS: [&str; 11] = [
    "*/5 * * * *",
    "*/20 * * * *",
    "0 * * * *",
    "7 * * * *",
    "30 2 * * *",
    "15,45 1-3 * * *",
    "0 0 * * *",
    "0 9 * * 1-5",
    "*/20 * * * *; 7,40 * * * *",
    "30 2 * * *; */30 2 * * *; 45 */3 * * *",
    "0 9 * * 1-5; 30 17 * * 1-5",
];

const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
];

impl World {
    /// Somebody does something.
    pub async fn operate(&mut self) -> Law {
        let schedules = self.observer.schedules().await;
        let wish = self.wish();
        let id = match schedules.is_empty() {
            true => 0,
            false => pick(&mut self.rng, &schedules),
        };
        let done = match self.rng.u8(0..24) {
            _ if id == 0 => self.register(wish).await,
            0..=6 if schedules.len() < 12 => self.register(wish).await,
            0..=8 => self.update(id).await,
            9 => {
                self.note(format!("cancel {id}"));
                self.service.cancel(id).await.map(drop)
            }
            10 | 11 => {
                self.note(format!("pause {id}"));
                self.service.pause(id, None).await.map(drop)
            }
            12..=14 => {
                let replay = self.rng.bool();
                self.note(format!("resume {id}, replay {replay}"));
                self.observer.note_changed(id).await;
                self.service.resume(id, replay).await.map(drop)
            }
            15 => {
                self.note(format!("run {id}"));
                self.service.run(id).await.map(drop)
            }
            16 => self.halt_or_lift().await,
            17 if self.rng.u8(0..4) == 0 => {
                let agent = pick(&mut self.rng, &self.agents);
                self.note(format!("{agent} is deleted"));
                self.letta.delete(&agent);
                Ok(())
            }
            _ => {
                self.write_as_others(id).await;
                Ok(())
            }
        };
        self.wrote(NOBODY);
        self.changed = true;
        match done {
            Ok(()) => Ok(()),
            Err(e) if is_trouble(e.code()) => broken!("an operation failed: {}", e.chain()),
            Err(e) => {
                self.note(format!("  refused: {}", e.code()));
                Ok(())
            }
        }
    }

    fn soon(&mut self, minutes: std::ops::Range<i64>) -> Timestamp {
        let minutes = self.rng.i64(minutes);
        self.clock.now() + SignedDuration::from_mins(minutes)
    }

    fn wish(&mut self) -> Wish {
        let (kind, value) = match self.rng.u8(0..5) {
            0 => (ScheduleType::Once, self.soon(1..90).to_string()),
            1 | 2 => (ScheduleType::Cron, pick(&mut self.rng, &CRONS).to_owned()),
            _ => (
                ScheduleType::Interval,
                pick(&mut self.rng, &INTERVALS).to_owned(),
            ),
        };
        Wish {
            asked: promptyoself::schedule::Asked::As(kind),
            value,
        }
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.rng.u8(0..4) == 0).then(|| make(self))
    }

    fn policy(&mut self) -> Policy {
        let all = [CatchUp::Latest, CatchUp::All, CatchUp::Skip];
        let catch_up = self.maybe(|w| pick(&mut w.rng, &all));
        let minutes = |w: &mut Self| SignedDuration::from_mins(w.rng.i64(1..40));
        Policy {
            catch_up,
            grace: self
                .maybe(minutes)
                .filter(|_| catch_up == Some(CatchUp::Skip)),
            pause_on_failure: self.maybe(|w| w.rng.i64(0..3)),
            envelope: None,
            max_age: self.maybe(minutes),
        }
    }

    /// Something that is sent often, so that there is always something to go wrong.
    pub async fn register_often(&mut self) {
        let value = pick(&mut self.rng, &["50s", "90s"]).to_owned();
        let kind = ScheduleType::Interval;
        let wish = Wish {
            asked: promptyoself::schedule::Asked::As(kind),
            value,
        };
        let registered = self.register_except(wish, LeftOut::default()).await;
        registered.unwrap();
    }

    /// Dates on which nothing runs: some of today and the days to come, or none.
    fn except(&mut self) -> LeftOut {
        let today = self.clock.now().to_zoned(TimeZone::UTC).date();
        let mut ranges = Vec::new();
        for ahead in 0..4 {
            if self.rng.u8(0..3) == 0 {
                let date = today.saturating_add(ahead.days());
                ranges.push((date, date.saturating_add(self.rng.i64(0..2).days())));
            }
        }
        LeftOut::of(ranges).unwrap()
    }

    async fn register(&mut self, wish: Wish) -> Result<()> {
        let except = match wish.asked.kind() {
            Some(ScheduleType::Once) => LeftOut::default(),
            _ => self.maybe(Self::except).unwrap_or_default(),
        };
        self.register_except(wish, except).await
    }

    async fn register_except(&mut self, wish: Wish, except: LeftOut) -> Result<()> {
        let is_once = wish.asked.kind() == Some(ScheduleType::Once);
        let agent_id = Some(pick(&mut self.rng, &self.agents));
        let number = self.rng.u16(..);
        let registration = Registration {
            agent_id,
            prompt: format!("prompt {number}"),
            payload: self.maybe(|w| request(w.rng.u16(..))),
            when: When {
                timezone: self.maybe(|w| pick(&mut w.rng, &ZONES).to_owned()),
                start_at: self
                    .maybe(|w| w.soon(1..60).to_string())
                    .filter(|_| !is_once),
                end_at: self.maybe(|w| w.soon(60..400).to_string()),
                except,
                max_repetitions: self.maybe(|w| w.rng.i64(1..7)).filter(|_| !is_once),
                wish,
            },
            name: None,
            policy: self.policy(),
            ping_url: None,
            conversation: number.is_multiple_of(3).then_some(Conversation::New),
            target: None,
            skip_validation: true,
        };
        self.note(format!(
            "register {:?} for {}",
            registration.when,
            registration.agent_id.as_ref().unwrap()
        ));
        self.service.register(&registration).await.map(drop)
    }

    async fn update(&mut self, id: i64) -> Result<()> {
        let changes = Changes {
            agent_id: self.maybe(|w| pick(&mut w.rng, &w.agents)),
            prompt: self.maybe(|w| format!("prompt {}", w.rng.u16(..))),
            wish: self.maybe(Self::wish),
            timezone: self.maybe(|w| pick(&mut w.rng, &ZONES).to_owned()),
            end_at: self.maybe(|w| w.soon(60..400).to_string()),
            except: self.maybe(Self::except),
            max_repetitions: self.maybe(|w| w.rng.i64(1..30)),
            policy: self.maybe(Self::policy).unwrap_or_default(),
            conversation: None,
            target: None,
            skip_validation: true,
            ..Changes::default()
        };
        self.note(format!("update {id}: {changes:?}"));
        self.observer.note_changed(id).await;
        self.service.update(id, &changes).await.map(drop)
    }

    async fn halt_or_lift(&mut self) -> Result<()> {
        let halted = self.service.db.get_halt().await?.is_some();
        self.note(if halted { "the halt is lifted" } else { "halt" });
        match halted {
            true => self.service.lift_halt().await.map(drop),
            false => self.service.halt(None).await.map(drop),
        }
    }

    /// Another program writes to the table.
    async fn write_as_others(&mut self, id: i64) {
        let near = self.soon(-30..60);
        let statement = match self.rng.u8(0..9) {
            0 => format!("UPDATE schedules SET active = 0 WHERE id = {id}"),
            1 => format!("UPDATE schedules SET active = 1 WHERE id = {id}"),
            2 => format!(
                "UPDATE schedules SET next_run = '{}' WHERE id = {id}",
                stored(near)
            ),
            3 => format!(
                "UPDATE schedules SET schedule_type = 'interval', schedule_value = '{}' \
                 WHERE id = {id}",
                pick(&mut self.rng, &INTERVALS)
            ),
            4 => format!("UPDATE schedules SET schedule_value = 'nonsense' WHERE id = {id}"),
            5 => format!("DELETE FROM schedules WHERE id = {id}"),
            6 => format!("UPDATE schedules SET prompt_text = 'other' WHERE id = {id}"),
            7 => format!(
                "UPDATE schedules SET agent_id = '{}' WHERE id = {id}",
                pick(&mut self.rng, &self.agents)
            ),
            _ => {
                let (kind, value) = pick(
                    &mut self.rng,
                    &[
                        ("once", stored(near)),
                        ("interval", "5m".to_owned()),
                        ("cron", "*/20 * * * *".to_owned()),
                    ],
                );
                format!(
                    "INSERT INTO schedules (agent_id, prompt_text, schedule_type, schedule_value, \
                     next_run, active) VALUES ('{}', 'foreign', '{kind}', '{value}', '{}', 1)",
                    pick(&mut self.rng, &self.agents),
                    stored(near)
                )
            }
        };
        self.note(&statement);
        self.observer.note_changed(id).await;
        self.observer.execute(&statement).await;
    }
}

/// Whether an error says that something is wrong with the database: nobody is refused for that.
fn is_trouble(code: Code) -> bool {
    matches!(
        code,
        Code::DatabaseUnavailable | Code::DatabaseInvalid | Code::DatabaseFull
    )
}

/// A request of several messages.
fn request(n: u16) -> Payload {
    let messages = json!([
        {"role": "system", "content": format!("request {n}")},
        {"role": "user", "content": [{"type": "text", "text": format!("part {n}")}]},
    ]);
    let request = json!({ "messages": messages, "max_steps": 3 });
    Payload::read(request.as_object().unwrap()).unwrap()
}
