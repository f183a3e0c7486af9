//! The verbs of the command line: those that read files, and those that talk to a running node.
//!
//! Tables for people, in the zone of the configuration; with `--json` one object a line, as in the
//! contract's canonical JSON, times in UTC.

mod cdr;
pub mod check;
mod client;
mod control;
pub mod demo;
pub mod explain;
mod json;
mod print;
mod recordings;
pub mod run;
mod story;
mod views;

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use thiserror::Error;

use crate::config::problem::Problem;

/// What to do at a running node.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Change an agent's state
    #[command(subcommand)]
    Agent(AgentVerb),
    /// Show every agent and his state
    Agents(View),
    /// Control a call in progress
    #[command(subcommand)]
    Call(CallVerb),
    /// Show who is to be called back
    Callbacks {
        /// The queue in which they waited [default: all]
        queue: Option<String>,
        #[command(flatten)]
        view: View,
    },
    /// Show the calls in progress
    Calls(View),
    /// Have something done about a member of a conference
    #[command(subcommand)]
    Conference(ConferenceVerb),
    /// Show conferences and who is in them
    Conferences(View),
    /// Read call records
    #[command(subcommand)]
    Cdr(CdrVerb),
    /// Take no new calls, before the machine is serviced; calls in progress go on
    Drain {
        /// Take calls again
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Show every account and its registered phones
    Phones(View),
    /// Show the queues, or who waits in one of them
    Queues {
        /// The queue whose callers are shown
        queue: Option<String>,
        #[command(flatten)]
        view: View,
    },
    /// Find, export and verify recordings; the ledger notes who did
    #[command(subcommand)]
    Recordings(RecordingsVerb),
    /// Apply a changed configuration, or refuse it whole
    Reload(Where),
    /// Show what the node holds at this moment
    Status(View),
    /// Show every trunk with its state and its servers
    Trunks(View),
}

/// Which node, and how to reach it.
#[derive(Args, Clone, Debug)]
pub struct Where {
    /// Configuration of the node: its address, token, certificate and time zone
    /// [default: conf/strowger.toml if it is there]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address of the node's gRPC, such as 127.0.0.1:50051, or pbx.example.com:50051 after https://
    #[arg(long, value_name = "ADDRESS")]
    pub node: Option<String>,
    /// Certificate to trust [default: the configuration's]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Environment variable that holds the token
    #[arg(long, value_name = "NAME", default_value = "STROWGER_TOKEN")]
    pub token_env: String,
}

/// How something is shown.
#[derive(Args, Clone, Debug)]
pub struct View {
    #[command(flatten)]
    pub place: Where,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Again every second
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Subcommand)]
pub enum AgentVerb {
    /// Ready for calls
    Available(AgentName),
    /// Logged in, but gets no calls
    Away {
        #[command(flatten)]
        agent: AgentName,
        /// Why, such as lunch
        #[arg(long)]
        reason: Option<String>,
        /// Though nobody else is there for a queue that keeps its last agent
        #[arg(long)]
        anyway: bool,
    },
    /// Begin work; available at once
    Login {
        #[command(flatten)]
        agent: AgentName,
        /// Where the agent sits [default: the fixed seat]
        #[arg(long)]
        extension: Option<String>,
    },
    /// End work; a call in progress goes on
    Logout(AgentName),
    /// End after-call work
    WrapUpDone(AgentName),
    /// Have the queue's after-call time once more
    WrapUpExtend(AgentName),
}

#[derive(Args, Clone, Debug)]
pub struct AgentName {
    /// The agent's id
    pub id: String,
    #[command(flatten)]
    pub place: Where,
}

#[derive(Debug, Subcommand)]
pub enum CallVerb {
    /// Have somebody not called back who asked for it
    CancelCallback {
        /// The call in which he asked, as `strowger callbacks` shows it
        call: String,
        #[command(flatten)]
        place: Where,
    },
    /// Call a number for an extension, whose phones ring first; prints the call's id
    Dial {
        /// The extension that calls
        extension: String,
        /// The number to call, as its phone would dial it
        to: String,
        /// The number that the called one is shown
        #[arg(long, value_name = "NUMBER")]
        caller_id: Option<String>,
        /// The extension's phones are to answer by themselves
        #[arg(long)]
        auto_answer: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Hang up every leg of a call
    Hangup {
        /// The call's id, as `strowger calls` shows it
        call: String,
        #[command(flatten)]
        place: Where,
    },
    /// Put a leg that talks on hold: it hears music
    Hold(LegName),
    /// Send a caller who waits to another queue, where he keeps his seniority
    Move {
        /// The call's id, as `strowger queues QUEUE` shows it
        call: String,
        queue: String,
        #[command(flatten)]
        place: Where,
    },
    /// Record nothing of what a leg talks, until `record` or the end of the talk
    Pause(LegName),
    /// Take a caller who waits for one who came earlier; prints his place in the queue
    Prioritize {
        /// The call's id, as `strowger queues QUEUE` shows it
        call: String,
        /// By how much earlier, such as `2m`; `0s` for the place by arrival
        #[arg(value_parser = humantime_serde::re::humantime::parse_duration)]
        credit: std::time::Duration,
        #[command(flatten)]
        place: Where,
    },
    /// Record it again
    Record(LegName),
    /// Take a leg back from hold
    Resume(LegName),
    /// Let an extension listen to an agent who talks, whisper to him, barge in or take over; prints
    /// the id of the call to it, or of the agent's if it is in that already
    Supervise {
        /// The agent's id
        agent: String,
        /// Whose phones are rung; it needs the right to it (`supervises`)
        #[arg(long, value_name = "N")]
        extension: String,
        /// How to begin, or to go on
        #[arg(long, value_enum, default_value_t = Mode::Listen)]
        mode: Mode,
        #[command(flatten)]
        place: Where,
    },
    /// Send a leg that talks on to a number; the other side leaves when somebody is there
    Transfer {
        #[command(flatten)]
        leg: LegName,
        /// The number, as the other side's phone would dial it
        to: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConferenceVerb {
    /// Send a member away
    Kick(LegName),
    /// Let the others not hear a member any more
    Mute(LegName),
    /// Let them hear it again
    Unmute(LegName),
}

/// How a supervisor takes part in a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    Barge,
    Listen,
    Takeover,
    Whisper,
}

#[derive(Args, Clone, Debug)]
pub struct LegName {
    /// The leg's id, as `strowger calls --json` shows it: the call's id, a hyphen, a number
    pub leg: String,
    #[command(flatten)]
    pub place: Where,
}

#[derive(Debug, Subcommand)]
pub enum CdrVerb {
    /// Print the records, as a downstream system gets them
    Tail(Tail),
}

#[derive(Args, Clone, Debug)]
pub struct Tail {
    #[command(flatten)]
    pub place: Where,
    /// First sequence [default: a consumer's place; else the oldest, with --follow the next]
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
    /// Wait for more
    #[arg(short, long)]
    pub follow: bool,
    /// Durable consumer: acknowledges what was printed, goes on there next time
    #[arg(long, value_name = "NAME")]
    pub consumer: Option<String>,
    /// Print single facts too
    #[arg(long)]
    pub events: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum RecordingsVerb {
    /// List the recordings of finished calls, newest first
    Find(Search),
    /// Write a recording into a WAV file, decrypted
    Export(Export),
    /// Read recordings whole, and compare them with their checksums
    Verify(Search),
}

/// Which recordings; those of calls that fit all that is given.
#[derive(Args, Clone, Debug)]
pub struct Search {
    #[command(flatten)]
    pub place: Where,
    /// A call's id
    #[arg(long, value_name = "ID")]
    pub call: Vec<String>,
    /// An agent who was offered it, or talked
    #[arg(long, value_name = "ID")]
    pub agent: Vec<String>,
    /// An extension that called, or was called
    #[arg(long, value_name = "ID")]
    pub extension: Vec<String>,
    /// A queue that the caller waited in
    #[arg(long, value_name = "ID")]
    pub queue: Vec<String>,
    /// The caller's number; `1234*` for all that begin so
    #[arg(long, value_name = "NUMBER")]
    pub caller: Option<String>,
    /// Calls that began then or later, such as 2026-11-30 or "2026-11-30 10:00"
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Calls that began before; of a day, to its end
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// What for, as the ledger is to note it
    #[arg(long, value_name = "TEXT")]
    pub purpose: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug)]
pub struct Export {
    #[command(flatten)]
    pub place: Where,
    /// The call's id, as `strowger recordings find` shows it
    pub call: String,
    /// Which of its recordings, if it has several
    #[arg(long, value_name = "N")]
    pub number: Option<u32>,
    /// The file to write, which must not be there yet
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// What for, as the ledger is to note it
    #[arg(long, value_name = "TEXT")]
    pub purpose: Option<String>,
    /// Write what can be read of a damaged one
    #[arg(long)]
    pub damaged: bool,
    /// Write it as it was recorded, where an Ogg/Opus file was made of it and both are kept
    #[arg(long)]
    pub original: bool,
}

/// Carries out a verb; what it says goes to the standard output.
///
/// # Errors
///
/// If the node cannot be reached or refuses.
pub async fn run(verb: Verb) -> Result<(), CliError> {
    let done = match verb {
        Verb::Agent(verb) => views::change_agent(verb).await,
        Verb::Agents(view) => views::agents(view).await,
        Verb::Call(verb) => control::order(verb).await,
        Verb::Callbacks { queue, view } => views::callbacks(queue, view).await,
        Verb::Calls(view) => views::calls(view).await,
        Verb::Conference(verb) => control::order_member(verb).await,
        Verb::Conferences(view) => views::conferences(view).await,
        Verb::Cdr(CdrVerb::Tail(tail)) => cdr::tail(tail).await,
        Verb::Drain { undo, place } => views::drain(!undo, &place).await,
        Verb::Phones(view) => views::phones(view).await,
        Verb::Queues { queue: None, view } => views::queues(view).await,
        Verb::Queues { queue: Some(queue), view } => views::callers(queue, view).await,
        Verb::Recordings(verb) => recordings::run(verb).await,
        Verb::Reload(place) => views::reload(&place).await,
        Verb::Status(view) => views::status(view).await,
        Verb::Trunks(view) => views::trunks(view).await,
    };
    match done {
        // Whoever read has seen enough, as `head` does.
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Why a verb was not carried out; reads as a sentence for people.
#[derive(Debug, Error)]
pub enum CliError {
    #[error("`{0}` is no address of a node; write one such as 127.0.0.1:50051")]
    Address(String),
    #[error("{}\nso the node's address is not known; give --node", lines(.0))]
    Configuration(Vec<Problem>),
    #[error("no node answers at {address}: {}", innermost(.source))]
    Connect { address: String, source: tonic::transport::Error },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the node's answer cannot be shown: {0}")]
    Json(String),
    #[error("{0}")]
    Output(#[from] io::Error),
    #[error("the new configuration has mistakes; nothing changed\n{}", .0.join("\n"))]
    Reload(Vec<String>),
    #[error("{}", .0.message())]
    Refused(#[from] Box<tonic::Status>),
    #[error("`{0}` is no time; write `2026-11-30`, `2026-11-30 10:00` or `2026-11-30T10:00:00Z`")]
    Time(String),
    #[error("the node did not send the whole recording")]
    Torn,
    #[error("TLS needs a certificate to trust: give --ca")]
    Trust,
    #[error("{unsound} of {all} recordings are not as they were")]
    Unsound { unsound: u64, all: u64 },
}

impl CliError {
    /// Whether what was asked for cannot be meant.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Time(_))
    }
}

impl From<tonic::Status> for CliError {
    fn from(status: tonic::Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The cause below all others, which says most.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
