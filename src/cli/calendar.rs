//! The dates of the events in an iCalendar file (RFC 5545). What is not understood, above all an
//! event that repeats, is refused by its name: a date that is guessed is a run that is missed.

use icalendar::parser::{Component, Property, read_components, unfold};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use crate::error::{Message, field, message};
use crate::operations::fields::TIMEZONE;
use crate::schedule::Zone;

/// The first line of a calendar.
const BEGINNING: &str = "BEGIN:VCALENDAR";

/// Properties of an event that is on other dates than its start and its end say.
const REFUSED: [(&str, &str); 5] = [
    ("RRULE", "it repeats by a rule"),
    ("RDATE", "it repeats on dates of its own"),
    ("EXRULE", "it repeats by a rule"),
    (
        "RECURRENCE-ID",
        "it is one of several of an event that repeats",
    ),
    ("DURATION", "it has a length instead of an end"),
];

/// Whether a text is a calendar.
pub(super) fn is_calendar(text: &str) -> bool {
    let start = text.trim_start().get(..BEGINNING.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(BEGINNING))
}

/// The dates of all events, in a zone: times of day have none without one.
///
/// # Errors
/// What is not understood, and in which event.
pub(super) fn dates(text: &str, zone: Option<&Zone>) -> Result<Vec<(Date, Date)>, Message> {
    let text = unfold(text.trim());
    let calendars = read_components(&text).map_err(|_| "it is no readable calendar")?;
    let mut dates = Vec::new();
    for component in calendars.iter().flat_map(|calendar| &calendar.components) {
        match component.name.as_str() {
            "VTIMEZONE" => {}
            "VEVENT" => {
                let found = of_event(component, zone);
                let name = name_of(component);
                dates.push(found.map_err(|wrong| message!["the event {name:?}: ", wrong])?);
            }
            other => {
                let name = name_of(component);
                return Err(format!("{name:?} is a {other}, not an event").into());
            }
        }
    }
    Ok(dates)
}

/// What people call it.
fn name_of(component: &Component<'_>) -> String {
    let name = ["SUMMARY", "UID"]
        .iter()
        .find_map(|key| component.find_prop(key));
    name.map_or("without a name", |name| name.val.as_str())
        .to_owned()
}

/// The dates of an event, from the first to the last.
fn of_event(event: &Component<'_>, zone: Option<&Zone>) -> Result<(Date, Date), Message> {
    for (key, why) in REFUSED {
        if event.find_prop(key).is_some() {
            return Err(format!("{why} ({key}), which is not understood").into());
        }
    }
    if let Some(status) = event.find_prop("STATUS")
        && status.val.as_str().eq_ignore_ascii_case("CANCELLED")
    {
        return Err("it is cancelled: take it out".into());
    }
    let start = event.find_prop("DTSTART").ok_or("it has no start")?;
    let start = moment(start, zone)?;
    let end = event
        .find_prop("DTEND")
        .map(|end| moment(end, zone))
        .transpose()?;
    let (first, last) = match (start, end) {
        (Moment::Day(first), None) => (first, first),
        // The end of a whole day is the day after it.
        (Moment::Day(first), Some(Moment::Day(end))) => {
            (first, end.yesterday().map_err(Message::from)?.max(first))
        }
        (Moment::Time(first), None) => (first.date(), first.date()),
        (Moment::Time(first), Some(Moment::Time(end))) => {
            let until = end.checked_sub(1.nanosecond()).map_err(Message::from)?;
            (first.date(), until.max(first).date())
        }
        _ => return Err("its start and its end are of two kinds".into()),
    };
    let is_in_order = match (start, end) {
        (Moment::Day(first), Some(Moment::Day(end))) => first <= end,
        (Moment::Time(first), Some(Moment::Time(end))) => first <= end,
        _ => true,
    };
    match is_in_order {
        true => Ok((first, last)),
        false => Err("it ends before it begins".into()),
    }
}

/// A start or an end.
#[derive(Clone, Copy)]
enum Moment {
    /// A whole day.
    Day(Date),
    /// What the clocks of the schedule's zone show.
    Time(DateTime),
}

fn moment(property: &Property<'_>, zone: Option<&Zone>) -> Result<Moment, Message> {
    let (key, value) = (property.name.as_str(), property.val.as_str());
    let unreadable = || format!("{key} is {value:?}, which is neither a date nor a time");
    let parameter = |name: &str| {
        let mut all = property.params.iter();
        let found = all.find(|p| p.key.as_str().eq_ignore_ascii_case(name))?;
        found.val.as_ref().map(|val| val.as_str().trim_matches('"'))
    };
    let date = Date::strptime("%Y%m%d", value)
        .ok()
        .filter(|_| value.len() == 8);
    if let Some(date) = date {
        return Ok(Moment::Day(date));
    }
    let (value, is_utc) = match value.strip_suffix('Z') {
        Some(value) => (value, true),
        None => (value, false),
    };
    let wall = DateTime::strptime("%Y%m%dT%H%M%S", value).map_err(|_| unreadable())?;
    let own = match (is_utc, parameter("TZID")) {
        (true, _) => Zone::utc(),
        (false, Some(name)) => Zone::parse(name)
            .map_err(|_| format!("{key} is in the time zone {name:?}, which is not known"))?,
        // It is meant wherever somebody is.
        (false, None) => return Ok(Moment::Time(wall)),
    };
    let zone = zone.ok_or_else(|| {
        message![
            "it has times of day, and which dates these are depends on where: give ",
            field(TIMEZONE.name)
        ]
    })?;
    let at = own.instant_of(wall).ok_or_else(unreadable)?;
    Ok(Moment::Time(zone.wall(at)))
}
