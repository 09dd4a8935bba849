//! The laws of delivery, checked by another program on the same database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use promptyoself::scheduler::queue::Source;
use uuid::Uuid;

use super::model_letta::ModelLetta;
use super::process::Known;
use super::trace::{Law, broken};
use crate::foreign_writers::raw::Foreign;
use promptyoself::models::Job;

/// Another program that has the database open.
pub struct Observer {
    db: Foreign,
    broken: Option<String>,
    /// The outcomes seen so far: none ever changes.
    outcomes: BTreeMap<i64, String>,
    /// Schedules whose instants were changed: their new ones may lie among the old ones.
    changed: BTreeSet<String>,
    /// Whether the clock was ever set back: then what was recorded as not sent may be still to come.
    clock_was_back: bool,
}

/// What is open or due although it should have come to rest: a schedule or occurrence, and where
/// it stands.
pub type Left = Vec<(i64, String, Option<String>)>;

/// A time as the database holds it.
pub fn stored(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

impl Observer {
    /// Opens the database.
    pub async fn open(path: &Path) -> Self {
        Observer {
            db: Foreign::connect(path).await,
            broken: None,
            outcomes: BTreeMap::new(),
            changed: BTreeSet::new(),
            clock_was_back: false,
        }
    }

    /// Lets every write of a table fail until [`Observer::mend_table`].
    pub async fn break_table(&mut self, table: &str) {
        let broken = format!(
            "CREATE TRIGGER sim_insert BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'sim'); END; \
             CREATE TRIGGER sim_update BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'sim'); END;"
        );
        self.execute(&broken).await;
        self.broken = Some("DROP TRIGGER sim_insert; DROP TRIGGER sim_update;".into());
    }

    /// Lets it be written again.
    pub async fn mend_table(&mut self) {
        if let Some(mended) = self.broken.take() {
            self.execute(&mended).await;
        }
    }

    /// Does what any other program may do.
    pub async fn execute(&mut self, statements: &str) {
        self.db.run(statements).await;
    }

    /// The numbers of all schedules.
    pub async fn schedules(&mut self) -> Vec<i64> {
        let sql = "SELECT id FROM schedules ORDER BY id";
        self.db.all(sql, ()).await
    }

    /// Notes that the instants of a schedule are changed.
    pub async fn note_changed(&mut self, id: i64) {
        let sql = "SELECT uid FROM schedules WHERE id = ?1";
        let uid: Option<Option<String>> = self.db.optional(sql, [id]).await;
        self.changed.extend(uid.flatten());
    }

    /// Notes that the clock is set back: instants that were recorded as not sent are planned again,
    /// among those that were sent before their time.
    pub async fn note_clock_back(&mut self) {
        let uids: Vec<Option<String>> = self.db.all("SELECT uid FROM schedules", ()).await;
        self.changed.extend(uids.into_iter().flatten());
        self.clock_was_back = true;
    }

    /// Whether schedules were planned anew after a clock that was wrong.
    pub async fn was_planned_anew(&mut self) -> bool {
        let sql = "SELECT count(*) FROM incidents WHERE kind = 'clock'";
        self.db.one::<i64>(sql).await > 0
    }

    /// A prompt reaches the wire: its otid is committed, under the sender's right, in a lane of
    /// its own, and its schedule lets it.
    pub async fn check_send(&mut self, job: &Job, owner: Uuid) -> Law {
        type Sent = (i64, String, Option<String>, i64, i64, bool);
        let sql = "SELECT o.id, o.state, o.owner, o.fence, \
             (SELECT count(*) FROM occurrences b WHERE b.lane = o.lane \
              AND b.state IN ('sending', 'unknown')), \
             NOT EXISTS (SELECT 1 FROM halt) AND EXISTS (SELECT 1 FROM schedules s \
              WHERE s.uid = o.uid AND (s.lifecycle IN ('active', 'finished') \
              OR o.\"trigger\" = 'manual' AND s.lifecycle = 'paused')) \
             FROM occurrences o JOIN attempts a ON a.occurrence_id = o.id \
             WHERE a.otid = ?1 AND a.finished_at IS NULL ORDER BY a.n DESC LIMIT 1";
        let rows: Vec<Sent> = self.db.tuples(sql, [job.otid.to_string()]).await;
        let Some((id, state, by, fence, in_lane, may)) = rows.into_iter().next() else {
            return broken!("{} is sent before its otid is committed", job.otid);
        };
        if id != job.occurrence_id
            || state != "sending"
            || by != Some(owner.to_string())
            || fence != job.fence
            || in_lane != 1
            || !may
        {
            return broken!(
                "{} is sent without the right to: {state} by {by:?} of {owner}, fence {fence} of \
                 {}, {in_lane} in its lane, let by its schedule: {may}",
                job.occurrence_id,
                job.fence
            );
        }
        Ok(())
    }

    /// Something older was known to wait for the lane: that is right only if it can't be sent.
    pub async fn check_passed_over(&mut self, older: &Known, taken: &Known) -> Law {
        let sendable: Option<i64> = match &older.source {
            Source::Due(due) => {
                let sql = "SELECT 1 FROM schedules s WHERE uid = ?1 AND active = 1 \
                           AND touched = 0 AND agent_id = ?2 AND next_run = ?3 \
                           AND NOT EXISTS (SELECT 1 FROM occurrences o WHERE o.uid = s.uid \
                           AND o.\"trigger\" = 'schedule' \
                           AND o.state IN ('waiting', 'sending', 'unknown'))";
                let (uid, agent) = (due.uid.to_string(), due.agent_id.as_str());
                let values = (uid, agent, stored(due.next_run));
                self.db.optional(sql, values).await
            }
            Source::Waiting { occurrence_id, .. } => {
                let sql = "SELECT 1 FROM occurrences o JOIN schedules s ON s.uid = o.uid \
                           WHERE o.id = ?1 AND o.state = 'waiting' AND s.touched = 0 \
                           AND (s.lifecycle <> 'paused' OR o.\"trigger\" = 'manual')";
                self.db.optional(sql, [*occurrence_id]).await
            }
        };
        match sendable {
            Some(_) => broken!("{taken:?} is sent before {older:?}"),
            None => Ok(()),
        }
    }

    /// After every step: one prompt at most is on its way in a lane, one at most is open of a
    /// schedule, and an outcome is final.
    pub async fn check_store(&mut self) -> Law {
        let crowded: i64 = self
            .db
            .one(
                "SELECT count(*) FROM (SELECT 1 FROM occurrences \
                 WHERE state IN ('sending', 'unknown') GROUP BY lane HAVING count(*) > 1 \
                 UNION ALL SELECT 1 FROM occurrences WHERE \"trigger\" = 'schedule' \
                 AND state IN ('waiting', 'sending', 'unknown') GROUP BY uid HAVING count(*) > 1)",
            )
            .await;
        if crowded > 0 {
            return broken!("two are on their way in one lane, or open of one schedule");
        }
        let sql = "SELECT id, state || ' ' || count FROM occurrences \
                   WHERE state NOT IN ('waiting', 'sending', 'unknown') ORDER BY id";
        let settled: Vec<(i64, String)> = self.db.tuples(sql, ()).await;
        if self.clock_was_back {
            // What was sent stays sent.
            let unsent = ["coalesced", "skipped", "missed", "cancelled"];
            let is_final = |state: &String| !unsent.iter().any(|word| state.starts_with(word));
            self.outcomes.retain(|_, state| is_final(state));
        }
        let known = self.outcomes.len();
        let mut found = 0;
        for (id, state) in settled {
            match self.outcomes.insert(id, state.clone()) {
                Some(before) if before != state => {
                    return broken!("the outcome of {id} was {before} and became {state}");
                }
                Some(_) => found += 1,
                None => {}
            }
        }
        match found == known {
            true => Ok(()),
            false => broken!("an outcome is gone"),
        }
    }

    /// What is still to come to rest: all that is open or due, but what is paused.
    pub async fn left(&mut self, now: Timestamp) -> Left {
        let sql = "SELECT id, state, reason FROM occurrences o \
                   WHERE state IN ('sending', 'unknown') \
                   OR state = 'waiting' AND NOT (\"trigger\" = 'schedule' AND EXISTS (\
                   SELECT 1 FROM schedules s WHERE s.uid = o.uid AND s.lifecycle = 'paused')) \
                   UNION ALL SELECT id, 'due', next_run FROM schedules WHERE active = 1 \
                   AND (next_run <= ?1 OR touched = 1)";
        self.db.tuples(sql, [stored(now)]).await
    }

    /// At the end: what the database says of each occurrence is what the server's truth says, and
    /// no instant is in two of them.
    pub async fn check_end(&mut self, letta: &ModelLetta) -> Law {
        let sql = "SELECT id, state, error, agent_id FROM occurrences ORDER BY id";
        let occurrences: Vec<(i64, String, Option<String>, String)> = self.db.tuples(sql, ()).await;
        let mut kept = 0;
        for (id, state, error, agent) in occurrences {
            let times = letta.times_kept(id);
            kept += times;
            let may_be_either = letta.is_deleted(&agent)
                || letta.has_stray(id)
                || error
                    .as_deref()
                    .is_some_and(|e| e.starts_with("delivery_unknown"));
            let agrees = match state.as_str() {
                "delivered" => times == 1,
                "dead" if may_be_either => times <= 1,
                _ => times == 0 || letta.has_stray(id),
            };
            if !agrees {
                return broken!(
                    "occurrence {id} is {state} ({error:?}), but {times} times in the history"
                );
            }
        }
        if kept != letta.all_kept() {
            return broken!("{} prompts were kept, {kept} are known", letta.all_kept());
        }
        let sql = "SELECT a.uid, a.intended_at, b.first_at FROM occurrences a JOIN occurrences b \
                   ON a.uid = b.uid AND a.id <> b.id AND a.first_at <= b.first_at \
                   AND b.first_at <= a.intended_at WHERE a.\"trigger\" = b.\"trigger\"";
        let overlapping: Vec<(String, String, String)> = self.db.tuples(sql, ()).await;
        let unchanged = |(uid, _, _): &&(String, String, String)| !self.changed.contains(uid);
        match overlapping.iter().find(unchanged) {
            Some(twice) => broken!("an instant is in two occurrences: {twice:?}"),
            None => Ok(()),
        }
    }

    /// How many instants have come to each outcome.
    pub async fn outcomes(&mut self) -> Vec<(String, i64)> {
        let sql = "SELECT state, sum(count) FROM occurrences GROUP BY state ORDER BY state";
        self.db.tuples(sql, ()).await
    }
}
