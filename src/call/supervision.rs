//! A supervisor in somebody else's call: he listens, whispers to the agent, speaks with both, or
//! takes the call over.
//!
//! In:       the code `supervise` and an agent's id, or an order; the supervisor's keys.
//! Out:      his leg in the agent's call; who hears whom; facts.
//! Not here: whose calls he may join (`switch::supervision`), mixing (`media::room`).
//!
//! His leg is handed over to the agent's call, which lives on as it was: nobody is told, no
//! phone is asked anything, no lamp changes. It ends with the talk that he joined: when somebody
//! hangs up, when the agent sends the other side on, when somebody takes a place in the call. While
//! the agent holds the other side, the supervisor hears what the phones send: the other side, not
//! its music.

use crate::call::call::{Call, Output, Stage};
use crate::call::joining::{Joined, Joining, Place};
use crate::call::leg::{self, Leg};
use crate::call::site::Site;
use crate::call::talking::Talking;
use crate::cdr::entry::{Fact, HungUpBy, JoinWhy, OrderKind, SupervisorMode};
use crate::id::{AgentId, ExtensionId, LegId};
use crate::media::control::{Command, Ear, Party, Room, RoomId};
use crate::route::config::Code;
use crate::time::Instant;

/// Somebody who supervises a talk.
#[derive(Clone, Debug)]
pub struct Supervisor {
    pub leg: LegId,
    pub extension: ExtensionId,
    /// The agent's leg, and who he is.
    of: LegId,
    pub agent: AgentId,
    pub mode: SupervisorMode,
}

/// Whom somebody wants to supervise, and how he begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub agent: AgentId,
    pub mode: SupervisorMode,
}

/// Puts a supervisor's leg into the call of an agent, who talks at the leg `of`.
///
/// # Errors
///
/// A status, if that cannot be; nothing has changed then, but the supervisor may have been
/// answered.
pub fn supervise(
    now: Instant,
    site: &mut Site<'_>,
    (from, guest): (&mut Call, LegId),
    (to, of): (&mut Call, LegId),
    out: &mut Vec<Output>,
) -> Result<Joined, u16> {
    let Some(Joining::Supervisor(wish)) = from.joining.clone() else { return Err(GONE) };
    to.talks_with(of).ok_or(NO_TALK)?;
    let extension = from.caller.extension().cloned().ok_or(GONE)?;
    if to.supervisors.len() >= SUPERVISORS_MAX {
        return Err(BUSY);
    }
    if !from.moving.is_empty() {
        return Err(PENDING);
    }
    let spoken = to.legs.get(&of).map(|leg| leg.spoken(&site.settings.codecs));
    from.be_there(now, site, guest, spoken.unwrap_or_default(), out)?;
    from.joining = None;
    from.take_stage();
    from.order(Command::Stop { leg: guest }, out);
    from.hand_over(to, guest);
    to.bring(site, guest, to.thread, out);
    let joined = |other| Fact::Joined { leg: guest, place: of, other, why: JoinWhy::Supervise };
    to.fact(now, out, joined(from.id));
    from.fact(now, out, joined(to.id));
    let Wish { agent, mode } = wish;
    to.supervisors.push(Supervisor { leg: guest, extension, of, agent, mode });
    to.set_mode(now, site, (guest, mode), out);
    from.end(now, site, HungUpBy::Switch, (200, 16, "joined"), out);
    from.settle(now, site, out);
    Ok(Joined { heir: to.id, moved: vec![guest], acd: None })
}

impl Call {
    /// Whether it is known whom the caller wants to supervise: by an order, or by the number.
    pub(super) fn names_whom(&self) -> bool {
        self.wish.is_some() || !self.number_after(Code::Supervise).is_empty()
    }

    /// The caller wants to supervise an agent: the one whose id he typed, or who is ordered, or
    /// whose id follows the code.
    pub(super) fn supervise(&mut self, typed: Option<AgentId>, out: &mut Vec<Output>) {
        let dialled = || self.number_after(Code::Supervise).as_str().into();
        let plain = || {
            let agent = typed.unwrap_or_else(dialled);
            Wish { agent, mode: SupervisorMode::Listen }
        };
        let wish = self.wish.clone().unwrap_or_else(plain);
        let agent = wish.agent.clone();
        self.seek(|by| Place::Supervised { agent, by }, out);
        self.joining = Some(Joining::Supervisor(wish));
    }

    /// The caller may not supervise the agent, or the agent talks with nobody and is waited for.
    pub(super) fn not_supervised(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (wish, status): (Wish, u16),
        out: &mut Vec<Output>,
    ) {
        // A talk that just begins may have legs on their way: it is looked at again.
        let begins = status == PENDING && matches!(self.stage, Stage::Camping(_));
        if (status == NO_TALK || begins) && self.camp(now, site, wish, out) {
            return;
        }
        let reason = match status {
            FORBIDDEN => "supervision_refused",
            NO_TALK => "agent_not_talking",
            _ => "supervision_failed",
        };
        if self.answered.is_some() {
            self.announce(now, site, "agent-denied".into(), reason, out);
        } else {
            let why = (status, super::call::cause_of(status), reason);
            self.end(now, site, HungUpBy::Switch, why, out);
        }
    }

    /// Those who supervise this call.
    pub fn supervisors(&self) -> &[Supervisor] {
        &self.supervisors
    }

    /// The leg in a talk where an agent is, whose seat is `extension`; and whether the ACD brought
    /// the two together.
    pub fn talk_of(
        &self,
        agent: &AgentId,
        extension: Option<&ExtensionId>,
    ) -> Option<(LegId, bool)> {
        let Stage::Talking(talking) = &self.stage else { return None };
        if talking.agent.as_ref() == Some(agent) {
            return Some((talking.peer, true));
        }
        let extension = extension?;
        let sits = |leg: &LegId| {
            self.legs.get(leg).is_some_and(|leg| leg.extension.as_ref() == Some(extension))
        };
        let leg = [talking.peer, self.party].into_iter().find(sits)?;
        Some((leg, false))
    }

    /// Has a supervisor do something else, because somebody orders it.
    pub fn order_mode(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, mode, by): (LegId, SupervisorMode, String),
        out: &mut Vec<Output>,
    ) {
        let Some(supervisor) = self.supervisors.iter().find(|it| it.leg == leg) else { return };
        let to = Some(supervisor.agent.to_string());
        let order = OrderKind::Supervise;
        self.fact(now, out, Fact::Ordered { order, by, leg: Some(leg), to });
        self.set_mode(now, site, (leg, mode), out);
        self.sweep(now, site, out);
    }

    /// A key of a supervisor's phone; whether it is one.
    pub(super) fn supervisor_key(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, key): (LegId, char),
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(supervisor) = self.supervisors.iter().find(|it| it.leg == leg) else {
            return false;
        };
        let mode = match key {
            '1' => SupervisorMode::Listen,
            '2' => SupervisorMode::Whisper,
            '3' => SupervisorMode::Barge,
            '4' => SupervisorMode::TakeOver,
            _ => return true,
        };
        if supervisor.mode != mode {
            self.set_mode(now, site, (leg, mode), out);
        }
        true
    }

    /// Whether a leg supervises the talk, and is no part of it.
    pub(super) fn is_supervisor(&self, leg: LegId) -> bool {
        self.supervisors.iter().any(|supervisor| supervisor.leg == leg)
    }

    fn set_mode(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        (leg, mode): (LegId, SupervisorMode),
        out: &mut Vec<Output>,
    ) {
        let Some(at) = self.supervisors.iter().position(|it| it.leg == leg) else { return };
        let supervisor = &mut self.supervisors[at];
        supervisor.mode = mode;
        let Supervisor { extension, agent, of, .. } = supervisor.clone();
        self.fact(now, out, Fact::Supervised { leg, extension, agent, of, mode });
        if mode == SupervisorMode::TakeOver {
            let supervisor = self.supervisors.remove(at);
            self.give_over(now, site, &supervisor, out);
        } else {
            self.order_room(out);
        }
    }

    /// The supervisor talks in the agent's place; the agent has after-call work to do.
    fn give_over(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        supervisor: &Supervisor,
        out: &mut Vec<Output>,
    ) {
        let Supervisor { leg, of, .. } = *supervisor;
        let Stage::Talking(talking) = self.take_stage() else { return };
        self.end_talk(now, site, &talking, out);
        self.fact(now, out, Fact::SupervisionEnded { leg });
        let peer = if of == self.party {
            self.party = leg;
            talking.peer
        } else {
            leg
        };
        self.stage = Stage::Talking(Talking { peer, agent: None, music: talking.music });
        self.join(now, site, peer, out);
        self.drive(now, site, of, leg::Input::HangUp(None), out);
    }

    /// Whether one of the two who talk hears a supervisor too, mixed with the other.
    pub(super) fn hears_several(&self, leg: LegId) -> bool {
        self.supervisors.iter().any(|supervisor| match supervisor.mode {
            SupervisorMode::Listen | SupervisorMode::TakeOver => false,
            SupervisorMode::Whisper => supervisor.of == leg,
            SupervisorMode::Barge => true,
        })
    }

    /// Says who hears whom in a talk that is supervised; legs that are on their way follow.
    pub(super) fn order_room(&mut self, out: &mut Vec<Output>) {
        let Stage::Talking(talking) = &self.stage else { return };
        let holds = |leg| self.legs.get(&leg).is_some_and(|leg| leg.audio().is_held());
        let (a, b) = (self.party, talking.peer);
        // What is said in the room of who holds the other is not for a supervisor.
        let talk = [(a, b), (b, a)].map(|(leg, other)| Party {
            leg,
            heard_by: if holds(leg) { Ear::Only(other) } else { Ear::Everybody },
        });
        let supervisors = self.supervisors.iter().map(|supervisor| Party {
            leg: supervisor.leg,
            heard_by: match supervisor.mode {
                SupervisorMode::Listen => Ear::Nobody,
                SupervisorMode::Whisper => Ear::Only(supervisor.of),
                SupervisorMode::Barge | SupervisorMode::TakeOver => Ear::Everybody,
            },
        });
        let is_here = |party: &Party| !self.moving.contains_key(&party.leg);
        let parties = talk.into_iter().chain(supervisors).filter(is_here).collect();
        let id = RoomId(self.id.as_u64());
        let room = Room { id, parties, speakers_max: u8::MAX, tones: false };
        out.push(Output::Media(self.thread, Command::Room(Box::new(room))));
    }

    /// A supervisor has hung up; whether he was one.
    pub(super) fn supervisor_left(
        &mut self,
        now: Instant,
        leg: LegId,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(at) = self.supervisors.iter().position(|it| it.leg == leg) else { return false };
        self.supervisors.remove(at);
        self.fact(now, out, Fact::SupervisionEnded { leg });
        self.order_room(out);
        true
    }

    /// The talk is over, and with it all supervision.
    pub(super) fn end_supervision(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        out: &mut Vec<Output>,
    ) {
        for Supervisor { leg, .. } in std::mem::take(&mut self.supervisors) {
            self.fact(now, out, Fact::SupervisionEnded { leg });
            if self.legs.get(&leg).is_some_and(|leg| !Leg::is_leaving(leg)) {
                self.drive(now, site, leg, leg::Input::HangUp(None), out);
            }
        }
    }
}

/// Supervisors of one call.
const SUPERVISORS_MAX: usize = 8;
const BUSY: u16 = 486;
const FORBIDDEN: u16 = 403;
const GONE: u16 = 481;
/// The agent talks with nobody.
const NO_TALK: u16 = 480;
const PENDING: u16 = 491;
