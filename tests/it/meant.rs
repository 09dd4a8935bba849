//! The example of an error asks for what the caller wanted, corrected, or there is none: on every
//! face, and in every field that takes free text.

mod faces;
mod table;

use serde_json::{Map, Value, json};

use faces::{Asked, Cli, Face, Mcp, Rest, Told};
use table::{Meant, OTHERS, ROWS};

use crate::program::World;

/// What a schedule is, of that which a row of the table tells.
fn is_meant(shown: &Value, meant: &Meant) -> bool {
    let schedule = &shown["schedule"];
    let value = schedule["schedule_value"].as_str().unwrap_or_default();
    let instant = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let same_value = match meant.kind {
        "once" => instant(value).is_some() && instant(value) == instant(meant.value),
        _ => value == meant.value,
    };
    schedule["schedule_type"] == meant.kind && same_value && schedule["timezone"] == meant.zone
}

fn fields(given: &[(&str, &str)]) -> Asked {
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), json!(value));
    given.iter().map(text).collect::<Map<_, _>>()
}

/// Asks over a face, follows the example if there is one, and checks what comes of it.
fn check(face: &mut dyn Face, given: &[(&str, &str)], meant: Option<&Meant>) {
    let asked = fields(given);
    let at = format!("{} {given:?}", face.name());
    let shown = match (face.register(&asked), meant) {
        (Told::Made(shown), Some(_)) => shown,
        (Told::Made(shown), None) => panic!("{at}: it was made: {shown}"),
        (Told::Refused { example: None, .. }, None) => return,
        (
            Told::Refused {
                error,
                example: None,
            },
            Some(_),
        ) => panic!("{at}: no example: {error}"),
        (
            Told::Refused {
                example: Some(example),
                ..
            },
            None,
        ) => panic!("{at}: {example}"),
        (
            Told::Refused {
                example: Some(example),
                ..
            },
            Some(_),
        ) => match face.follow(&asked, &example) {
            Told::Made(shown) => shown,
            Told::Refused { error, .. } => panic!("{at}: {example}: {error}"),
        },
    };
    if let Some(meant) = meant {
        assert!(is_meant(&shown, meant), "{at}: {meant:?}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_example_of_the_command_line_makes_what_was_meant_or_there_is_none() {
    let world = World::new().await;
    let mut face = Cli::new(&world);
    for (given, meant) in ROWS {
        check(&mut face, given, meant.as_ref());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_example_of_mcp_makes_what_was_meant_or_there_is_none() {
    let world = World::new().await;
    let mut face = Mcp::new(&world);
    for (given, meant) in ROWS {
        check(&mut face, given, meant.as_ref());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_example_of_the_rest_api_makes_what_was_meant_or_there_is_none() {
    let world = World::new().await;
    let mut face = Rest::new(&world);
    for (given, meant) in ROWS {
        check(&mut face, given, meant.as_ref());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_field_of_free_text_is_corrected_to_what_was_meant_or_not_at_all() {
    let world = World::new().await;
    let mut cli = Cli::new(&world);
    let mut mcp = Mcp::new(&world);
    for (name, value, meant) in OTHERS {
        let given = [("every", "1h"), (*name, *value)];
        let asked = fields(&given);
        for face in [&mut cli as &mut dyn Face, &mut mcp] {
            let at = format!("{} {name} {value:?}", face.name());
            match (face.register(&asked), meant) {
                (Told::Refused { example: None, .. }, None) => {}
                (told, Some(wanted)) => {
                    // Times are understood at once, and words by following the example.
                    let shown = match told {
                        Told::Made(shown) => shown,
                        Told::Refused { example, error } => {
                            let example = example.unwrap_or_else(|| panic!("{at}: {error}"));
                            match face.follow(&asked, &example) {
                                Told::Made(shown) => shown,
                                Told::Refused { .. } => panic!("{at}: {example}"),
                            }
                        }
                    };
                    let schedule = &shown["schedule"];
                    let found = schedule.get(*name).unwrap_or(&schedule["policy"][name]);
                    assert_eq!(found, &json!(wanted), "{at}: {shown}");
                }
                (told, _) => panic!("{at}: {told:?}"),
            }
        }
    }
    assert!(ROWS.len() + OTHERS.len() >= 80);
}
