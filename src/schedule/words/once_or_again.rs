//! Whether a phrase means one time or many, and the doubts about that.

use super::refusal::Doubt;
use super::said::{Day, Length, Of, Repeat, Said, Which};
use super::{Asked, Meaning, Wants, Why, once};

impl Asked<'_> {
    /// Whether a phrase is a repetition. "The last day of the month" is one, unless a single time
    /// is asked for.
    pub(super) fn repeats(&self, said: &Said) -> bool {
        let of_month = self.wants != Wants::Time && !said.is_single;
        said.repeat.is_some()
            || match &said.day {
                Some(Day::Week { which, .. }) => *which == Which::All,
                Some(Day::Month { of, .. } | Day::Nths { of, .. }) => {
                    *of == Of::Every || (*of == Of::TheMonth && of_month)
                }
                _ => false,
            }
    }

    /// A length of time alone: "45m" may be waited once, or again and again.
    pub(super) fn lone(&self, said: &Said, length: Length) -> Result<Meaning, Doubt> {
        let alone = Said {
            lone: Some(length),
            ..Said::default()
        };
        if *said != alone {
            return Err(Why::Unfit("a length of time", "anything else").into());
        }
        let once = Said {
            after: Some(length),
            ..Said::default()
        };
        let step = Said {
            repeat: Some(Repeat::Step(length)),
            ..Said::default()
        };
        let why = Why::Ambiguous("whether it is once or again and again");
        match self.wants {
            Wants::Recurrence => self.resolve(&step),
            Wants::Time => Err(Doubt::new(Why::IsLength, vec![once])),
            Wants::Either => Err(Doubt::new(why, vec![once, step])),
        }
    }

    /// "Monday and Thursday at 9": these two, or all of them?
    pub(super) fn several_days(&self, said: &Said) -> Option<Doubt> {
        let (days, why): (Vec<Day>, _) = match &said.day {
            Some(Day::Week { days, which }) if *which != Which::All => {
                let each = days.iter().map(|day| Day::Week {
                    days: vec![*day],
                    which: *which,
                });
                (each.collect(), "whether it is once or every week")
            }
            Some(Day::Month {
                days,
                of: Of::Months(months, None),
            }) => {
                let each = months.iter().flat_map(|month| {
                    days.iter().map(|day| Day::Month {
                        days: vec![*day],
                        of: Of::Months(vec![*month], None),
                    })
                });
                (each.collect(), "whether it is once or every year")
            }
            Some(Day::Month {
                days,
                of: Of::Unsaid,
            }) => {
                let each = days.iter().map(|day| Day::Month {
                    days: vec![*day],
                    of: Of::Unsaid,
                });
                (each.collect(), "whether it is once or every month")
            }
            Some(Day::Nths {
                nths,
                weekday,
                of: Of::Unsaid,
            }) if self.wants != Wants::Time => {
                let each = nths.iter().flat_map(|nth| {
                    [Of::This, Of::Next].map(|of| Day::Nths {
                        nths: vec![*nth],
                        weekday: *weekday,
                        of,
                    })
                });
                (each.collect(), "whether it is once or every month")
            }
            _ => return None,
        };
        if days.len() < 2 || said.repeat.is_some() {
            return None;
        }
        let mut readings = Vec::new();
        if self.wants != Wants::Time {
            readings.push(each(said));
        }
        if self.wants != Wants::Recurrence {
            readings.extend(days.into_iter().map(|day| Said {
                day: Some(day),
                ..said.clone()
            }));
        }
        Some(Doubt::new(Why::Ambiguous(why), readings))
    }

    /// "Monday in January at 9": which of them, or all of them?
    pub(super) fn in_months_once(&self, said: &Said) -> Doubt {
        let each = match &said.day {
            Some(Day::Week { .. }) if self.wants != Wants::Time => vec![each(said)],
            _ => Vec::new(),
        };
        Doubt::new(Why::NoDay, each)
    }

    /// A single time where a repetition is asked for, and the repetition that is like it.
    pub(super) fn not_once(&self, said: &Said) -> Doubt {
        let like = match &said.day {
            None if !said.clocks.is_empty() => Some(Said {
                repeat: Some(Repeat::Daily),
                ..said.clone()
            }),
            Some(Day::Week {
                which: Which::Coming,
                ..
            }) => Some(each(said)),
            Some(Day::Month {
                of: Of::Unsaid | Of::Months(_, None),
                ..
            }) => Some(each(said)),
            _ => None,
        };
        let readings: Vec<Said> = like.into_iter().collect();
        match once::resolve(said, self.now, self.zone) {
            Ok(found) => Doubt::new(Why::IsOnce(found.phrase), readings),
            Err(doubt) if readings.is_empty() => doubt.why.into(),
            Err(doubt) => Doubt::new(doubt.why, readings),
        }
    }
}

fn each(said: &Said) -> Said {
    Said {
        repeat: Some(Repeat::Each),
        ..said.clone()
    }
}
