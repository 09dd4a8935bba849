//! The owner of each session, and how many sessions there may be.

use std::collections::HashMap;

use crate::limits::{SESSIONS as MOST, SESSIONS_OF_KEY as MOST_OF_ONE};

/// The existing sessions. Only the key that began a session can use it.
#[derive(Debug, Default)]
pub(super) struct Owners {
    sessions: HashMap<String, Owned>,
    /// Counts uses, to find the session that was used least recently.
    uses: u64,
}

#[derive(Debug)]
struct Owned {
    /// The hash of the key; `None` for no key.
    owner: Option<String>,
    last_use: u64,
}

impl Owners {
    /// Records that a session is used. `false` if it doesn't belong to this owner.
    pub fn may_use(&mut self, session: &str, owner: Option<&str>) -> bool {
        self.uses += 1;
        match self.sessions.get_mut(session) {
            Some(owned) if owned.owner.as_deref() == owner => {
                owned.last_use = self.uses;
                true
            }
            _ => false,
        }
    }

    /// Forgets sessions that have ended.
    pub fn keep(&mut self, is_live: impl Fn(&str) -> bool) {
        self.sessions.retain(|id, _| is_live(id));
    }

    /// Adds a session, and returns those that have to end for it: the least recently used.
    pub fn add(&mut self, session: &str, owner: Option<String>) -> Vec<String> {
        self.uses += 1;
        let last_use = self.uses;
        let new = Owned {
            owner: owner.clone(),
            last_use,
        };
        self.sessions.insert(session.to_owned(), new);
        let of_owner = self.end_oldest(MOST_OF_ONE, |owned| owned.owner == owner);
        let of_all = self.end_oldest(MOST, |_| true);
        of_owner.into_iter().chain(of_all).collect()
    }

    /// Removes the oldest of some sessions if there are more than `most` of them.
    fn end_oldest(&mut self, most: usize, is_meant: impl Fn(&Owned) -> bool) -> Option<String> {
        let corrected = || self.sessions.iter().filter(|(_, owned)| is_meant(owned));
        if corrected().count() <= most {
            return None;
        }
        let (oldest, _) = corrected().min_by_key(|(_, owned)| owned.last_use)?;
        let oldest = oldest.clone();
        self.sessions.remove(&oldest);
        Some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_begins_too_many_sessions_loses_the_one_it_used_least_recently() {
        let mut owners = Owners::default();
        let key = Some("key".to_owned());
        assert!(owners.add("others", None).is_empty());
        for n in 0..MOST_OF_ONE {
            assert!(owners.add(&n.to_string(), key.clone()).is_empty());
        }
        assert!(owners.may_use("0", Some("key")));
        assert_eq!(owners.add("new", key.clone()), ["1"]);
        assert_eq!(owners.add("newer", key), ["2"]);
        assert!(!owners.may_use("1", Some("key")));
        assert!(owners.may_use("0", Some("key")) && owners.may_use("others", None));
    }

    #[test]
    fn there_are_never_more_sessions_in_all_than_there_may_be() {
        let mut owners = Owners::default();
        let mut ended = 0;
        for n in 0..MOST * 2 {
            ended += owners.add(&n.to_string(), Some(n.to_string())).len();
            assert!(owners.sessions.len() <= MOST);
        }
        assert_eq!(ended, MOST);
        owners.keep(|id| id == "2047");
        assert_eq!(owners.sessions.len(), 1);
    }

    #[test]
    fn a_session_is_of_use_only_to_its_owner() {
        let mut owners = Owners::default();
        owners.add("s", Some("key".to_owned()));
        assert!(owners.may_use("s", Some("key")));
        assert!(!owners.may_use("s", Some("other")) && !owners.may_use("s", None));
        assert!(!owners.may_use("unknown", None));
    }
}
