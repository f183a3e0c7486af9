//! What the legs of a call hear from us, and what the media threads say of them.

use crate::call::call::{Call, Output, Stage};
use crate::call::site::Site;
use crate::cdr::entry::{Fact, HungUpBy, Quality};
use crate::id::LegId;
use crate::ivr::collect::Input as CodeInput;
use crate::ivr::machine::Input as MenuInput;
use crate::media::control::{Command, Counts, Event, PlayId, Playback, Sound};
use crate::time::Instant;

impl Call {
    pub(super) fn media(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        event: Event,
        out: &mut Vec<Output>,
    ) {
        match event {
            Event::Closed { leg, counts } => {
                if self.open_media.remove(&leg) {
                    site.ports.closed();
                    self.fact(now, out, Fact::Media { leg, quality: quality(&counts) });
                }
            }
            Event::Digit { leg, digit } if leg == self.party => self.digit(now, site, digit, out),
            Event::Digit { .. } => {}
            Event::Ended { leg, playback, missing } => {
                for prompt in missing {
                    tracing::warn!(call = %self.id, %prompt, "prompt missing");
                }
                if leg == self.party && playback == self.caller_hears {
                    self.played(now, site, out);
                }
            }
            Event::Recorded { leg, recording } => {
                if self.open_recordings.remove(&leg) {
                    self.fact(
                        now,
                        out,
                        Fact::RecordingEnded {
                            leg,
                            path: recording.path.display().to_string(),
                            length_us: u64::try_from(recording.length.as_micros())
                                .unwrap_or(u64::MAX),
                            bytes: recording.bytes,
                            sha256: recording.sha256,
                            fault: recording.fault,
                        },
                    );
                }
            }
            Event::Spare { .. } => {}
        }
    }

    /// What was played to the caller came to its end.
    pub(super) fn played(&mut self, now: Instant, site: &mut Site<'_>, out: &mut Vec<Output>) {
        match &self.stage {
            Stage::Menu(_) => self.menu_input(now, site, MenuInput::Ended, out),
            Stage::Dialling(_) => self.code_input(now, site, CodeInput::Ended, out),
            Stage::Waiting(_) => self.waiting_played(now, site, out),
            Stage::Listening { reason, .. } => {
                let why = (200, 16, *reason);
                self.end(now, site, HungUpBy::Switch, why, out);
            }
            Stage::Echo => {
                let leg = self.party;
                out.push(Output::Media(self.thread, Command::Bridge { a: leg, b: leg }));
            }
            Stage::Ending(_) | Stage::Ringing(_) | Stage::Routing | Stage::Talking(_) => {}
        }
    }

    /// Plays to a leg whatever is in `sounds`; what was played before stops.
    pub(super) fn play(
        &mut self,
        leg: LegId,
        sounds: Vec<Sound>,
        repeat: bool,
        out: &mut Vec<Output>,
    ) {
        self.plays += 1;
        if leg == self.party {
            self.caller_hears = PlayId(self.plays);
        }
        let playback = Playback { id: PlayId(self.plays), sounds: sounds.into(), repeat };
        out.push(Output::Media(self.thread, Command::Play { leg, playback }));
    }

    /// Orders something of this call's media thread.
    pub(super) fn order(&self, command: Command, out: &mut Vec<Output>) {
        out.push(Output::Media(self.thread, command));
    }
}

fn quality(counts: &Counts) -> Quality {
    Quality {
        received: counts.received.packets,
        received_lost: counts.received.lost,
        received_jitter_us: counts.received.jitter_us,
        sent: counts.sent.packets,
        sent_lost: counts.sent.lost,
        sent_jitter_us: counts.sent.jitter_us,
        strangers: counts.strangers,
    }
}
