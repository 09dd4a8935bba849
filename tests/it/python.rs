//! Python programs with the packages of `scripts/python-requirements.txt`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

/// The interpreter: the one named in the environment, or that of the project's virtual
/// environment, which is made if it is missing.
pub fn interpreter() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| match std::env::var_os("PROMPTYOSELF_TEST_PYTHON") {
        Some(python) => python.into(),
        None => venv(),
    })
}

fn venv() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join(".peers/python");
    let python = folder.join("bin/python");
    let requirements = root.join("scripts/python-requirements.txt");
    std::fs::create_dir_all(root.join(".peers")).unwrap();
    // Test processes may run side by side.
    let lock = std::fs::File::create(root.join(".peers/python.lock")).unwrap();
    lock.lock().unwrap();
    let installed = || std::fs::read(folder.join("installed.txt")).ok();
    let wanted = std::fs::read(&requirements).unwrap();
    if !python.exists() || installed().as_ref() != Some(&wanted) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        let pip = ["-m", "pip", "install", "-q", "-r"];
        run(Command::new(&python).args(pip).arg(&requirements));
        std::fs::write(folder.join("installed.txt"), wanted).unwrap();
    }
    python
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A program of `tests/it/python/` that answers commands, one line each.
pub struct Peer {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a program on a database.
    pub fn start(program: &str, database: &Path) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/python");
        let mut child = Command::new(interpreter())
            .arg(folder.join(program))
            .env("PROMPTYOSELF_DB_PATH", database)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Peer {
            commands: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Has it do something, and gives the answer or the error it ended with.
    pub fn try_ask(&mut self, operation: &str, mut arguments: Value) -> Result<Value, String> {
        arguments["do"] = json!(operation);
        writeln!(self.commands, "{arguments}").unwrap();
        let mut line = String::new();
        // Others go on meanwhile: the scheduler of the test may be in the middle of a transaction.
        tokio::task::block_in_place(|| self.answers.read_line(&mut line).unwrap());
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap().to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }

    /// Has it do something that succeeds.
    pub fn ask(&mut self, operation: &str, arguments: Value) -> Value {
        self.try_ask(operation, arguments).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A time as the programs are told it: naive, in UTC.
pub fn utc(time: jiff::Timestamp) -> Value {
    json!({ "utc": time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string() })
}

/// Makes a database as an older program (`paper` or `original`) did, with these rows by table.
pub fn make_older(program: &str, database: &Path, rows: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/python");
    let mut child = Command::new(interpreter())
        .arg(folder.join("older.py"))
        .arg(program)
        .env("PROMPTYOSELF_DB_PATH", database)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    write!(input, "{rows}").unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
}
