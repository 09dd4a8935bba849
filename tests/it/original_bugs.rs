//! Each bug of the Python original, as the law that it can't happen here.

mod executors;
mod input;
mod rows;
mod times;
