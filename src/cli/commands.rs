//! The commands that need the database or Letta.

use super::Context;
use super::args::{ExecuteArgs, HistoryArgs, IdArgs, ListArgs, RegisterArgs, ServeArgs};
use super::input;
use super::output::Reply;
use crate::error::{Code, Error, Result};

fn not_built(name: &str) -> Result<Reply> {
    Err(Error::new(
        Code::Internal,
        format!("{name} is not built yet"),
    ))
}

pub(super) async fn register(ctx: &Context, args: &RegisterArgs) -> Result<Reply> {
    let _agent = input::agent(
        args.agent_id.as_deref(),
        ctx.settings.default_agent.as_deref(),
    )?;
    let _prompt = input::prompt(args, std::io::stdin())?;
    let _spec = input::spec(args)?;
    let _repetitions = input::repetitions(args.max_repetitions.as_deref())?;
    not_built("register")
}

pub(super) async fn list(_ctx: &Context, args: &ListArgs) -> Result<Reply> {
    let _agent = input::agent_filter(args.agent_id.as_deref())?;
    let _page = input::page(args.limit.as_deref(), args.offset.as_deref())?;
    not_built("list")
}

pub(super) async fn show(_ctx: &Context, args: &IdArgs) -> Result<Reply> {
    let _id = input::schedule_id(args)?;
    not_built("show")
}

pub(super) async fn cancel(_ctx: &Context, args: &IdArgs) -> Result<Reply> {
    let _id = input::schedule_id(args)?;
    not_built("cancel")
}

pub(super) async fn execute(_ctx: &Context, args: &ExecuteArgs) -> Result<Reply> {
    let _interval = input::interval(args.interval.as_deref())?;
    not_built("execute")
}

pub(super) async fn test(_ctx: &Context) -> Result<Reply> {
    not_built("test")
}

pub(super) async fn agents(_ctx: &Context) -> Result<Reply> {
    not_built("agents")
}

pub(super) async fn serve(_ctx: &Context, _args: &ServeArgs) -> Result<Reply> {
    not_built("serve")
}

pub(super) async fn history(_ctx: &Context, args: &HistoryArgs) -> Result<Reply> {
    let _id = input::id_filter(args.id.as_deref())?;
    let _agent = input::agent_filter(args.agent_id.as_deref())?;
    let _page = input::page(args.limit.as_deref(), None)?;
    not_built("history")
}
