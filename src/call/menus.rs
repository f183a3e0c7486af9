//! The caller in a menu.

use crate::call::call::{Call, Output, Stage};
use crate::call::site::Site;
use crate::cdr::entry::Fact;
use crate::id::MenuId;
use crate::ivr::machine::{Input, Output as Told, Session};
use crate::media::control::{Command, Sound};
use crate::time::Instant;

impl Call {
    pub(super) fn enter_menu(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        menu: MenuId,
        out: &mut Vec<Output>,
    ) {
        self.answer_caller(now, site, None, out);
        if !matches!(self.stage, Stage::Routing) {
            return; // the answer failed, and the call has ended
        }
        let machine = Session::new(self.plan.menus.clone(), menu, &self.plan.ivr);
        self.stage = Stage::Menu(Box::new(machine));
        self.menu_input(now, site, Input::Start, out);
    }

    pub(super) fn menu_input(
        &mut self,
        now: Instant,
        site: &mut Site<'_>,
        input: Input,
        out: &mut Vec<Output>,
    ) {
        let Stage::Menu(machine) = &mut self.stage else { return };
        let mut steps = Vec::new();
        machine.handle(now, input, &mut steps);
        for step in steps {
            match step {
                Told::Collected(values) => {
                    self.fact(now, out, Fact::Collected { values });
                }
                Told::Enter { menu } => self.fact(now, out, Fact::Menu { menu }),
                Told::Go { target, skills, prefer, priority } => {
                    self.skills.extend(skills);
                    self.prefer.extend(prefer);
                    self.priority = self.priority.max(priority);
                    self.order(Command::Stop { leg: self.party }, out);
                    self.go(now, site, target, out);
                    return;
                }
                Told::Key { menu, digit } => {
                    self.fact(now, out, Fact::Key { menu, digit });
                }
                Told::Play(prompts) => {
                    self.play(
                        self.party,
                        prompts.into_iter().map(Sound::Prompt).collect(),
                        false,
                        out,
                    );
                }
                Told::StopPlaying => {
                    self.order(Command::Stop { leg: self.party }, out);
                }
            }
        }
    }
}
