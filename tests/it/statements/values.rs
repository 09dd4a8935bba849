//! Suitable values for a statement, found by the columns it compares them with or writes them into.

use std::collections::HashMap;

use rusqlite::types::Value;

use crate::foreign_writers::raw::Foreign;

/// What compares a value with a column.
const COMPARISONS: [&str; 6] = ["=", "<>", "<", ">", "<=", ">="];

/// What else may stand between a column and a value that is of its kind.
const BETWEEN: [&str; 19] = [
    "+", "-", "IS", "NOT", "DISTINCT", "FROM", "IN", "BETWEEN", "AND", "(", ",", "coalesce", "max",
    "min", "CAST", "CASE", "WHEN", "THEN", "ELSE",
];

/// The declared type of each column of the database.
pub struct Kinds(HashMap<String, String>);

impl Kinds {
    /// Reads them from a database.
    pub async fn read(foreign: &mut Foreign) -> Self {
        let sql = "SELECT c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c \
                   WHERE t.type = 'table'";
        Kinds(foreign.tuples(sql, ()).await.into_iter().collect())
    }

    /// A value for each of the places of a statement, in their order, no two of a kind alike.
    /// `None` if the places aren't $1 to the last one.
    pub fn values(&self, sql: &str, places: &[String]) -> Option<Vec<Value>> {
        let tokens = tokens(sql);
        let value = |n| self.value(&use_of(&tokens, n), n, is_written(&tokens, n));
        Some(numbers_of(places)?.into_iter().map(value).collect())
    }

    fn value(&self, place: &Use, n: usize, is_written: bool) -> Value {
        let column = match place {
            Use::Column(column) => column.as_str(),
            Use::List => return Value::Text(format!("[{n}]")),
            Use::Number => return Value::Integer(n as i64),
        };
        // What is written is not there yet, but for what it refers to.
        let row = match column {
            "payload" | "occurrence_id" | "schedule_id" => n,
            _ if is_written => 500_000 + n,
            _ => n,
        };
        match (column, self.0.get(column).map(String::as_str)) {
            ("only_row" | "trusted", _) => Value::Integer(1),
            ("state", _) => Value::Text("delivered".into()),
            ("payload" | "hash", _) => Value::Text(format!("{row:064x}")),
            ("uid" | "owner" | "otid" | "install_id" | "subject", _) => {
                Value::Text(format!("{row:08x}-0000-4000-8000-{row:012x}"))
            }
            (_, Some("DATETIME")) => Value::Text(format!("2026-02-01 11:{n:02}:00.000000")),
            (_, Some("BIGINT" | "INTEGER" | "BOOLEAN")) => Value::Integer(row as i64),
            (_, Some(_)) => Value::Text(format!("value {n}")),
            (_, None) => Value::Integer(row as i64),
        }
    }
}

/// The numbers of the places for values, if those are $1 to the last one, each of them used.
fn numbers_of(places: &[String]) -> Option<Vec<usize>> {
    let number = |place: &String| place.strip_prefix('$')?.parse().ok();
    let numbers: Vec<usize> = places.iter().map(number).collect::<Option<_>>()?;
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.into_iter().eq(1..=places.len()).then_some(numbers)
}

/// What a value is for.
#[derive(Debug, PartialEq)]
enum Use {
    /// It is of a column's kind.
    Column(String),
    /// A list as JSON.
    List,
    /// How many rows, or something that only the statement itself knows.
    Number,
}

/// Whether the value with a number goes into a row, and finds none.
fn is_written(tokens: &[String], n: usize) -> bool {
    let place = format!("${n}");
    let until = match tokens.first().map(String::as_str) {
        Some("INSERT") => tokens.len(),
        Some("UPDATE") => tokens.iter().position(|t| t == "WHERE").unwrap_or(0),
        _ => 0,
    };
    tokens[..until].contains(&place)
}

/// What the value with a number is for.
fn use_of(tokens: &[String], n: usize) -> Use {
    let place = format!("${n}");
    let places = (0..tokens.len()).filter(|at| tokens[*at] == place);
    let mut uses = places.map(|at| {
        inserted_into(tokens, at)
            .or_else(|| compared_with(tokens, at))
            .unwrap_or(Use::Number)
    });
    uses.find(|found| *found != Use::Number)
        .unwrap_or(Use::Number)
}

/// The column into which a value goes that stands alone in a list of VALUES, or in a SELECT.
fn inserted_into(tokens: &[String], at: usize) -> Option<Use> {
    if tokens.first()? != "INSERT" {
        return None;
    }
    let (columns, after) = list_from(tokens, 4)?;
    let start = match tokens.get(after)?.as_str() {
        "VALUES" => after + 2,
        "SELECT" => after + 1,
        _ => return None,
    };
    let mut depth = 0_usize;
    let mut nth = 0;
    for (here, token) in tokens.iter().enumerate().skip(start) {
        match token.as_str() {
            "(" => depth += 1,
            ")" | "FROM" | "WHERE" if depth == 0 => return None,
            ")" => depth -= 1,
            "," if depth == 0 => nth += 1,
            _ if here == at => return columns.get(nth).cloned().map(Use::Column),
            _ => {}
        }
    }
    None
}

/// The words of a list in parentheses that begins there, and what comes after it.
fn list_from(tokens: &[String], start: usize) -> Option<(Vec<String>, usize)> {
    let length = tokens.get(start..)?.iter().position(|t| t == ")")?;
    let words = tokens[start..start + length].iter();
    Some((
        words.filter(|t| *t != ",").cloned().collect(),
        start + length + 1,
    ))
}

/// What a value is compared with, or the column that is set to it.
fn compared_with(tokens: &[String], at: usize) -> Option<Use> {
    let token = |at: usize| tokens.get(at).map(String::as_str);
    match (token(at.checked_sub(2)?)?, token(at - 1)?) {
        (_, "LIMIT" | "OFFSET") => return Some(Use::Number),
        ("json_each", "(") => return Some(Use::List),
        _ => {}
    }
    if token(at + 1).is_some_and(|after| COMPARISONS.contains(&after)) {
        return token(at + 2).and_then(column_name).map(Use::Column);
    }
    let is_between = |token: &&String| {
        let token = token.as_str();
        COMPARISONS.contains(&token) || BETWEEN.contains(&token) || token.starts_with('$')
    };
    let left = tokens[..at].iter().rev().find(|token| !is_between(token))?;
    column_name(left).map(Use::Column)
}

/// The name of a column, without that of its table.
fn column_name(token: &str) -> Option<String> {
    let name = token.rsplit('.').next()?;
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase());
    is_name.then(|| name.to_owned())
}

/// The words, values and signs of a statement; of a string only that there is one.
fn tokens(sql: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_.$".contains(c);
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            '<' | '>' | '!' | '|' => rest.find(|c| !"<>=!|".contains(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        // A name in quotes is one like any other.
        if token != "\"" {
            tokens.push(token.to_owned());
        }
        rest = after.trim_start();
    }
    tokens
}

#[test]
fn what_a_value_is_for_is_found() {
    let column = |name: &str| Use::Column(name.into());
    for (sql, wanted) in [
        ("SELECT a FROM t WHERE x.b = $1", column("b")),
        (
            "SELECT a FROM t WHERE b IS NOT DISTINCT FROM $1",
            column("b"),
        ),
        ("SELECT a FROM t WHERE $1 <= b", column("b")),
        ("SELECT a FROM t WHERE b IN ($2, $1)", column("b")),
        ("SELECT a FROM t WHERE b BETWEEN $2 AND $1", column("b")),
        ("SELECT a FROM t WHERE c = 'x = y' LIMIT $1", Use::Number),
        ("SELECT a FROM json_each($1) j", Use::List),
        ("UPDATE t SET b = coalesce($1, b)", column("b")),
        ("UPDATE t SET b = b + $1", column("b")),
        (
            "INSERT INTO t (a, \"trigger\") VALUES ('x', $1)",
            column("trigger"),
        ),
        ("INSERT INTO t (a, b) SELECT c, $1 FROM u", column("b")),
    ] {
        assert_eq!(use_of(&tokens(sql), 1), wanted, "{sql}");
    }
}

#[test]
fn a_gap_in_the_numbers_is_seen() {
    let places = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).into()).collect() };
    assert_eq!(numbers_of(&places(&["$2", "$1"])), Some(vec![2, 1]));
    for wrong in [
        &["$1", "$3"][..],
        &["$2"],
        &["?1"],
        &["$name"],
        &["$0", "$1"],
    ] {
        assert_eq!(numbers_of(&places(wrong)), None, "{wrong:?}");
    }
}
