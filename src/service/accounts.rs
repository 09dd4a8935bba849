//! The account: what was planned and what happened, for each schedule and in total.

use super::Service;
use super::answers::{AccountSum, Accounts, ScheduleAccount, Success};
use crate::error::Result;
use crate::models::{Account, ScheduleFilter, Sums};

/// Which accounts to show.
#[derive(Clone, Debug, Default)]
pub struct AccountQuery {
    /// Only of this schedule.
    pub id: Option<i64>,
    /// At most this many; the total always covers all.
    pub limit: u32,
    /// Skip this many first.
    pub offset: u32,
}

impl Service {
    /// The accounts of the schedules that the caller may see, and their total. The operator also
    /// sees deleted schedules.
    ///
    /// # Errors
    /// [`crate::error::Code::ScheduleNotFound`], and those of the database.
    pub async fn accounts(&self, asked: &AccountQuery) -> Result<Accounts> {
        let _place = self.place_to_read().await;
        let all = self.visible_accounts(asked.id).await?;
        let sum = sum_of(&all);
        let total = all.len();
        let page = all.into_iter().skip(asked.offset as usize);
        let accounts: Vec<ScheduleAccount> = page
            .take(asked.limit as usize)
            .map(|account| ScheduleAccount {
                schedule_id: account.schedule_id,
                account,
            })
            .collect();
        Ok(Accounts {
            status: Success::Success,
            count: accounts.len(),
            total,
            accounts,
            sum,
            now: self.now(),
        })
    }

    async fn visible_accounts(&self, id: Option<i64>) -> Result<Vec<Account>> {
        let own = match (id, self.caller.scope()) {
            (None, None) => return self.db.accounts().await,
            (Some(id), _) => vec![self.find(id).await?],
            (None, Some(agent)) => {
                let filter = ScheduleFilter {
                    agent: Some(agent.clone().into()),
                    all: true,
                    ..ScheduleFilter::default()
                };
                self.db.list_schedules(&filter).await?
            }
        };
        let mut accounts = Vec::with_capacity(own.len());
        // A row that has not been adopted yet has no account.
        for uid in own.into_iter().filter_map(|schedule| schedule.uid) {
            accounts.push(self.db.account(uid).await?);
        }
        Ok(accounts)
    }
}

fn sum_of(accounts: &[Account]) -> AccountSum {
    let mut sum = AccountSum {
        expected: Some(0),
        states: Sums::new(),
        pruned: Sums::new(),
        manual: Sums::new(),
        balanced: accounts.iter().all(|a| a.balanced),
    };
    let add = |to: &mut Sums, from: &Sums| {
        for (state, count) in from {
            *to.entry(state.clone()).or_default() += count;
        }
    };
    for account in accounts {
        sum.expected = sum.expected.zip(account.expected).map(|(a, b)| a + b);
        add(&mut sum.states, &account.states);
        add(&mut sum.pruned, &account.pruned);
        add(&mut sum.manual, &account.manual);
    }
    sum
}
