#![doc = include_str!("../README.md")]

pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod error;
pub mod failpoint;
mod http;
pub mod ids;
pub mod letta_client;
pub mod limits;
pub mod mcp;
pub mod models;
pub mod notify;
pub mod printable;
pub mod remote;
pub mod schedule;
pub mod scheduler;
pub mod server;
pub mod service;
