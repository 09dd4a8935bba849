//! Creating, showing, changing and ending schedules.

#![expect(missing_docs, reason = "each operation says in its title what it is")]

use super::answer::answer;
use super::definition::{Body, Effect, Operation, Route, Tool, Who, answers};
use super::field::{Given, Parameter, takes};
use super::fields::*;
use super::{Values, reading};
use crate::service::answers::{
    CancelledSchedule, Listed, PausedSchedule, Planned, Previewed, QueuedRun, ResumedSchedule,
    Shown,
};

/// The schedule.
const WHICH: &[Parameter] = &[takes(&SCHEDULE).required().given(Given::InPath)];

/// The schedule, or on the command line several of them.
const WHICH_OR_MANY: &[Parameter] = &[
    takes(&SCHEDULE).given(Given::InPath),
    takes(&OF_AGENT).given(Given::OnCommandLine),
    takes(&EVERY_ONE).given(Given::OnCommandLine),
    takes(&YES).given(Given::OnCommandLine),
    takes(&DRY_RUN).given(Given::OnCommandLine),
];

/// A dead-man service.
const PINGS: &[Parameter] = &[takes(&PING_URL).given(Given::NotInTools)];

pub const REGISTER: Operation = Operation {
    name: "register",
    title: "Schedule a prompt for an agent",
    details: "The prompt is delivered to the agent as a user message, and the agent wakes up and acts on \
        it. Give exactly one of time (once), cron (a pattern), every (an interval) or when (any of them, in \
        words). The answer contains the schedule's id, what was understood and the first runs.",
    parameters: &[
        &[
            takes(&AGENT),
            takes(&PROMPT).required(),
            takes(&PROMPT_FILE).given(Given::OnCommandLine),
        ],
        SPEC,
        ZONE,
        BOUNDS,
        REPEATED,
        DELIVERY,
        RECIPIENT,
        PINGS,
        &[takes(&SKIP_VALIDATION), takes(&NAME)],
    ],
    example: "{\"agent_id\": \"agent-00000000-0000-4000-8000-000000000000\", \"prompt\": \"Check the backup\", \"cron\": \"0 9 * * mon-fri\", \"timezone\": \"Europe/Berlin\"}",
    answer: answers::<Planned>(),
    who: Who::Anyone,
    effect: Effect::Adds,
    route: Route {
        method: "POST",
        path: "/schedules",
        id: "create_schedule",
        tag: "schedules",
        body: Body::Required,
        answers: &[
            (201, "The schedule was created"),
            (200, "It already existed under this name"),
        ],
        problems: &[404, 409, 429, 502],
    },
    tool: None,
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |values| reading::registration(values).map(drop),
    carry_out: |service, values| {
        answer(async move {
            let asked = reading::registration(values)?;
            service.register(&asked).await
        })
    },
};

pub const UPDATE: Operation = Operation {
    name: "update",
    title: "Change a schedule: its prompt, agent, time, end, name or policy",
    details: "Only what you give is changed. A new time counts from now. A prompt that is already being sent is \
        not affected.",
    parameters: &[
        WHICH,
        &[
            takes(&AGENT).meaning("The new agent"),
            takes(&PROMPT),
            takes(&PROMPT_FILE).given(Given::OnCommandLine),
        ],
        SPEC,
        ZONE,
        BOUNDS,
        REPEATED,
        DELIVERY,
        RECIPIENT,
        PINGS,
        &[
            takes(&SKIP_VALIDATION),
            takes(&NAME).meaning("The new name"),
        ],
    ],
    example: "{\"every\": \"2h\"}",
    answer: answers::<Planned>(),
    who: Who::Anyone,
    effect: Effect::Sets,
    route: Route {
        method: "PATCH",
        path: "/schedules/{id}",
        id: "update_schedule",
        tag: "schedules",
        body: Body::Required,
        answers: &[(200, "The schedule was changed")],
        problems: &[404, 409, 429, 502],
    },
    tool: Some(Tool {
        name: "promptyoself_update",
        title: "Change a schedule",
        advice: "Give at most one of time, cron, every and when.",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |values| {
        reading::which(values)?;
        reading::changes(values).map(drop)
    },
    carry_out: |service, values| {
        answer(async move {
            let changes = reading::changes(values)?;
            let id = service.id_of(&reading::which(values)?).await?;
            service.update(id, &changes).await
        })
    },
};

pub const LIST: Operation = Operation {
    name: "list",
    title: "List schedules, the next to run first",
    details: "Schedules that have finished, were cancelled or can't be read are listed only if you ask for \
        them. Prompts are cut to 100 characters unless full is set.",
    parameters: &[&[
        takes(&AGENT_FILTER),
        takes(&ALL),
        takes(&FULL),
        takes(&LIMIT).or("1000"),
        takes(&OFFSET).or("0"),
        takes(&WATCH).given(Given::OnCommandLine),
    ]],
    example: "",
    answer: answers::<Listed>().page("schedules"),
    who: Who::Anyone,
    effect: Effect::Reads,
    route: Route {
        method: "GET",
        path: "/schedules",
        id: "list_schedules",
        tag: "schedules",
        body: Body::None,
        answers: &[(200, "A page of schedules")],
        problems: &[],
    },
    tool: Some(Tool {
        name: "promptyoself_list",
        title: "List scheduled prompts",
        advice: "Each schedule is shown with its id, its next run and, if it is waiting, why.",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |values| reading::list(values).map(drop),
    carry_out: |service, values| answer(async move { service.list(&reading::list(values)?).await }),
};

pub const SHOW: Operation = Operation {
    name: "show",
    title: "Show one schedule in full, with its next runs and the outcome of its last ones",
    details: "",
    parameters: &[WHICH],
    example: "",
    answer: answers::<Shown>(),
    who: Who::Anyone,
    effect: Effect::Reads,
    route: Route {
        method: "GET",
        path: "/schedules/{id}",
        id: "show_schedule",
        tag: "schedules",
        body: Body::None,
        answers: &[(200, "The schedule")],
        problems: &[404],
    },
    tool: Some(Tool {
        name: "promptyoself_get",
        title: "Show one schedule",
        advice: "",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |values| reading::which(values).map(drop),
    carry_out: |service, values| {
        answer(async move {
            let id = service.id_of(&reading::which(values)?).await?;
            service.show(id).await
        })
    },
};

pub const PREVIEW: Operation = Operation {
    name: "preview",
    title: "Show when a time, pattern or interval would run, without scheduling anything",
    details: "",
    parameters: &[SPEC, ZONE, BOUNDS, &[takes(&COUNT).or("10")]],
    example: "{\"cron\": \"0 9 * * mon-fri\", \"timezone\": \"Europe/Berlin\", \"count\": 5}",
    answer: answers::<Previewed>(),
    who: Who::Anyone,
    effect: Effect::Reads,
    route: Route {
        method: "POST",
        path: "/preview",
        id: "preview",
        tag: "schedules",
        body: Body::Required,
        answers: &[(200, "The next runs")],
        problems: &[],
    },
    tool: Some(Tool {
        name: "promptyoself_preview",
        title: "Preview when something would run",
        advice: "Give exactly one of time, cron, every and when. Use it to check a pattern before you schedule it.",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: check_preview,
    carry_out: |service, values| {
        answer(async move {
            let (when, count) = (reading::when(values)?, reading::count(values)?);
            service.preview(&when, count).await
        })
    },
};

fn check_preview(values: &Values) -> crate::error::Result<()> {
    reading::when(values)?;
    reading::count(values).map(drop)
}

pub const CANCEL: Operation = Operation {
    name: "cancel",
    title: "Cancel a schedule for good",
    details: "A prompt that is already being sent can't be called back. The schedule stays in the list of all, \
        with its history.",
    parameters: &[WHICH_OR_MANY],
    example: "",
    answer: answers::<CancelledSchedule>(),
    who: Who::Anyone,
    effect: Effect::Acts,
    route: Route {
        method: "DELETE",
        path: "/schedules/{id}",
        id: "cancel_schedule",
        tag: "schedules",
        body: Body::None,
        answers: &[(200, "The schedule was cancelled")],
        problems: &[404, 409],
    },
    tool: Some(Tool {
        name: "promptyoself_cancel",
        title: "Cancel a schedule",
        advice: "To stop it only for a while, use promptyoself_pause.",
    }),
    is_command: true,
    command_aliases: &["delete", "remove", "rm"],
    refused_in_plugin: None,
    check: |values| reading::which(values).map(drop),
    carry_out: |service, values| {
        answer(async move {
            let id = service.id_of(&reading::which(values)?).await?;
            service.cancel(id).await
        })
    },
};

pub const PAUSE: Operation = Operation {
    name: "pause",
    title: "Pause a schedule: nothing is sent until it is resumed",
    details: "With until, it resumes by itself then. Pausing a paused schedule with until changes when.",
    parameters: &[WHICH_OR_MANY, &[takes(&UNTIL), takes(&NOTE)]],
    example: "{\"until\": \"monday at 9am\", \"note\": \"on holiday\"}",
    answer: answers::<PausedSchedule>(),
    who: Who::Anyone,
    effect: Effect::Sets,
    route: Route {
        method: "POST",
        path: "/schedules/{id}/pause",
        id: "pause_schedule",
        tag: "control",
        body: Body::Optional,
        answers: &[(200, "The schedule is paused")],
        problems: &[404, 409],
    },
    tool: Some(Tool {
        name: "promptyoself_pause",
        title: "Pause a schedule",
        advice: "promptyoself_resume lets it run again.",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |values| {
        reading::which(values)?;
        reading::note(values).map(drop)
    },
    carry_out: |service, values| {
        answer(async move {
            let (note, until) = (reading::note(values)?, values.given(&UNTIL));
            let id = service.id_of(&reading::which(values)?).await?;
            match until {
                Some(until) => service.pause_until(id, note.as_deref(), &until).await,
                None => service.pause(id, note.as_deref()).await,
            }
        })
    },
};

pub const RESUME: Operation = Operation {
    name: "resume",
    title: "Resume a paused schedule",
    details: "Runs that passed during the pause are skipped. With replay, the schedule catches up on them as its \
        catch_up says.",
    parameters: &[WHICH_OR_MANY, &[takes(&REPLAY)]],
    example: "{\"replay\": false}",
    answer: answers::<ResumedSchedule>(),
    who: Who::Anyone,
    effect: Effect::Sets,
    route: Route {
        method: "POST",
        path: "/schedules/{id}/resume",
        id: "resume_schedule",
        tag: "control",
        body: Body::Optional,
        answers: &[(200, "The schedule was resumed")],
        problems: &[404, 409],
    },
    tool: Some(Tool {
        name: "promptyoself_resume",
        title: "Resume a paused schedule",
        advice: "",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |values| reading::which(values).map(drop),
    carry_out: |service, values| {
        answer(async move {
            let replay = values.is_set(&REPLAY);
            let id = service.id_of(&reading::which(values)?).await?;
            service.resume(id, replay).await
        })
    },
};

pub const RUN: Operation = Operation {
    name: "run",
    title: "Run a schedule once now, in addition to its own times",
    details: "The prompt is sent as soon as the agent is free. The schedule's next run does not change.",
    parameters: &[WHICH],
    example: "",
    answer: answers::<QueuedRun>(),
    who: Who::Anyone,
    effect: Effect::Acts,
    route: Route {
        method: "POST",
        path: "/schedules/{id}/run",
        id: "run_schedule",
        tag: "control",
        body: Body::None,
        answers: &[(202, "The run is queued")],
        problems: &[404, 409, 429],
    },
    tool: Some(Tool {
        name: "promptyoself_run_now",
        title: "Run a schedule once now",
        advice: "",
    }),
    is_command: true,
    command_aliases: &[],
    refused_in_plugin: None,
    check: |values| reading::which(values).map(drop),
    carry_out: |service, values| {
        answer(async move {
            let id = service.id_of(&reading::which(values)?).await?;
            service.run(id).await
        })
    },
};
