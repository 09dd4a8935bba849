//! Reading the account: the revisions of a schedule against what is recorded of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::revisions::{Revision, fetch_revisions, fetch_standing};
use crate::db::Db;
use crate::db::sql::{self, Row, Tx, query};
use crate::db::statements::rows::{self, instants};
use crate::error::Result;
use crate::models::{Account, State, Sums, Trigger, name_some};
use crate::schedule::{Past, Planned, TooMany, count_distinct};

/// How many instants are compared one by one to say which of them are at fault.
const COMPARED: usize = 100_000;

/// What is recorded of a schedule, and what it is compared with.
struct Books {
    revisions: Vec<Revision>,
    /// Whether the schedule's plan says where it ends.
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
    /// The account of a schedule, also of one that is deleted.
    pub async fn account(&self, uid: Uuid) -> Result<Account> {
        let read = self.read("read the account", move |tx| Ok(read(tx, uid)?));
        let (mut account, books) = read.await?;
        compare(&mut account, &books);
        Ok(account)
    }

    /// The accounts of every schedule that there ever was, the live ones by their numbers first.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let uids = self.read("look for the schedules", |tx| {
            let rows = query(
                "SELECT all_uids.uid AS uid FROM (SELECT uid FROM schedules WHERE uid IS NOT NULL \
                 UNION SELECT uid FROM schedule_revisions UNION SELECT uid FROM occurrences \
                 UNION SELECT uid FROM pruned_sums) AS all_uids \
             LEFT JOIN schedules s ON s.uid = all_uids.uid ORDER BY s.id IS NULL, s.id",
            )
            .fetch_all(tx)?;
            let uids = rows.iter().filter_map(|row| rows::uuid(row, "uid").ok());
            Ok(uids.collect::<Vec<Uuid>>())
        });
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
    for row in sums(tx, &key)? {
        let count = rows::number(&row, "count").unwrap_or(0);
        let state = rows::text(&row, "state").unwrap_or_default();
        let scheduled = rows::text(&row, "trigger").as_deref() == Some(Trigger::Schedule.as_str());
        let sum = match (scheduled, rows::flag(&row, "pruned")) {
            (false, _) => &mut account.manual,
            (true, true) => &mut account.pruned,
            (true, false) => &mut account.states,
        };
        let of_state = sum.entry(state).or_default();
        *of_state = of_state.saturating_add(count);
    }
    let revisions = fetch_revisions(tx, &key, standing.stands_before)?;
    let closed = standing.stands_before.is_some() || revisions.iter().all(|r| !r.open);
    let books = Books {
        revisions,
        closed,
        recorded: recorded(tx, &key)?,
        pruned_until: pruned_until(tx, &key)?,
    };
    Ok((account, books))
}

fn sums(tx: &Tx<'_>, uid: &str) -> sql::Result<Vec<Row>> {
    query(concat!(
        "SELECT \"trigger\", state, 0 AS pruned, sum(",
        instants!(),
        ") AS count FROM occurrences WHERE uid = $1 GROUP BY 1, 2 \
         UNION ALL SELECT \"trigger\", state, 1, count FROM pruned_sums WHERE uid = $1"
    ))
    .bind(uid)
    .fetch_all(tx)
}

/// The recorded instants; none if they are too many to be compared.
fn recorded(tx: &Tx<'_>, uid: &str) -> sql::Result<Vec<Recorded>> {
    let rows = query(
        "SELECT first_at, intended_at FROM occurrences WHERE uid = $1 AND \"trigger\" = 'schedule' \
         ORDER BY intended_at LIMIT $2",
    )
    .bind(uid)
    .bind(
        i64::try_from(COMPARED)
            .unwrap_or(i64::MAX)
            .saturating_add(1),
    )
    .fetch_all(tx)?;
    if rows.len() > COMPARED {
        return Ok(Vec::new());
    }
    let read = |row| {
        Some(Recorded {
            first: rows::lenient_time(row, "first_at")?,
            newest: rows::lenient_time(row, "intended_at")?,
        })
    };
    Ok(rows.iter().filter_map(read).collect())
}

fn pruned_until(tx: &Tx<'_>, uid: &str) -> sql::Result<Option<Timestamp>> {
    let row = query(
        "SELECT max(last_at) AS last_at FROM pruned_sums WHERE uid = $1 \
         AND \"trigger\" = 'schedule'",
    )
    .bind(uid)
    .fetch_one(tx)?;
    Ok(rows::lenient_time(&row, "last_at"))
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
        account.difference = Some(
            "not proved: its row was replaced, so it is not known up to when it ran".to_owned(),
        );
        return;
    }
    let expected = match count_distinct(&plans) {
        Ok(planned) => i64::try_from(planned).unwrap_or(i64::MAX),
        Err(TooMany) => {
            account.difference = Some(
                "not proved: its next_run was set back over too many instants to compare them"
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

/// The recorded instants that no plan has; none if they are too many to be compared.
fn unplanned(plans: &[Planned], books: &Books) -> Vec<Timestamp> {
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
fn missing(plans: &[Planned], books: &Books) -> Vec<Timestamp> {
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
