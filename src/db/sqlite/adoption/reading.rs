//! Reads a row that another program wrote, and what we knew about it before.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::db::sql::{self, Tx, statement};
use crate::db::statements::rows;
use crate::error::{Code, Error, Result};
use crate::models::{AgentId, Lifecycle, Plan, PromptSchedule, ScheduleType};
use crate::schedule::{LeftOut, Spec, Timetable, Zone, schedule_type};

/// How far back the instants of a recurring row are counted.
const OLDEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// What we last knew about a row.
pub(super) struct Known {
    pub(super) uid: Uuid,
    pub(super) lifecycle: Lifecycle,
    pub(super) planned_next_run: Option<Timestamp>,
    pub(super) schedule_type: String,
    pub(super) schedule_value: String,
    pub(super) timezone: Option<String>,
    pub(super) anchor: Option<Timestamp>,
    pub(super) end_at: Option<Timestamp>,
    pub(super) except: Option<String>,
    pub(super) max_repetitions: Option<i64>,
}

impl Known {
    /// Whether the row now has other times. The same times written differently are no change.
    pub(super) fn spec_changed(&self, row: &PromptSchedule) -> bool {
        let (kind, value) = (row.schedule_type.as_str(), row.schedule_value.as_str());
        if (kind, value) == (&self.schedule_type, &self.schedule_value) {
            return false;
        }
        let zone = zone_of(row.timezone.as_deref()).unwrap_or_else(Zone::utc);
        let spec = |kind, value| Spec::read_stored(schedule_type(kind)?, value, &zone);
        match (
            spec(kind, value),
            spec(&self.schedule_type, &self.schedule_value),
        ) {
            (Ok(now), Ok(before)) => !now.is_same_as(&before, &zone),
            _ => true,
        }
    }

    pub(super) fn next_changed(&self, row: &PromptSchedule) -> bool {
        row.next_run != self.planned_next_run
    }

    /// Whether the same spec has other instants, or fewer or more.
    pub(super) fn bounds_changed(&self, row: &PromptSchedule) -> bool {
        let is_same_zone = row.timezone == self.timezone
            || zone_of(row.timezone.as_deref())
                .zip(zone_of(self.timezone.as_deref()))
                .is_some_and(|(now, before)| now.is_same_as(&before));
        !is_same_zone
            || (row.anchor, row.end_at, row.max_repetitions)
                != (self.anchor, self.end_at, self.max_repetitions)
            || row.except != self.except
    }

    /// The columns that differ from what we knew. The agent, the prompt and others that are only
    /// read when needed are not remembered.
    pub(super) fn changed_columns(&self, row: &PromptSchedule) -> Vec<&'static str> {
        let spec = self.spec_changed(row);
        let differing = [
            ("schedule_type", row.schedule_type != self.schedule_type),
            (
                "schedule_value",
                spec && row.schedule_value != self.schedule_value,
            ),
            ("next_run", self.next_changed(row)),
            (
                "active",
                row.active != (self.lifecycle == Lifecycle::Active),
            ),
            ("timezone", row.timezone != self.timezone),
            ("end_at", row.end_at != self.end_at),
            ("except_dates", row.except != self.except),
            (
                "max_repetitions",
                row.max_repetitions != self.max_repetitions,
            ),
        ];
        let mut changed: Vec<_> = (differing.into_iter())
            .filter_map(|(column, differs)| differs.then_some(column))
            .collect();
        if changed.is_empty() {
            changed.push("other columns");
        }
        changed
    }

    fn only_value_changed(&self, row: &PromptSchedule) -> bool {
        self.spec_changed(row) && !self.next_changed(row)
    }
}

fn zone_of(name: Option<&str>) -> Option<Zone> {
    name.and_then(|name| Zone::parse(name).ok())
}

/// The parts of a row, all readable.
pub(super) struct Readable {
    pub(super) plan: Plan,
    pub(super) timetable: Timetable,
}

/// Reads every part of a row.
///
/// # Errors
/// What can't be read and why: the reason that the row is broken.
pub(super) fn read(
    row: &PromptSchedule,
    known: Option<&Known>,
    zone: &Zone,
    now: Timestamp,
) -> Result<Readable> {
    AgentId::parse(&row.agent_id)?;
    if row.prompt_text.trim().is_empty() {
        return Err(Error::new(Code::PromptMissing, "prompt_text is empty"));
    }
    let next_run = row.next_run.ok_or_else(|| {
        Error::new(
            Code::ScheduleBroken,
            "next_run is not a date and time in UTC",
        )
    })?;
    let kind = schedule_type(&row.schedule_type)?;
    let spec = match Spec::read_stored(kind, &row.schedule_value, zone) {
        Ok(spec) => spec,
        // next_run says when, unless only the value was changed.
        Err(_)
            if kind == ScheduleType::Once && !known.is_some_and(|k| k.only_value_changed(row)) =>
        {
            Spec::Once(next_run)
        }
        Err(e) => return Err(e),
    };
    let mut timetable = Timetable {
        spec,
        zone: zone.clone(),
        anchor: next_run,
        end_at: row.end_at,
        except: LeftOut::read_stored(row.except.as_deref())?,
    };
    let next_run = not_too_old(&timetable, next_run, now);
    timetable.anchor = row.anchor.unwrap_or(next_run);
    Ok(Readable {
        plan: Plan {
            schedule_type: kind,
            schedule_value: row.schedule_value.clone(),
            timezone: zone.name().to_owned(),
            anchor: timetable.anchor,
            next_run,
            start_at: row.start_at,
            end_at: row.end_at,
            except: timetable.except.to_stored(),
            max_repetitions: row.max_repetitions,
        },
        timetable,
    })
}

/// The first instant of a recurring schedule that is counted. Some programs write 1970 or the year
/// 1 for "at once"; counting every minute since then would keep the database locked for long.
fn not_too_old(timetable: &Timetable, next_run: Timestamp, now: Timestamp) -> Timestamp {
    let oldest = now.checked_sub(OLDEST).unwrap_or(Timestamp::MIN);
    match timetable.spec {
        Spec::Cron(_) | Spec::Interval(_) if next_run < oldest => {
            timetable.next_after(oldest).unwrap_or(next_run)
        }
        _ => next_run,
    }
}

/// Unreadable content of a row that a schedule does not show and that decides what is sent, when,
/// or how often.
pub(super) fn fetch_unreadable(tx: &Tx<'_>, row: &PromptSchedule) -> sql::Result<Option<String>> {
    let decisive = statement!(
        "SELECT end_at, timezone, max_repetitions, repetitions FROM schedules WHERE id = $1"
    )
    .bind(row.id)
    .fetch_one(tx)?;
    let stored = |column| rows::text(&decisive, column);
    let is_limited = stored("max_repetitions").is_some();
    for (column, is_readable, wanted) in [
        ("end_at", row.end_at.is_some(), "a date and time in UTC"),
        (
            "timezone",
            row.timezone
                .as_deref()
                .is_some_and(|z| Zone::parse(z).is_ok()),
            "a time zone",
        ),
        (
            "max_repetitions",
            row.max_repetitions.is_some(),
            "a whole number",
        ),
        (
            "repetitions",
            !is_limited || rows::number(&decisive, "repetitions").is_some(),
            "a whole number",
        ),
    ] {
        if let (Some(text), false) = (stored(column), is_readable) {
            return Ok(Some(format!("{column} {text:?} is not {wanted}")));
        }
    }
    match is_text(tx, row)? {
        true => Ok(None),
        false => Ok(Some("prompt_text is not valid UTF-8".to_owned())),
    }
}

/// Whether the prompt is valid text. What could not be decoded was read as U+FFFD, which may also
/// be part of a prompt.
fn is_text(tx: &Tx<'_>, row: &PromptSchedule) -> sql::Result<bool> {
    if !row.prompt_text.contains(char::REPLACEMENT_CHARACTER) {
        return Ok(true);
    }
    let bytes: Vec<u8> =
        statement!("SELECT CAST(prompt_text AS BLOB) FROM schedules WHERE id = $1")
            .bind(row.id)
            .one(tx)?;
    Ok(std::str::from_utf8(&bytes).is_ok())
}

/// What we last knew about a row; `None` if it is not known to be ours: only a uid exactly as we
/// write it is certainly its own and not a copy of another row's.
pub(super) fn fetch_known(tx: &Tx<'_>, id: i64) -> sql::Result<Option<Known>> {
    let row = statement!(
        "SELECT s.uid, typeof(s.uid) AS uid_type, s.lifecycle, s.planned_next_run, \
         r.schedule_type, r.schedule_value, r.timezone, r.anchor, r.end_at, r.max_repetitions, \
         r.except_dates \
         FROM schedules s LEFT JOIN schedule_revisions r ON r.id = \
             (SELECT max(id) FROM schedule_revisions WHERE uid = s.uid) \
         WHERE s.id = $1 AND s.uid IS NOT NULL"
    )
    .bind(id)
    .fetch_optional(tx)?;
    let Some(row) = row else { return Ok(None) };
    let stored = rows::text(&row, "uid").unwrap_or_default();
    let as_written = rows::text(&row, "uid_type").as_deref() == Some("text");
    let read = stored.parse().ok();
    let Some(uid) = read.filter(|uid: &Uuid| as_written && uid.to_string() == stored) else {
        tracing::error!(
            "the identity {stored:?} of schedule {id} is unreadable: it gets a new one, and its \
             earlier history is no longer shown with it"
        );
        return Ok(None);
    };
    let lifecycle = rows::text(&row, "lifecycle").and_then(|l| Lifecycle::from_word(&l));
    Ok(Some(Known {
        uid,
        lifecycle: lifecycle.unwrap_or(Lifecycle::Cancelled),
        planned_next_run: rows::lenient_time(&row, "planned_next_run"),
        // A row that was broken from the start has no revision: anything readable is a change.
        schedule_type: rows::text(&row, "schedule_type").unwrap_or_default(),
        schedule_value: rows::text(&row, "schedule_value").unwrap_or_default(),
        timezone: rows::text(&row, "timezone"),
        anchor: rows::lenient_time(&row, "anchor"),
        end_at: rows::lenient_time(&row, "end_at"),
        except: rows::text(&row, "except_dates"),
        max_repetitions: rows::number(&row, "max_repetitions"),
    }))
}
