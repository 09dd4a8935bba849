//! Other programs that read and write the schedules while ours is running.

mod activation;
mod adoption;
mod live;
mod one_row;
pub mod raw;
mod sqlalchemy;
mod unreadable;
mod values;
