//! The waiting jobs: the scheduler's come before those of the faces.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::job::Waiting;

/// How many jobs of the faces may wait.
const MOST: usize = 1_024;

/// The owner of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) enum JobOwner {
    /// A scheduler, by its number in this process. It has no more jobs than places, and none is
    /// refused.
    Scheduler(u64),
    /// A face.
    Face,
}

/// How waiting for a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// There already was one.
    AtOnce,
    /// One arrived.
    Idle,
    /// There will be no more.
    Closed,
}

/// Why a job is refused.
pub(super) enum Refused {
    /// Too many are waiting.
    Full,
    /// The database is closed.
    Closed,
}

/// Both queues.
#[derive(Default)]
pub(super) struct Queues {
    waiting: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    scheduler: VecDeque<(JobOwner, Box<dyn Waiting>)>,
    faces: VecDeque<Box<dyn Waiting>>,
    is_closed: bool,
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        f.debug_struct("Queues")
            .field("scheduler", &lines.scheduler.len())
            .field("faces", &lines.faces.len())
            .finish_non_exhaustive()
    }
}

impl Queues {
    pub(super) fn add(&self, owner: JobOwner, job: Box<dyn Waiting>) -> Result<(), Refused> {
        let mut lines = self.lines();
        if lines.is_closed {
            return Err(Refused::Closed);
        }
        match owner {
            JobOwner::Scheduler(_) => lines.scheduler.push_back((owner, job)),
            JobOwner::Face if lines.faces.len() >= MOST => return Err(Refused::Full),
            JobOwner::Face => lines.faces.push_back(job),
        }
        drop(lines);
        self.changed.notify_one();
        Ok(())
    }

    pub(super) fn close(&self) {
        self.lines().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits until there is a job, or there will be no more.
    pub(super) fn wait(&self) -> Wait {
        let mut lines = self.lines();
        let mut waited = Wait::AtOnce;
        loop {
            if !lines.scheduler.is_empty() || !lines.faces.is_empty() {
                return waited;
            }
            if lines.is_closed {
                return Wait::Closed;
            }
            waited = Wait::Idle;
            let woken = self.changed.wait(lines);
            lines = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next job, with the scheduler's first.
    pub(super) fn next(&self) -> Option<(JobOwner, Box<dyn Waiting>)> {
        let next = self.lines().scheduler.pop_front();
        match next {
            Some(job) => Some(job),
            None => self.next_of_faces(),
        }
    }

    /// The next job of a face.
    pub(super) fn next_of_faces(&self) -> Option<(JobOwner, Box<dyn Waiting>)> {
        let next = self.lines().faces.pop_front();
        next.map(|job| (JobOwner::Face, job))
    }

    /// How many jobs are waiting.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        let lines = self.lines();
        lines.scheduler.len() + lines.faces.len()
    }

    /// All waiting jobs.
    pub(super) fn take_all(&self) -> Vec<Box<dyn Waiting>> {
        let mut lines = self.lines();
        let Lines {
            scheduler, faces, ..
        } = &mut *lines;
        let scheduler = scheduler.drain(..).map(|(_, job)| job);
        scheduler.chain(faces.drain(..)).collect()
    }

    /// A panic elsewhere leaves the queues intact.
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
