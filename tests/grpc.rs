//! The gRPC server over a real connection, with a real ledger and a Switch that is played.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "support/played.rs"]
mod played;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use strowger::cdr::config::Config;
use strowger::cdr::entry::{Direction, Entry, Fact, HungUpBy};
use strowger::config::sections::Grpc;
use strowger::id::CallId;
use strowger::shell::board::Board;
use strowger::shell::clock::Clock;
use strowger::shell::grpc::handle::SwitchHandle;
use strowger::shell::grpc::{GrpcError, Listener};
use strowger::shell::ledger::{Ledger, Node};
use strowger::shell::media::archive::Archive;
use strowger::shell::proto;
use strowger::shell::proto::agents_client::AgentsClient;
use strowger::shell::proto::calls_client::CallsClient;
use strowger::shell::proto::delivery::Item;
use strowger::shell::proto::events_client::EventsClient;
use strowger::shell::proto::node_client::NodeClient;
use strowger::shell::proto::queues_client::QueuesClient;
use strowger::shell::proto::records_client::RecordsClient;
use strowger::shell::proto::start::From as Start;
use strowger::shell::proto::{Delivery, Position, SubscribeRequest};
use strowger::switch::request::Subject;
use strowger::time::{Duration, Wall};
use tokio_stream::StreamExt as _;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

type Stream = Streaming<Delivery>;

#[tokio::test]
async fn a_subscriber_gets_what_was_and_what_comes_without_a_gap() {
    let node = TestNode::start().await;
    node.finish_calls(1..=3);
    let mut stream = node.subscribe("billing", None).await.unwrap();

    let before = items(&mut stream, 9).await;
    node.finish_calls(4..=4);
    let after = items(&mut stream, 3).await;

    let sequences: Vec<u64> = before.iter().chain(&after).map(|item| item.sequence).collect();
    assert_eq!(sequences, (1..=12).collect::<Vec<u64>>());
    let Some(Item::Record(record)) = &after[2].item else { panic!("{after:?}") };
    assert_eq!(record.sequence, 12);
    assert_eq!(record.call_id, "0000000000000004");
    assert_eq!(record.caller.as_ref().unwrap().number, "1001");
    assert_eq!(record.setup_time.unwrap().nanos, 4_000);
    assert_eq!(record.end.as_ref().unwrap().reason, "caller_hung_up");
    assert!(matches!(after[0].item, Some(Item::Event(_))));
}

#[tokio::test]
async fn a_heartbeat_tells_how_far_behind_the_consumer_is() {
    let node = TestNode::start().await;
    node.finish_calls(1..=2);
    let mut stream =
        node.subscribe("", Some(Start::Position(Position::Latest.into()))).await.unwrap();

    let first = next(&mut stream).await.unwrap();
    let second = next(&mut stream).await.unwrap();

    for beat in [first, second] {
        assert_eq!(beat.sequence, 6);
        let Some(Item::Heartbeat(heartbeat)) = beat.item else { panic!("{beat:?}") };
        assert_eq!(heartbeat.head, 6);
        assert!(heartbeat.time.is_some());
    }
}

#[tokio::test]
async fn pain_16_a_consumer_goes_on_after_its_last_acknowledgement() {
    let node = TestNode::start().await;
    node.finish_calls(1..=3);
    let mut stream = node.subscribe("billing", None).await.unwrap();
    items(&mut stream, 9).await;
    assert_eq!(node.acknowledge("billing", 4).await.unwrap(), 4);
    assert_eq!(node.acknowledge("billing", 2).await.unwrap(), 4, "never goes back");
    drop(stream);

    let mut again = node.subscribe("billing", None).await.unwrap();

    assert_eq!(items(&mut again, 1).await[0].sequence, 5);
}

#[tokio::test]
async fn no_more_is_sent_than_the_consumer_wants_in_flight() {
    let node = TestNode::start().await;
    node.finish_calls(1..=3);
    let mut request = subscribe("billing", None);
    request.max_in_flight = 2;
    let mut stream = node.records().subscribe(request).await.unwrap().into_inner();
    assert_eq!(items(&mut stream, 2).await[1].sequence, 2);

    let beat = loop_to_heartbeat(&mut stream).await;
    assert_eq!(beat.sequence, 2, "nothing but heartbeats until it acknowledges");
    node.acknowledge("billing", 1).await.unwrap();
    assert_eq!(items(&mut stream, 1).await[0].sequence, 3);
    node.acknowledge("billing", 3).await.unwrap();
    assert_eq!(items(&mut stream, 2).await[1].sequence, 5);
}

#[tokio::test]
async fn a_second_subscriber_with_the_name_takes_over() {
    let node = TestNode::start().await;
    node.finish_calls(1..=1);
    let mut first = node.subscribe("billing", None).await.unwrap();
    items(&mut first, 3).await;

    let mut second = node.subscribe("billing", None).await.unwrap();

    assert_eq!(items(&mut second, 1).await[0].sequence, 1);
    assert_eq!(error_of(&mut first).await.code(), Code::Aborted);
    node.finish_calls(2..=2);
    assert_eq!(items(&mut second, 5).await[4].sequence, 6, "the second stays");
}

#[tokio::test]
async fn guests_do_not_take_over_one_another() {
    let node = TestNode::start().await;
    let mut first = node.subscribe("", None).await.unwrap();
    let mut second = node.subscribe("", None).await.unwrap();

    node.finish_calls(1..=1);

    assert_eq!(items(&mut first, 3).await, items(&mut second, 3).await);
}

#[tokio::test]
async fn what_retention_removed_is_out_of_range_and_names_the_oldest() {
    let node = TestNode::start_with(Config { keep: Duration::from_secs(3600), ..config() }).await;
    node.finish_calls(1..=3);
    node.ledger.append(at(9, 9, Fact::Answered));
    let node = node.restart_at(Wall::from_micros(2 * 3600 * 1_000_000)).await;
    until(|| node.ledger.span().unwrap().oldest == 10).await;

    for start in [Start::Sequence(1), Start::Sequence(9), Start::Sequence(12)] {
        let refused = node.subscribe("", Some(start)).await.unwrap_err();
        assert_eq!(refused.code(), Code::OutOfRange);
        assert!(refused.message().contains("10"), "{}", refused.message());
    }
    node.acknowledge("billing", 5).await.unwrap();
    assert_eq!(node.subscribe("billing", None).await.unwrap_err().code(), Code::OutOfRange);
    let oldest = Some(Start::Position(Position::Oldest.into()));
    let mut stream = node.subscribe("billing", oldest).await.unwrap();
    assert_eq!(items(&mut stream, 1).await[0].sequence, 10);
}

#[tokio::test]
async fn a_subscription_begins_at_a_time() {
    let node = TestNode::start().await;
    node.finish_calls(1..=5);
    let time = prost_types::Timestamp { seconds: 0, nanos: 4_000 };

    let mut stream = node.subscribe("", Some(Start::Time(time))).await.unwrap();

    assert_eq!(items(&mut stream, 1).await[0].sequence, 10, "the first fact of call 4");
}

#[tokio::test]
async fn a_filter_lets_through_what_fits_it() {
    let node = TestNode::start().await;
    node.finish_calls(1..=3);
    let mut request = subscribe("billing", None);
    request.filter = Some(proto::Filter {
        kinds: vec![proto::Kind::Record.into()],
        call_ids: vec!["0000000000000002".to_owned()],
        ..proto::Filter::default()
    });
    let mut stream = node.records().subscribe(request).await.unwrap().into_inner();

    assert_eq!(items(&mut stream, 1).await[0].sequence, 6);
    let beat = loop_to_heartbeat(&mut stream).await;
    assert_eq!(beat.sequence, 9, "what did not fit can be acknowledged too");
}

#[tokio::test]
async fn wrong_requests_are_refused_with_a_sentence() {
    let node = TestNode::start().await;
    let mut records = node.records();
    let wrong = |name: &str, start| subscribe(name, Some(start));
    let last = Start::Position(Position::LastAcknowledged.into());
    let mut guest = subscribe("", None);
    guest.max_in_flight = 5;
    let mut unknown = subscribe("a", None);
    unknown.filter = Some(proto::Filter { kinds: vec![99], ..proto::Filter::default() });

    for request in [
        wrong("no spaces", Start::Sequence(1)),
        wrong(&"x".repeat(65), Start::Sequence(1)),
        wrong("", last),
        wrong("a", Start::Position(77)),
        wrong("a", Start::Time(prost_types::Timestamp { seconds: i64::MAX, nanos: -1 })),
        guest,
        unknown,
    ] {
        let refused = records.subscribe(request.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{request:?}");
        assert!(!refused.message().is_empty());
    }
    let mut first = node.subscribe("billing", None).await.unwrap();
    assert!(records.subscribe(wrong("billing", Start::Sequence(99))).await.is_err());
    node.finish_calls(1..=1);
    assert_eq!(items(&mut first, 3).await.len(), 3, "a wrong request takes nothing over");
    assert_eq!(node.acknowledge("", 1).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(node.acknowledge("a", 9).await.unwrap_err().code(), Code::OutOfRange);
    let get = proto::GetRequest { call_id: "nonsense".to_owned() };
    assert_eq!(records.get(get).await.unwrap_err().code(), Code::InvalidArgument);
    let get = proto::GetRequest { call_id: "00000000000000ff".to_owned() };
    assert_eq!(records.get(get).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn subscribers_are_limited_and_a_leaver_makes_room() {
    let node = TestNode::start_with(Config { subscribers_max: 1, ..config() }).await;
    let stream = node.subscribe("", None).await.unwrap();
    let refused = node.subscribe("", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);

    drop(stream);

    let mut tick = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..1000 {
        tick.tick().await;
        if node.subscribe("", None).await.is_ok() {
            return;
        }
    }
    panic!("the place is not given back");
}

#[tokio::test]
async fn records_are_listed_newest_first_in_pages() {
    let node = TestNode::start().await;
    node.finish_calls(1..=7);
    node.ledger.append(at(50, 7, Fact::WrapUpBegan { agent: "17".into() }));
    node.written(22).await;
    let mut calls = Vec::new();
    let mut request = proto::ListRequest { page_size: 3, ..proto::ListRequest::default() };
    loop {
        let page = node.records().list(request.clone()).await.unwrap().into_inner();
        calls.extend(page.records);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }

    let ids: Vec<&str> = calls.iter().map(|call| &call.call_id[15..]).collect();
    assert_eq!(ids, ["7", "6", "5", "4", "3", "2", "1"]);
    assert_eq!(calls[0].wrap_ups.len(), 1, "with what came after the end");

    let between = proto::ListRequest {
        since: Some(prost_types::Timestamp { seconds: 0, nanos: 3_000 }),
        until: Some(prost_types::Timestamp { seconds: 0, nanos: 6_000 }),
        ..proto::ListRequest::default()
    };
    let found = node.records().list(between).await.unwrap().into_inner();
    let ids: Vec<&str> = found.records.iter().map(|call| &call.call_id[15..]).collect();
    assert_eq!(ids, ["5", "4", "3"]);
}

#[tokio::test]
async fn the_facts_of_a_call_are_told_in_order_also_while_it_goes_on() {
    let node = TestNode::start_with(Config { keep: Duration::from_secs(3600), ..config() }).await;
    let began = 1_767_225_600_000_000_i64; // 2026-01-01T00:00:00Z, when call ids begin
    node.clock.store(began, Relaxed);
    node.ledger.append(at(began, 1, setup()));
    for _ in 0..1200 {
        node.ledger.append(at(began, 1, Fact::Answered)); // more than are read at once
    }
    node.written(1201).await;

    let told = facts(&node, 1).await.unwrap();
    assert_eq!(told.len(), 1201);
    assert!(matches!(told[0].fact, Some(proto::event::Fact::Setup(_))));
    let later = 99 << 22; // 99 ms after the first
    let unknown = facts(&node, later).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(unknown.message(), "there was no call 0000000018c00000");

    let hours = |hours: i64| Wall::from_micros(began + hours * 3600 * 1_000_000);
    node.ledger.append(at(began, 1, ended()));
    node.ledger.append(at(hours(2).as_micros(), 2, Fact::Answered));
    node.written(1204).await;
    let node = node.restart_at(hours(3)).await;
    until(|| node.ledger.oldest().unwrap() >= Some(hours(2))).await;
    let gone = facts(&node, 1).await.unwrap_err();
    assert_eq!(gone.code(), Code::OutOfRange);
    assert!(gone.message().contains("the oldest fact is of 2026-01-01T02:00"), "{gone:?}");
}

#[tokio::test]
async fn agents_are_listed_and_changed() {
    let node = TestNode::start().await;
    let mut agents = AgentsClient::new(node.channel.clone());

    let listed = agents.list(proto::ListAgentsRequest {}).await.unwrap().into_inner().agents;
    assert_eq!(listed[0].agent, "17");
    assert_eq!(listed[0].state(), proto::AgentState::Available);

    let mut change = proto::ChangeAgentRequest {
        agent: "17".to_owned(),
        reason: Some("lunch".to_owned()),
        ..proto::ChangeAgentRequest::default()
    };
    change.set_change(proto::AgentChange::Away);
    let changed = agents.change(change.clone()).await.unwrap().into_inner().agent.unwrap();
    assert_eq!(changed.state(), proto::AgentState::Away);
    assert_eq!(changed.reason.as_deref(), Some("lunch"));

    assert!(!changed.free && listed[0].free);
    assert_eq!(changed.held_back(), proto::PassedWhy::Away);
    assert_eq!((changed.calls_answered, changed.talked.unwrap().seconds), (7, 90));
    let named = proto::GetAgentRequest { agent: "17".to_owned() };
    let found = agents.get(named).await.unwrap().into_inner().agent.unwrap();
    assert_eq!(found, listed[0]);
    let long = proto::ChangeAgentRequest { requested_by: "x".repeat(65), ..change.clone() };
    assert_eq!(agents.change(long).await.unwrap_err().code(), Code::InvalidArgument);

    change.agent = "99".to_owned();
    let refused = agents.change(change.clone()).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::NotFound, "there is no agent 99"));
    change.change = 0;
    assert_eq!(agents.change(change).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn who_waits_is_listed_up_to_a_limit() {
    let node = TestNode::start().await;
    let mut queues = QueuesClient::new(node.channel.clone());
    let asked = |queue: &str, page_size| {
        let queue = queue.to_owned();
        proto::ListCallersRequest { queue, page_size }
    };

    for (size, most) in [(0, 100), (7, 7), (5000, 1000)] {
        let told = queues.list_callers(asked("sales", size)).await.unwrap().into_inner();
        assert_eq!((told.callers[0].position, told.waiting), (most, 2000));
        assert_eq!(told.callers[0].caller.as_ref().unwrap().name.as_deref(), Some("Ann"));
        assert_eq!(told.callers[0].wait.unwrap().seconds, 61);
    }
    let unknown = queues.list_callers(asked("sails", 0)).await.unwrap_err();
    assert_eq!((unknown.code(), unknown.message()), (Code::NotFound, "there is no queue sails"));
}

/// The played Switch tells of agent 17 first, and at the next look what became of things.
#[tokio::test]
async fn a_watcher_gets_a_snapshot_then_changes() {
    use proto::change::What;

    let node = TestNode::start().await;
    let mut events = EventsClient::new(node.channel.clone());
    let mut changes = events.watch(proto::WatchRequest::default()).await.unwrap().into_inner();
    let mut next = async || changes.next().await.unwrap().unwrap().what.unwrap();

    assert!(matches!(next().await, What::SnapshotBegan(_)));
    let What::Agent(agent) = next().await else { panic!("an agent is there") };
    assert_eq!((agent.agent.as_str(), agent.state()), ("17", proto::AgentState::Available));
    assert!(matches!(next().await, What::SnapshotDone(_)));

    node.board.mark(vec![Subject::Agent("17".into())]);
    let What::Agent(agent) = next().await else { panic!("he has changed") };
    assert_eq!(agent.state(), proto::AgentState::Away);
    node.board.mark(vec![Subject::Agent("17".into()), Subject::Agent("18".into())]);
    node.board.mark(vec![Subject::Queue("sales".into())]);
    assert!(matches!(next().await, What::Queue(queue) if queue.waiting == 3));
}

#[tokio::test]
async fn a_hundred_may_watch_and_who_leaves_makes_room() {
    let node = TestNode::start().await;
    let mut events = EventsClient::new(node.channel.clone());
    let mut watching = Vec::new();
    for _ in 0..100 {
        watching.push(events.watch(proto::WatchRequest::default()).await.unwrap());
    }
    let refused = events.watch(proto::WatchRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let wrong = proto::WatchRequest { kinds: vec![9], ..Default::default() };
    assert_eq!(events.watch(wrong).await.unwrap_err().code(), Code::InvalidArgument);

    watching.pop();

    let mut tick = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..1000 {
        tick.tick().await;
        if events.watch(proto::WatchRequest::default()).await.is_ok() {
            return;
        }
    }
    panic!("the place is not given back");
}

#[tokio::test]
async fn calls_are_ordered_and_refused_with_a_sentence() {
    let node = TestNode::start().await;
    let mut calls = CallsClient::new(node.channel.clone());
    let dial = |extension: &str, to: &str| proto::DialRequest {
        extension: extension.to_owned(),
        to: to.to_owned(),
        ..proto::DialRequest::default()
    };

    let dialled = calls.dial(dial("1001", "600")).await.unwrap().into_inner();
    assert_eq!(dialled.call_id, "0000000000000007");
    for (request, code) in [
        (dial("1002", "600"), Code::FailedPrecondition),
        (dial("1003", "600"), Code::NotFound),
        (dial("", "600"), Code::InvalidArgument),
        (dial("1001", ""), Code::InvalidArgument),
        (dial("1001", "6 00"), Code::InvalidArgument),
        (
            proto::DialRequest { caller_id: Some("\"".to_owned()), ..dial("1001", "600") },
            Code::InvalidArgument,
        ),
        (
            proto::DialRequest { requested_by: "x".repeat(65), ..dial("1001", "600") },
            Code::InvalidArgument,
        ),
    ] {
        assert_eq!(calls.dial(request.clone()).await.unwrap_err().code(), code, "{request:?}");
    }

    let leg_id = "0000000000000007-1".to_owned();
    let resume = proto::ResumeRequest { leg_id: leg_id.clone(), ..Default::default() };
    calls.resume(resume).await.unwrap();
    let to = "1002".to_owned();
    let transfer = proto::TransferRequest { leg_id: leg_id.clone(), to, ..Default::default() };
    calls.transfer(transfer).await.unwrap();
    let nameless = proto::TransferRequest { to: "1002".to_owned(), ..Default::default() };
    assert_eq!(calls.transfer(nameless).await.unwrap_err().code(), Code::InvalidArgument);
}

/// Who names nobody is known by where he is.
#[tokio::test]
async fn who_orders_something_is_told_to_the_switch() {
    let node = TestNode::start().await;
    let mut calls = CallsClient::new(node.channel.clone());
    let hold = |by: &str| proto::HoldRequest {
        leg_id: "0000000000000007-1".to_owned(),
        requested_by: by.to_owned(),
    };
    for (named, by) in [("crm", "crm asks"), ("", "grpc:127.0.0.1 asks")] {
        let refused = calls.hold(hold(named)).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().ends_with(by), "{}", refused.message());
    }
}

#[tokio::test]
async fn the_node_tells_its_numbers_and_reloads() {
    let node = TestNode::start().await;
    node.finish_calls(1..=1);
    node.written(3).await;
    let mut client = NodeClient::new(node.channel.clone());

    let status = client.status(proto::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.calls, status.config), (3, 1));
    assert_eq!(status.ledger.unwrap().newest, 3);
    assert!(status.ledger.unwrap().writable);

    let reload = client.reload(proto::ReloadRequest {}).await.unwrap().into_inner();
    assert_eq!(reload.config, None);
    assert_eq!(reload.mistakes, ["strowger.toml:1:1: unknown key"]);
}

#[tokio::test]
async fn a_switch_that_takes_no_questions_is_no_riddle() {
    let node = TestNode::start().await;
    let mut calls = CallsClient::new(node.channel.clone());

    let call_id = "0000000000000007".to_owned();
    let hang_up = proto::HangupRequest { call_id, requested_by: String::new() };
    let refused = calls.hangup(hang_up).await.unwrap_err();

    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.message(), "the switch has stopped");
}

#[tokio::test]
async fn health_follows_the_ledger() {
    let node = TestNode::start().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(node.channel.clone());
    let asked = tonic_health::pb::HealthCheckRequest { service: "strowger.v1.Records".to_owned() };
    let mut watched = health.watch(asked).await.unwrap().into_inner();
    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving;
    assert_eq!(watched.next().await.unwrap().unwrap().status(), serving);

    node.close_ledger();

    let not_serving = tonic_health::pb::health_check_response::ServingStatus::NotServing;
    assert_eq!(watched.next().await.unwrap().unwrap().status(), not_serving);
}

#[tokio::test]
async fn the_contract_can_be_asked_for() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let node = TestNode::start().await;
    let mut client = ServerReflectionClient::new(node.channel.clone());
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let asked = ServerReflectionRequest { host: String::new(), message_request };

    let mut answers =
        client.server_reflection_info(tokio_stream::once(asked)).await.unwrap().into_inner();

    let answer = answers.next().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["Agents", "Calls", "Node", "Phones", "Queues", "Records", "Trunks"] {
        assert!(names.contains(&format!("strowger.v1.{name}").as_str()), "{names:?}");
    }
}

#[tokio::test]
async fn the_contract_can_be_asked_for_in_the_old_way_too() {
    use tonic_reflection::pb::v1alpha::ServerReflectionRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1alpha::server_reflection_response::MessageResponse;

    let node = TestNode::start().await;
    let mut client = ServerReflectionClient::new(node.channel.clone());
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let asked = ServerReflectionRequest { host: String::new(), message_request };

    let mut answers =
        client.server_reflection_info(tokio_stream::once(asked)).await.unwrap().into_inner();

    let answer = answers.next().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["Agents", "Calls", "Node", "Phones", "Queues", "Records", "Trunks"] {
        assert!(names.contains(&format!("strowger.v1.{name}").as_str()), "{names:?}");
    }
}

#[tokio::test]
async fn who_does_not_show_the_token_gets_nothing() {
    let grpc = Grpc { token: Some("open-sesame".to_owned().into()), ..grpc() };
    let node = TestNode::start_as(config(), grpc).await;
    let mut client = NodeClient::new(node.channel.clone());

    let refused = client.status(proto::StatusRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    for (shown, code) in [
        ("Bearer open-sesam", Some(Code::Unauthenticated)),
        ("open-sesame", Some(Code::Unauthenticated)),
        ("Bearer open-sesame", None),
    ] {
        let mut request = tonic::Request::new(proto::StatusRequest {});
        request.metadata_mut().insert("authorization", shown.parse().unwrap());
        assert_eq!(client.status(request).await.err().map(|error| error.code()), code, "{shown}");
    }
}

#[tokio::test]
async fn other_machines_come_in_only_with_tls_and_token() {
    let open = Grpc { listen: "0.0.0.0:0".parse().unwrap(), ..Grpc::default() };
    let with_token = Grpc { token: Some("open-sesame".to_owned().into()), ..open.clone() };
    for config in [open, with_token] {
        assert!(matches!(Listener::bind(&config).await, Err(GrpcError::Open { .. })));
    }
    let half = Grpc { certificate: Some("x.pem".into()), ..grpc() };
    assert!(matches!(Listener::bind(&half).await, Err(GrpcError::HalfIdentity)));
}

#[tokio::test]
async fn a_subscriber_hears_that_the_node_stops() {
    let node = TestNode::start().await;
    node.finish_calls(1..=1);
    let mut stream = node.subscribe("billing", None).await.unwrap();
    items(&mut stream, 3).await;

    node.close_ledger();

    assert_eq!(error_of(&mut stream).await.code(), Code::Unavailable);
}

// ---- helpers

struct TestNode {
    folder: Arc<tempfile::TempDir>,
    ledger: Ledger,
    channel: Channel,
    clock: Arc<AtomicI64>,
    board: Board,
}

impl TestNode {
    async fn start() -> Self {
        Self::start_with(config()).await
    }

    async fn start_with(config: Config) -> Self {
        Self::start_as(config, grpc()).await
    }

    async fn start_as(config: Config, grpc: Grpc) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::start_in(folder, config, grpc, Arc::new(AtomicI64::new(0))).await
    }

    async fn start_in(
        folder: Arc<tempfile::TempDir>,
        config: Config,
        grpc: Grpc,
        clock: Arc<AtomicI64>,
    ) -> Self {
        let told = Arc::clone(&clock);
        let told = Box::new(move || Wall::from_micros(told.load(Relaxed)));
        let node = Node { name: "hq", clock: told, recorded: &mut |_| None };
        let ledger = Ledger::open(&folder.path().join("ledger.db"), &config, node).unwrap();
        let listener = Listener::bind(&grpc).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = std::future::pending();
        let (switch, board) = (SwitchHandle::new(played::played), Board::default());
        tokio::spawn(listener.serve(
            ledger.clone(),
            switch,
            Clock::start(),
            Archive::default(),
            board.clone(),
            stop,
        ));
        let channel = connect(address).await;
        Self { folder, ledger, channel, clock, board }
    }

    /// Closes the ledger and opens it again at another time.
    async fn restart_at(self, now: Wall) -> Self {
        assert!(self.ledger.close());
        self.clock.store(now.as_micros(), Relaxed);
        let config = self.ledger.config().clone();
        Self::start_in(Arc::clone(&self.folder), config, grpc(), Arc::clone(&self.clock)).await
    }

    fn close_ledger(&self) {
        assert!(self.ledger.close());
    }

    /// Three items a call: setup, end, record. A call's times are its number in microseconds.
    fn finish_calls(&self, calls: std::ops::RangeInclusive<u64>) {
        for call in calls {
            let moment = i64::try_from(call).unwrap();
            self.ledger.append(at(moment, call, setup()));
            self.ledger.append(at(moment, call, ended()));
        }
    }

    async fn written(&self, head: u64) {
        until(|| *self.ledger.head().borrow() >= head).await;
    }

    fn records(&self) -> RecordsClient<Channel> {
        RecordsClient::new(self.channel.clone())
    }

    async fn subscribe(&self, consumer: &str, start: Option<Start>) -> Result<Stream, Status> {
        until(|| self.ledger.health().waiting == 0).await;
        Ok(self.records().subscribe(subscribe(consumer, start)).await?.into_inner())
    }

    async fn acknowledge(&self, consumer: &str, sequence: u64) -> Result<u64, Status> {
        let consumer = consumer.to_owned();
        let request = proto::AcknowledgeRequest { consumer, sequence };
        Ok(self.records().acknowledge(request).await?.into_inner().sequence)
    }
}

async fn facts(node: &TestNode, call: u64) -> Result<Vec<proto::Event>, Status> {
    let call_id = CallId::from_u64(call).to_string();
    let mut stream = node.records().facts(proto::FactsRequest { call_id }).await?.into_inner();
    let mut facts = Vec::new();
    while let Some(fact) = stream.next().await {
        facts.push(fact?);
    }
    Ok(facts)
}

fn config() -> Config {
    Config { heartbeat: Duration::from_millis(50), ..Config::default() }
}

fn grpc() -> Grpc {
    Grpc { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Grpc::default() }
}

async fn connect(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

fn subscribe(consumer: &str, from: Option<Start>) -> SubscribeRequest {
    SubscribeRequest {
        consumer: consumer.to_owned(),
        start: from.map(|from| proto::Start { from: Some(from) }),
        filter: None,
        max_in_flight: 0,
    }
}

/// What comes next, within ten seconds.
async fn next(stream: &mut Stream) -> Option<Delivery> {
    let coming = tokio::time::timeout(Duration::from_secs(10), stream.next());
    Some(coming.await.expect("nothing comes")?.unwrap())
}

/// The next `count` deliveries that are no heartbeat.
async fn items(stream: &mut Stream, count: usize) -> Vec<Delivery> {
    let mut items = Vec::new();
    while items.len() < count {
        let delivery = next(stream).await.expect("the stream ended");
        if !matches!(delivery.item, Some(Item::Heartbeat(_))) {
            items.push(delivery);
        }
    }
    items
}

/// The third heartbeat in a row.
async fn loop_to_heartbeat(stream: &mut Stream) -> Delivery {
    for _ in 0..2 {
        let beat = next(stream).await.unwrap();
        assert!(matches!(beat.item, Some(Item::Heartbeat(_))), "{beat:?}");
    }
    next(stream).await.unwrap()
}

async fn error_of(stream: &mut Stream) -> Status {
    loop {
        let coming = tokio::time::timeout(Duration::from_secs(10), stream.next());
        match coming.await.expect("nothing comes").expect("the stream ended well") {
            Ok(_) => {}
            Err(status) => return status,
        }
    }
}

/// Waits for another thread, for ten seconds at most.
async fn until(mut done: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    for _ in 0..5000 {
        if done() {
            return;
        }
        tick.tick().await;
    }
    panic!("what was waited for did not come");
}

fn at(micros: i64, call: u64, fact: Fact) -> Entry {
    Entry { at: Wall::from_micros(micros), call: Some(CallId::from_u64(call)), fact }
}

fn setup() -> Fact {
    Fact::Setup {
        direction: Direction::Internal,
        from: "1001".to_owned(),
        e164: None,
        name: None,
        extension: Some("1001".into()),
        trunk: None,
        did: None,
        to: "1002".to_owned(),
        sip_call_id: "a@phone".to_owned(),
        config: 1,
    }
}

fn ended() -> Fact {
    let reason = "caller_hung_up".to_owned();
    Fact::Ended { by: HungUpBy::Caller, status: 200, cause: 16, reason }
}
