//! The minimum for a program with a SQLite file: it opens the file, reads one row and exits. With
//! `wait` it exits only when its input ends.

use std::io::Read;

use rusqlite::{Connection, OpenFlags};

fn main() {
    let mut args = std::env::args().skip(1);
    let file = args.next().expect("which file?");
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .expect("the file can be opened");
    let schema: i64 = database
        .query_row(
            "SELECT count(*) FROM (SELECT 1 FROM schedules LIMIT 1)",
            [],
            |row| row.get(0),
        )
        .expect("the file holds schedules");
    println!("{schema}");
    if args.next().as_deref() == Some("wait") {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    }
}
