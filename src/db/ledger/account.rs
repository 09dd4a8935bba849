//! Computes the account: compares the revisions of a schedule with what is recorded.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::plans::to_i64;
use super::revisions::{Revision, fetch_revisions, fetch_standing};
use crate::db::Db;
use crate::db::sql::{self, Tx};
use crate::db::statements::account;
use crate::error::Result;
use crate::models::{Account, State, Sums, Trigger, name_some};
use crate::schedule::{Past, PlannedInstants, TooMany, count_distinct};

/// How many instants are compared one by one to name the wrong ones.
const COMPARED: usize = 100_000;

/// What is recorded about a schedule, and what it is compared with.
struct Books {
    revisions: Vec<Revision>,
    /// Whether the schedule's plan has an end.
    closed: bool,
    recorded: Vec<Recorded>,
    pruned_until: Option<Timestamp>,
}

/// A recorded instant or range.
struct Recorded {
    first: Timestamp,
    newest: Timestamp,
}

impl Db {
    /// The account of a schedule, even a deleted one.
    pub async fn account(&self, uid: Uuid) -> Result<Account> {
        let read = self.read("read the account", move |tx| Ok(read(tx, uid)?));
        let (mut account, books) = read.await?;
        compare(&mut account, &books);
        Ok(account)
    }

    /// The accounts of all schedules that ever existed, live ones first, by id.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let uids = self.read("look for the schedules", |tx| Ok(account::list_uids(tx)?));
        let uids = uids.await?;
        let mut accounts = Vec::with_capacity(uids.len());
        for uid in uids {
            accounts.push(self.account(uid).await?);
        }
        Ok(accounts)
    }
}

fn read(tx: &Tx<'_>, uid: Uuid) -> sql::Result<(Account, Books)> {
    let key = uid.to_string();
    let standing = fetch_standing(tx, &key)?;
    let mut account = Account {
        uid,
        schedule_id: standing.schedule_id,
        expected: None,
        states: Sums::new(),
        pruned: Sums::new(),
        manual: Sums::new(),
        balanced: true,
        difference: None,
    };
    for recorded in account::list_sums(tx, uid)? {
        let scheduled = recorded.trigger == Trigger::Schedule.as_str();
        let sum = match (scheduled, recorded.is_pruned) {
            (false, _) => &mut account.manual,
            (true, true) => &mut account.pruned,
            (true, false) => &mut account.states,
        };
        let of_state = sum.entry(recorded.state).or_default();
        *of_state = of_state.saturating_add(recorded.count);
    }
    let revisions = fetch_revisions(tx, &key, standing.stands_before)?;
    let closed = standing.stands_before.is_some() || revisions.iter().all(|r| !r.open);
    let books = Books {
        revisions,
        closed,
        recorded: recorded(tx, uid)?,
        pruned_until: account::fetch_pruned_until(tx, uid)?,
    };
    Ok((account, books))
}

/// The recorded instants; none if there are too many to compare.
fn recorded(tx: &Tx<'_>, uid: Uuid) -> sql::Result<Vec<Recorded>> {
    let ranges = account::list_recorded(tx, uid, to_i64(COMPARED as u64 + 1))?;
    if ranges.len() > COMPARED {
        return Ok(Vec::new());
    }
    let readable = ranges.iter().filter_map(|range| {
        Some(Recorded {
            first: range.first?,
            newest: range.newest?,
        })
    });
    Ok(readable.collect())
}

/// Compares what was planned with what is recorded.
fn compare(account: &mut Account, books: &Books) {
    let strange: Vec<&String> = (account.states.keys().chain(account.pruned.keys()))
        .filter(|state| State::from_word(state).is_none())
        .collect();
    if let Some(state) = strange.first() {
        account.difference = Some(format!("{state:?} is not a known state"));
        account.balanced = false;
        return;
    }
    let mut plans = Vec::with_capacity(books.revisions.len());
    for revision in &books.revisions {
        match &revision.planned {
            Ok(planned) => plans.push(planned.clone()),
            Err(e) => {
                account.difference = Some(format!("not proved: a revision can't be read: {e}"));
                return;
            }
        }
    }
    if !books.closed {
        account.difference =
            Some("not proved: its row was replaced, so it is unknown when it last ran".to_owned());
        return;
    }
    let expected = match count_distinct(&plans) {
        Ok(planned) => i64::try_from(planned).unwrap_or(i64::MAX),
        Err(TooMany) => {
            account.difference = Some(
                "not proved: its next_run was set back over too many instants to compare"
                    .to_owned(),
            );
            return;
        }
    };
    account.expected = Some(expected);
    let unplanned = unplanned(&plans, books);
    let recorded = account.recorded();
    let faults = match recorded.cmp(&expected) {
        std::cmp::Ordering::Less => {
            let mut text = format!(
                "{expected} instants were planned and {recorded} are recorded: {} are missing",
                expected - recorded
            );
            let missing = missing(&plans, books);
            if !missing.is_empty() {
                text.push_str(&format!(" ({})", name_some(&missing)));
            }
            vec![text]
        }
        std::cmp::Ordering::Greater => vec![format!(
            "{expected} instants were planned and {recorded} are recorded: {} too many",
            recorded - expected
        )],
        std::cmp::Ordering::Equal => Vec::new(),
    };
    let strange = (!unplanned.is_empty()).then(|| {
        format!(
            "{} recorded instants were never planned ({})",
            unplanned.len(),
            name_some(&unplanned)
        )
    });
    let faults: Vec<String> = faults.into_iter().chain(strange).collect();
    account.balanced = faults.is_empty();
    account.difference = (!faults.is_empty()).then(|| faults.join("; "));
}

/// The recorded instants that are in no plan; none if there are too many to compare.
fn unplanned(plans: &[PlannedInstants], books: &Books) -> Vec<Timestamp> {
    if books.recorded.len().saturating_mul(plans.len()) > COMPARED * 100 {
        return Vec::new();
    }
    let mut past = Past::default();
    plans.iter().for_each(|plan| past.add(plan));
    let instants: BTreeSet<Timestamp> = (books.recorded.iter())
        .flat_map(|r| [r.first, r.newest])
        .collect();
    instants
        .into_iter()
        .filter(|at| !past.contains(*at))
        .collect()
}

/// The planned instants that are not recorded, as far as they can be compared.
fn missing(plans: &[PlannedInstants], books: &Books) -> Vec<Timestamp> {
    let mut past = Past::default();
    for recorded in &books.recorded {
        past.add_recorded(recorded.first, recorded.newest);
    }
    let planned: BTreeSet<Timestamp> = (plans.iter())
        .flat_map(|plan| plan.instants())
        .take(COMPARED)
        .filter(|at| books.pruned_until.is_none_or(|until| *at > until))
        .collect();
    planned
        .into_iter()
        .filter(|at| !past.contains(*at))
        .collect()
}
