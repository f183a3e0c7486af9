//! What the Switch takes from the configuration: the plan of calls, settings, secrets.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use crate::acd::config::Agent;
use crate::call::{Plan, Settings};
use crate::config::Config;
use crate::id::{AgentId, ExtensionId, HoursId};
use crate::route::hours::Calendar;
use crate::sip::digest::{self, Secret};
use crate::sip::registrar;
use crate::time::Epoch;

impl Config {
    /// This configuration as calls use it; `version` counts the configurations since the start.
    pub fn plan(&self, version: u64) -> Plan {
        let mut seats: HashMap<ExtensionId, Vec<_>> = HashMap::new();
        for (id, agent) in &self.acd.agents {
            if let Some(extension) = &agent.extension {
                seats.entry(extension.clone()).or_default().push(id.clone());
            }
        }
        let owns = |(id, agent): (&AgentId, &Agent)| {
            agent.owns.iter().map(|number| (number.clone(), id.clone())).collect::<Vec<_>>()
        };
        Plan {
            version,
            access: self.compile_access(),
            callback_hours: self.callback_hours(),
            acd: self.acd.clone(),
            calls: self.calls.clone(),
            calls_max: self.node.calls_max,
            codes: self.codes.clone(),
            conferences: self.conferences.clone(),
            customers: self.customers.clone(),
            defence: self.defence.clone(),
            emergency: self.emergency.clone(),
            extensions: self.extensions.clone(),
            ivr: self.ivr.clone(),
            lamps: self.lamps.clone(),
            locale: self.node.locale,
            menus: self.menus.clone(),
            owners: self.acd.agents.iter().flat_map(owns).collect(),
            park: self.park.clone(),
            routes: self.compile_routes(),
            seats,
            trunks: self.trunks.clone(),
        }
    }

    fn callback_hours(&self) -> BTreeMap<HoursId, Calendar> {
        let callbacks = self.acd.queues.values().filter_map(|queue| queue.callback.as_ref());
        let named = callbacks.filter_map(|callback| callback.hours.clone());
        let compiled = named.filter_map(|id| {
            let calendar = Calendar::new(self.hours.get(&id)?, &self.node.zone).ok()?;
            Some((id, calendar))
        });
        compiled.collect()
    }

    /// What the credentials of each account, and of each trunk that logs in, are checked against.
    pub fn secrets(&self) -> HashMap<ExtensionId, Secret> {
        let realm = self.sip.realm();
        let accounts = self.extensions.iter().filter_map(|(id, account)| {
            let password = account.password.as_ref()?.expose();
            Some((id.clone(), Secret::new(id.as_str(), realm, password)))
        });
        let trunks = self.trunks.values().filter_map(|trunk| {
            let user = trunk.inbound_username.as_deref()?;
            let password = trunk.inbound_password.as_ref()?.expose();
            Some((ExtensionId::from(user), Secret::new(user, realm, password)))
        });
        // No trunk takes an extension's place: the configuration's check refuses that.
        trunks.chain(accounts).collect()
    }

    /// What calls use that stays until the next start; `recordings` is an absolute folder.
    pub fn settings(&self, epoch: Epoch, recordings: PathBuf) -> Settings {
        let listen = self.media.listen;
        Settings {
            epoch,
            codecs: self.media.codecs.clone(),
            srtp: self.media.srtp,
            suites: self.media.srtp_suites.clone().into(),
            ptime: u8::try_from(self.media.ptime).expect("a checked one is 60 at most"),
            aliases: self.sip.aliases.clone(),
            domain: self.sip.domain.clone(),
            media: self.sip.external.or_else(|| (!listen.is_unspecified()).then_some(listen)),
            recordings,
            recording_extension: self.recordings.extension(),
            session: self.sip.session(),
        }
    }

    /// How credentials are asked for.
    pub fn digest(&self) -> digest::Config {
        digest::Config {
            algorithms: self.sip.digest.clone(),
            nonce_lifetime: self.sip.nonce_lifetime,
            ..digest::Config::default()
        }
    }

    /// How long phones stay registered, and how many.
    pub fn registrar(&self) -> registrar::Config {
        registrar::Config {
            contacts_max: self.sip.contacts_max,
            expires_default: self.sip.expires,
            expires_max: self.sip.expires_max,
            expires_min: self.sip.expires_min,
        }
    }
}
