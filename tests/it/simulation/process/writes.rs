//! What a process writes: several decisions in one commit, which may fail or be the last.

use promptyoself::scheduler::core::{Event, Write};
use promptyoself::scheduler::queue::Source;
use promptyoself::scheduler::store::{SchedulerStore, StoreReply};

use super::{Fate, Process, identity};
use crate::plans::by_scheduler;
use crate::simulation::faults::{happens, pick};
use crate::simulation::trace::Law;
use crate::simulation::world::World;

impl World {
    /// Writes some of what was decided in one commit, and the rest in the next one.
    pub(super) async fn write(
        &mut self,
        slot: usize,
        process: &mut Process,
        writes: &mut Vec<Write>,
    ) -> Law<Fate> {
        while !writes.is_empty() {
            let rest = writes.split_off(self.rng.usize(1..=writes.len()));
            let batch = std::mem::replace(writes, rest);
            let names: Vec<String> = batch.iter().map(short_write).collect();
            self.note(format!("{slot}:   {}", names.join(", ")));
            if happens(&mut self.rng, self.faults.crash) {
                self.note(format!("{slot}: is killed before that is written"));
                return Ok(Fate::Dies);
            }
            let carried = match happens(&mut self.rng, self.faults.database) {
                true => self.fail_to_write(process, batch).await,
                false => by_scheduler(process.store.write(batch)).await,
            };
            self.changed = true;
            self.wrote(slot);
            let took = self.rng.i64(0..3_000);
            self.clock.advance(jiff::SignedDuration::from_micros(took));
            if happens(&mut self.rng, self.faults.crash) {
                self.note(format!("{slot}: is killed before it hears of that"));
                return Ok(Fate::Dies);
            }
            for one in carried {
                self.follow(process, one).await?;
            }
        }
        Ok(Fate::Lives)
    }

    /// Writes a batch on a database that fails: at once, or so that what was written is not known.
    async fn fail_to_write(&mut self, process: &mut Process, batch: Vec<Write>) -> Vec<StoreReply> {
        if self.rng.bool() {
            return self
                .break_table(process, async |store| store.write(batch).await)
                .await;
        }
        self.note("      its answer is lost");
        let terms = process.store.terms();
        let mut carried = Vec::new();
        for write in batch {
            carried.push(match write {
                Write::Claim(candidate, now) => {
                    let lane = &candidate.lane;
                    let _ = match &candidate.source {
                        Source::Due(due) => process.db.claim_due(due, lane, &terms, now).await,
                        Source::Waiting { occurrence_id, .. } => {
                            let id = *occurrence_id;
                            process.db.claim_waiting(id, &terms, now).await
                        }
                    };
                    StoreReply::Event(Event::ClaimFailed(candidate))
                }
                Write::Settle(settling) => {
                    let (id, fence) = (settling.occurrence_id, settling.fence);
                    let (verdict, now) = (&settling.verdict, self.clock.now());
                    let _ = process.db.settle(id, fence, verdict, now).await;
                    StoreReply::RetrySettle(settling)
                }
                Write::Run {
                    occurrence_id,
                    fence,
                    run_id,
                } => {
                    let _ = process.db.record_run(occurrence_id, fence, &run_id).await;
                    StoreReply::Done
                }
            });
        }
        carried
    }

    /// Does something with the database while one of its tables can't be written.
    pub(super) async fn break_table<T>(
        &mut self,
        process: &mut Process,
        does: impl AsyncFnOnce(&mut SchedulerStore) -> T,
    ) -> T {
        let table = pick(
            &mut self.rng,
            &[
                "occurrences",
                "attempts",
                "schedules",
                "schedulers",
                "payloads",
            ],
        );
        self.note(format!("      the database fails when {table} is written"));
        self.observer.break_table(table).await;
        let done = does(&mut process.store).await;
        self.observer.mend_table().await;
        done
    }
}

/// A write in one line.
fn short_write(write: &Write) -> String {
    match write {
        Write::Claim(c, _) => format!(
            "claim {:?} of {} in {}",
            identity(&c.source),
            c.intended_at,
            c.lane.as_str()
        ),
        Write::Settle(s) => format!("settle {} as {:?}", s.occurrence_id, s.verdict),
        Write::Run { occurrence_id, .. } => format!("note the run of {occurrence_id}"),
    }
}
