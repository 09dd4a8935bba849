//! The state of delivery, and halting it.

#![expect(missing_docs, reason = "each operation says in its title what it is")]

use super::answer::answer;
use super::definition::{Body, Effect, Operation, Route, Tool, Who, answers};
use super::field::{Given, Instead, Refused, takes};
use super::fields::*;
use super::reading;
use crate::service::answers::{AgentsListed, Halted, Overview, Tested};

pub const TEST: Operation = Operation {
    name: "test",
    title: "Check that Letta answers, and that a scheduler is running",
    details: "",
    parameters: &[],
    example: "",
    answer: answers::<Tested>(),
    who: Who::Anyone,
    effect: Effect::Reads,
    route: Route {
        method: "GET",
        path: "/test",
        id: "test",
        tag: "status",
        body: Body::None,
        answers: &[(200, "Letta answers")],
        problems: &[502],
    },
    tool: Some(Tool {
        name: "promptyoself_test",
        title: "Test the connection to Letta",
        advice: "It also shows open incidents.",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |_| Ok(()),
    carry_out: |service, _| answer(service.test()),
};

pub const AGENTS: Operation = Operation {
    name: "agents",
    title: "List the agents of the Letta server",
    details: "An agent already knows its own id.",
    parameters: &[],
    example: "",
    answer: answers::<AgentsListed>(),
    who: Who::Operator("listing every agent"),
    effect: Effect::Reads,
    route: Route {
        method: "GET",
        path: "/agents",
        id: "list_agents",
        tag: "status",
        body: Body::None,
        answers: &[(200, "Every agent")],
        problems: &[502],
    },
    tool: Some(Tool {
        name: "promptyoself_agents",
        title: "List Letta agents",
        advice: "Use it to find the agent to schedule for.",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |_| Ok(()),
    carry_out: |service, _| answer(service.agents()),
};

pub const STATUS: Operation = Operation {
    name: "status",
    title: "Show who is delivering, and what is in the way",
    details: "Does not contact Letta.",
    parameters: &[],
    example: "",
    answer: answers::<Overview>(),
    who: Who::Anyone,
    effect: Effect::Reads,
    route: Route {
        method: "GET",
        path: "/status",
        id: "show_status",
        tag: "status",
        body: Body::None,
        answers: &[(200, "The state of delivery")],
        problems: &[],
    },
    tool: None,
    is_command: false,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |_| Ok(()),
    carry_out: |service, _| answer(service.overview()),
};

pub const HALT: Operation = Operation {
    name: "halt",
    title: "Stop all delivery",
    details: "Prompts that are already being sent finish; nothing else is sent until the halt is lifted.",
    parameters: &[&[
        takes(&OFF).given(Given::OnCommandLine),
        takes(&NOTE),
        takes(&HALTED_TARGET),
    ]],
    example: "{\"note\": \"on holiday\"}",
    answer: answers::<Halted>(),
    who: Who::Operator("halting"),
    effect: Effect::Sets,
    route: Route {
        method: "PUT",
        path: "/halt",
        id: "halt",
        tag: "control",
        body: Body::Optional,
        answers: &[(200, "All delivery is halted")],
        problems: &[],
    },
    tool: None,
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: Some(Refused {
        why: "it would stop every agent's prompts; pause stops one schedule",
        instead: Instead::Call("list"),
    }),
    check: |values| reading::note(values).map(drop),
    carry_out: |service, values| {
        answer(async move {
            let note = reading::note(values)?;
            match reading::target(values) {
                Some(target) => service.halt_target(&target, note.as_deref()).await,
                None => service.halt(note.as_deref()).await,
            }
        })
    },
};

pub const LIFT_HALT: Operation = Operation {
    name: "lift_halt",
    title: "Lift the halt",
    details: "",
    parameters: &[&[takes(&HALTED_TARGET)]],
    example: "",
    answer: answers::<Halted>(),
    who: Who::Operator("halting"),
    effect: Effect::Sets,
    route: Route {
        method: "DELETE",
        path: "/halt",
        id: "lift_halt",
        tag: "control",
        body: Body::Optional,
        answers: &[(200, "Delivery is on again")],
        problems: &[],
    },
    tool: None,
    // `halt --off` asks for it.
    is_command: false,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |_| Ok(()),
    carry_out: |service, values| {
        answer(async move {
            match reading::target(values) {
                Some(target) => service.lift_target(&target).await,
                None => service.lift_halt().await,
            }
        })
    },
};
