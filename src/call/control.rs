//! Orders of programs and administrators: a call for an account, sent on, held, taken back.
//!
//! In:       what is ordered and by whom; what becomes of it shows in the call's facts.
//! Out:      the same as phones cause: rings, transfers, music; a fact that says who ordered it.
//! Not here: whether an account may call there, hanging up (`call::call`), gRPC (`shell::grpc`).
//!
//! A call for an account first rings the account's own phones, which show whom it is for; who
//! answers is the caller from then on, and the call goes where the number leads.

use std::sync::Arc;

use thiserror::Error;

use crate::call::call::{Call, Output, Stage};
use crate::call::caller::Caller;
use crate::call::ending::ADMINISTRATOR;
use crate::call::leg;
use crate::call::site::{Plan, Site};
use crate::call::supervision::Wish;
use crate::call::transfer::Sent;
use crate::cdr::entry::{Fact, HungUpBy, OrderKind};
use crate::id::{CallId, ExtensionId, LegId};
use crate::media::control::Command;
use crate::route::rules::Dest;
use crate::time::{Duration, Instant};

/// What somebody wants of a leg that talks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// It hears music, and the other side nothing, until `Resume`.
    Hold,
    /// As a member of a conference it is muted, heard again, or sent away.
    Member(OrderKind),
    /// The recording of what it talks is silent, or (false) hears again.
    PauseRecording(bool),
    Resume,
    /// It goes on to this number; the other side leaves when somebody is there.
    Transfer {
        to: String,
    },
}

/// Why an order cannot be carried out; nothing has changed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OrderError {
    #[error("it may not be sent there")]
    Forbidden,
    #[error("it is held already")]
    Held,
    #[error("it is muted already")]
    Muted,
    #[error("neither side is an extension, whose rights would count")]
    NoAccount,
    #[error("it is not held")]
    NotHeld,
    #[error("it is in no conference")]
    NotInConference,
    #[error("it is not muted")]
    NotMuted,
    #[error("its recording is not paused")]
    NotPaused,
    #[error("it is not recorded")]
    NotRecorded,
    #[error("it talks with nobody")]
    NotTalking,
    #[error("it cannot be sent there (status {0})")]
    NoWay(u16),
    #[error("its recording is paused already")]
    Paused,
    #[error("it was sent on too often")]
    TooOften,
}

/// A call that somebody orders for an account.
#[derive(Clone, Debug)]
pub struct Ordered {
    pub by: String,
    pub caller: Caller,
    pub extension: ExtensionId,
    /// Where the number leads, as a rule of the plan says.
    pub route: (String, Dest),
    /// Whom it is to supervise, if that is what it is for.
    pub wish: Option<Wish>,
    /// The account's phones are to answer by themselves.
    pub auto_answer: bool,
}

/// The account's own phones ring; whoever answers is the caller.
#[derive(Debug)]
pub(super) struct Summons {
    route: (String, Dest),
    pub auto_answer: bool,
}

impl Call {
    /// A call for an account; `None` if no media port is left.
    pub fn ordered(
        now: Instant,
        id: CallId,
        ordered: Ordered,
        plan: Arc<Plan>,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) -> Option<Self> {
        let thread = site.ports.thread()?;
        let Ordered { by, caller, extension, route, wish, auto_answer } = ordered;
        let mut call = Self::bare((now, site.settings.epoch), id, (caller, thread), plan);
        call.set_up(now, String::new(), out);
        let order = if wish.is_some() { OrderKind::Supervise } else { OrderKind::Dial };
        let to = Some(call.caller.dialled.clone());
        call.wish = wish;
        call.fact(now, out, Fact::Ordered { order, by, leg: None, to });
        call.summons = Some(Summons { route, auto_answer });
        let account = call.plan.extensions.get(&extension);
        let wait = account.map_or(Duration::ZERO, |account| account.ring_timeout);
        call.ring(now, site, &extension, wait, out);
        call.sweep(now, site, out);
        Some(call)
    }

    /// Whether the caller's own phones ring, which a program has ordered.
    pub fn is_summoning(&self) -> bool {
        self.summons.is_some()
    }

    /// A phone of the account was answered: its person is the caller.
    pub(super) fn summoned(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, summons): (LegId, Summons),
        out: &mut Vec<Output>,
    ) {
        (self.party, self.first) = (leg, leg);
        let identity = self.caller.identity();
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.identity = identity;
        }
        self.answered = Some(now);
        self.fact(now, out, Fact::Answered);
        self.route(now, site, summons.route, out);
    }

    /// Ends the call because somebody wants it.
    pub fn hang_up(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        by: String,
        out: &mut Vec<Output>,
    ) {
        if matches!(self.stage, Stage::Ending(_)) {
            return;
        }
        let order = OrderKind::HangUp;
        self.fact(now, out, Fact::Ordered { order, by, leg: None, to: None });
        self.end(now, site, HungUpBy::Switch, (480, 16, ADMINISTRATOR), out);
        self.sweep(now, site, out);
    }

    /// Carries out an order about a leg.
    ///
    /// # Errors
    ///
    /// If it cannot be carried out; nothing has changed then.
    pub fn obey(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, order, by): (LegId, Order, String),
        out: &mut Vec<Output>,
    ) -> Result<(), OrderError> {
        if let Order::Member(order) = order {
            self.order_member(now, site, (leg, order, by), out)?;
            self.sweep(now, site, out);
            return Ok(());
        }
        let other = self.talks_with(leg).ok_or(OrderError::NotTalking)?;
        let fact = |order, to, by| Fact::Ordered { order, by, leg: Some(leg), to };
        match order {
            Order::Member(_) => {} // it was carried out above
            Order::PauseRecording(pause) => self.pause_recording(now, (pause, by), out)?,
            Order::Hold if self.is_held_by_us(leg) => return Err(OrderError::Held),
            Order::Hold => {
                self.fact(now, out, fact(OrderKind::Hold, None, by));
                self.drive(now, site, leg, leg::Input::Hold(true), out);
                self.play_hold_music(leg, out);
            }
            Order::Resume if !self.is_held_by_us(leg) => return Err(OrderError::NotHeld),
            Order::Resume => {
                self.fact(now, out, fact(OrderKind::Resume, None, by));
                self.drive(now, site, leg, leg::Input::Hold(false), out);
                self.held_no_more(leg, out);
            }
            Order::Transfer { to } => {
                let sent = self.way_for(now, site, (leg, other), &to)?;
                self.fact(now, out, fact(OrderKind::Transfer, Some(to), by));
                self.transfer(now, site, sent, out);
            }
        }
        self.transfer_progress(now, site, out);
        self.sweep(now, site, out);
        Ok(())
    }

    /// How a leg is sent on by order: with the rights of the other side's account, which gets it
    /// back if nobody takes it; or with its own, if the other side has none.
    fn way_for(
        &self,
        now: Instant,
        site: &Site<'_>,
        (leg, other): (LegId, LegId),
        to: &str,
    ) -> Result<Sent, OrderError> {
        if self.has_moved_too_often() {
            return Err(OrderError::TooOften);
        }
        let account = |leg| self.legs.get(&leg).and_then(|leg| leg.extension.clone());
        let owner = account(other);
        let rights = owner.clone().or_else(|| account(leg)).ok_or(OrderError::NoAccount)?;
        let way = self.way_to(now, site, &rights, to).map_err(|status| match status {
            403 => OrderError::Forbidden,
            status => OrderError::NoWay(status),
        })?;
        let referred_by = owner.as_ref().map(|owner| self.referrer(site, owner));
        Ok(Sent { by: other, owner, referred_by, to: to.to_owned(), way, ordered: true })
    }

    /// Whether we have put the leg's phone on hold.
    pub(super) fn is_held_by_us(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.audio().wants_hold())
    }

    /// A leg hears the other side again, unless that side holds it too.
    pub(super) fn held_no_more(&mut self, leg: LegId, out: &mut Vec<Output>) {
        let other = self.talks_with(leg).and_then(|other| self.legs.get(&other));
        if other.is_some_and(|other| !other.audio().is_held()) {
            self.order(Command::Stop { leg }, out);
        }
    }

    /// A phone does not let itself be held, or not be taken back: it hears what is true.
    pub(super) fn not_modified(&mut self, now: Instant, leg: LegId, out: &mut Vec<Output>) {
        if self.talks_with(leg).is_none() {
            return;
        }
        let (order, by) = match self.is_held_by_us(leg) {
            true => (OrderKind::Hold, REFUSED.to_owned()),
            false => (OrderKind::Resume, REFUSED.to_owned()),
        };
        self.fact(now, out, Fact::Ordered { order, by, leg: Some(leg), to: None });
        match order {
            OrderKind::Hold => self.play_hold_music(leg, out),
            _ => self.held_no_more(leg, out),
        }
    }

    /// Takes back whom somebody ordered to be held, as a conversation begins.
    pub(super) fn take_back(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        legs: [LegId; 2],
        out: &mut Vec<Output>,
    ) {
        for leg in legs {
            if self.is_held_by_us(leg) {
                self.drive(now, site, leg, leg::Input::Hold(false), out);
            }
        }
    }
}

/// Who is named where a phone has refused what was ordered.
const REFUSED: &str = "refused";
