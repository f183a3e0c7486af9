//! Who hears whom in rooms, proved by tones: supervisors and conferences.

use std::time::Duration;

use crate::site::{account, phone};
use crate::support::baresip::{Account, Baresip, SOON};
use crate::support::daemon::{Daemon, agents, extensions};
use crate::support::records::Consumer;
use crate::support::tone::{Wav, share};
use crate::support::wait::{self, pause};

const CUSTOMER: f64 = 440.0;
const AGENT: f64 = 700.0;
const SUPERVISOR: f64 = 1000.0;
/// Their tones, and the share of the energy that one has among two.
const THREE: (&[f64], f64) = (&[CUSTOMER, AGENT, SUPERVISOR], 0.2);

/// Shares of time.
const MOSTLY: f64 = 0.5;
const RARELY: f64 = 0.15;

/// None is a multiple of another, nor a sum or difference of two.
const TONES: [f64; 8] = [430.0, 570.0, 790.0, 1030.0, 1290.0, 1610.0, 1930.0, 2270.0];

/// Keys of the supervisor's phone: listen, whisper, barge, take over. Each phone hears just whom it
/// is to hear, and the recording has no whisper.
#[test]
fn a_supervisor_listens_whispers_barges_in_and_takes_over() {
    let node = supervised("wrap_up = \"30s\"\nrecord = \"always\"\n");
    let mut consumer = Consumer::start(node.grpc(), "billing");
    consumer.subscribed(SOON);
    let mut agent = phone(&node, 1002, "udp", AGENT);
    let mut customer = phone(&node, 1001, "udp", CUSTOMER);
    let mut supervisor = phone(&node, 1003, "tcp", SUPERVISOR);
    customer.dial(&format!("sip:600@{}", node.sip()));
    agent.wait_for("CALL_INCOMING", SOON);
    agent.answer();
    agent.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));

    supervisor.dial(&format!("sip:*33a1002@{}", node.sip()));
    supervisor.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    supervisor.press("2");
    pause(Duration::from_secs(2));
    supervisor.press("3");
    pause(Duration::from_secs(2));
    supervisor.press("4");
    agent.wait_for("CALL_CLOSED", SOON);
    pause(Duration::from_secs(2));
    let state = &node.json(&["agents"])[0]["state"];
    assert_eq!(state, "AGENT_STATE_WRAP_UP");
    supervisor.hang_up();
    customer.wait_for("CALL_CLOSED", SOON);

    let (agents, customers, supervisors) = (vec![1], vec![0], vec![2]);
    let heard = who(&customer.heard(), 0, THREE);
    assert_eq!(heard, [agents.clone(), vec![1, 2], supervisors], "the customer");
    assert_eq!(who(&agent.heard(), 0, THREE), [customers.clone(), vec![0, 2]], "the agent");
    assert_eq!(
        who(&supervisor.heard(), 0, THREE),
        [vec![0, 1], customers.clone()],
        "the supervisor"
    );

    let record = wait::until("the customer's record", SOON, || {
        let records = consumer.wait_for(2, SOON);
        records.into_iter().find(|record| record["dialled"] == "600")
    });
    let joins = record["supervisor_joins"].as_array().expect("they are told").clone();
    let modes: Vec<_> = joins.iter().map(|join| join["mode"].clone()).collect();
    let expected = ["LISTEN", "WHISPER", "BARGE", "TAKE_OVER"];
    assert_eq!(modes, expected.map(|mode| format!("SUPERVISOR_MODE_{mode}")), "{record:#}");
    assert!(joins.iter().all(|join| join["extension"] == "1003" && join["agent"] == "a1002"));
    let recording = Wav::read(&node.recordings()[0]).expect("a recording is a WAV file");
    assert_eq!(who(&recording, 0, THREE), [customers], "left of the recording: the customer");
    let heard = who(&recording, 1, THREE);
    assert_eq!(heard, [agents, vec![1, 2], vec![2]], "right: what he heard, and no whisper");
}

/// A program rings the supervisor, who begins with a whisper; the two who talk hear each other
/// without a gap when he comes and leaves.
#[test]
fn a_supervisor_comes_and_leaves_without_a_trace() {
    let node = supervised("");
    let mut agent = phone(&node, 1002, "udp", AGENT);
    let mut customer = phone(&node, 1001, "udp", CUSTOMER);
    let mut supervisor = phone(&node, 1003, "udp", SUPERVISOR);
    customer.dial(&format!("sip:1002@{}", node.sip()));
    agent.wait_for("CALL_INCOMING", SOON);
    agent.answer();
    agent.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(1));

    node.succeeds(&["call", "supervise", "a1002", "--extension", "1003"]);
    supervisor.wait_for("CALL_INCOMING", SOON);
    supervisor.answer();
    supervisor.wait_for("CALL_ESTABLISHED", SOON);
    pause(Duration::from_secs(2));
    supervisor.hang_up();
    pause(Duration::from_secs(1));
    customer.hang_up();
    agent.wait_for("CALL_CLOSED", SOON);

    assert_eq!(who(&supervisor.heard(), 0, THREE), [[0, 1]]);
    for (wav, hertz) in [(agent.heard(), CUSTOMER), (customer.heard(), AGENT)] {
        let heard = wav.heard(0, hertz);
        let first = heard.iter().position(|heard| *heard).expect("they hear each other");
        let last = heard.iter().rposition(|heard| *heard).expect("they hear each other");
        assert!(last - first >= 60, "{} windows", last - first);
        assert!(heard[first..last].iter().all(|heard| *heard), "a gap: {heard:?}");
    }
}

/// Eight phones, half of them with G.722: each hears the seven others and not itself; who is muted
/// is heard by nobody, who is sent away is gone.
#[test]
fn eight_talk_in_a_conference() {
    let conference = "[conferences.board]\nnumber = \"700\"\nspeakers_max = 8\n";
    let node = Daemon::start(&format!("{}{conference}", extensions(1001..=1008)));
    let mut phones: Vec<Baresip> = (0..8)
        .map(|index| {
            let codecs = if index % 2 == 0 { "G722/16000/1" } else { "PCMA/8000/1" };
            let account = account(&node, 1001 + index, "udp");
            let tone = TONES[index as usize];
            Baresip::start(&Account { tone, codecs, peak: 2500.0, ..account })
        })
        .collect();
    for phone in &mut phones {
        phone.dial(&format!("sip:700@{}", node.sip()));
        phone.wait_for("CALL_ESTABLISHED", SOON);
    }
    let all = |index: usize, gone: &[usize]| -> Vec<usize> {
        (0..8).filter(|other| *other != index && !gone.contains(other)).collect()
    };
    each_hears(&phones, |index| all(index, &[]));
    let told = node.json(&["conferences"]);
    let members = told[0]["members"].as_array().expect("they are listed").clone();
    assert_eq!(members.len(), 8, "{told:?}");
    phones[2].press("*6");
    let muted = each_hears(&phones, |index| all(index, &[2]));
    let leg = members[7]["leg_id"].as_str().expect("a leg");
    node.succeeds(&["conference", "kick", leg]);
    phones[7].wait_for("CALL_CLOSED", SOON);
    let kicked = each_hears(&phones[..7], |index| all(index, &[2, 7]));
    for phone in &mut phones[..7] {
        phone.hang_up();
        phone.wait_for("CALL_CLOSED", SOON);
    }

    for (index, phone) in phones.iter().enumerate() {
        let windows = windows(&phone.heard());
        let is_heard = |who: usize, from: usize| share_of(&windows[from..], who) > RARELY;
        assert!(!is_heard(index, 0), "phone {index} hears itself");
        assert!(!is_heard(2, muted[index]), "phone {index} hears who is muted");
        let gone = kicked.get(index).copied();
        assert!(gone.is_none_or(|from| !is_heard(7, from)), "phone {index} hears who is gone");
    }
}

/// Waits until each phone has heard for a second just whom it is to hear: each of them most of the
/// time, whatever the machine loses, and the others next to never. How many windows it has heard.
fn each_hears(phones: &[Baresip], wanted: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let hears = |(index, phone): (usize, &Baresip)| {
        let wanted = wanted(index);
        wait::until(&format!("phone {index} hears {wanted:?}"), 3 * SOON, || {
            let windows = windows(&phone.heard());
            let latest = &windows[windows.len().checked_sub(20)?..];
            let is_right = (0..TONES.len()).all(|tone| {
                let share = share_of(latest, tone);
                if wanted.contains(&tone) { share > MOSTLY } else { share < RARELY }
            });
            is_right.then_some(windows.len())
        })
    };
    phones.iter().enumerate().map(hears).collect()
}

/// The tones in each 50 ms of what a phone heard.
fn windows(wav: &Wav) -> Vec<[bool; TONES.len()]> {
    let parts = wav.channels[0].chunks_exact((wav.rate / 20) as usize);
    parts.map(|part| TONES.map(|tone| share(part, wav.rate, tone) > 0.03)).collect()
}

/// In which share of the windows a tone is.
fn share_of(windows: &[[bool; TONES.len()]], tone: usize) -> f64 {
    let there = windows.iter().filter(|window| window[tone]).count();
    there as f64 / windows.len().max(1) as f64
}

fn supervised(queue: &str) -> Daemon {
    let may = "[extensions.1003]\nsupervises = [\"queue:support\"]\n";
    let extensions = extensions(1001..=1003).replace("[extensions.1003]\n", may);
    Daemon::start(&format!(
        "{extensions}{}[queues.support]\nnumber = \"600\"\nmembers = [\"a1002\"]\n{queue}",
        agents([1002]),
    ))
}

/// The tones of a channel, one set after the other: what is heard for half a second and more.
fn who(wav: &Wav, channel: usize, (tones, share_min): (&[f64], f64)) -> Vec<Vec<usize>> {
    let window = (wav.rate / 20) as usize;
    let heard = |part: &[i16]| {
        let is_there = |index: &usize| share(part, wav.rate, tones[*index]) > share_min;
        (0..tones.len()).filter(is_there).collect::<Vec<_>>()
    };
    let sets: Vec<_> = wav.channels[channel].chunks_exact(window).map(heard).collect();
    let mut lasting: Vec<Vec<usize>> = Vec::new();
    for run in sets.chunk_by(|one, next| one == next) {
        if run.len() >= 10 && !run[0].is_empty() && lasting.last() != Some(&run[0]) {
            lasting.push(run[0].clone());
        }
    }
    lasting
}
