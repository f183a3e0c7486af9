//! What an administrator writes.

use crate::support::daemon::{Daemon, extensions};

/// RustPBX: "a misspelt key is accepted silently".
#[test]
fn a_misspelt_key_is_refused_with_its_place() {
    let node = Daemon::prepare(&extensions([1001]).replace("password", "pasword"));

    let check = node.verb(&["check"]);
    let said = String::from_utf8_lossy(&check.stdout) + String::from_utf8_lossy(&check.stderr);
    assert_eq!(check.status.code(), Some(1), "{said}");
    assert!(said.contains("strowger.toml:"), "file, line and column: {said}");
    assert!(said.contains("password"), "what would be right: {said}");

    let run = node.verb(&["run"]);
    assert!(!run.status.success(), "and the daemon does not start");
}

/// RustPBX: "the documented example of a queue route does not work, and its own checker calls it
/// valid". The commented configuration that ships is valid and its queue is reached.
#[test]
fn the_documented_queue_route_works() {
    let toml = format!(
        "{}\n[agents.17]\nextension = \"1001\"\n\n[queues.sales]\nnumber = \"600\"\n\
         members = [\"17\"]\n\n[[routes]]\nname = \"sales\"\nto = \"400*\"\n\
         target = \"queue:sales\"\n",
        extensions([1001, 1002])
    );
    let node = Daemon::prepare(&toml);

    node.succeeds(&["check"]);
    for number in ["600", "4008001234"] {
        let said = node.succeeds(&["explain", "--from", "1002", "--to", number]);
        assert!(said.contains("queue:sales"), "{number}: {said}");
    }
}

/// A reload is taken whole or refused whole.
#[test]
fn a_broken_file_changes_nothing_and_a_good_one_is_taken() {
    let node = Daemon::start(&extensions([1001]));

    let address = node.grpc().to_string();
    let at_node = |words: &[&str]| {
        let words: Vec<&str> = words.iter().copied().chain(["--node", &address]).collect();
        node.verb_without_file(&words)
    };
    let phones = || {
        let said = at_node(&["phones", "--json"]);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).lines().count()
    };

    node.write_config("[extensions.1001]\npassword = 5\n");
    let refused = at_node(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr) + String::from_utf8_lossy(&refused.stdout);
    assert!(why.contains("strowger.toml:"), "where the mistake is: {why}");
    assert_eq!(phones(), 1);

    node.write_config(&extensions([1001, 1002]));
    assert!(at_node(&["reload"]).status.success());
    assert_eq!(phones(), 2);
}
