//! SIPVicious against the daemon: who scans learns nothing, who guesses is locked out, and the
//! phones of the site go on.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::baresip::SOON;
use crate::support::child::Running;
use crate::support::daemon::{Daemon, extensions, password};
use crate::support::records::python;
use crate::support::wait;
use crate::support::wire::{Wire, status};

const LIMIT: Duration = Duration::from_secs(120);

/// A device answers, as any SIP device does; which one it is and whom it serves is not told.
#[test]
fn svmap_learns_that_somebody_is_there_and_no_more() {
    let node = Daemon::start(&extensions([1001]));
    let told = scan("svmap", &node, &[]);

    assert!(told.contains(&node.sip().ip().to_string()), "{told}");
    assert!(!told.to_lowercase().contains("strowger"), "{told}");
}

/// What exists and what does not look alike: the scanner gives up, and forced to go on it tells
/// them alike.
#[test]
fn svwar_enumerates_nothing() {
    for method in ["REGISTER", "INVITE", "OPTIONS"] {
        for force in [&[][..], &["--force"]] {
            let node = Daemon::start(&extensions([1003, 1007]));
            let args = [&["-m", method, "-e", "1000-1009"][..], force].concat();
            let told = scan("svwar", &node, &args);
            let is_told = |number: u32| told.contains(&format!(" {number} "));
            let found: Vec<_> = (1000..1010).filter(|number| is_told(*number)).collect();
            assert!(found.is_empty() || found.len() == 10, "{method} {found:?}\n{told}");
            // A probe for a number that cannot be. Forced, it tries one that is asked for, is
            // answered alike, and finds that it can learn nothing.
            let least = if force.is_empty() { 1.0 } else { 2.0 };
            let has_asked = || (node.metric("sip_received_total") >= least).then_some(());
            assert!(wait::within(SOON, has_asked).is_some(), "{method}: was it here?\n{told}");
        }
    }
}

/// The right password is the sixtieth that it tries.
#[test]
fn svcrack_is_locked_out_and_phones_go_on() {
    let node = Daemon::start(&extensions([1001, 1002]));
    let mut guesses: Vec<String> = (0..60).map(|number| format!("guess-{number}")).collect();
    guesses.push(password(1001));
    let dictionary = node.data().join("guesses");
    fs::write(&dictionary, guesses.join("\n")).expect("the folder is there");

    let dictionary = dictionary.to_string_lossy().into_owned();
    let told = scan("svcrack", &node, &["-u", "1001", "-d", &dictionary]);

    assert!(!told.contains(&password(1001)), "{told}");
    let metrics = node.http("/metrics").expect("the page is there").1;
    assert!(metrics.contains("strowger_defence_lock_outs_total 1\n"), "{metrics}");
    assert!(node.log().contains("locked out address="), "{}", node.log());
    for account in [1001, 1002] {
        let mut phone = Wire::new(&account.to_string(), node.sip());
        let challenge = phone.challenge();
        let credentials = phone.credentials(&challenge, &password(account), 1);
        assert_eq!(status(phone.register(Some(&credentials)).as_deref()), 200, "{account}");
    }
}

/// Runs a tool of SIPVicious, which sends from 127.0.0.1 and no phone's address; what it printed.
fn scan(tool: &str, node: &Daemon, args: &[&str]) -> String {
    let at = node.sip();
    let program = python().with_file_name(format!("sipvicious_{tool}"));
    assert!(program.is_file(), "{} is missing: run `cargo xtask test`", program.display());
    let mut command = Command::new(program);
    command.args(args).args(["-p", &at.port().to_string(), &at.ip().to_string()]);
    command.env("HOME", node.data());
    let mut child = Running::start(tool, &mut command, node.data().join(format!("{tool}.log")));
    child.end(LIMIT);
    child.output()
}
