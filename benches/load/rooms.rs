//! Voices that are mixed: conferences, and calls with a supervisor who listens.

use strowger::sdp::Codec;

use crate::call::{QUIET, register};
use crate::figures::{Table, percentile};
use crate::mixed::{Mixed, Says};
use crate::relay::{Cost, Scale, cost, delays, memory};
use crate::support::daemon::{Daemon, agents, extensions};
use crate::support::place::Place;
use crate::support::sipp::{Report, Scenario, Sipp};
use crate::support::wait;
use crate::talks::{LIMIT, described, line, pair, port, sockets, spoken, stay, wait_for_talks};

/// Those in one conference.
const PARTIES: u16 = 8;
const FIRST_CONFERENCE: u16 = 7000;
/// Where the SIPps of the conferences listen.
const FIRST_SIP_PORT: u16 = 5060;
const QUEUE: &str = "600";
const SUPERVISOR: u32 = 1003;
const FIRST_AGENT: u32 = 3000;

/// Conferences of eight, all of whom speak, one of each loudly once a second.
pub fn conferences(table: &mut Table, scale: &Scale) {
    let rooms = (scale.calls / PARTIES).max(1);
    let parties = rooms * PARTIES;
    let number = |room: u16| (FIRST_CONFERENCE + room).to_string();
    let config: String = (0..rooms)
        .map(|room| format!("[conferences.c{room}]\nnumber = \"{}\"\n", number(room)))
        .collect();
    let users = extensions(2000..2000 + u32::from(parties));
    let mut node = Daemon::start(&format!("{QUIET}{config}{users}"));
    let (pid, before) = (node.pid(), node.resident_kib());
    let near = Place::new();
    // SIPp signs one URI for all its calls: each conference has its own.
    let dial = |room: u16| -> Sipp {
        let members = room * PARTIES..(room + 1) * PARTIES;
        let number = number(room);
        Scenario::new("caller_with_port", &near, FIRST_SIP_PORT + room, node.sip())
            .users(&members.map(|member| line(member, &number)).collect::<Vec<_>>())
            .dials(&number, node.sip())
            .calls(PARTIES.into(), 50)
            .option(&["-d", &stay(scale.time)])
            .option(&spoken(Codec::Pcmu))
            .option(&described(None, "", |_| 1).each_ref().map(String::as_str))
            .start(scale.time + LIMIT)
    };
    let callers: Vec<Sipp> = (0..rooms).map(dial).collect();
    wait_for_talks(&node, parties);
    let mut streams = Vec::new();
    for (room, caller) in (0..rooms).zip(&callers) {
        let sockets = sockets(&near, room * PARTIES..(room + 1) * PARTIES);
        let says = Says::Tone(room.into());
        let mut party = pair(sockets, (&caller.report(), None), &node, says);
        assert_eq!(party.len(), usize::from(PARTIES), "every party");
        party[0].says = Says::Clicks(room.into());
        streams.extend(party);
    }
    let cost = cost(scale.time, streams, (pid, before), parties);
    callers.into_iter().for_each(|caller| _ = caller.succeeds());
    tell(table, &format!("one of {PARTIES} in a conference, of {parties}"), &cost);
    let Mixed { clicks, clicks_heard, delays, .. } = &cost.counted.mixed;
    let mut delays = delays.clone();
    table.row(
        "in a conference: words not heard of all; delay p50 / p99, ms",
        format!(
            "{} of {clicks}; {:.1} / {:.1}",
            clicks - clicks_heard,
            percentile(&mut delays, 0.5),
            percentile(&mut delays, 0.99)
        ),
        "",
        "",
    );
}

/// Calls of a queue, with one supervisor at each who says nothing that anybody hears.
pub fn supervised(table: &mut Table, scale: &Scale) {
    let (calls, people) = (scale.calls, FIRST_AGENT..FIRST_AGENT + u32::from(scale.calls));
    let mut node = Daemon::start(&supervised_site(calls, people.clone()));
    let [near, far, above] = [Place::new(), Place::new(), Place::new()];
    register(&node, &far, people.clone());
    register(&node, &above, SUPERVISOR..SUPERVISOR + 1);
    let (pid, before) = (node.pid(), node.resident_kib());
    let ends = [&near, &far, &above].map(|place| sockets(place, 0..calls));
    let answer = |place: &Place| {
        Scenario::new("callee_with_port", place, 5060, node.sip())
            .users(&(0..calls).map(|call| port(call).to_string()).collect::<Vec<_>>())
            .calls(calls.into(), 50)
            .option(&spoken(Codec::Pcmu))
            .option(&described(None, "", |_| 1).each_ref().map(String::as_str))
            .start(scale.time + LIMIT)
    };
    let (agent, supervisor) = (answer(&far), answer(&above));
    let caller = Scenario::new("caller_with_port", &near, 5060, node.sip())
        .users(&(0..calls).map(|call| line(call, QUEUE)).collect::<Vec<_>>())
        .dials(QUEUE, node.sip())
        .calls(calls.into(), 50)
        .option(&["-d", &stay(scale.time + LIMIT / 3)])
        .option(&spoken(Codec::Pcmu))
        .option(&described(None, "", |_| 1).each_ref().map(String::as_str))
        .start(scale.time + LIMIT);
    wait_for_talks(&node, calls);
    for agent in people {
        let extension = SUPERVISOR.to_string();
        node.succeeds(&["call", "supervise", &format!("a{agent}"), "--extension", &extension]);
    }
    let listening = |report: &Report| {
        let trace = report.trace();
        trace.iter().filter(|one| !one.sent && one.text.starts_with("ACK ")).count()
    };
    wait::until("every supervisor listens", LIMIT / 3, || {
        (listening(&supervisor.report()) == usize::from(calls)).then_some(())
    });
    let says = [Says::Marks, Says::Marks, Says::Tone(0)];
    let mut streams = Vec::new();
    for ((end, sipp), says) in ends.into_iter().zip([&caller, &agent, &supervisor]).zip(says) {
        streams.extend(pair(end, (&sipp.report(), None), &node, says));
    }
    assert_eq!(streams.len(), 3 * usize::from(calls), "three ends of every call");
    let cost = cost(scale.time, streams, (pid, before), calls);
    [caller, agent, supervisor].into_iter().for_each(|sipp| _ = sipp.succeeds());
    tell(table, &format!("one call supervised, of {calls}"), &cost);
    table.row(
        "supervised: lost of packets of those who talk; delay p50 / p99, ms",
        delays(&cost.counted),
        "",
        "",
    );
}

/// A queue, its callers and agents, and who may supervise them.
fn supervised_site(calls: u16, people: std::ops::Range<u32>) -> String {
    let members: Vec<String> = people.clone().map(|agent| format!("\"a{agent}\"")).collect();
    format!(
        // SIPp's caller takes no re-INVITE that tells with whom he talks.
        "{QUIET}[calls]\nconnected_identity = false\n\
         [queues.support]\nnumber = \"{QUEUE}\"\nmembers = [{}]\n{}{}\
         supervises = [\"queue:support\"]\n{}",
        members.join(", "),
        extensions((2000..2000 + u32::from(calls)).chain(people.clone())),
        extensions([SUPERVISOR]),
        agents(people),
    )
}

fn tell(table: &mut Table, name: &str, cost: &Cost) {
    table.row(&format!("{name}, % of a core"), format!("{:.3}", cost.share), "", "");
    let Mixed { packets, missing, .. } = cost.counted.mixed;
    let work = format!("{name}: lost of mixed packets");
    table.row(&work, format!("{missing} of {packets}"), "", "");
    let work = format!("{name}: memory, KiB; resident, MB");
    table.row(&work, memory(cost), "", "");
}
