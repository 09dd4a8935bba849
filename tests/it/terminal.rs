//! A terminal of a given width, and a program that somebody calls at it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program at a terminal. It is killed when dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    seen: Arc<Seen>,
}

/// What has been written to the terminal so far.
#[derive(Default)]
struct Seen {
    bytes: Mutex<(Vec<u8>, bool)>,
    more: Condvar,
}

/// What a program wrote, with its exit status.
#[derive(Debug)]
pub struct Written {
    /// The exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// All that was written, with the terminal's line ends turned back into the program's.
    pub text: String,
}

impl Terminal {
    /// Starts a command at a terminal that is `columns` wide; 0 for one that doesn't tell.
    pub fn start(command: &Command, columns: u16) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let ours: OwnedFd = openpt(flags).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let its = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
        let size = Winsize {
            ws_row: if columns == 0 { 0 } else { 50 },
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&its, size).unwrap();
        // A session of its own, so that Ctrl-C reaches it.
        let mut session = Command::new("setsid");
        session
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))))
            .current_dir(command.get_current_dir().unwrap())
            .stdin(Stdio::from(its.try_clone().unwrap()))
            .stdout(Stdio::from(its.try_clone().unwrap()))
            .stderr(Stdio::from(its));
        let child = session.spawn().unwrap();
        // It holds the other end too, which would never be closed.
        drop(session);
        let seen = Arc::new(Seen::default());
        let keyboard = File::from(ours);
        let screen = keyboard.try_clone().unwrap();
        std::thread::spawn({
            let seen = seen.clone();
            move || seen.read_all(screen)
        });
        Terminal {
            child,
            keyboard,
            seen,
        }
    }

    /// Types a text.
    pub fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until what has been written is as wanted, and gives it.
    pub fn wait_until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        let bytes = self.seen.bytes.lock().unwrap();
        let waiting = |(bytes, ended): &mut (Vec<u8>, bool)| !*ended && !wanted(&text(bytes));
        let (bytes, _) = (self.seen.more)
            .wait_timeout_while(bytes, PATIENCE, waiting)
            .unwrap();
        let written = text(&bytes.0);
        assert!(wanted(&written), "it was never written: {written}");
        written
    }

    /// Waits for the end of the program.
    pub fn finish(mut self) -> Written {
        let bytes = self.seen.bytes.lock().unwrap();
        let (bytes, late) = (self.seen.more)
            .wait_timeout_while(bytes, PATIENCE, |(_, ended)| !*ended)
            .unwrap();
        let text = String::from_utf8_lossy(&bytes.0).replace("\r\n", "\n");
        drop(bytes);
        assert!(!late.timed_out(), "it never ended: {text}");
        Written {
            status: self.child.wait().unwrap().code(),
            text,
        }
    }
}

impl Seen {
    fn read_all(&self, mut screen: File) {
        let mut buffer = [0; 4096];
        // The terminal is gone, which is an error, once nobody holds its other end.
        while let Ok(n @ 1..) = screen.read(&mut buffer) {
            self.bytes.lock().unwrap().0.extend(&buffer[..n]);
            self.more.notify_all();
        }
        self.bytes.lock().unwrap().1 = true;
        self.more.notify_all();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was written without orders for colours, and these orders.
pub fn without_colours(written: &str) -> (String, Vec<&str>) {
    let mut text = String::new();
    let mut orders = Vec::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';');
        let end = end.unwrap_or(after.len());
        match after[end..].strip_prefix('m') {
            Some(following) => {
                orders.push(&after[..end]);
                rest = following;
            }
            // Anything else stays, to be found by who looks for it.
            None => {
                text.push_str("\u{1b}[");
                rest = after;
            }
        }
    }
    text.push_str(rest);
    (text, orders)
}
