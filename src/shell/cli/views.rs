//! The states of a node as tables or JSON, and the orders that change them.

use std::future::Future;

use tokio::time::interval;

use super::client::{Client, Connection};
use super::print::{Table, ago, length, moment, or_hyphen, out, plain, word};
use super::{AgentVerb, CliError, View, Where, json};
use crate::shell::clock::Clock;
use crate::shell::proto::agents_client::AgentsClient;
use crate::shell::proto::calls_client::CallsClient;
use crate::shell::proto::conferences_client::ConferencesClient;
use crate::shell::proto::node_client::NodeClient;
use crate::shell::proto::phones_client::PhonesClient;
use crate::shell::proto::queues_client::QueuesClient;
use crate::shell::proto::trunks_client::TrunksClient;
use crate::shell::proto::{self, AgentChange};
use crate::time::Duration;

/// How often `--watch` shows a state.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Empties the terminal and goes to its first line.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

pub async fn status(view: View) -> Result<(), CliError> {
    show(
        view,
        async |connection| {
            let asked = proto::StatusRequest {};
            Ok(vec![NodeClient::new(connection).status(asked).await?.into_inner()])
        },
        status_table,
    )
    .await
}

pub async fn agents(view: View) -> Result<(), CliError> {
    show(
        view,
        async |connection| {
            let asked = proto::ListAgentsRequest {};
            Ok(AgentsClient::new(connection).list(asked).await?.into_inner().agents)
        },
        agents_table,
    )
    .await
}

pub async fn calls(view: View) -> Result<(), CliError> {
    show(
        view,
        async |connection| {
            let asked = proto::ListCallsRequest {};
            Ok(CallsClient::new(connection).list(asked).await?.into_inner().calls)
        },
        calls_table,
    )
    .await
}

pub async fn queues(view: View) -> Result<(), CliError> {
    show(
        view,
        async |connection| {
            let asked = proto::ListQueuesRequest {};
            Ok(QueuesClient::new(connection).list(asked).await?.into_inner().queues)
        },
        queues_table,
    )
    .await
}

/// Who waits in a queue: the first thousand.
pub async fn callers(queue: String, view: View) -> Result<(), CliError> {
    let queue = &queue;
    show(
        view,
        async |connection| {
            let asked = proto::ListCallersRequest { queue: queue.clone(), page_size: 1000 };
            let told = QueuesClient::new(connection).list_callers(asked).await?;
            Ok(told.into_inner().callers)
        },
        callers_table,
    )
    .await
}

pub async fn callbacks(queue: Option<String>, view: View) -> Result<(), CliError> {
    let queue = &queue;
    show(
        view,
        async |connection| {
            let asked = proto::ListCallbacksRequest { queue: queue.clone() };
            let told = QueuesClient::new(connection).list_callbacks(asked).await?;
            Ok(told.into_inner().callbacks)
        },
        callbacks_table,
    )
    .await
}

pub async fn phones(view: View) -> Result<(), CliError> {
    show(
        view,
        async |connection| {
            let asked = proto::ListPhonesRequest {};
            Ok(PhonesClient::new(connection).list(asked).await?.into_inner().phones)
        },
        phones_table,
    )
    .await
}

pub async fn trunks(view: View) -> Result<(), CliError> {
    show(
        view,
        async |connection| {
            let asked = proto::ListTrunksRequest {};
            Ok(TrunksClient::new(connection).list(asked).await?.into_inner().trunks)
        },
        trunks_table,
    )
    .await
}

pub async fn conferences(view: View) -> Result<(), CliError> {
    show(
        view,
        async |connection| {
            let asked = proto::ListConferencesRequest {};
            let told = ConferencesClient::new(connection).list(asked).await?;
            Ok(told.into_inner().conferences)
        },
        conferences_table,
    )
    .await
}

/// Asks once, or every second, and prints what came.
async fn show<M, A>(
    view: View,
    ask: impl Fn(Connection) -> A,
    table: fn(&[M], &Shown<'_>) -> String,
) -> Result<(), CliError>
where
    M: prost::Message + prost::Name,
    A: Future<Output = Result<Vec<M>, CliError>>,
{
    let client = Client::connect(&view.place).await?;
    let clock = Clock::start();
    let mut tick = interval(WATCH_EVERY);
    loop {
        tick.tick().await;
        let found = ask(client.connection.clone()).await?;
        let mut text = String::new();
        if view.json {
            for message in &found {
                text.push_str(&json::line(message)?);
                text.push('\n');
            }
        } else {
            let now = clock.wall().as_micros() / 1_000_000;
            if view.watch {
                text.push_str(CLEAR);
            }
            text.push_str(&table(&found, &Shown { zone: &client.zone, now }));
        }
        out(&text)?;
        if !view.watch {
            return Ok(());
        }
    }
}

/// When and where a table is read.
struct Shown<'a> {
    zone: &'a jiff::tz::TimeZone,
    /// Seconds since 1970.
    now: i64,
}

fn status_table(found: &[proto::StatusResponse], shown: &Shown<'_>) -> String {
    let mut table = Table::new(["NODE", ""]);
    for status in found {
        let ledger = status.ledger.unwrap_or_default();
        let state = if ledger.writable { "written" } else { "CANNOT BE WRITTEN" };
        let started = moment(status.start_time, shown.zone);
        for (name, value) in [
            ("name", plain(&status.name)),
            ("version", status.version.clone()),
            ("up", format!("{} since {started}", length(status.uptime))),
            ("configuration", status.config.to_string()),
            ("takes calls", if status.draining { "no: draining" } else { "yes" }.to_owned()),
            ("calls", status.calls.to_string()),
            ("legs", status.legs.to_string()),
            ("dialogs", status.dialogs.to_string()),
            ("transactions", status.transactions.to_string()),
            ("registrations", status.registrations.to_string()),
            ("subscriptions", status.subscriptions.to_string()),
            ("callers waiting", status.waiting.to_string()),
            ("ports taken", status.ports_taken.to_string()),
            ("ports spare", status.ports_spare.to_string()),
            ("recordings", status.recordings.to_string()),
            ("calls since start", status.calls_total.to_string()),
            ("calls refused", status.calls_refused.to_string()),
            ("ledger", format!("{state}, {} to {}", ledger.oldest, ledger.newest)),
            ("entries waiting", ledger.waiting.to_string()),
            ("entries lost", ledger.lost.to_string()),
        ] {
            table.row([name.to_owned(), value]);
        }
    }
    table.text()
}

fn agents_table(found: &[proto::Agent], shown: &Shown<'_>) -> String {
    let headings = [
        "AGENT",
        "NAME",
        "STATE",
        "FOR",
        "EXTENSION",
        "QUEUES",
        "REASON",
        "FREE",
        "CALLS",
        "TALKED",
    ];
    let mut table = Table::new(headings);
    for agent in found {
        table.row([
            plain(&agent.agent),
            plain(&agent.name),
            word(agent.state().as_str_name(), "AGENT_STATE_"),
            ago(agent.since, shown.now),
            or_hyphen(agent.extension.as_deref()),
            plain(&agent.queues.join(",")),
            or_hyphen(agent.reason.as_deref()),
            if agent.free {
                "yes".to_owned()
            } else {
                format!("no: {}", word(agent.held_back().as_str_name(), "PASSED_WHY_"))
            },
            agent.calls_answered.to_string(),
            length(agent.talked),
        ]);
    }
    table.text()
}

fn calls_table(found: &[proto::Call], shown: &Shown<'_>) -> String {
    let headings =
        ["CALL", "FROM", "TO", "FOR", "STAGE", "WITH", "RECORDED", "LOSS", "JITTER", "MOS"];
    let mut table = Table::new(headings);
    for call in found {
        let with = [&call.menu, &call.queue, &call.prompt];
        let with = with.into_iter().find_map(Option::as_deref);
        let talking =
            call.legs.iter().find(|leg| Some(&leg.leg_id) == call.talking_leg_id.as_ref());
        let with = with.or(talking.and_then(|leg| leg.extension.as_deref())).map(str::to_owned);
        let with = with.or(call.park_slot.map(|slot| slot.to_string()));
        let [loss, jitter, mos] = sound(&call.legs);
        table.row([
            call.call_id.clone(),
            call.caller.as_ref().map(|caller| plain(&caller.number)).unwrap_or_default(),
            plain(&call.dialled),
            ago(call.setup_time, shown.now),
            word(call.stage().as_str_name(), "CALL_STAGE_"),
            or_hyphen(with.as_deref()),
            if call.recorded { "yes" } else { "no" }.to_owned(),
            loss,
            jitter,
            mos,
        ]);
    }
    table.text()
}

/// Share lost, mean jitter and score of a call so far: the worst of its legs' ways. A leg that is
/// not heard stands in for the score.
fn sound(legs: &[proto::CallLeg]) -> [String; 3] {
    let counted = || legs.iter().filter_map(|leg| leg.quality.as_ref());
    let share = |lost: u64, came: u64| lost as f64 / (lost + came).max(1) as f64;
    let loss = counted().map(|it| {
        let never_sent = it.sent_missing;
        let to = (it.sent_lost + it.sent_late) as f64 / (it.sent + never_sent).max(1) as f64;
        share(it.received_lost, it.received).max(to)
    });
    let millis = |time: &Option<prost_types::Duration>| {
        time.map_or(0, |time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000)
    };
    let jitter = counted().map(|it| millis(&it.received_jitter).max(millis(&it.sent_jitter)));
    let mos = counted().flat_map(|it| [it.received_mos, it.sent_mos]).flatten();
    let loss = loss.reduce(f64::max).map(|loss| format!("{:.1} %", 100.0 * loss));
    let mos = match legs.iter().any(|leg| leg.one_way) {
        true => Some("ONE-WAY".to_owned()),
        false => mos.reduce(f32::min).map(|mos| format!("{mos:.2}")),
    };
    let jitter = jitter.max().map(|millis| format!("{millis} ms"));
    [loss, jitter, mos].map(|cell| cell.unwrap_or_else(|| "-".to_owned()))
}

fn queues_table(found: &[proto::Queue], _: &Shown<'_>) -> String {
    let headings =
        ["QUEUE", "NUMBER", "STRATEGY", "WAITING", "LONGEST", "LOGGED IN", "FREE", "BUSY", "LEVEL"];
    let mut table = Table::new(headings);
    for queue in found {
        table.row([
            plain(&queue.queue),
            or_hyphen(queue.number.as_deref()),
            plain(&queue.strategy),
            queue.waiting.to_string(),
            length(queue.longest_wait),
            queue.agents_logged_in.to_string(),
            queue.agents_available.to_string(),
            queue.agents_busy.to_string(),
            service_level(queue),
        ]);
    }
    table.text()
}

/// The share of callers who were served well lately, marked if that is too little.
fn service_level(queue: &proto::Queue) -> String {
    let lately = queue.lately.as_ref();
    let percent = lately.and_then(|lately| lately.percent.get("offered_less_short"));
    let mark = if queue.below_target { " BELOW TARGET" } else { "" };
    percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0} %{mark}"))
}

fn callers_table(found: &[proto::WaitingCaller], _: &Shown<'_>) -> String {
    let mut table = Table::new(["PLACE", "CALL", "FROM", "NAME", "WAITS", "RINGING"]);
    for waiting in found {
        let caller = waiting.caller.clone().unwrap_or_default();
        table.row([
            waiting.position.to_string(),
            waiting.call_id.clone(),
            plain(&caller.number),
            or_hyphen(caller.name.as_deref()),
            length(waiting.wait),
            waiting.offers.to_string(),
        ]);
    }
    table.text()
}

fn callbacks_table(found: &[proto::Callback], shown: &Shown<'_>) -> String {
    let headings = ["CALL", "QUEUE", "NUMBER", "NAME", "STATE", "PLACE", "ATTEMPTS", "UNTIL"];
    let mut table = Table::new(headings);
    for callback in found {
        let state = word(callback.state().as_str_name(), "CALLBACK_STATE_");
        let place = callback.position.map(|position| position.to_string());
        table.row([
            callback.call_id.clone(),
            plain(&callback.queue),
            plain(&callback.number),
            or_hyphen(callback.name.as_deref()),
            match callback.next_time {
                Some(next) => format!("{state} until {}", moment(Some(next), shown.zone)),
                None => state,
            },
            or_hyphen(place.as_deref()),
            callback.attempts.to_string(),
            moment(callback.expire_time, shown.zone),
        ]);
    }
    table.text()
}

/// What an account's person wants when he is called, such as `dnd always:1002`.
fn services(phone: &proto::Phone) -> String {
    let forwards = [
        ("always", &phone.forward_always),
        ("busy", &phone.forward_busy),
        ("no-answer", &phone.forward_no_answer),
    ];
    let dnd = phone.do_not_disturb.then(|| "dnd".to_owned());
    let to = |(when, number): (&str, &Option<String>)| {
        number.as_ref().map(|number| format!("{when}:{}", plain(number)))
    };
    let all: Vec<String> = dnd.into_iter().chain(forwards.into_iter().filter_map(to)).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(" ") }
}

fn phones_table(found: &[proto::Phone], shown: &Shown<'_>) -> String {
    let mut table =
        Table::new(["EXTENSION", "NAME", "CALLS", "SERVICES", "ADDRESS", "PHONE", "EXPIRES"]);
    for phone in found {
        let (extension, name) = (plain(&phone.extension), plain(&phone.name));
        let (calls, services) = (phone.calls.to_string(), services(phone));
        if phone.contacts.is_empty() {
            let hyphen = || "-".to_owned();
            table.row([
                extension.clone(),
                name.clone(),
                calls.clone(),
                services.clone(),
                hyphen(),
                hyphen(),
                hyphen(),
            ]);
        }
        for contact in &phone.contacts {
            table.row([
                extension.clone(),
                name.clone(),
                calls.clone(),
                services.clone(),
                plain(&contact.address),
                or_hyphen(contact.user_agent.as_deref()),
                moment(contact.expire_time, shown.zone),
            ]);
        }
    }
    table.text()
}

/// A line for each server; the trunk's own figures stand in the first.
fn conferences_table(found: &[proto::Conference], shown: &Shown<'_>) -> String {
    let mut table =
        Table::new(["CONFERENCE", "NUMBER", "MEMBERS", "LEG", "WHO", "NAME", "FOR", "MUTED"]);
    for conference in found {
        let mut own = [
            plain(&conference.conference),
            or_hyphen(conference.number.as_deref()),
            format!("{}/{}", conference.members.len(), conference.parties_max),
        ];
        let none = proto::ConferenceMember { leg_id: "-".to_owned(), ..Default::default() };
        let is_empty = conference.members.is_empty();
        let members = if is_empty { &vec![none] } else { &conference.members };
        for member in members {
            let muted = if member.muted { "yes" } else { "no" };
            let [conference, number, members] = own;
            table.row([
                conference,
                number,
                members,
                plain(&member.leg_id),
                or_hyphen(Some(member.number.as_str()).filter(|number| !number.is_empty())),
                or_hyphen(member.name.as_deref()),
                ago(member.joined_time, shown.now),
                if is_empty { "-".to_owned() } else { muted.to_owned() },
            ]);
            own = [(); 3].map(|()| String::new());
        }
    }
    table.text()
}

fn trunks_table(found: &[proto::Trunk], shown: &Shown<'_>) -> String {
    let headings = [
        "TRUNK",
        "STATE",
        "FOR",
        "WHY",
        "REGISTERED UNTIL",
        "CALLS",
        "SERVER",
        "UP",
        "LATENCY",
        "RESTS UNTIL",
    ];
    let mut table = Table::new(headings);
    for trunk in found {
        let mut own = [
            plain(&trunk.trunk),
            word(trunk.state().as_str_name(), "TRUNK_STATE_"),
            ago(trunk.since, shown.now),
            or_hyphen(trunk.why.as_deref()),
            moment(trunk.registered_until, shown.zone),
            format!("{}/{}", trunk.calls, trunk.calls_max),
        ];
        let none = proto::TrunkServer { address: "-".to_owned(), ..Default::default() };
        let servers = if trunk.servers.is_empty() { &vec![none] } else { &trunk.servers };
        for server in servers {
            let latency = server.latency.as_ref().map(|latency| {
                format!("{} ms", latency.seconds * 1000 + i64::from(latency.nanos) / 1_000_000)
            });
            let up = if server.up { "yes" } else { "no" };
            let latency = latency.unwrap_or_else(|| "-".to_owned());
            let rests = server.resting_why.as_deref().map_or_else(
                || "-".to_owned(),
                |why| format!("{} {}", moment(server.resting_until, shown.zone), plain(why)),
            );
            let [id, state, since, why, until, calls] = own;
            let (address, up) = (plain(&server.address), up.to_owned());
            table.row([id, state, since, why, until, calls, address, up, latency, rests]);
            own = [const { String::new() }; 6];
        }
    }
    table.text()
}

/// Changes an agent's state and prints the one that he has then.
pub async fn change_agent(verb: AgentVerb) -> Result<(), CliError> {
    let (agent, change, extension, reason) = match verb {
        AgentVerb::Available(agent) => (agent, AgentChange::Available, None, None),
        AgentVerb::Away { agent, reason, anyway } => {
            let change = if anyway { AgentChange::AwayAnyway } else { AgentChange::Away };
            (agent, change, None, reason)
        }
        AgentVerb::Login { agent, extension } => (agent, AgentChange::LogIn, extension, None),
        AgentVerb::Logout(agent) => (agent, AgentChange::LogOut, None, None),
        AgentVerb::WrapUpDone(agent) => (agent, AgentChange::WrapUpDone, None, None),
        AgentVerb::WrapUpExtend(agent) => (agent, AgentChange::WrapUpExtend, None, None),
    };
    let client = Client::connect(&agent.place).await?;
    let change = change.into();
    let requested_by = super::control::who();
    let asked =
        proto::ChangeAgentRequest { agent: agent.id, change, extension, reason, requested_by };
    let changed = AgentsClient::new(client.connection).change(asked).await?.into_inner().agent;
    let now = Clock::start().wall().as_micros() / 1_000_000;
    let changed: Vec<proto::Agent> = changed.into_iter().collect();
    let mut text = agents_table(&changed, &Shown { zone: &client.zone, now });
    for agent in changed.iter().filter(|agent| agent.break_held) {
        text.push_str(&format!(
            "the break of agent {} waits until another agent of his queues is there\n",
            plain(&agent.agent)
        ));
    }
    Ok(out(&text)?)
}

pub async fn drain(on: bool, place: &Where) -> Result<(), CliError> {
    let client = Client::connect(place).await?;
    let asked = proto::DrainRequest { on };
    let told = NodeClient::new(client.connection).drain(asked).await?.into_inner();
    let takes = if told.draining { "takes no new calls" } else { "takes calls" };
    Ok(out(&format!("{} {takes}; {} in progress\n", plain(&told.name), told.calls))?)
}

/// Has the configuration read again, and says what became of it.
pub async fn reload(place: &Where) -> Result<(), CliError> {
    let client = Client::connect(place).await?;
    let asked = proto::ReloadRequest {};
    let told = NodeClient::new(client.connection).reload(asked).await?.into_inner();
    let Some(config) = told.config else { return Err(CliError::Reload(told.mistakes)) };
    let mut text = format!("configuration {config} is in force\n");
    for key in told.restart_for {
        text.push_str(&format!("{key} takes effect at the next start\n"));
    }
    Ok(out(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_sounds_as_its_worst_way() {
        let ms =
            |millis: i32| Some(prost_types::Duration { seconds: 0, nanos: millis * 1_000_000 });
        let good = proto::Quality {
            received: 1000,
            received_jitter: ms(2),
            received_mos: Some(4.41),
            ..Default::default()
        };
        let bad = proto::Quality {
            sent: 950,
            sent_lost: 100,
            sent_missing: 50,
            sent_jitter: ms(14),
            sent_mos: Some(3.51),
            ..Default::default()
        };
        let leg = |quality, one_way| proto::CallLeg { quality, one_way, ..Default::default() };

        assert_eq!(sound(&[leg(None, false)]), ["-", "-", "-"]);
        assert_eq!(sound(&[leg(Some(good), false)]), ["0.0 %", "2 ms", "4.41"]);
        let legs = [leg(Some(good), false), leg(Some(bad), false)];
        assert_eq!(sound(&legs), ["10.0 %", "14 ms", "3.51"]);
        assert_eq!(sound(&[leg(Some(good), true)]), ["0.0 %", "2 ms", "ONE-WAY"]);
    }
}
