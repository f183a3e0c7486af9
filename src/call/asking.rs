//! A caller who waits asks to be called back: at which number, and whether that is right.
//!
//! In:       his keys, the end of what he hears, whether it is kept.
//! Out:      what he hears; `Output::CallBack` with all that is needed to call him.
//! Not here: the line, in which he stays meanwhile: an agent who answers has him at once.
//!
//! He is told that he will be called only when it is durable, so that no stop of the node breaks
//! the promise (`Input::Promised`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::acd::callback::Callback;
use crate::call::call::{Call, Output, Stage};
use crate::call::caller::{Caller, Origin};
use crate::call::queueing::Hears;
use crate::call::site::Site;
use crate::cdr::entry::{Fact, OfferOutcome, QueueLeft};
use crate::id::{CallId, ExtensionId, PromptId, QueueId, SkillId, Target, TrunkCall, TrunkId};
use crate::ivr::collect::{Ask, Collect, Input, Output as Asked};
use crate::ivr::speech;
use crate::media::control::Sound;
use crate::time::{Duration, Instant};

/// Where he is in it.
#[derive(Debug)]
pub(super) enum Asking {
    /// He has heard the number: 1 is right, 2 another.
    Choosing { number: String, collect: Collect },
    /// He types a number; so many before were none that may be called.
    Typing { collect: Collect, wrong: u8 },
    /// It is being written down.
    Promising,
}

/// What is needed to call somebody back.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The call in which he asked.
    pub asked_in: CallId,
    pub queue: QueueId,
    /// The number to call.
    pub number: String,
    pub way: Way,
    /// Who asked; his number is the one to call.
    pub caller: Caller,
    /// Since when he has waited, in whatever queue.
    pub since: Instant,
    /// When he came into this one.
    pub entered: Instant,
    pub skills: BTreeMap<SkillId, u8>,
    pub prefer: BTreeMap<SkillId, u8>,
    /// By how much menus or somebody let him come earlier than he did.
    pub priority: Duration,
}

/// How somebody is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    Extension(ExtensionId),
    Trunk(TrunkId),
}

impl Asking {
    pub fn next_tick(&self) -> Option<Instant> {
        match self {
            Self::Choosing { collect, .. } | Self::Typing { collect, .. } => collect.next_tick(),
            Self::Promising => None,
        }
    }
}

impl Call {
    /// What the queue says of callbacks in which the caller waits.
    pub(super) fn callback_config(&self) -> Option<Callback> {
        let Stage::Waiting(waiting) = &self.stage else { return None };
        self.plan.acd.queues.get(&waiting.queue)?.callback.clone()
    }

    /// The caller pressed the key of the callback.
    pub(super) fn ask_for_callback(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        let own = self.caller.number.clone();
        match self.way_back(now, &own) {
            Some(_) => self.choose_number(now, site, own, out),
            None => self.type_number(now, site, 0, out),
        }
    }

    /// How a number is called back that this caller has or types; none if it may not be.
    fn way_back(&self, now: Instant, number: &str) -> Option<Way> {
        let callback = self.callback_config()?;
        if let Origin::Extension(extension) = &self.caller.origin
            && extension.as_str() == number
        {
            return Some(Way::Extension(extension.clone()));
        }
        let digits = number.strip_prefix('+').unwrap_or(number);
        let is_number = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number || self.plan.emergency.has(number) {
            return None;
        }
        let trunk = callback.trunk.as_ref().or_else(|| self.caller.trunk())?.clone();
        let to = TrunkCall { trunk: trunk.clone(), number: Some(number.into()) };
        let classes = self.plan.access.classes_of(number, &Target::Trunk(to));
        let may = classes.iter().all(|class| callback.calls.contains(class))
            && self.plan.access.are_open(&classes, self.epoch.wall(now));
        may.then_some(Way::Trunk(trunk))
    }

    fn choose_number(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        number: String,
        out: &mut Vec<Output>,
    ) {
        let mut prompts = vec![PromptId::from("callback-number")];
        prompts.extend(speech::digits(&number));
        prompts.push("callback-choose".into());
        let collect = self.question(prompts, (1, 1));
        self.set_asking(now, site, Asking::Choosing { number, collect }, out);
    }

    fn type_number(&mut self, now: Instant, site: &mut Site<'_>, wrong: u8, out: &mut Vec<Output>) {
        let refused = (wrong > 0).then_some("callback-refused");
        let prompts = refused.into_iter().chain(["callback-type"]).map(PromptId::from).collect();
        let collect = self.question(prompts, (DIGITS_MIN, DIGITS_MAX));
        self.set_asking(now, site, Asking::Typing { collect, wrong }, out);
    }

    fn question(
        &self,
        prompts: Vec<PromptId>,
        (digits_min, digits_max): (usize, usize),
    ) -> Collect {
        let timeout = self.plan.ivr.digit_timeout;
        Collect::new(Ask { prompts, digits_min, digits_max, timeout, retries: 1 })
    }

    fn set_asking(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        asking: Asking,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        waiting.hears = Hears::Question;
        waiting.asking = Some(asking);
        self.asking_input(now, site, Input::Start, out);
    }

    /// Something happens while he asks.
    pub(super) fn asking_input(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        input: Input,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        let (Some(Asking::Choosing { collect, .. }) | Some(Asking::Typing { collect, .. })) =
            &mut waiting.asking
        else {
            return;
        };
        let mut steps = Vec::new();
        collect.handle(now, input, &mut steps);
        for step in steps {
            match step {
                Asked::Digits(digits) => self.asked_digits(now, site, digits.as_str(), out),
                Asked::Failed => self.asks_no_more(out),
                Asked::Play(prompts) => {
                    let sounds = prompts.into_iter().map(Sound::Prompt).collect();
                    self.play(self.party, sounds, false, out);
                }
                Asked::StopPlaying => self.play_silence(out),
            }
        }
    }

    fn asked_digits(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        digits: &str,
        out: &mut Vec<Output>,
    ) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        match waiting.asking.take() {
            Some(Asking::Choosing { number, .. }) => match digits {
                "1" => self.want_callback(now, site, number, out),
                "2" => self.type_number(now, site, 0, out),
                _ => self.asks_no_more(out),
            },
            Some(Asking::Typing { wrong, .. }) => match self.way_back(now, digits) {
                Some(_) => self.choose_number(now, site, digits.to_owned(), out),
                None if wrong + 1 < WRONG_MAX => self.type_number(now, site, wrong + 1, out),
                None => self.cannot_be_called(out),
            },
            Some(Asking::Promising) | None => {}
        }
    }

    /// Has the callback written down.
    fn want_callback(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        number: String,
        out: &mut Vec<Output>,
    ) {
        let Some(way) = self.way_back(now, &number) else {
            return self.type_number(now, site, 1, out); // not at this time any more
        };
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        waiting.asking = Some(Asking::Promising);
        let (queue, since, entered) = (waiting.queue.clone(), waiting.since, waiting.entered);
        let mut caller = self.caller.clone();
        if number != caller.number {
            (caller.sent, caller.e164) = (number.clone(), None);
            caller.number.clone_from(&number);
        }
        let (skills, prefer) = (self.skills.clone(), self.prefer.clone());
        let priority = self.priority;
        let wanted = Wanted {
            asked_in: self.id,
            queue,
            number,
            way,
            caller,
            since,
            entered,
            skills,
            prefer,
            priority,
        };
        out.push(Output::CallBack(Box::new(wanted)));
    }

    /// The callback is durable, or (false) there is none: not kept, or not to be had.
    pub(super) fn promised(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        promised: bool,
        out: &mut Vec<Output>,
    ) {
        if !self.is_promised() {
            return;
        }
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if !promised {
            waiting.asking = None;
            self.cannot_be_called(out);
            return;
        }
        let Stage::Waiting(waiting) = self.take_stage() else { return };
        for leg in waiting.rung() {
            self.stop_ringing(now, site, leg, OfferOutcome::CallerGone, out);
        }
        site.acd.leave(now, self.acd_id, site.decided);
        let (queue, why) = (waiting.queue, QueueLeft::Callback);
        self.fact(now, out, Fact::QueueLeft { queue, why });
        self.announce(now, site, "callback-set".into(), "callback", out);
    }

    /// Whether he has asked, and waits to hear that it is kept.
    pub(super) fn is_promised(&self) -> bool {
        matches!(
            &self.stage,
            Stage::Waiting(waiting)
                if waiting.winner.is_none() && matches!(waiting.asking, Some(Asking::Promising))
        )
    }

    fn cannot_be_called(&mut self, out: &mut Vec<Output>) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        waiting.asking = None;
        waiting.hears = Hears::Notice;
        self.play(self.party, vec![Sound::Prompt("callback-sorry".into())], false, out);
    }

    /// He asks no more, and waits on.
    fn asks_no_more(&mut self, out: &mut Vec<Output>) {
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        waiting.asking = None;
        waiting.hears = Hears::Music;
        self.play_music(out);
    }

    /// Offers a callback to who has waited long enough, when nothing else is said.
    pub(super) fn offer_callback(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Some(callback) = self.callback_config() else { return };
        let Stage::Waiting(waiting) = &mut self.stage else { return };
        if waiting.offer_at.is_none_or(|at| now < at) {
            return;
        }
        if waiting.hears != Hears::Music || waiting.asking.is_some() {
            waiting.offer_at = Some(now + LATER);
            return;
        }
        waiting.offer_at = None;
        waiting.hears = Hears::Notice;
        let mut prompts = vec![PromptId::from("callback-offer")];
        prompts.extend(speech::digits(&callback.key));
        self.play(self.party, prompts.into_iter().map(Sound::Prompt).collect(), false, out);
    }
}

/// Digits of a number that is called back.
const DIGITS_MIN: usize = 3;
const DIGITS_MAX: usize = 20;
/// Numbers that he may type which may not be called.
const WRONG_MAX: u8 = 3;
/// When it is tried again to offer it to who heard something else.
const LATER: Duration = Duration::from_secs(5);
