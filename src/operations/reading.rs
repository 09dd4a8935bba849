//! What the values of a request mean: each group of fields, read once for all faces.

use jiff::Timestamp;

use super::Values;
use super::field::Field;
use super::fields::*;
use crate::error::{Code, Error, Message, Result, call, field, fields, message, operation, quoted};
use crate::models::{AgentId, Conversation, Policy, State};
use crate::schedule::{meant_count, meant_word};
use crate::service::asked::{self, PolicyText, WhenText, filled, given, whole};
use crate::service::{Changes, ListQuery, Registration, Service, When};

/// How many runs a preview shows where nobody says.
const USUAL_COUNT: &str = "10";

fn when_text(values: &Values) -> WhenText {
    WhenText {
        time: values.text(&TIME),
        cron: values.text(&CRON),
        every: values.text(&EVERY),
        timezone: values.text(&TIMEZONE),
        start_at: values.text(&START_AT),
        end_at: values.text(&END_AT),
        max_repetitions: values.text(&MAX_REPETITIONS),
    }
}

/// Everything that says when.
pub fn when(values: &Values) -> Result<When> {
    asked::when(&when_text(values))
}

fn policy(values: &Values) -> Result<Policy> {
    asked::policy(&PolicyText {
        catch_up: values.text(&CATCH_UP),
        grace: values.text(&GRACE),
        pause_on_failure: values.text(&PAUSE_ON_FAILURE),
        envelope: values.text(&ENVELOPE),
        max_age: values.text(&MAX_AGE),
    })
}

/// The agent that was given, if one was.
pub fn agent(values: &Values) -> Result<Option<AgentId>> {
    let text = values.text(&AGENT);
    text.as_deref().map(AgentId::parse).transpose()
}

/// A prompt that was given.
fn prompt(values: &Values) -> Result<Option<String>> {
    values
        .text(&PROMPT)
        .map(|text| checked(&PROMPT, text))
        .transpose()?
        .map(asked::prompt)
        .transpose()
}

fn name(values: &Values) -> Result<Option<String>> {
    match values.text(&NAME) {
        Some(text) => Ok(filled(Some(&checked(&NAME, text)?))),
        None => Ok(None),
    }
}

/// A text that can be kept: Letta keeps messages in PostgreSQL, whose text can't hold NUL.
fn checked(asked: &Field, text: String) -> Result<String> {
    match text.contains('\0') {
        true => Err(Error::new(
            Code::Usage,
            message![
                field(asked.name),
                " holds the character NUL (\\u0000), which no text may hold: leave it out"
            ],
        )),
        false => Ok(text),
    }
}

/// The conversation that was given, if one was.
fn conversation(values: &Values) -> Result<Option<Conversation>> {
    let text = values.text(&CONVERSATION);
    given(text.as_deref()).map(Conversation::parse).transpose()
}

/// A schedule that is asked for.
pub fn registration(values: &Values) -> Result<Registration> {
    let agent_id = agent(values)?;
    let prompt = match prompt(values)? {
        Some(prompt) => prompt,
        None => return Err(asked::prompt_missing("no prompt was given")),
    };
    Ok(Registration {
        agent_id,
        prompt,
        payload: None,
        when: when(values)?,
        name: name(values)?,
        conversation: conversation(values)?,
        policy: policy(values)?,
        ping_url: asked::ping_url(values.text(&PING_URL).as_deref())?.flatten(),
        skip_validation: values.is_set(&SKIP_VALIDATION),
    })
}

/// What is to be changed of a schedule.
pub fn changes(values: &Values) -> Result<Changes> {
    let text = when_text(values);
    let (wish, timezone) = asked::wish_if_given(&text)?;
    Ok(Changes {
        agent_id: agent(values)?,
        prompt: prompt(values)?,
        wish,
        timezone,
        start_at: filled(text.start_at.as_deref()),
        end_at: filled(text.end_at.as_deref()),
        max_repetitions: asked::repetitions(text.max_repetitions.as_deref())?,
        name: name(values)?,
        conversation: conversation(values)?,
        policy: policy(values)?,
        ping_url: asked::ping_url(values.text(&PING_URL).as_deref())?,
        skip_validation: values.is_set(&SKIP_VALIDATION),
    })
}

/// The number of the schedule that is meant.
pub fn id(values: &Values) -> Result<i64> {
    number_of_schedule(values.text(&ID).as_deref())
}

/// The number of the schedule to narrow to, if one was given.
pub fn schedule_filter(values: &Values) -> Result<Option<i64>> {
    match values.text(&SCHEDULE_FILTER) {
        Some(text) => number_of_schedule(Some(&text)).map(Some),
        None => Ok(None),
    }
}

/// The number of a schedule, as text.
pub fn number_of_schedule(text: Option<&str>) -> Result<i64> {
    let wrong = |problem: Message| {
        Error::new(
            Code::IdInvalid,
            message![
                problem,
                ": give ",
                field("id"),
                " with a whole number, as ",
                operation("list"),
                " shows it"
            ],
        )
        .example(call("list").with("all", true))
    };
    let Some(text) = given(text) else {
        return Err(wrong("no schedule id was given".into()));
    };
    whole(text).filter(|id| *id >= 1).ok_or_else(|| {
        // Only figures: a word is too little to end a schedule by.
        let figures = Some(text).filter(|text| text.contains(|c: char| c.is_ascii_digit()));
        let meant =
            figures.and_then(|t| meant_count(t, &["id", "id:", "no.", "number", "schedule"]));
        let text: String = text.chars().take(80).collect();
        wrong(message![quoted(text), " is not the id of a schedule"])
            .example_if(meant.filter(|id| *id >= 1).map(|id| fields([("id", id)])))
    })
}

/// How many runs a preview shows.
pub fn count(values: &Values) -> Result<usize> {
    let text = values
        .text(&COUNT)
        .unwrap_or_else(|| USUAL_COUNT.to_owned());
    let text = given(Some(&text)).unwrap_or(USUAL_COUNT);
    whole(text)
        .filter(|n| (1..=1_000).contains(n))
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| {
            Error::new(
                Code::Usage,
                message![
                    field(COUNT.name),
                    " ",
                    quoted(text),
                    " is not a whole number from 1 to 1000"
                ],
            )
            .example_if(
                meant_count(text, &["runs", "times"])
                    .filter(|n| (1..=1_000).contains(n))
                    .map(|n| fields([(COUNT.name, n)])),
            )
        })
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most this many.
    pub limit: u32,
    /// After leaving out this many.
    pub offset: u32,
}

/// The part of a list that was asked for.
pub fn page(values: &Values) -> Result<Page> {
    let number = |asked: &Field, least: u32, usual: u32| {
        let given_text = values.text(asked);
        let Some(text) = given(given_text.as_deref()) else {
            return Ok(usual);
        };
        let number = whole(text).and_then(|n| u32::try_from(n).ok());
        number.filter(|n| *n >= least).ok_or_else(|| {
            Error::new(
                Code::Usage,
                message![
                    field(asked.name),
                    " ",
                    quoted(text),
                    " is not a whole number of at least {least}"
                ],
            )
            .example_if(
                meant_count(text, &["schedules", "deliveries"])
                    .filter(|n| *n >= i64::from(least))
                    .map(|n| fields([(asked.name, n)])),
            )
        })
    };
    Ok(Page {
        limit: number(&LIMIT, 1, 1000)?,
        offset: number(&OFFSET, 0, 0)?,
    })
}

/// Refuses a page that is more than a caller is answered at once.
pub fn refuse_large(values: &Values) -> Result<()> {
    const LARGEST: u32 = crate::limits::PAGE;
    let limit = values.text(&LIMIT).and_then(|text| whole(text.trim()));
    match limit {
        None => Ok(()),
        Some(limit) if (1..=LARGEST.into()).contains(&limit) => Ok(()),
        Some(limit) => Err(Error::new(
            Code::Usage,
            message![
                field(LIMIT.name),
                " {limit} is not from 1 to {LARGEST}; ",
                field(OFFSET.name),
                " leads to the pages after the first"
            ],
        )
        .example(fields([(LIMIT.name, LARGEST)]))),
    }
}

/// Which schedules are asked for.
pub fn list(values: &Values) -> Result<ListQuery> {
    let page = page(values)?;
    Ok(ListQuery {
        agent_id: agent(values)?,
        all: values.is_set(&ALL),
        full: values.is_set(&FULL),
        limit: page.limit,
        offset: page.offset,
    })
}

/// The time that was given to begin with, as `service` understands it.
pub fn since(values: &Values, service: &Service) -> Result<Option<Timestamp>> {
    let text = values.text(&SINCE);
    let (zone, now) = (service.zone.name(), service.clock.now());
    given(text.as_deref())
        .map(|text| asked::point(text, SINCE.name, zone, now))
        .transpose()
}

/// The state that was given, if one was.
pub fn state(values: &Values) -> Result<Option<State>> {
    let text = values.text(&STATE);
    let Some(text) = given(text.as_deref()) else {
        return Ok(None);
    };
    State::from_word(text).map(Some).ok_or_else(|| {
        let words: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
        Error::new(
            Code::Usage,
            message![
                field(STATE.name),
                " ",
                quoted(text),
                " is no state: give one of ",
                words.join(", ")
            ],
        )
        .example_if(state_meant(text).map(|word| fields([(STATE.name, word)])))
    })
}

/// The state that another word stands for.
fn state_meant(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "failed" | "error" => Some("dead"),
        "success" | "sent" | "done" | "ok" => Some("delivered"),
        "pending" | "queued" => Some("waiting"),
        "canceled" => Some("cancelled"),
        other => {
            let words: Vec<&'static str> = State::ALL.iter().map(|s| s.as_str()).collect();
            meant_word(other, &words)
        }
    }
}

/// Why something is stopped, if it was said.
pub fn note(values: &Values) -> Result<Option<String>> {
    match values.text(&NOTE) {
        Some(text) => Ok(filled(Some(&checked(&NOTE, text)?))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
        result.unwrap_err().code()
    }

    #[test]
    fn a_number_may_come_as_json_writes_it() {
        let id = |text: &str| id(&Values::default().with(&ID, text));
        assert_eq!(id("5").unwrap(), 5);
        assert_eq!(id(" 5.0 ").unwrap(), 5);
        for bad in [
            "",
            "x",
            "5.5",
            "5.",
            ".0",
            "-5",
            "0",
            "1e3",
            "9223372036854775808",
            "٥",
        ] {
            assert_eq!(code(id(bad)), Code::IdInvalid, "{bad:?}");
        }
        assert_eq!(code(super::id(&Values::default())), Code::IdInvalid);
    }

    #[test]
    fn repetitions_are_at_least_one_or_left_out() {
        let repetitions = asked::repetitions;
        assert_eq!(repetitions(None).unwrap(), None);
        assert_eq!(repetitions(Some("")).unwrap(), None);
        assert_eq!(repetitions(Some("3.0")).unwrap(), Some(3));
        for bad in ["0", "-1", "three", "2.5", "99999999999999999999"] {
            assert_eq!(code(repetitions(Some(bad))), Code::RepetitionsInvalid);
        }
    }

    #[test]
    fn an_agent_that_is_named_blank_is_missing() {
        let agent = |text: &str| agent(&Values::default().with(&AGENT, text));
        assert_eq!(code(agent("")), Code::AgentMissing);
        assert_eq!(agent("agent-1").unwrap().unwrap().as_str(), "agent-1");
        assert_eq!(super::agent(&Values::default()).unwrap(), None);
    }

    #[test]
    fn a_page_has_sensible_numbers() {
        let given = |limit: &str, offset: &str| {
            page(&Values::default().with(&LIMIT, limit).with(&OFFSET, offset))
        };
        let (limit, offset) = (1000, 0);
        assert_eq!(page(&Values::default()).unwrap(), Page { limit, offset });
        let (limit, offset) = (5, 2);
        assert_eq!(given("5.0", "2").unwrap(), Page { limit, offset });
        assert_eq!(code(given("0", "0")), Code::Usage);
        assert_eq!(code(given("5", "-1")), Code::Usage);
    }

    #[test]
    fn a_text_that_letta_can_t_keep_is_refused() {
        let asked = |prompt: &str, name: &str| {
            let values = Values::default().with(&PROMPT, prompt).with(&NAME, name);
            registration(&values.with(&EVERY, "1h"))
        };
        assert_eq!(code(asked("a\0b", "n")), Code::Usage);
        assert_eq!(code(asked("ab", "a\0")), Code::Usage);
        assert_eq!(code(asked(" \n", "n")), Code::PromptMissing);
        assert!(asked("ab", " ").unwrap().name.is_none());
    }

    #[test]
    fn a_state_that_does_not_exist_is_refused_with_those_that_do() {
        let state = |text: &str| state(&Values::default().with(&STATE, text));
        assert_eq!(state("dead").unwrap(), Some(State::Dead));
        let error = state("failed").unwrap_err();
        assert!(error.to_string().contains("\"failed\""), "{error}");
        assert!(error.to_string().contains("coalesced"), "{error}");
        assert_eq!(error.corrected().as_deref(), Some("--state dead"));
    }
}
