//! The sources are built in floors: an import points down, or sideways without a circle of files.

mod sources;

use std::collections::{BTreeMap, BTreeSet};

use sources::{Name, Sources};

/// The floors from the top. Modules in one row stand side by side.
const FLOORS: [&[&str]; 11] = [
    &["cli"],
    &["daemon"],
    &["mcp", "server"],
    &["web", "remote"],
    &["operations", "api"],
    &["service", "scheduler", "notify"],
    &["db", "letta_client"],
    &["config"],
    &["schedule"],
    &["models"],
    &[
        "clock",
        "error",
        "failpoint",
        "http",
        "ids",
        "limits",
        "panics",
        "printable",
    ],
];

/// Who may name the store, besides itself.
const USERS_OF_THE_STORE: [&str; 4] = ["service", "scheduler", "notify", "daemon"];

/// The modules through which somebody outside asks.
const FACES: [&str; 6] = ["api", "cli", "mcp", "remote", "server", "web"];

/// The libraries that the words of the domain do not name.
const NOT_IN_MODELS: [&str; 7] = [
    "axum", "clap", "http", "hyper", "reqwest", "rmcp", "rusqlite",
];

fn floor(module: &str) -> usize {
    let floor = FLOORS.iter().position(|floor| floor.contains(&module));
    floor.unwrap_or_else(|| panic!("{module} stands on no floor: name it in FLOORS"))
}

/// The imports from one module into another: file, file, and the names that are taken.
fn between_modules(sources: &Sources) -> Vec<(&str, &str, String)> {
    let imports = sources.imports();
    let crossing = imports.into_iter().filter_map(|((from, to), names)| {
        let (a, b) = (sources::module_of(from), sources::module_of(to));
        // The root holds no code, only the list of modules.
        (a != b && !a.is_empty() && !b.is_empty()).then(|| (a, b, told(from, to, &names)))
    });
    crossing.collect()
}

fn told(from: &Name, to: &Name, names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    format!("{from} -> {to}: {}", names.join(", "))
}

/// The sets of files that reach each other, each by its imports.
fn circles(sources: &Sources) -> Vec<(BTreeSet<&Name>, Vec<String>)> {
    let imports = sources.imports();
    let mut next: BTreeMap<&Name, BTreeSet<&Name>> = BTreeMap::new();
    for (from, to) in imports.keys() {
        next.entry(from).or_default().insert(to);
    }
    let reached = |from: &Name| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&Name> = next.get(from).into_iter().flatten().copied().collect();
        while let Some(file) = open.pop() {
            if seen.insert(file) {
                open.extend(next.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let all: BTreeMap<&Name, BTreeSet<&Name>> =
        next.keys().map(|file| (*file, reached(file))).collect();
    let mut told_of = BTreeSet::new();
    let mut found = Vec::new();
    for (file, reaches) in &all {
        if !reaches.contains(file) || told_of.contains(file) {
            continue;
        }
        let circle: BTreeSet<&Name> = (reaches.iter().copied())
            .filter(|other| all.get(other).is_some_and(|back| back.contains(file)))
            .collect();
        told_of.extend(circle.iter().copied());
        let inner =
            (imports.iter()).filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
        let inner = inner.map(|((from, to), names)| told(from, to, names));
        let inner: Vec<String> = inner.collect();
        found.push((circle, inner));
    }
    found
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = Sources::of_program();
    let found = circles(&sources);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_import_points_to_a_floor_above() {
    let sources = Sources::of_program();
    let between = between_modules(&sources);
    for (from, to, import) in &between {
        assert!(floor(to) >= floor(from), "{import}");
    }
    assert!(between.len() > 500, "{}", between.len());
}

#[test]
fn only_use_cases_and_what_delivers_name_the_store() {
    let sources = Sources::of_program();
    let mut named = 0;
    for (from, to, import) in between_modules(&sources) {
        if to == "db" {
            assert!(USERS_OF_THE_STORE.contains(&from), "{import}");
            named += 1;
        }
    }
    assert!(named > 10, "it is looked for in vain");
    // The service carries its store, and faces leave it alone.
    for face in FACES {
        let reaching = sources.files_of(face).filter(|file| file.reads_store);
        assert_eq!(reaching.map(|file| &file.name).next(), None);
    }
}

#[test]
fn what_decides_about_deliveries_names_neither_the_store_nor_a_target() {
    let sources = Sources::of_program();
    let decides = ["core", "guard", "queue", "verdicts"].map(|file| format!("scheduler/{file}"));
    let mut seen = 0;
    for (from, to) in sources.imports().into_keys() {
        let file = from.to_string();
        if decides.iter().any(|part| file.starts_with(part)) {
            let to = sources::module_of(to);
            assert!(!["db", "letta_client"].contains(&to), "{file} names {to}");
            seen += 1;
        }
    }
    assert!(seen > 30, "it is looked for in vain: {seen}");
}

#[test]
fn the_words_of_the_domain_name_no_library_for_sql_http_or_a_face() {
    let sources = Sources::of_program();
    let mut named = 0;
    for file in sources.files_of("models") {
        named += file.libraries.len();
        for library in NOT_IN_MODELS {
            assert!(!file.libraries.contains(library), "{} {library}", file.name);
        }
    }
    assert!(named > 20, "it is looked for in vain");
}

#[test]
fn an_import_of_a_parent_by_its_child_is_seen_and_a_reexport_is_none() {
    let sources = Sources::of_texts(&[
        ("lib", "pub mod a; pub mod b;"),
        // What is handed on is taken from where it is declared.
        ("a", "mod c; pub use c::Deep; pub(crate) struct Own;"),
        ("a/c", "use super::Own; pub struct Deep(Own);"),
        (
            "b",
            r#"
            //! use crate::nowhere::Comment;
            use crate::a::{self, Deep};
            pub(in crate::b) fn f<'a>(_: &'a str) -> impl Sized + use<'a> { "crate::x::Text" }
            fn g(s: Service) { s.db.close(); tokio::select! { () = crate::a::c::h() => {} } }
            #[cfg(test)]
            mod tests { use crate::unseen::Test; }
            "#,
        ),
    ]);
    let imports: Vec<String> = (sources.imports().into_iter())
        .map(|((from, to), names)| told(from, to, &names))
        .collect();
    assert_eq!(
        imports,
        [
            "a/c -> a: super::Own",
            "b -> a: crate::a",
            "b -> a/c: crate::a::Deep, crate::a::c::h",
        ]
    );
    assert!(circles(&sources).is_empty());
    assert!(sources.files_of("b").all(|file| file.reads_store));

    let sources = Sources::of_texts(&[
        ("lib", "mod a;"),
        ("a", "mod c; use c::Deep; struct Own(Deep);"),
        ("a/c", "use super::Own; pub struct Deep(Box<Own>);"),
    ]);
    assert_eq!(circles(&sources).len(), 1);
}
