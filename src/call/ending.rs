//! The end of a call: everyone leaves, the books are closed when the last media is.

use std::mem;

use crate::call::asking::Asking;
use crate::call::call::{Call, MEDIA_WAIT_MAX, Output, SEALING_WAIT_MAX, Stage};
use crate::call::leg;
use crate::call::site::Site;
use crate::cdr::entry::{Fact, HungUpBy, OfferOutcome, ParkLeft, QueueLeft};
use crate::id::LegId;
use crate::media::control::Command;
use crate::time::Instant;

/// What is left to do after the end.
#[derive(Debug)]
pub struct Ending {
    by: HungUpBy,
    status: u16,
    cause: u8,
    reason: &'static str,
    at: Instant,
    recorded: bool,
}

impl Ending {
    /// When the books are closed although something is missing: soon, if that is a recording on a
    /// slow disk, whose end can follow.
    pub fn next_tick(&self, has_audio: bool) -> Option<Instant> {
        let patience = if has_audio { MEDIA_WAIT_MAX } else { SEALING_WAIT_MAX };
        (!self.recorded).then(|| self.at + patience)
    }

    /// Whether the last fact is written.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }
}

impl Call {
    /// Ends the call for everyone; `status` is for a caller who was not answered yet.
    pub(super) fn end(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        by: HungUpBy,
        (status, cause, reason): (u16, u8, &'static str),
        out: &mut Vec<Output>,
    ) {
        let stage = match self.take_stage() {
            Stage::Ending(ending) => {
                self.stage = Stage::Ending(ending);
                return;
            }
            stage => stage,
        };
        self.stage = Stage::Ending(Ending {
            by,
            status: if self.answered.is_some() { 200 } else { status },
            cause,
            reason,
            at: now,
            recorded: false,
        });
        self.leave_stage(now, site, stage, (by, reason), out);
        self.leave_unconfirmed(now, site, out);
        self.transfer_abandoned(now, site, out);
        let recorded: Vec<LegId> = self.open_recordings.keys().copied().collect();
        for leg in recorded {
            if self.legs.get(&leg).is_some_and(|leg| !leg.is_leaving()) {
                self.order(Command::StopRecording { leg }, out);
            }
        }
        let caller = match self.answered {
            Some(_) => leg::Input::HangUp(None),
            None => leg::Input::Refuse(status),
        };
        self.drive(now, site, self.party, caller, out);
        let party = self.party;
        let others: Vec<LegId> = self.legs.keys().copied().filter(|leg| *leg != party).collect();
        for leg in others {
            self.drive(now, site, leg, leg::Input::HangUp(None), out);
        }
        self.end_holds(now, out);
    }

    /// Closes what the caller was in.
    fn leave_stage(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        stage: Stage,
        (by, reason): (HungUpBy, &str),
        out: &mut Vec<Output>,
    ) {
        let cut_off = reason == NODE_STOP;
        let outcome = match by {
            _ if cut_off => OfferOutcome::NodeRestart,
            HungUpBy::Caller => OfferOutcome::CallerGone,
            HungUpBy::Callee | HungUpBy::Switch => OfferOutcome::NoAnswer,
        };
        match stage {
            Stage::Conference(conference) => {
                self.end_pause(now, out);
                self.leave_conference(now, site, &conference, out);
            }
            Stage::Outgoing(outgoing) => {
                let leg = outgoing.leg();
                self.fact(now, out, Fact::AttemptEnded { leg, outcome, status: None });
            }
            Stage::Parked(parked) => {
                self.unpark(now, site, (&parked, ParkLeft::Abandoned), out);
            }
            Stage::Ringing(ringing) => {
                for leg in ringing.legs {
                    self.fact(now, out, Fact::OfferEnded { leg, outcome });
                }
            }
            Stage::Talking(talking) => self.end_talk(now, site, &talking, out),
            Stage::Waiting(waiting) => {
                let queue = waiting.queue.clone();
                let promised = matches!(waiting.asking, Some(Asking::Promising));
                let gone = if cut_off { outcome } else { OfferOutcome::CallerGone };
                for leg in waiting.rung() {
                    self.fact(now, out, Fact::OfferEnded { leg, outcome: gone });
                }
                match &waiting.winner {
                    Some(winner) => {
                        let winner = (&winner.agent, false);
                        site.acd.not_joined(now, self.acd_id, winner, site.decided);
                    }
                    None => site.acd.leave(now, self.acd_id, site.decided),
                }
                if !promised {
                    self.keep_place(now, site, &waiting);
                }
                let why = match promised {
                    true => QueueLeft::Callback,
                    false if cut_off => QueueLeft::NodeRestart,
                    false if reason == ADMINISTRATOR => QueueLeft::HungUp,
                    false => QueueLeft::Abandoned,
                };
                self.fact(now, out, Fact::QueueLeft { queue, why });
            }
            Stage::Camping(_)
            | Stage::Confirming(_)
            | Stage::Echo
            | Stage::Ending(_)
            | Stage::Listening { .. }
            | Stage::Dialling(_)
            | Stage::Menu(_)
            | Stage::Routing => {}
        }
    }

    /// Writes the call's last fact when all media has reported, or is overdue.
    pub(super) fn settle(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        let (is_recording, has_audio) = (self.is_recording(), !self.open_media.is_empty());
        let Stage::Ending(ending) = &mut self.stage else { return };
        let is_due = ending.next_tick(has_audio).is_some_and(|at| now >= at);
        if ending.recorded || !(is_due || !is_recording && !has_audio) {
            return;
        }
        ending.recorded = true;
        let at = ending.at;
        let fact = Fact::Ended {
            by: ending.by,
            status: ending.status,
            cause: ending.cause,
            reason: ending.reason.to_owned(),
        };
        // First, so that no moment of a crash lies between.
        for leg in mem::take(&mut self.open_recordings).into_keys() {
            tracing::warn!(call = %self.id, %leg, "a recording is not complete on the disk yet");
            out.push(Output::Recording { leg, call: self.id });
        }
        self.fact(at, out, fact);
        for thread in mem::take(&mut self.open_media).into_values() {
            site.ports.closed(thread);
        }
    }
}

/// Why calls end that are in progress when the node stops.
pub const NODE_STOP: &str = "node_stop";
/// The reason of calls that somebody has ended by order.
pub(super) const ADMINISTRATOR: &str = "administrator";
