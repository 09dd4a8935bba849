//! The dates to leave out that are in a file: one date or range of dates in each line, or the events
//! of a calendar.

use super::calendar;
use crate::error::{Message, message};
use crate::schedule::{LeftOut, Zone};

/// The dates in the text of a file; `zone` is that of the schedule, as far as it is known.
///
/// # Errors
/// What is not understood, and where.
pub(super) fn of_file(text: &str, zone: Option<&Zone>) -> Result<LeftOut, Message> {
    let text = text.trim_start_matches('\u{feff}');
    let ranges = match calendar::is_calendar(text) {
        true => calendar::dates(text, zone)?,
        false => {
            let mut all = Vec::new();
            for (at, line) in text.lines().enumerate() {
                let dates = line.split('#').next().unwrap_or_default();
                let found = LeftOut::parse(dates);
                let found = found.map_err(|e| message![format!("line {}: ", at + 1), e])?;
                all.extend(found.ranges());
            }
            all
        }
    };
    match LeftOut::of(ranges) {
        Ok(dates) if dates.is_empty() => Err("there is no date in it".into()),
        Ok(dates) => Ok(dates),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CommandLine;

    fn dates(text: &str, zone: Option<&str>) -> Result<String, String> {
        let zone = zone.map(|name| Zone::parse(name).unwrap());
        let read = of_file(text, zone.as_ref());
        let read = read.map(|dates| dates.to_string());
        read.map_err(|wrong| wrong.in_words(&CommandLine))
    }

    #[test]
    fn each_line_has_a_date_or_a_range_and_perhaps_a_comment() {
        let text =
            "\u{feff}# Holidays\n\n2026-12-25 # Christmas\r\n 2026-12-31..2027-01-02\n2026-12-26\n";
        assert_eq!(
            dates(text, None).unwrap(),
            "2026-12-25..2026-12-26, 2026-12-31..2027-01-02"
        );
        let wrong = dates("2026-12-25\n\n25.12.2026\n", None).unwrap_err();
        assert!(
            wrong.starts_with("line 3: \"25.12.2026\" is neither"),
            "{wrong}"
        );
        for empty in ["", "# nothing\n", "\n\n"] {
            assert_eq!(dates(empty, None).unwrap_err(), "there is no date in it");
        }
    }

    /// A calendar of one event with these lines.
    fn event(lines: &str) -> String {
        format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nEND:VTIMEZONE\n\
             BEGIN:VEVENT\nUID:1\nSUMMARY:Party\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
        )
    }

    #[test]
    fn an_event_is_on_the_dates_from_its_start_to_its_end() {
        for (lines, wanted) in [
            ("DTSTART;VALUE=DATE:20261225", "2026-12-25"),
            (
                "DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261226",
                "2026-12-25",
            ),
            ("DTSTART:20261225\nDTEND:20261225", "2026-12-25"),
            (
                "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20270103",
                "2026-12-24..2027-01-02",
            ),
            // Times on the clock of wherever somebody is.
            (
                "DTSTART:20261224T180000\nDTEND:20261225T000000",
                "2026-12-24",
            ),
            (
                "DTSTART:20261224T180000\nDTEND:20261225T000001",
                "2026-12-24..2026-12-25",
            ),
            ("DTSTART:20261224T180000", "2026-12-24"),
            // Times somewhere: 23:30 in London is the next date in Berlin.
            (
                "DTSTART:20261224T233000Z\nDTEND:20261225T010000Z",
                "2026-12-25",
            ),
            (
                "DTSTART;TZID=America/New_York:20261224T120000\nDTEND;TZID=America/New_York:20261224T190000",
                "2026-12-24..2026-12-25",
            ),
        ] {
            let found = dates(&event(lines), Some("Europe/Berlin"));
            assert_eq!(found.as_deref(), Ok(wanted), "{lines}");
            let folded = event(lines)
                .replace("DTSTART", "DTS\n TART")
                .replace('\n', "\r\n");
            assert_eq!(dates(&folded, Some("Europe/Berlin")), found, "{lines}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_its_name() {
        let start = "DTSTART;VALUE=DATE:20261225\n";
        for (lines, wanted) in [
            (
                format!("{start}RRULE:FREQ=YEARLY"),
                "it repeats by a rule (RRULE)",
            ),
            (
                format!("{start}RDATE;VALUE=DATE:20271225"),
                "it repeats on dates of its own",
            ),
            (
                format!("{start}RECURRENCE-ID:20261225"),
                "it is one of several",
            ),
            (
                format!("{start}DURATION:P2D"),
                "it has a length instead of an end",
            ),
            (format!("{start}STATUS:CANCELLED"), "it is cancelled"),
            (format!("{start}DTEND:20261225T100000"), "are of two kinds"),
            (format!("{start}DTEND:20261224"), "it ends before it begins"),
            (
                "DTSTART:20261324".to_owned(),
                "DTSTART is \"20261324\", which is neither",
            ),
            (
                "DTSTART:soon".to_owned(),
                "which is neither a date nor a time",
            ),
            (
                "DTSTART;TZID=Nowhere:20261224T100000".to_owned(),
                "\"Nowhere\", which is not known",
            ),
            ("LOCATION:here".to_owned(), "it has no start"),
        ] {
            let wrong = dates(&event(&lines), Some("Europe/Berlin")).unwrap_err();
            assert!(wrong.starts_with("the event \"Party\": "), "{wrong}");
            assert!(wrong.contains(wanted), "{lines}: {wrong}");
        }
        let wrong = dates(&event("DTSTART:20261224T100000Z"), None).unwrap_err();
        assert!(
            wrong.ends_with("depends on where: give --timezone"),
            "{wrong}"
        );
        let todo = event(start).replace("VEVENT", "VTODO");
        assert_eq!(
            dates(&todo, None).unwrap_err(),
            "\"Party\" is a VTODO, not an event"
        );
        // Of several events, none is forgotten because another one is broken.
        let two = event(start).replace(
            "END:VCALENDAR",
            "BEGIN:VEVENT\n;;\nEND:VEVENT\nEND:VCALENDAR",
        );
        assert_eq!(dates(&two, None).unwrap_err(), "it is no readable calendar");
        let cut = event(start).replace("END:VEVENT\nEND:VCALENDAR\n", "");
        assert_eq!(dates(&cut, None).unwrap_err(), "it is no readable calendar");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_fault(text in "\\PC*", lines in "[-A-Z:;=0-9TZ\n ]{0,60}") {
            let _ = dates(&text, None);
            let _ = dates(&event(&lines), Some("Europe/Berlin"));
        }
    }
}
