//! Deliveries, changes and the account.

#![expect(missing_docs, reason = "each operation says in its title what it is")]

use super::answer::answer;
use super::definition::{Body, Effect, Operation, Route, Tool, Who, answers};
use super::field::{Given, Parameter, takes};
use super::fields::*;
use super::{Values, reading};
use crate::error::Result;
use crate::models::ChangeQuery;
use crate::service::answers::{Accounts, ChangeLog, History};
use crate::service::{AccountQuery, HistoryQuery};

/// The schedule and the agent to filter by.
const OF_WHAT: &[Parameter] = &[takes(&SCHEDULE_FILTER), takes(&AGENT_FILTER)];

const PAGE: &[Parameter] = &[takes(&LIMIT).or("50"), takes(&OFFSET).or("0")];

pub const HISTORY: Operation = Operation {
    name: "history",
    title: "Show past and pending deliveries and their outcome, newest first",
    details: "",
    parameters: &[
        &[
            takes(&CHANGES).given(Given::OnCommandLine),
            takes(&FOLLOW).given(Given::OnCommandLine),
        ],
        OF_WHAT,
        &[
            takes(&STATE),
            takes(&SINCE),
            takes(&SETTLED_SINCE).given(Given::NotInTools),
        ],
        PAGE,
    ],
    example: "{\"state\": \"dead\", \"since\": \"24h\"}",
    answer: answers::<History>().page("occurrences"),
    who: Who::Anyone,
    effect: Effect::Reads,
    route: Route {
        method: "GET",
        path: "/occurrences",
        id: "list_occurrences",
        tag: "occurrences",
        body: Body::None,
        answers: &[(200, "A page of occurrences")],
        problems: &[404],
    },
    tool: Some(Tool {
        name: "promptyoself_history",
        title: "Show past and pending deliveries",
        advice: "It shows whether each prompt was delivered, is waiting, or was given up and why.",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |values| {
        reading::state(values)?;
        check_page(values)
    },
    carry_out: |service, values| {
        answer(async move {
            let page = reading::page(values)?;
            let asked = HistoryQuery {
                id: reading::filtered_id(values, service).await?,
                agent: reading::agent(values)?,
                state: reading::state(values)?,
                since: reading::since(values, service)?,
                settled_since: reading::settled_since(values, service)?,
                limit: page.limit,
                offset: page.offset,
            };
            service.history(&asked).await
        })
    },
};

pub const LIST_CHANGES: Operation = Operation {
    name: "changes",
    title: "Show who changed what, newest first",
    details: "Who created, changed, paused or cancelled what, when and through which face. An \
        agent sees only changes of its own schedules.",
    parameters: &[OF_WHAT, &[takes(&SINCE)], PAGE],
    example: "",
    answer: answers::<ChangeLog>().page("changes"),
    who: Who::Anyone,
    effect: Effect::Reads,
    route: Route {
        method: "GET",
        path: "/changes",
        id: "list_changes",
        tag: "occurrences",
        body: Body::None,
        answers: &[(200, "A page of changes")],
        problems: &[404],
    },
    tool: None,
    // `history --changes` asks for it.
    is_command: false,
    command_aliases: &[],
    refused_in_plugin: None,
    check: check_page,
    carry_out: |service, values| {
        answer(async move {
            let page = reading::page(values)?;
            let asked = ChangeQuery {
                schedule_id: reading::filtered_id(values, service).await?,
                agent: reading::agent(values)?,
                since: reading::since(values, service)?,
                limit: page.limit,
                offset: page.offset,
            };
            service.changes(&asked).await
        })
    },
};

pub const ACCOUNT: Operation = Operation {
    name: "account",
    title: "Show the account",
    details: "What was planned and what happened, for each schedule and in total. It is balanced \
        if every planned instant is open or has exactly one outcome.",
    parameters: &[&[takes(&SCHEDULE_FILTER)], PAGE],
    example: "",
    answer: answers::<Accounts>().page("accounts"),
    who: Who::Anyone,
    effect: Effect::Reads,
    route: Route {
        method: "GET",
        path: "/account",
        id: "show_account",
        tag: "occurrences",
        body: Body::None,
        answers: &[(200, "The account")],
        problems: &[404],
    },
    tool: None,
    is_command: false,
    command_aliases: &[],
    refused_in_plugin: None,
    check: check_page,
    carry_out: |service, values| {
        answer(async move {
            let page = reading::page(values)?;
            let asked = AccountQuery {
                id: reading::filtered_id(values, service).await?,
                limit: page.limit,
                offset: page.offset,
            };
            service.accounts(&asked).await
        })
    },
};

fn check_page(values: &Values) -> Result<()> {
    reading::schedule_filter(values)?;
    reading::agent(values)?;
    reading::page(values).map(drop)
}
