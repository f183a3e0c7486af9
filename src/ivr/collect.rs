//! Asks a caller for a number of digits: an agent's id, a PIN, the digit of a reason.
//!
//! Spec:     `#` ends the entry, `*` begins it anew; see `Ask`.
//! In:       keys the caller presses, the end of what he hears, the passing of time.
//! Out:      prompts to play; at last `Digits` or `Failed`.
//! Not here: what the digits mean.

use std::fmt;
use std::mem;

use serde::{Deserialize, Serialize};

use crate::id::PromptId;
use crate::time::{Duration, Instant};
use Input::{Digit as Pressed, Ended, Start, Tick};
use State::{Collecting, Done, Fresh, Playing};

/// What can happen while digits are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key of the phone.
    Digit(char),
    /// What `Output::Play` asked for was heard to its end.
    Ended,
    /// The caller is here and can hear us.
    Start,
    Tick,
}

/// What the machine asks of its owner, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// As many digits as asked for; nothing follows.
    Digits(Digits),
    /// The last retry is over; nothing follows.
    Failed,
    /// Play these one after the other in place of whatever plays; then give `Ended`.
    Play(Vec<PromptId>),
    /// Stop what plays; no `Ended` is awaited.
    StopPlaying,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub prompts: Vec<PromptId>,
    /// Fewer digits than this are no answer.
    pub digits_min: usize,
    /// The entry ends by itself with the last of so many; at most `DIGITS_MAX`.
    pub digits_max: usize,
    /// How long to wait for the first digit after the prompt, and for each next one.
    pub timeout: Duration,
    /// How often the prompt is heard again after too few digits or none.
    pub retries: u32,
}

/// What was pressed. `Debug` tells only how much, for it may be a PIN.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digits(String);

impl Digits {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digits({} pressed)", self.0.len())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// Before `Start`.
    Fresh,
    /// The prompt plays; if its end is never told, it counts as ended at `until`.
    Playing { until: Instant },
    /// The next digit must come before `until`.
    Collecting { digits: Digits, until: Instant },
    #[default]
    Done,
}

/// One question for digits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Collect {
    state: State,
    ask: Ask,
    failures: u32,
}

impl Collect {
    /// A question that is put with `Input::Start`.
    pub fn new(ask: Ask) -> Self {
        let digits_max = ask.digits_max.clamp(1, DIGITS_MAX);
        let digits_min = ask.digits_min.min(digits_max);
        Self { state: Fresh, ask: Ask { digits_min, digits_max, ..ask }, failures: 0 }
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (Fresh, Start) => self.play(now, out),
            (Playing { .. }, Pressed(key)) => {
                out.push(Output::StopPlaying);
                self.press(now, Digits::default(), key, out)
            }
            (Collecting { digits, .. }, Pressed(key)) => self.press(now, digits, key, out),
            (Playing { .. }, Ended) => self.collect(now, Digits::default()),
            (Playing { until }, Tick) if now >= until => self.collect(now, Digits::default()),
            (Collecting { digits, until }, Tick) if now >= until => self.finish(now, digits, out),
            (state, Pressed(_) | Ended | Start | Tick) => state, // absorbed
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            Playing { until } | Collecting { until, .. } => Some(until),
            Fresh | Done => None,
        }
    }

    fn play(&self, now: Instant, out: &mut Vec<Output>) -> State {
        if self.ask.prompts.is_empty() {
            return self.collect(now, Digits::default());
        }
        out.push(Output::Play(self.ask.prompts.clone()));
        Playing { until: now + PROMPT_TIME_MAX }
    }

    fn collect(&self, now: Instant, digits: Digits) -> State {
        Collecting { digits, until: now + self.ask.timeout }
    }

    fn press(
        &mut self,
        now: Instant,
        mut digits: Digits,
        key: char,
        out: &mut Vec<Output>,
    ) -> State {
        match key {
            '#' => return self.finish(now, digits, out),
            '*' => digits.0.clear(),
            '0'..='9' => digits.0.push(key),
            _ => {} // A to D: no phone for people has them
        }
        if digits.0.len() == self.ask.digits_max {
            return self.finish(now, digits, out);
        }
        self.collect(now, digits)
    }

    fn finish(&mut self, now: Instant, digits: Digits, out: &mut Vec<Output>) -> State {
        if digits.0.len() >= self.ask.digits_min {
            out.push(Output::Digits(digits));
            return Done;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures > self.ask.retries {
            out.push(Output::Failed);
            return Done;
        }
        self.play(now, out)
    }
}

/// The most digits that can be asked for.
pub const DIGITS_MAX: usize = 32;
/// A prompt whose end is not told within this counts as ended.
const PROMPT_TIME_MAX: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_ends_the_entry() {
        let mut caller = Caller::asked(4, 4);

        assert_eq!(caller.presses("471"), [Output::StopPlaying]);
        assert_eq!(caller.presses("1"), [digits("4711")]);
        assert_eq!(caller.presses("1"), []);
        assert_eq!(caller.machine.next_tick(), None);
    }

    #[test]
    fn a_hash_ends_and_a_star_begins_anew() {
        let mut caller = Caller::asked(2, 8);

        assert_eq!(caller.presses("99*17#"), [Output::StopPlaying, digits("17")]);
    }

    #[test]
    fn enough_digits_and_silence_are_an_answer() {
        let mut caller = Caller::asked(2, 8);
        caller.presses("17");

        assert_eq!(caller.after(Duration::from_millis(4999)), []);
        assert_eq!(caller.after(Duration::from_millis(1)), [digits("17")]);
    }

    #[test]
    fn each_digit_gets_its_own_time() {
        let mut caller = Caller::asked(3, 3);

        caller.presses("1");
        caller.after(Duration::from_secs(4));
        caller.presses("2");
        caller.after(Duration::from_secs(4));

        assert_eq!(caller.presses("3"), [digits("123")]);
    }

    #[test]
    fn too_few_digits_are_asked_again_then_fail() {
        let mut caller = Caller::asked(2, 8);
        let again = || Output::Play(vec!["agent-id".into()]);

        assert_eq!(caller.presses("1#"), [Output::StopPlaying, again()]);
        caller.gets(Ended);
        assert_eq!(caller.after(Duration::from_secs(5)), [again()]);
        caller.gets(Ended);
        assert_eq!(caller.after(Duration::from_secs(5)), [Output::Failed]);
    }

    #[test]
    fn a_question_always_ends() {
        let mut caller = Caller::asked(2, 8);

        let out = caller.after(Duration::from_secs(24 * 3600));

        assert_eq!(out.last(), Some(&Output::Failed));
        assert_eq!(caller.machine.next_tick(), None);
    }

    #[test]
    fn a_pin_is_never_printed() {
        let mut caller = Caller::asked(4, 4);
        let mut out = caller.presses("471");
        assert!(!format!("{:?}", caller.machine).contains("471"));
        out.extend(caller.presses("1"));
        assert!(!format!("{out:?}").contains("4711"));
    }

    /// One caller in virtual time.
    struct Caller {
        machine: Collect,
        now: Instant,
    }

    impl Caller {
        fn asked(digits_min: usize, digits_max: usize) -> Self {
            let prompts = vec!["agent-id".into()];
            let timeout = Duration::from_secs(5);
            let ask = Ask { prompts, digits_min, digits_max, timeout, retries: 2 };
            let mut caller = Self { machine: Collect::new(ask), now: Instant::START };
            assert_eq!(caller.gets(Start), [Output::Play(vec!["agent-id".into()])]);
            caller
        }

        fn gets(&mut self, input: Input) -> Vec<Output> {
            let mut out = Vec::new();
            self.machine.handle(self.now, input, &mut out);
            out
        }

        fn presses(&mut self, keys: &str) -> Vec<Output> {
            keys.chars().flat_map(|key| self.gets(Pressed(key))).collect()
        }

        /// Lets `wait` pass, ticking whenever the machine asked to be.
        fn after(&mut self, wait: Duration) -> Vec<Output> {
            let end = self.now + wait;
            let mut out = Vec::new();
            while let Some(due) = self.machine.next_tick().filter(|due| *due <= end) {
                self.now = due;
                out.extend(self.gets(Tick));
            }
            self.now = end;
            out
        }
    }

    fn digits(text: &str) -> Output {
        Output::Digits(Digits(text.to_owned()))
    }
}
