//! The site that most flows happen in.

/// Six phones; 1003 to 1005 are the seats of agents a, b and c; queues, menus, codes.
pub const SITE: &str = r#"
[media]
listen = "192.0.2.1"
[sip]
domain = "strowger.test"
[extensions.1001]
name = "Ann"
password = "one-1001"
ring_timeout = "30s"
[extensions.1002]
password = "two-1002"
ring_timeout = "30s"
[extensions.1003]
password = "three-1003"
[extensions.1004]
password = "four-1004"
[extensions.1005]
password = "five-1005"
[extensions.1006]
password = "six-1006"
[agents.a]
extension = "1003"
login = "auto"
[agents.b]
extension = "1004"
login = "auto"
[agents.c]
extension = "1005"
login = "auto"
skills = { english = 3 }
[agents.17]
pin = "4711"
owns = ["1002"]
[queues.idle]
number = "601"
members = ["a", "b", "c"]
ring_timeout = "10s"
[queues.turn]
number = "602"
strategy = "round-robin"
members = ["a", "b", "c"]
[queues.all]
number = "603"
strategy = "ring-all"
members = ["a", "b", "c"]
[queues.notice]
number = "604"
members = ["a"]
greeting = "recording-notice"
greeting_must_finish = true
record = "always"
wrap_up = "10s"
[queues.small]
number = "605"
members = ["17"]
callers_max = 1
on_full = "prompt:busy"
max_wait = "20s"
on_timeout = "prompt:nobody"
announce = { position = true, every = "5s" }
[queues.empty]
number = "606"
members = ["17"]
on_empty = "prompt:nobody"
[queues.tiers]
number = "607"
members = ["a", "b", "c"]
tiers = { a = 2, c = 2 }
tier_wait = "5s"
widen = [{ after = "15s", members = ["17"] }]
[queues.known]
number = "608"
members = ["a", "b", "c"]
last_agent_wait = "8s"
owner_wait = "8s"
[queues.first]
number = "609"
members = ["17"]
max_wait = "10s"
on_timeout = "queue:second"
place_kept = "60s"
keys = { 0 = "extension:1002", '#' = "queue:second" }
[queues.second]
number = "610"
members = ["17"]
place_kept = "60s"
[queues.away]
number = "611"
members = ["a", "b", "c"]
on_empty = "prompt:nobody"
empty_leave = ["away"]
[menus.main]
number = "500"
prompt = "welcome"
timeout = "3s"
retries = 1
on_fail = "hangup:480"
[menus.main.keys]
1 = "extension:1002"
2 = { target = "queue:idle", set = { topic = "tax" } }
3 = { target = "queue:idle", prefer = { english = 1 } }
4 = { target = "queue:second", priority = "60s" }
"#;
