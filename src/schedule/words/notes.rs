//! What is taken for granted where a phrase does not say it.

use super::clock::is_morning;
use super::number::weekday_name;
use super::once::{LAST_DAY_HOUR, is_last_day};
use super::phrase::names;
use super::said::{Day, Of, Part, Repeat, Said, Which};

/// What was taken for granted in understanding a phrase that is a repetition or not, as sentences
/// without their stops.
pub(super) fn notes(said: &Said, repeats: bool) -> Vec<String> {
    let mut notes = Vec::new();
    match (said.clocks.as_slice(), said.part) {
        ([], Some(part)) => {
            let (name, hour) = (name(part), part.usual_hour());
            notes.push(format!("without an hour, the {name} is {hour:02}:00"));
        }
        ([], None) if is_last_day(said) => {
            notes.push(format!(
                "without an hour, the last day of a month is {LAST_DAY_HOUR:02}:00"
            ));
        }
        (clocks, None) if clocks.iter().any(|clock| is_morning(said, *clock)) => {
            notes.push("an hour from 8 to 11 without am or pm is in the morning".to_owned());
        }
        _ => {}
    }
    let is_of_the_month = matches!(
        &said.day,
        Some(
            Day::Month {
                of: Of::TheMonth,
                ..
            } | Day::Nths {
                of: Of::TheMonth,
                ..
            }
        )
    );
    if repeats && is_of_the_month && said.repeat.is_none() {
        notes.push("it repeats every month; \"of this month\" is once".to_owned());
    }
    if !said.months.is_empty() {
        let months = names(&said.months);
        notes.push(format!("it repeats in {months} of every year"));
    }
    match (&said.day, said.repeat) {
        (
            Some(Day::Week {
                days,
                which: Which::Next,
            }),
            _,
        ) => {
            if let [day] = days.as_slice() {
                let day = weekday_name(*day);
                notes.push(format!("next {day} is the first {day} after today"));
            }
        }
        (day, Some(Repeat::Step(length)))
            if length.days != 0 && (day.is_some() || !said.clocks.is_empty()) =>
        {
            notes.push("it is counted from the first one to come".to_owned());
        }
        _ => {}
    }
    notes
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Morning => "morning",
        Part::Afternoon => "afternoon",
        Part::Evening => "evening",
        Part::Night => "night",
    }
}
