//! The bugs of the Python original, each as the law that it can't happen here.

mod executors;
mod input;
mod rows;
mod times;
