//! Whole calls in virtual time: phones, network, Switch and media of one site, one file a flow.
//!
//! Each flow ends with `World::close`: no call, leg, port, dialog or transaction is left, and the
//! ledger's books balance. Most flows are repeated in storms that lose, copy and reorder datagrams.

#[path = "../support/world.rs"]
mod world;

mod site;

mod access;
mod agent_rejects;
mod all_phones;
mod answered;
mod any_moment;
mod attended_early;
mod attended_transfer;
mod blf_agents_and_queues;
mod blf_crowd;
mod blf_pickup;
mod blf_ringing;
mod blind_transfer;
mod both_hold;
mod busy;
mod caller_gone;
mod cancelled;
mod clock_set;
mod codes;
mod contact_by_name;
mod copies;
mod credentials;
mod crowd;
mod defence;
mod dnd;
mod drain;
mod early_media;
mod emergency;
mod forward;
mod glare;
mod greeting;
mod hold;
mod holds_in_queue;
mod late_offer;
mod loops;
mod menu;
mod most_idle;
mod no_ack;
mod no_answer;
mod no_answer_to_offer;
mod no_port;
mod odd_phones;
mod overload;
mod path;
mod pickup;
mod position;
mod prack;
mod privacy;
mod queue;
mod queue_exits;
mod refused_offer;
mod reload;
mod replaces;
mod restart;
mod ring_all;
mod rona;
mod round_robin;
mod seats;
mod session_timer;
mod silence;
mod slow_seal;
mod stranger;
mod subscribe_lifetime;
mod subscribe_packages;
mod subscribe_restart;
mod t38_refused;
mod torture;
mod transfer_recall;
mod transfer_to_queue;
mod transfer_to_trunk;
mod trunk_auth;
mod trunk_failover;
mod trunk_in;
mod trunk_out;
mod trunk_qualify;
mod trunk_register;
mod update;
mod update_early;
