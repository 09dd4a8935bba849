//! Rows in bulk: copies of what the program wrote itself, whatever columns its schema has.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, ToSql, Transaction, params};

/// When the schedule that is copied is due, as the program writes it in columns of times.
const DUE_IN_COLUMNS: &str = "2099-01-01 00:00:00.000000";

/// The same, as it writes it in `schedule_value`, without the offset.
const DUE_IN_VALUES: &str = "2099-01-01T00:00:00";

/// The same, for whoever registers it.
pub const DUE: &str = "2099-01-01T00:00:00Z";

/// Opens a database beside the program that uses it.
pub fn open(file: &Path) -> Connection {
    let database = Connection::open(file).expect("the database can be opened");
    database
        .busy_timeout(Duration::from_secs(30))
        .expect("a time-out");
    database
}

/// What a copy of a schedule has of its own.
pub struct Copy<'a> {
    /// Its uid.
    pub uid: &'a str,
    /// Its agent.
    pub agent: &'a str,
    /// When it is due, in microseconds since 1970.
    pub at: i64,
}

/// Copies everything that belongs to one schedule, in every table that knows it by its uid.
pub struct Schedules {
    statements: Vec<String>,
    template: String,
}

impl Schedules {
    /// Prepares to copy the schedule with a number.
    pub fn like(database: &Connection, id: i64) -> Schedules {
        let uid = "SELECT uid FROM schedules WHERE id = ?1";
        let template: String = database
            .query_row(uid, [id], |row| row.get(0))
            .expect("the schedule is there");
        let mut statements = Vec::new();
        for table in tables(database) {
            let columns = columns(database, &table);
            if !columns.iter().any(|c| c.name == "uid") {
                continue;
            }
            let count = format!("SELECT count(*) FROM \"{table}\" WHERE uid = ?1");
            let count: i64 = database
                .query_row(&count, [&template], |row| row.get(0))
                .expect("a count");
            if count == 0 {
                continue;
            }
            let copied: Vec<&Column> = columns.iter().filter(|c| !c.is_number_of_row).collect();
            let values = copied.iter().map(|c| match c.name.as_str() {
                "uid" => "?2".to_owned(),
                "agent_id" => "?3".to_owned(),
                _ => c.with(|text| {
                    format!(
                        "replace(replace({text}, '{DUE_IN_COLUMNS}', ?4), '{DUE_IN_VALUES}', ?5)"
                    )
                }),
            });
            statements.push(copying(database, &template, &table, &copied, values, "uid"));
        }
        Schedules {
            statements,
            template,
        }
    }

    /// Writes one copy.
    pub fn copy(&self, tx: &Transaction, copy: &Copy) {
        let in_columns = time(copy.at, "%Y-%m-%d %H:%M:%S%.6f");
        let in_values = time(copy.at, "%Y-%m-%dT%H:%M:%S%.6f");
        for statement in &self.statements {
            let mut statement = tx.prepare_cached(statement).expect("SQL");
            // Not every table has an agent or a time.
            let all = params![self.template, copy.uid, copy.agent, in_columns, in_values];
            let used = statement.parameter_count();
            statement
                .execute(&all[..used])
                .expect("a copy can be written");
        }
    }
}

/// Copies a settled occurrence and everything that belongs to it.
pub struct Occurrences {
    statements: Vec<String>,
    template: i64,
    next: i64,
}

impl Occurrences {
    /// Prepares to copy the newest delivered occurrence.
    pub fn like_the_newest(database: &Connection) -> Occurrences {
        let newest = "SELECT max(id) FROM occurrences WHERE state = 'delivered'";
        let template: i64 = database
            .query_row(newest, [], |row| row.get(0))
            .expect("a delivered occurrence");
        let mut statements = Vec::new();
        for table in tables(database) {
            let columns = columns(database, &table);
            let has = |name: &str| columns.iter().any(|c| c.name == name);
            let key = match table.as_str() {
                "occurrences" => "id",
                _ if has("occurrence_id") => "occurrence_id",
                _ => continue,
            };
            // Its own number is taken where it has one beside that of the occurrence.
            let own = |c: &&Column| c.name == key || !c.is_number_of_row;
            let copied: Vec<&Column> = columns.iter().filter(own).collect();
            let values = copied.iter().map(|c| match c.name.as_str() {
                name if name == key => "?2".to_owned(),
                "uid" => "?3".to_owned(),
                "agent_id" => "?4".to_owned(),
                "otid" => "printf('%08x-0000-5000-8000-%012x', ?1, ?2)".to_owned(),
                _ if c.is_time => c.with(|_| "?5".to_owned()),
                _ => c.with(str::to_owned),
            });
            statements.push(copying(database, &template, &table, &copied, values, key));
        }
        Occurrences {
            statements,
            template,
            next: template + 1,
        }
    }

    /// Writes one copy.
    pub fn copy(&mut self, tx: &Transaction, copy: &Copy) {
        let at = time(copy.at, "%Y-%m-%d %H:%M:%S%.6f");
        for statement in &self.statements {
            let mut statement = tx.prepare_cached(statement).expect("SQL");
            let all = params![self.template, self.next, copy.uid, copy.agent, at];
            let used = statement.parameter_count();
            statement
                .execute(&all[..used])
                .expect("a copy can be written");
        }
        self.next += 1;
    }
}

struct Column {
    name: String,
    is_number_of_row: bool,
    is_time: bool,
}

impl Column {
    /// The column's value, changed if it is a text; other values, and none, stay.
    fn with(&self, change: impl Fn(&str) -> String) -> String {
        let name = format!("\"{}\"", self.name);
        let changed = change(&name);
        match changed == name {
            true => name,
            false => format!("CASE typeof({name}) WHEN 'text' THEN {changed} ELSE {name} END"),
        }
    }
}

fn tables(database: &Connection) -> Vec<String> {
    let all = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut statement = database.prepare(all).expect("SQL");
    let names = statement.query_map([], |row| row.get(0)).expect("tables");
    names.map(|name| name.expect("a name")).collect()
}

fn columns(database: &Connection, table: &str) -> Vec<Column> {
    let all = "SELECT name, type, pk, (SELECT max(pk) FROM pragma_table_info(?1)) \
               FROM pragma_table_info(?1)";
    let mut statement = database.prepare(all).expect("SQL");
    let columns = statement.query_map([table], |row| {
        let kind: String = row.get(1)?;
        let (key, of): (i64, i64) = (row.get(2)?, row.get(3)?);
        Ok(Column {
            name: row.get(0)?,
            is_number_of_row: key == 1 && of == 1 && kind == "INTEGER",
            is_time: kind == "DATETIME",
        })
    });
    columns
        .expect("columns")
        .map(|column| column.expect("a column"))
        .collect()
}

/// Copies the rows of a table that have this key. All of them are there already: what is copied is not
/// gone through again, which without an index on the key would take longer with each copy.
fn copying(
    database: &Connection,
    template: &dyn ToSql,
    table: &str,
    columns: &[&Column],
    values: impl Iterator<Item = String>,
    key: &str,
) -> String {
    let names: Vec<String> = columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
    let values: Vec<String> = values.collect();
    let places = format!(
        "SELECT coalesce(min(rowid), 0), coalesce(max(rowid), 0) FROM \"{table}\" \
         WHERE \"{key}\" = ?1"
    );
    // A table whose rows have no number is ordered by its key.
    let bound = database
        .query_row(&places, [template], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .map_or_else(
            |_| String::new(),
            |(first, last)| format!(" AND rowid BETWEEN {first} AND {last}"),
        );
    format!(
        "INSERT INTO \"{table}\" ({}) SELECT {} FROM \"{table}\" WHERE \"{key}\" = ?1{bound}",
        names.join(", "),
        values.join(", ")
    )
}

fn time(at: i64, form: &str) -> String {
    let at = Timestamp::from_microsecond(at).expect("a time");
    at.to_zoned(TimeZone::UTC).strftime(form).to_string()
}

/// Lets the intervals that have not begun begin at one instant, and be due next at another.
pub fn begin_at(tx: &Transaction, first: i64, next: i64) {
    let moments = [
        ("anchor", first),
        ("start_at", first),
        ("first_instant", first),
        ("next_run", next),
        ("planned_next_run", next),
    ];
    for table in tables(tx) {
        let columns = columns(tx, &table);
        let has = |name: &str| columns.iter().any(|c| c.name == name);
        let moved: Vec<String> = moments
            .iter()
            .filter(|(name, _)| has(name) && has("schedule_type"))
            .map(|(name, at)| format!("{name} = '{}'", time(*at, "%Y-%m-%d %H:%M:%S%.6f")))
            .collect();
        if moved.is_empty() {
            continue;
        }
        // Raised, so that it does not count as another program's change.
        let ours = if has("row_version") {
            ", row_version = row_version + 1"
        } else {
            ""
        };
        let moving = format!(
            "UPDATE \"{table}\" SET {}{ours} WHERE schedule_type = 'interval'",
            moved.join(", ")
        );
        tx.execute(&moving, []).expect("instants can be moved");
    }
}
