//! `strowger demo`: a whole call on this machine, with phones that are real but for the people.

mod audio;
pub mod phone;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, ensure};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::json;
use crate::config::{Config, generate_password};
use crate::id::ExtensionId;
use crate::shell::entropy;
use crate::shell::node::Node;
use crate::shell::proto::delivery::Item;
use crate::shell::proto::records_client::RecordsClient;
use crate::shell::proto::start::From;
use crate::shell::proto::{CallRecord, Filter, Kind, Position, Start, SubscribeRequest};
use crate::sip::config::Listen;
use crate::sip::flow::Transport;
use crate::time::Duration;
use phone::{Phone, PhoneError, Sound, Step};

/// Plays the call; fails unless everything happened.
pub fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let played = match runtime {
        Ok(runtime) => runtime.block_on(play()),
        Err(error) => Err(error.into()),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strowger: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the call in a folder of its own, which stays only if something went wrong.
async fn play() -> anyhow::Result<()> {
    let name = format!("strowger-demo-{}", entropy::rng()?.token(6));
    let folder = std::env::temp_dir().join(name);
    let played = play_in(&folder).await;
    tidy_up(&folder, played)
}

/// Removes the folder of a call that went well; says where that of another one is.
fn tidy_up(folder: &Path, played: anyhow::Result<()>) -> anyhow::Result<()> {
    let shown = folder.display();
    match played {
        Ok(()) => fs::remove_dir_all(folder).with_context(|| format!("{shown} cannot be removed")),
        Err(error) if folder.exists() => Err(anyhow!("{error:#}; see what is left in {shown}")),
        Err(error) => Err(error),
    }
}

async fn play_in(folder: &Path) -> anyhow::Result<()> {
    let mut rng = entropy::rng()?;
    let mut config = site(folder);
    let passwords = [CALLER, AGENT].map(|extension| {
        let password = generate_password(&mut rng);
        config.give_password(&ExtensionId::from(extension), password.clone().into());
        password
    });
    let recordings = folder.join(&config.media.recordings);
    let node = Node::start(config, Box::new(|| Err(vec!["the demo has no file".to_owned()])));
    let node = node.await.map_err(|error| anyhow!("{error}"))?; // it tells its causes itself
    let server = node.sip.first().ok_or_else(|| anyhow!("nothing listens for phones"))?.address;
    println!(
        "A caller ({CALLER}) dials the menu (500) and presses 1; an agent ({AGENT}) answers.\n"
    );

    let (steps, mut taken) = mpsc::unbounded_channel();
    let [for_caller, for_agent] = passwords;
    let open = |name, password, rng, steps| async move {
        Phone::open(name, (name, password), LOCALHOST, server, rng, steps).await
    };
    let mut caller = open(CALLER, &for_caller, entropy::rng()?, steps.clone()).await?;
    let mut agent = open(AGENT, &for_agent, entropy::rng()?, steps).await?;
    let talked = talk(&mut caller, &mut agent).await;
    taken.close();
    println!(
        "{:^28}{:^28}{:^28}",
        format!("caller {CALLER}"),
        "strowger",
        format!("agent {AGENT}")
    );
    while let Some(step) = taken.recv().await {
        println!("{}", rung(&step));
    }
    talked?;
    println!(
        "\nBoth heard each other: the caller {AGENT_HERTZ} Hz from the agent, the agent \
         {CALLER_HERTZ} Hz from the caller."
    );

    let record = record(node.grpc).await?;
    println!("\nThe call's record, as it came over gRPC:\n{}", json::line(&record)?);
    let recording = record.recordings.first().ok_or_else(|| anyhow!("there is no recording"))?;
    let length = recording.length.ok_or_else(|| anyhow!("the recording has no length"))?;
    ensure!(length.seconds > 0, "the recording is empty");
    let seconds = format!("{}.{:03}", length.seconds, length.nanos / 1_000_000);
    node.stop().await;
    let file = recordings.join(&recording.path);
    let bytes = fs::metadata(&file).with_context(|| file.display().to_string())?.len();
    println!(
        "\nThe recording: {seconds} s in stereo, {bytes} bytes; it is removed with all else that \
         the demo wrote."
    );
    Ok(())
}

/// The built-in site, on free ports of this machine, with one agent.
fn site(folder: &Path) -> Config {
    let mut config = Config::builtin();
    let any_port = SocketAddr::new(LOCALHOST, 0);
    config.node.data = folder.to_owned();
    config.sip.listen = vec![Listen { transport: Transport::Udp, address: any_port }];
    config.grpc.listen = any_port;
    config.http.listen = any_port;
    config.media.listen = LOCALHOST;
    config.acd.agents.retain(|id, _| id.as_str() == AGENT);
    for queue in config.acd.queues.values_mut() {
        queue.members.retain(|id| id.as_str() == AGENT);
    }
    config
}

/// The call: menu, key, queue, agent, a tone each way, the end.
async fn talk(caller: &mut Phone, agent: &mut Phone) -> anyhow::Result<()> {
    caller.register(300).await.context("the caller's phone registers")?;
    agent.register(300).await.context("the agent's phone registers")?;
    let calling = async {
        let mut call = caller.call("500").await?;
        call.hear(Sound::Any, PATIENCE).await?;
        call.press('1').await?;
        call.play(Some(CALLER_HERTZ));
        call.hear(Sound::Tone(AGENT_HERTZ), PATIENCE).await?;
        call.stay(TALK).await?;
        call.hang_up().await
    };
    let answering = async {
        let mut call = agent.answer(PATIENCE, RING).await?;
        call.play(Some(AGENT_HERTZ));
        call.hear(Sound::Tone(CALLER_HERTZ), PATIENCE).await?;
        call.wait_for_hang_up(PATIENCE).await
    };
    let (called, answered): (Result<_, PhoneError>, Result<_, PhoneError>) =
        tokio::join!(calling, answering);
    called.context("the caller")?;
    answered.context("the agent")
}

/// The first record that the node gives.
async fn record(grpc: SocketAddr) -> anyhow::Result<CallRecord> {
    let mut records = RecordsClient::connect(format!("http://{grpc}")).await?;
    let request = SubscribeRequest {
        start: Some(Start { from: Some(From::Position(Position::Oldest.into())) }),
        filter: Some(Filter { kinds: vec![Kind::Record.into()], ..Filter::default() }),
        ..SubscribeRequest::default()
    };
    let mut stream = records.subscribe(request).await?.into_inner();
    let first = async {
        while let Some(delivery) = stream.message().await? {
            if let Some(Item::Record(record)) = delivery.item {
                return Ok(record);
            }
        }
        Err(anyhow!("the stream of records ended"))
    };
    timeout(PATIENCE, first).await.context("no record came")?
}

/// A message as a line of the ladder.
fn rung(step: &Step) -> String {
    let text: String = step.line.chars().take(24).collect();
    let of_caller = step.phone == CALLER;
    let arrow = match (of_caller, step.sent) {
        (true, true) | (false, false) => format!("{text:─<26}►"),
        (true, false) | (false, true) => format!("◄{text:─<26}"),
    };
    match of_caller {
        true => format!("{:13}│{arrow}│{:27}│", "", ""),
        false => format!("{:13}│{:27}│{arrow}│", "", ""),
    }
}

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The extension that calls.
const CALLER: &str = "1001";
/// The extension, and the agent whose seat it is.
const AGENT: &str = "1002";
/// The tone that stands for the caller's voice.
const CALLER_HERTZ: f64 = 440.0;
/// The tone that stands for the agent's voice.
const AGENT_HERTZ: f64 = 1000.0;
/// How long the agent's phone rings.
const RING: Duration = Duration::from_millis(800);
/// How long they talk after each has heard the other.
const TALK: Duration = Duration::from_secs(2);
/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_whole_call_happens() {
        let folder = tempfile::tempdir().unwrap();

        play_in(folder.path()).await.unwrap();

        assert!(folder.path().join("recordings").is_dir());
    }

    #[test]
    fn the_folder_stays_only_if_something_went_wrong() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("demo");
        fs::create_dir_all(folder.join("recordings")).unwrap();

        let told = tidy_up(&folder, Err(anyhow!("no record came"))).unwrap_err().to_string();
        assert_eq!(told, format!("no record came; see what is left in {}", folder.display()));
        assert!(folder.exists());

        tidy_up(&folder, Ok(())).unwrap();
        assert!(!folder.exists());
    }
}
