//! What a whole server, or a proxy in front of it, goes through for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::routes::detail;
use super::turns::scripted;
use super::{FakeLetta, Inner};

/// What a whole server goes through.
#[derive(Clone, Debug, PartialEq)]
pub enum Spell {
    /// It says in its own words that it is not well, whatever it is asked.
    Unwell,
    /// It takes connections and answers nothing. When it goes on it does all that it was asked
    /// meanwhile, whether or not anybody still waits.
    Frozen,
    /// It refuses our key.
    KeyRefused,
    /// A proxy has a page of its own in place of everything about runs.
    HiddenRuns,
    /// Every run is shown with this in place of its status; an empty list leaves it out.
    OddStatus(Value),
}

/// The spell of a server, and how many requests have met each so far.
#[derive(Debug, Default)]
pub struct Spells {
    now: Option<Spell>,
    met: BTreeMap<String, usize>,
}

impl Spells {
    /// The spell that a request for `path` meets.
    pub fn meet(&mut self, path: &str) -> Option<Spell> {
        let concerns = |spell: &Spell| match spell {
            Spell::Unwell | Spell::Frozen => true,
            Spell::KeyRefused => path != "/v1/health/",
            Spell::HiddenRuns | Spell::OddStatus(_) => path.starts_with("/v1/runs"),
        };
        let met = self.now.clone().filter(concerns)?;
        *self.met.entry(format!("{met:?}")).or_default() += 1;
        Some(met)
    }

    /// Writes a run as it is shown now.
    pub fn show(&self, run: &mut Value) {
        match &self.now {
            Some(Spell::OddStatus(Value::Array(none))) if none.is_empty() => {
                run.as_object_mut().unwrap().remove("status");
            }
            Some(Spell::OddStatus(status)) => run["status"] = status.clone(),
            _ => {}
        }
    }
}

impl Spell {
    /// What is answered in place of what was asked for.
    pub fn answer(&self) -> Option<Response> {
        match self {
            Spell::Unwell => Some(detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is temporarily unavailable.",
            )),
            Spell::KeyRefused => Some(detail(StatusCode::UNAUTHORIZED, "Unauthorized")),
            Spell::HiddenRuns => {
                let page = json!("<html>no such page</html>");
                Some(scripted(404, &page, &BTreeMap::new()))
            }
            Spell::Frozen | Spell::OddStatus(_) => None,
        }
    }
}

impl Inner {
    /// Waits until the server does something.
    pub async fn until_it_goes_on(&self) {
        self.wait(|s| s.spells.now != Some(Spell::Frozen)).await;
    }
}

impl FakeLetta {
    /// What the server goes through from now on.
    pub fn set_spell(&self, spell: Option<Spell>) {
        self.inner.state().spells.now = spell;
        self.inner.changed();
    }

    /// Ends whatever the whole server goes through, and listens again if it was stopped.
    pub async fn come_back(&mut self) {
        self.set_spell(None);
        self.unscript_path("/v1/*");
        if !self.listens {
            self.start_again().await;
        }
    }

    /// Lets the server go through something for so long.
    pub fn go_through(&self, spell: Spell, time: Duration) {
        self.set_spell(Some(spell.clone()));
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let clock = inner.state().clock.clone();
            clock.sleep(time).await;
            {
                let mut state = inner.state();
                if state.spells.now == Some(spell) {
                    state.spells.now = None;
                }
            }
            inner.changed();
        });
    }

    /// How many requests have met each spell.
    pub fn spells_met(&self) -> BTreeMap<String, usize> {
        self.inner.state().spells.met.clone()
    }
}
