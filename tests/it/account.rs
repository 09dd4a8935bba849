//! The account: every planned instant is open or has exactly one outcome, whatever is done to the
//! schedule and by whom.

mod balance;
mod damage;
