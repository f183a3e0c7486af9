//! One caller in the menus: from the first prompt until a key or the last retry decides a target.
//!
//! Spec:     `[menus.X]` and `[ivr]` of the configuration (`ivr::config`).
//! In:       keys the caller presses, the end of what he hears, the passing of time.
//! Out:      prompts to play, facts for the record, at last one `Go`.
//! Not here: playing (`media::player`), digits out of packets (`rtp::dtmf`), going to the target.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{MenuId, PromptId, SkillId, Target};
use crate::ivr::config::{Config, Digit, Key, Menu, Menus};
use crate::time::{Duration, Instant};
use Input::{Digit as Pressed, Ended, Start, Tick};
use State::{Done, Fresh, Playing, Waiting};

/// What can happen to a caller in a menu.
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
    /// Data to put on the call.
    Collected(BTreeMap<String, String>),
    /// The caller entered this menu.
    Enter { menu: MenuId },
    /// The caller leaves the menus for this target; nothing follows. Never a menu.
    Go {
        target: Target,
        skills: BTreeMap<SkillId, u8>,
        prefer: BTreeMap<SkillId, u8>,
        priority: Duration,
    },
    /// The caller pressed a key that the menu has.
    Key { menu: MenuId, digit: char },
    /// Play these one after the other in place of whatever plays; then give `Ended`.
    Play(Vec<PromptId>),
    /// Stop what plays; no `Ended` is awaited.
    StopPlaying,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// Before `Start`.
    Fresh,
    /// The prompt plays; if its end is never told, it counts as ended at `until`.
    Playing { until: Instant },
    /// The prompt is over and no key came yet.
    Waiting { until: Instant },
    #[default]
    Done,
}

/// One caller's way through the menus. He finishes on the menus that he began with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    state: State,
    menus: Arc<Menus>,
    menu: MenuId,
    /// Wrong keys and timeouts in this menu.
    failures: u32,
    /// Menus entered, this one included.
    entered: u32,
    entered_max: u32,
    /// What the keys pressed so far ask of an agent.
    skills: BTreeMap<SkillId, u8>,
    /// What an agent had better be able to do.
    prefer: BTreeMap<SkillId, u8>,
    /// The greatest priority that a key gave.
    priority: Duration,
}

impl Session {
    /// A caller who is about to enter `menu`.
    pub fn new(menus: Arc<Menus>, menu: MenuId, config: &Config) -> Self {
        Self {
            state: Fresh,
            menus,
            menu,
            failures: 0,
            entered: 0,
            entered_max: config.menus_max,
            skills: BTreeMap::new(),
            prefer: BTreeMap::new(),
            priority: Duration::ZERO,
        }
    }

    /// Applies one input and appends what must be done about it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        self.state = match (mem::take(&mut self.state), input) {
            (Fresh, Start) => self.enter(now, self.menu.clone(), out),
            (Playing { .. }, Pressed(key)) => {
                out.push(Output::StopPlaying);
                self.press(now, key, out)
            }
            (Waiting { .. }, Pressed(key)) => self.press(now, key, out),
            (Playing { .. }, Ended) => self.wait(now),
            (Playing { until }, Tick) if now >= until => self.wait(now),
            (Waiting { until }, Tick) if now >= until => self.fail(now, Failure::NoInput, out),
            (state, Pressed(_) | Ended | Start | Tick) => state, // absorbed
        };
    }

    /// When to send the next `Tick`, if no other input comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        match self.state {
            Playing { until } | Waiting { until } => Some(until),
            Fresh | Done => None,
        }
    }

    /// The menu that the caller is in.
    pub fn menu(&self) -> &MenuId {
        &self.menu
    }

    /// Whether `Go` was said.
    pub fn is_done(&self) -> bool {
        self.state == Done
    }

    fn enter(&mut self, now: Instant, menu: MenuId, out: &mut Vec<Output>) -> State {
        let Some(entered) = self.menus.get(&menu).cloned() else {
            // The configuration's check refuses such targets.
            return self.go(Target::Hangup(NOT_FOUND), out);
        };
        if self.entered >= self.entered_max {
            let on_fail = self.menus.get(&self.menu).map(|menu| menu.on_fail.clone());
            let leaves = on_fail.filter(|target| !matches!(target, Target::Menu(_)));
            return self.go(leaves.unwrap_or(Target::Hangup(LOOP)), out);
        }
        self.entered += 1;
        self.failures = 0;
        self.menu = menu.clone();
        out.push(Output::Enter { menu });
        self.play(now, None, &entered, out)
    }

    /// Plays what went wrong, if anything, and the prompt.
    fn play(
        &self,
        now: Instant,
        wrong: Option<&PromptId>,
        menu: &Menu,
        out: &mut Vec<Output>,
    ) -> State {
        let prompts: Vec<_> = wrong.into_iter().chain(&menu.prompt).cloned().collect();
        if prompts.is_empty() {
            return Waiting { until: now + menu.timeout };
        }
        out.push(Output::Play(prompts));
        Playing { until: now + PROMPT_TIME_MAX }
    }

    fn wait(&self, now: Instant) -> State {
        let timeout = self.menus.get(&self.menu).map_or(Duration::ZERO, |menu| menu.timeout);
        Waiting { until: now + timeout }
    }

    fn press(&mut self, now: Instant, key: char, out: &mut Vec<Output>) -> State {
        let menu = self.menus.get(&self.menu);
        let found = Digit::new(key).and_then(|digit| menu?.keys.get(&digit)).cloned();
        let Some(Key { target, skills, prefer, priority, set }) = found else {
            return self.fail(now, Failure::WrongKey, out);
        };
        out.push(Output::Key { menu: self.menu.clone(), digit: key });
        self.skills.extend(skills);
        self.prefer.extend(prefer);
        self.priority = self.priority.max(priority);
        if !set.is_empty() {
            out.push(Output::Collected(set));
        }
        self.follow(now, target, out)
    }

    fn fail(&mut self, now: Instant, failure: Failure, out: &mut Vec<Output>) -> State {
        let Some(menu) = self.menus.get(&self.menu).cloned() else {
            return self.go(Target::Hangup(NOT_FOUND), out);
        };
        self.failures = self.failures.saturating_add(1);
        if self.failures > menu.retries {
            return self.follow(now, menu.on_fail, out);
        }
        let wrong = match failure {
            Failure::NoInput => &menu.no_input,
            Failure::WrongKey => &menu.invalid,
        };
        self.play(now, Some(wrong), &menu, out)
    }

    fn follow(&mut self, now: Instant, target: Target, out: &mut Vec<Output>) -> State {
        match target {
            Target::Menu(menu) => self.enter(now, menu, out),
            target => self.go(target, out),
        }
    }

    fn go(&mut self, target: Target, out: &mut Vec<Output>) -> State {
        let (skills, prefer) = (mem::take(&mut self.skills), mem::take(&mut self.prefer));
        let priority = mem::take(&mut self.priority);
        out.push(Output::Go { target, skills, prefer, priority });
        Done
    }
}

/// Why the prompt is heard again.
#[derive(Clone, Copy, Debug)]
enum Failure {
    NoInput,
    WrongKey,
}

/// A prompt whose end is not told within this counts as ended.
const PROMPT_TIME_MAX: Duration = Duration::from_secs(600);
/// What a caller gets whose menu does not exist.
const NOT_FOUND: u16 = 404;
/// What a caller gets who is led in a circle (RFC 3261 §21.4.20, Loop Detected).
const LOOP: u16 = 482;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_leads_to_its_target() {
        let mut caller = Caller::in_menu("main");

        assert_eq!(caller.start(), [enters("main"), plays(&["welcome"])]);
        assert_eq!(caller.gets(Ended), []);
        assert_eq!(caller.gets(Pressed('1')), [key("main", '1'), goes("queue:sales")]);
        assert!(caller.session.is_done());
        assert_eq!(caller.session.next_tick(), None);
    }

    #[test]
    fn a_key_during_the_prompt_stops_it() {
        let mut caller = Caller::in_menu("main");
        caller.start();

        let out = caller.gets(Pressed('1'));

        assert_eq!(out, [Output::StopPlaying, key("main", '1'), goes("queue:sales")]);
    }

    #[test]
    fn silence_is_asked_again_then_fails() {
        let mut caller = Caller::in_menu("main");
        caller.start();

        for _ in 0..2 {
            caller.gets(Ended);
            assert_eq!(caller.after(Duration::from_millis(4999)), []);
            assert_eq!(caller.after(Duration::from_millis(1)), [plays(&["no-input", "welcome"])]);
        }
        caller.gets(Ended);
        assert_eq!(caller.after(Duration::from_secs(5)), [goes("hangup:480")]);
    }

    #[test]
    fn wrong_keys_are_told_and_counted() {
        let mut caller = Caller::in_menu("main");
        caller.start();
        let again = [Output::StopPlaying, plays(&["invalid", "welcome"])];

        assert_eq!(caller.gets(Pressed('7')), again);
        assert_eq!(caller.gets(Pressed('D')), again);
        assert_eq!(caller.gets(Pressed('7')), [Output::StopPlaying, goes("hangup:480")]);
    }

    #[test]
    fn wrong_keys_in_the_menu_before_do_not_count() {
        let mut caller = Caller::in_menu("main");
        caller.start();
        caller.gets(Pressed('7'));
        caller.gets(Pressed('7'));
        caller.gets(Pressed('2'));

        let out = caller.gets(Pressed('7'));

        assert_eq!(out, [Output::StopPlaying, plays(&["invalid", "ask"])]);
    }

    #[test]
    fn skills_and_data_of_nested_menus_add_up() {
        let mut caller = Caller::in_menu("main");
        caller.start();

        let out = caller.gets(Pressed('2'));
        let topic = BTreeMap::from([("topic".to_owned(), "vpn".to_owned())]);
        assert_eq!(
            out[1..],
            [key("main", '2'), Output::Collected(topic), enters("sub"), plays(&["ask"])]
        );

        let out = caller.gets(Pressed('#'));
        let skills = BTreeMap::from([("vpn".into(), 2), ("english".into(), 3)]);
        let target = "queue:support".parse().unwrap();
        let priority = Duration::from_secs(60);
        assert_eq!(
            out.last(),
            Some(&Output::Go {
                target,
                skills,
                prefer: BTreeMap::from([("french".into(), 1)]),
                priority
            })
        );
    }

    #[test]
    fn a_circle_of_menus_ends() {
        let mut caller = Caller::in_menu("sub");
        caller.start();

        let mut keys = 0;
        while !caller.session.is_done() {
            caller.gets(Pressed('*'));
            keys += 1;
        }

        assert_eq!(keys, Config::default().menus_max);
        assert_eq!(caller.last, Some(goes("queue:sales"))); // on_fail of `sub`
    }

    #[test]
    fn a_circle_of_failures_is_hung_up() {
        let mut caller = Caller::in_menu("circle");
        caller.start();

        let out = caller.after(Duration::from_secs(24 * 3600));

        assert_eq!(out.last(), Some(&goes("hangup:482")));
        let entered = out.iter().filter(|out| matches!(out, Output::Enter { .. })).count();
        assert_eq!(u32::try_from(entered), Ok(Config::default().menus_max - 1));
    }

    #[test]
    fn a_prompt_that_never_ends_is_not_waited_for() {
        let mut caller = Caller::in_menu("main");
        caller.start();

        caller.after(Duration::from_secs(24 * 3600));

        assert_eq!(caller.last, Some(goes("hangup:480")));
    }

    #[test]
    fn what_comes_after_the_end_is_absorbed() {
        let mut caller = Caller::in_menu("main");
        assert_eq!(caller.gets(Pressed('1')), []); // before the start too
        caller.start();
        caller.gets(Pressed('1'));

        for input in [Start, Ended, Pressed('1'), Tick] {
            assert_eq!(caller.gets(input), []);
        }
    }

    #[test]
    fn a_menu_that_is_gone_is_not_found() {
        let mut caller = Caller::in_menu("nowhere");

        assert_eq!(caller.start(), [goes("hangup:404")]);
    }

    #[test]
    fn a_session_survives_being_written_down() {
        let mut caller = Caller::in_menu("main");
        caller.start();
        caller.gets(Pressed('2'));

        let text = serde_json::to_string(&caller.session).unwrap();
        caller.session = serde_json::from_str(&text).unwrap();

        assert_eq!(caller.session.menu().as_str(), "sub");
        assert_eq!(caller.gets(Pressed('9')), [Output::StopPlaying, plays(&["invalid", "ask"])]);
    }

    proptest! {
        /// Whatever a caller does: one `Go` at the end, nothing after it, no playing left over.
        #[test]
        fn every_caller_comes_out_once(steps in vec((0..6_u8, 0..7000_u64), 0..200)) {
            let mut caller = Caller::in_menu("main");
            let mut out = caller.start();
            for (what, wait) in steps {
                let keys = [Pressed('1'), Pressed('2'), Pressed('*'), Pressed('8'), Ended, Tick];
                out.extend(caller.gets(keys[usize::from(what)]));
                out.extend(caller.after(Duration::from_millis(wait)));
            }
            out.extend(caller.after(Duration::from_secs(365 * 24 * 3600)));

            prop_assert!(caller.session.is_done());
            let gone = out.iter().filter(|out| matches!(out, Output::Go { .. })).count();
            prop_assert_eq!(gone, 1);
            let is_last = matches!(out.last(), Some(Output::Go { .. }));
            prop_assert!(is_last, "{:?}", out.last());
        }
    }

    const MENUS: &str = r##"
        [main]
        prompt = "welcome"
        retries = 2
        [main.keys]
        1 = "queue:sales"
        2 = { target = "menu:sub", skills = { vpn = 2 }, set = { topic = "vpn" } }
        [sub]
        prompt = "ask"
        on_fail = "queue:sales"
        [sub.keys]
        "*" = "menu:sub"
        [sub.keys."#"]
        target = "queue:support"
        skills = { english = 3 }
        prefer = { french = 1 }
        priority = "60s"
        [circle]
        retries = 0
        on_fail = "menu:circle"
    "##;

    /// One caller in virtual time.
    struct Caller {
        session: Session,
        now: Instant,
        last: Option<Output>,
    }

    impl Caller {
        fn in_menu(menu: &str) -> Self {
            let menus = Arc::new(toml::from_str(MENUS).unwrap());
            let session = Session::new(menus, menu.into(), &Config::default());
            Self { session, now: Instant::START, last: None }
        }

        fn start(&mut self) -> Vec<Output> {
            self.gets(Start)
        }

        fn gets(&mut self, input: Input) -> Vec<Output> {
            let mut out = Vec::new();
            self.session.handle(self.now, input, &mut out);
            self.last = out.last().cloned().or(self.last.take());
            out
        }

        /// Lets `wait` pass, ticking whenever the machine asked to be.
        fn after(&mut self, wait: Duration) -> Vec<Output> {
            let end = self.now + wait;
            let mut out = Vec::new();
            while let Some(due) = self.session.next_tick().filter(|due| *due <= end) {
                self.now = due;
                out.extend(self.gets(Tick));
            }
            self.now = end;
            out
        }
    }

    fn enters(menu: &str) -> Output {
        Output::Enter { menu: menu.into() }
    }

    fn goes(target: &str) -> Output {
        Output::Go {
            target: target.parse().unwrap(),
            skills: BTreeMap::new(),
            prefer: BTreeMap::new(),
            priority: Duration::ZERO,
        }
    }

    fn key(menu: &str, digit: char) -> Output {
        Output::Key { menu: menu.into(), digit }
    }

    fn plays(prompts: &[&str]) -> Output {
        Output::Play(prompts.iter().map(|prompt| PromptId::from(*prompt)).collect())
    }
}
