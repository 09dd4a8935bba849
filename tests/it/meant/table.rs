//! What people and language models write, and what a careful reader would take it to mean.

/// The schedule that was meant.
#[derive(Debug)]
pub struct Meant {
    pub kind: &'static str,
    pub value: &'static str,
    pub zone: &'static str,
}

const fn once(value: &'static str) -> Option<Meant> {
    Some(Meant {
        kind: "once",
        value,
        zone: "UTC",
    })
}

const fn cron(value: &'static str, zone: &'static str) -> Option<Meant> {
    Some(Meant {
        kind: "cron",
        value,
        zone,
    })
}

const fn every(value: &'static str) -> Option<Meant> {
    Some(Meant {
        kind: "interval",
        value,
        zone: "UTC",
    })
}

const fn daily(zone: &'static str) -> Option<Meant> {
    cron("0 9 * * *", zone)
}

type Row = (&'static [(&'static str, &'static str)], Option<Meant>);

/// What is given, and what is made of it at once or by the example; `None` where there must be none.
pub const ROWS: &[Row] = &[
    // Zones.
    (
        &[("cron", "0 9 * * *"), ("timezone", "GMT+8")],
        daily("Etc/GMT-8"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "UTC+8")],
        daily("Etc/GMT-8"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "UTC-5")],
        daily("Etc/GMT+5"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "UTC+08:00")],
        daily("Etc/GMT-8"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "+02:00")],
        daily("Etc/GMT-2"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "-0800")],
        daily("Etc/GMT+8"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "UTC+0")],
        daily("UTC"),
    ),
    (&[("cron", "0 9 * * *"), ("timezone", "Z")], daily("UTC")),
    (&[("cron", "0 9 * * *"), ("timezone", "+05:30")], None),
    (&[("cron", "0 9 * * *"), ("timezone", "UTC+5:45")], None),
    (&[("cron", "0 9 * * *"), ("timezone", "GMT-3:30")], None),
    (&[("cron", "0 9 * * *"), ("timezone", "UTC+15")], None),
    (
        &[("cron", "0 9 * * *"), ("timezone", "Asia/Beijing")],
        daily("Asia/Shanghai"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "Asia/Mumbai")],
        daily("Asia/Kolkata"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "America/San_Francisco")],
        daily("America/Los_Angeles"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "Eastern Standard Time")],
        daily("America/New_York"),
    ),
    (
        &[
            ("cron", "0 9 * * *"),
            ("timezone", "W. Europe Standard Time"),
        ],
        daily("Europe/Berlin"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "China Standard Time")],
        daily("Asia/Shanghai"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "Pacific Daylight Time")],
        daily("America/Los_Angeles"),
    ),
    (
        &[
            ("cron", "0 9 * * *"),
            ("timezone", "(UTC-05:00) Eastern Time (US & Canada)"),
        ],
        daily("America/New_York"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "PST")],
        daily("America/Los_Angeles"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "JST")],
        daily("Asia/Tokyo"),
    ),
    (&[("cron", "0 9 * * *"), ("timezone", "CST")], None),
    (&[("cron", "0 9 * * *"), ("timezone", "IST")], None),
    (
        &[("cron", "0 9 * * *"), ("timezone", "Europe/Berln")],
        daily("Europe/Berlin"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "America/NewYork")],
        daily("America/New_York"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "new york")],
        daily("America/New_York"),
    ),
    (
        &[("cron", "0 9 * * *"), ("timezone", "'Europe/Paris'")],
        daily("Europe/Paris"),
    ),
    (&[("cron", "0 9 * * *"), ("timezone", "Mars/Olympus")], None),
    (&[("cron", "0 9 * * *"), ("timezone", "local")], None),
    (
        &[
            ("cron", "0 9 * * *"),
            ("timezone", "CET-1CEST,M3.5.0,M10.5.0/3"),
        ],
        None,
    ),
    // Patterns.
    (
        &[("cron", "CRON_TZ=Europe/Paris 0 9 * * *")],
        daily("Europe/Paris"),
    ),
    (&[("cron", "TZ=Asia/Tokyo 0 9 * * *")], daily("Asia/Tokyo")),
    (
        &[("cron", "CRON_TZ=Asia/Beijing 0 9 * * *")],
        daily("Asia/Shanghai"),
    ),
    (
        &[("cron", "0 9 * * * America/New_York")],
        daily("America/New_York"),
    ),
    (
        &[
            ("cron", "CRON_TZ=Europe/Paris 0 9 * * *"),
            ("timezone", "Asia/Tokyo"),
        ],
        None,
    ),
    (&[("cron", "CRON_TZ=Mars/Olympus 0 9 * * *")], None),
    (&[("cron", "0 30 6 * * 1-5")], cron("30 6 * * 1-5", "UTC")),
    (&[("cron", "0 0 9 * * *")], daily("UTC")),
    (&[("cron", "0 */5 * * * *")], cron("*/5 * * * *", "UTC")),
    (
        &[
            ("cron", "0 15 10 ? * MON-FRI"),
            ("timezone", "Europe/Paris"),
        ],
        cron("15 10 * * MON-FRI", "Europe/Paris"),
    ),
    (&[("cron", "cron(0 9 * * ? *)")], daily("UTC")),
    (&[("cron", "*/10 * * * * *")], every("10s")),
    (&[("cron", "0 0 9 ? * 2-6")], None),
    (&[("cron", "0 0 9 * * * 2030")], None),
    (&[("cron", "*/5 0 9 * * *")], None),
    (&[("cron", "\"0 9 * * *\"")], daily("UTC")),
    (&[("cron", "0 9 \\* \\* \\*")], daily("UTC")),
    (&[("cron", "0 9 * * Mo-Fr")], cron("0 9 * * mon-fri", "UTC")),
    (
        &[("cron", "every weekday at 9am")],
        cron("0 9 * * 1-5", "UTC"),
    ),
    (&[("cron", "every day at 9:00")], daily("UTC")),
    (&[("cron", "every 2 hours")], every("2h")),
    (&[("cron", "30m")], every("30m")),
    (&[("cron", "@every 5m")], every("5m")),
    (&[("cron", "*/90 * * * *")], every("90m")),
    (&[("cron", "*/90 9-17 * * *")], None),
    (&[("cron", "0 9 * */18 *")], None),
    (&[("cron", "daily")], cron("@daily", "UTC")),
    (&[("cron", "0 9 * *")], None),
    (&[("cron", "0 25 * * *")], None),
    (&[("cron", "0 0 31 2 *")], None),
    (&[("cron", "at dawn")], None),
    // Intervals.
    (&[("every", "every 2 hours")], every("2h")),
    (&[("every", "every hour")], every("1h")),
    (&[("every", "half an hour")], every("30m")),
    (&[("every", "two hours")], every("2h")),
    (&[("every", "1.5h")], every("90m")),
    (&[("every", "1h30")], every("90m")),
    (&[("every", "PT5M")], every("5m")),
    (&[("every", "P1D")], every("1d")),
    (&[("every", "01:30:00")], every("1h30m")),
    (&[("every", "@every 90m")], every("90m")),
    (&[("every", "`5m`")], every("5m")),
    (&[("every", "daily")], every("1d")),
    (&[("every", "1d12h")], every("36h")),
    (&[("every", "0 9 * * *")], daily("UTC")),
    (
        &[("every", "every day at 9am"), ("timezone", "Asia/Tokyo")],
        daily("Asia/Tokyo"),
    ),
    (&[("every", "1M")], None),
    (&[("every", "1 month")], None),
    (&[("every", "00:30")], None),
    (&[("every", "every 30")], None),
    (&[("every", "-5m")], None),
    (&[("every", "0")], None),
    (&[("every", "5x")], None),
    (&[("every", "soon")], None),
    // Times.
    (
        &[("time", "2099-02-01T10:00 America/New_York")],
        once("2099-02-01T15:00:00Z"),
    ),
    (
        &[("time", "2099-02-01T10:00[Asia/Tokyo]")],
        once("2099-02-01T01:00:00Z"),
    ),
    (
        &[("time", "2099-02-01 10:00 UTC+8")],
        once("2099-02-01T02:00:00Z"),
    ),
    (
        &[("time", "2099-02-01 10:00 GMT-5")],
        once("2099-02-01T15:00:00Z"),
    ),
    (
        &[("time", "2099-02-01 10:00+8")],
        once("2099-02-01T02:00:00Z"),
    ),
    (
        &[("time", "2099-02-01 10:00 Eastern Standard Time")],
        once("2099-02-01T15:00:00Z"),
    ),
    (
        &[("time", "2099-02-01 10:00 PST")],
        once("2099-02-01T18:00:00Z"),
    ),
    (&[("time", "2099-02-01 10:00 CST")], None),
    (&[("time", "2099-07-01 10:00 EST")], None),
    (
        &[("time", "2099/02/01 10:00")],
        once("2099-02-01T10:00:00Z"),
    ),
    (&[("time", "2099-2-1 9:00")], once("2099-02-01T09:00:00Z")),
    (&[("time", "2099-02-01 10am")], once("2099-02-01T10:00:00Z")),
    (
        &[("time", "2099-02-01 at 10:30 PM")],
        once("2099-02-01T22:30:00Z"),
    ),
    (
        &[("time", "Feb 1, 2099 10:00")],
        once("2099-02-01T10:00:00Z"),
    ),
    (
        &[("time", "1 February 2099 10:00")],
        once("2099-02-01T10:00:00Z"),
    ),
    (
        &[("time", "Sun, 01 Feb 2099 10:00:00 +0100")],
        once("2099-02-01T09:00:00Z"),
    ),
    (
        &[("time", "20990201T100000Z")],
        once("2099-02-01T10:00:00Z"),
    ),
    (
        &[("time", "13/02/2099 10:00")],
        once("2099-02-13T10:00:00Z"),
    ),
    (
        &[("time", "2099-02-01T24:00")],
        once("2099-02-02T00:00:00Z"),
    ),
    (&[("time", "4073623200")], once("2099-02-01T10:00:00Z")),
    (
        &[("time", "\"2099-02-01T10:00:00Z\"")],
        once("2099-02-01T10:00:00Z"),
    ),
    (
        &[("time", "0 9 * * *"), ("timezone", "Asia/Tokyo")],
        daily("Asia/Tokyo"),
    ),
    (&[("time", "every 2 hours")], every("2h")),
    (&[("time", "02/03/2099 10:00")], None),
    (&[("time", "2099-02-01")], None),
    (&[("time", "2099-02-30 10:00")], None),
    (&[("time", "2099-02-01 25:00")], None),
    (&[("time", "2020-01-01 09:00")], None),
    (&[("time", "2020/01/01 09:00")], None),
    (&[("time", "2 hours")], None),
    (&[("time", "tomorrow")], None),
    (&[("time", "soon")], None),
    (
        &[("time", "2099-02-01 10:00"), ("start_at", "garbage")],
        None,
    ),
    // Several at once.
    (&[("every", "5m"), ("max_repetitions", "0")], None),
    (&[("every", "1h"), ("end_at", "2020-01-01 09:00")], None),
    (
        &[("cron", "0 9 * * *"), ("start_at", "2020-01-01 09:00")],
        None,
    ),
];

type Other = (&'static str, &'static str, Option<&'static str>);

/// Fields beside an interval of an hour, and what `show` tells of them after following the example.
pub const OTHERS: &[Other] = &[
    ("start_at", "2099/02/01 10:00", Some("2099-02-01T10:00:00Z")),
    ("start_at", "Feb 1, 2099 10am", Some("2099-02-01T10:00:00Z")),
    ("start_at", "next week", None),
    ("start_at", "2020-01-01 09:00", None),
    ("start_at", "0 9 * * *", None),
    ("end_at", "2099-12-31 6pm", Some("2099-12-31T18:00:00Z")),
    ("end_at", "2099-12-31", None),
    ("end_at", "never", None),
    ("catch_up", "Latest", Some("latest")),
    ("catch_up", "newest", Some("latest")),
    ("catch_up", "skipp", Some("skip")),
    ("catch_up", "sometimes", None),
    ("envelope", "Full", Some("full")),
    ("envelope", "off", Some("none")),
    ("envelope", "loud", None),
    ("max_age", "-5m", None),
    ("max_age", "a while", None),
    ("grace", "soon", None),
];
