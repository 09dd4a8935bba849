//! The account: every instant that was planned is open or has exactly one outcome, whatever is
//! done to the schedule and by whom.

mod balance;
mod damage;
