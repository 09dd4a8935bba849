//! Tests of intervals.

use super::*;

fn step(text: &str) -> Step {
    IntervalSpec::parse(text).unwrap().step
}

#[test]
fn hours_minutes_and_seconds_are_elapsed_and_days_and_weeks_are_days() {
    for (text, wanted) in [
        ("30s", Step::Seconds(30)),
        ("5m", Step::Seconds(300)),
        ("1h30m", Step::Seconds(5_400)),
        ("1H 30M", Step::Seconds(5_400)),
        ("5 minutes", Step::Seconds(300)),
        ("1 hour", Step::Seconds(3_600)),
        (" 90 ", Step::Seconds(90)),
        ("5.0", Step::Seconds(5)),
        ("24h", Step::Seconds(86_400)),
        ("1d", Step::Days(1)),
        ("2 Days", Step::Days(2)),
        ("1w", Step::Days(7)),
        ("1w2d", Step::Days(9)),
        ("3650d", Step::Days(3_650)),
        ("87600h", Step::Seconds(315_360_000)),
    ] {
        assert_eq!(step(text), wanted, "{text:?}");
    }
}

#[test]
fn what_is_no_interval_is_refused_with_one_that_is() {
    for text in [
        "",
        " ",
        "0",
        "0s",
        "0d",
        "0h0m",
        "-5m",
        "- 5m",
        "+5m",
        "5x",
        "m",
        "5mm",
        "1.5h",
        "5.5",
        "1h30",
        "5 5",
        "5m5m",
        "5m 5min",
        "3651d",
        "522w",
        "87600h1s",
        "99999999999999999999",
        "99999999999999999999d",
        "9223372036854775807h",
        "1mo",
        "1y",
        "every 5m",
        "5m,",
        "1M",
        "30 M",
        "PT5M",
        "٥m",
        "1d0h",
    ] {
        let error = IntervalSpec::parse(text).unwrap_err();
        assert_eq!(error.code(), Code::IntervalInvalid, "{text:?}");
        if let Some(example) = error.corrected() {
            let example = example.replace("--every ", "");
            assert!(IntervalSpec::parse(&example).is_ok(), "{text:?}: {example}");
        }
    }
}

#[test]
fn mixing_days_with_hours_is_refused_with_both_ways_out() {
    let error = IntervalSpec::parse("1d12h").unwrap_err();
    assert!(error.to_string().contains("(36h)"), "{error}");
    assert!(error.to_string().contains("(1d)"), "{error}");
    assert_eq!(error.corrected().as_deref(), Some("--every 36h"));
}

#[test]
fn an_interval_is_described_in_plain_words() {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    for (text, wanted) in [
        ("300", "every 5 minutes"),
        ("60s", "every minute"),
        ("5400", "every 1 hour 30 minutes"),
        ("1s", "every second"),
        ("1d", "every day at 08:30, Europe/Berlin"),
        ("3d", "every 3 days at 08:30, Europe/Berlin"),
        ("1w", "every Monday at 08:30, Europe/Berlin"),
        ("2w", "every 2 weeks on Monday at 08:30, Europe/Berlin"),
    ] {
        let spec = IntervalSpec::parse(text).unwrap();
        let anchor = "2026-03-02T07:30:00Z".parse().unwrap();
        assert_eq!(spec.describe(&zone, anchor), wanted);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_is_a_fault(text in "\\PC*", near in "[0-9smhdw. -]{0,24}") {
        let _ = IntervalSpec::parse(&text);
        let _ = IntervalSpec::parse(&near);
    }
}
