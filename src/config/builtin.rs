//! The built-in site: what a newcomer gets who configured none.
//!
//! Extensions 1001 to 1010, each the seat of an agent who is there while its phone is registered;
//! queue 600, which rings them all in turn; menu 500, whose key 1 leads to the queue. So with two
//! phones, one calls 500, presses 1, and the other rings.

use std::sync::Arc;

use crate::acd::config::{Agent, Login, Queue};
use crate::config::Config;
use crate::id::{ExtensionId, Target};
use crate::ivr::config::{Digit, Key, Menu};
use crate::rng::Rng;
use crate::route::config::{Extension, Record, Secret};

impl Config {
    /// The defaults with the built-in site. Its extensions have no passwords yet.
    pub fn builtin() -> Self {
        let mut config = Self::default();
        config.add_site();
        config
    }

    /// Adds the built-in site if there are no extensions, agents, queues, menus and routes at all.
    pub fn add_site(&mut self) {
        let is_bare = self.extensions.is_empty()
            && self.acd.agents.is_empty()
            && self.acd.queues.is_empty()
            && self.menus.is_empty()
            && self.routes.is_empty();
        if !is_bare {
            return;
        }
        self.site_is_builtin = true;
        for number in 1001..=1010 {
            let id = number.to_string();
            let name = format!("Extension {number}");
            let extension = Extension { name, record: Record::Never, ..Extension::default() };
            self.extensions.insert(id.as_str().into(), extension);
            let agent = Agent {
                name: format!("Agent {number}"),
                extension: Some(id.as_str().into()),
                login: Login::Auto,
                ..Agent::default()
            };
            self.acd.agents.insert(id.as_str().into(), agent);
        }
        let queue = Queue {
            number: Some("600".to_owned()),
            members: self.acd.agents.keys().cloned().collect(),
            greeting: Some("recording-notice".into()),
            music: Some("hold".into()),
            record: crate::acd::config::Record::Always,
            ..Queue::default()
        };
        self.acd.queues.insert("600".into(), queue);
        let to_queue = Target::Queue("600".into());
        let one = Digit::new('1').expect("1 is a key of every phone");
        let menu = Menu {
            keys: [(one, Key::from(to_queue.clone()))].into(),
            number: Some("500".to_owned()),
            on_fail: to_queue,
            prompt: Some("welcome".into()),
            ..Menu::default()
        };
        self.menus = Arc::new([("500".into(), menu)].into());
    }

    /// The built-in site's extensions that have no password yet.
    pub fn without_password(&self) -> Vec<ExtensionId> {
        let without = self.extensions.iter().filter(|(_, extension)| extension.password.is_none());
        without.map(|(id, _)| id.clone()).collect()
    }

    /// Gives an extension its password; one that does not exist is passed over.
    pub fn give_password(&mut self, id: &ExtensionId, password: Secret) {
        if let Some(extension) = self.extensions.get_mut(id) {
            extension.password = Some(password);
        }
    }
}

/// A password that can be typed on a phone and not be guessed (59 bits): 12 letters and digits,
/// none of which looks like another.
pub fn generate_password(rng: &mut Rng) -> String {
    const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let letter = |rng: &mut Rng| char::from(LETTERS[rng.below(31) as usize]);
    (0..12).map(|_| letter(rng)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::rules::{Call, Dest};
    use crate::time::Wall;

    #[test]
    fn a_call_to_the_menu_can_reach_every_phone() {
        let site = Config::builtin();

        let extension = ExtensionId::from("1001");
        let (extension, at) = (Some(&extension), Wall::from_micros(0));
        let call = Call { from: "1001", to: "500", extension, trunk: None, at };
        let to = site.compile_routes().find(&call).target;
        assert_eq!(to, Dest::Target(Target::Menu("500".into())));
        let menu = &site.menus["500"];
        let key = &menu.keys[&Digit::new('1').unwrap()];
        assert_eq!(key.target, Target::Queue("600".into()));
        let seats: Vec<_> = site.acd.queues["600"]
            .members
            .iter()
            .filter_map(|agent| site.acd.agents[agent].extension.clone())
            .collect();
        assert_eq!(seats, site.extensions.keys().cloned().collect::<Vec<_>>());
    }

    #[test]
    fn passwords_are_given_to_those_without() {
        let mut site = Config::builtin();
        let mut rng = Rng::from_number(1);
        assert_eq!(site.without_password().len(), 10);

        for id in site.without_password() {
            site.give_password(&id, Secret::from(generate_password(&mut rng)));
        }

        assert_eq!(site.without_password(), []);
        let mut passwords: Vec<_> = site
            .extensions
            .values()
            .map(|extension| extension.password.as_ref().unwrap().expose())
            .collect();
        passwords.sort_unstable();
        passwords.dedup();
        assert_eq!(passwords.len(), 10);
    }

    #[test]
    fn a_configured_site_is_left_alone() {
        let mut config = Config::default();
        config.extensions.insert("7".into(), Extension::default());
        let before = config.clone();

        config.add_site();

        assert_eq!(config, before);
    }
}
