//! Times of past events that lie in the future, because a wrong clock wrote them. Whatever is
//! counted from them is counted from now.

use jiff::{SignedDuration, Timestamp};

use super::super::outbox::{NOTICE_LIFE, PING_LIFE, WANTED};
use crate::clock::later;
use crate::db::sql::{self, Tx};
use crate::db::statements::stamps;

/// How far the clocks of programs that write local time may be ahead of ours.
const LOCAL_TIME: SignedDuration = SignedDuration::from_hours(24);

/// Corrects every time after `now` that can't be right.
pub(super) fn put_right(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    renew_deadlines(tx, now)?;
    // The wrong clock gave it up.
    stamps::take_up(tx, now)?;
    stamps::set_sent_back(tx, now)?;
    stamps::bring_forward(tx, now)?;
    stamps::forget_readings(tx, now)?;
    stamps::set_back(tx, now)?;
    stamps::set_schedules_back(tx, now, later(now, LOCAL_TIME))?;
    stamps::limit_channels(tx, later(now, WANTED))?;
    stamps::limit_notices(tx, later(now, NOTICE_LIFE))?;
    stamps::limit_pings(tx, later(now, PING_LIFE))
}

/// Moves the end of retries of open occurrences, keeping the time they had from their beginning.
fn renew_deadlines(tx: &Tx<'_>, now: Timestamp) -> sql::Result<()> {
    for open in stamps::list_deadlines(tx, now)? {
        let Some(begun_at) = open.begun_at.filter(|begun_at| *begun_at > now) else {
            continue;
        };
        let lasts = open.expires_at.duration_since(begun_at);
        stamps::write_deadline(tx, open.id, later(now, lasts))?;
    }
    Ok(())
}
