//! The words that mean what a schedule is.

use jiff::Timestamp;

use super::cron::joined;
use super::interval::Step;
use super::timetable::{Timetable, just_before};
use super::words::{self, Rule};
use super::{CronSpec, Spec};

/// The words that mean the times of a timetable whose next instant is `next`, and that may be given
/// for any time: `every weekday at 09:00 Europe/Berlin`. `None` if there are none. Dates that are left
/// out are not among them: they are given as dates.
///
/// `made` is when the schedule was made. An interval in hours or minutes that is counted from then
/// does not say where it begins.
pub fn in_words(timetable: &Timetable, next: Timestamp, made: Option<Timestamp>) -> Option<String> {
    let (spec, zone) = (&timetable.spec, &timetable.zone);
    let now = just_before(next);
    let at = |at| words::phrase_of_time(at, zone);
    let text = match spec {
        Spec::Once(time) => return Some(at(*time)),
        Spec::Cron(cron) => words::phrase_in_zone(cron.sentence(), zone),
        Spec::Interval(interval) => match interval.step() {
            Step::Seconds(seconds) if made == Some(timetable.anchor) => {
                format!("every {seconds} seconds")
            }
            Step::Seconds(seconds) => format!("every {seconds} seconds from {}", at(next)),
            Step::Days(days) => {
                let every = words::phrase_in_zone(format!("every {days} days"), zone);
                let from = at(next);
                match from.ends_with(words::phrase_in_zone(String::new(), zone).as_str()) {
                    true => format!("every {days} days from {from}"),
                    // A time that happens twice is told by its offset, which is not the zone.
                    false => format!("{every} from {from}"),
                }
            }
        },
    };
    let found = words::understand_recurrence(&text, now, zone).ok()?;
    let is_same = match (&found.rule, spec) {
        (Rule::Cron(patterns), Spec::Cron(cron)) => {
            CronSpec::parse(&joined(patterns)).is_ok_and(|other| other.is_same_as(cron, zone))
        }
        (Rule::Interval { .. }, Spec::Interval(_)) => true,
        _ => false,
    };
    is_same.then_some(found.phrase)
}
