//! Orders about calls.

use super::client::Client;
use super::print::out;
use super::{CallVerb, CliError, ConferenceVerb, LegName, Mode, Where};
use crate::shell::proto;
use crate::shell::proto::calls_client::CallsClient;
use crate::shell::proto::conferences_client::ConferencesClient;
use crate::shell::proto::queues_client::QueuesClient;

/// Carries out an order; what can be refused is refused with a sentence.
pub async fn order(verb: CallVerb) -> Result<(), CliError> {
    let requested_by = who();
    match verb {
        CallVerb::CancelCallback { call, place } => cancel_callback(call, &place).await?,
        CallVerb::Dial { extension, to, caller_id, auto_answer, place } => {
            let client = Client::connect(&place).await?;
            let asked = proto::DialRequest { extension, to, caller_id, auto_answer, requested_by };
            let dialled = CallsClient::new(client.connection).dial(asked).await?.into_inner();
            out(&format!("{}\n", dialled.call_id))?;
        }
        CallVerb::Hangup { call: call_id, place } => {
            let client = Client::connect(&place).await?;
            let asked = proto::HangupRequest { call_id, requested_by };
            CallsClient::new(client.connection).hangup(asked).await?;
        }
        CallVerb::Hold(LegName { leg: leg_id, place }) => {
            let client = Client::connect(&place).await?;
            let asked = proto::HoldRequest { leg_id, requested_by };
            CallsClient::new(client.connection).hold(asked).await?;
        }
        CallVerb::Move { call: call_id, queue, place } => {
            let client = Client::connect(&place).await?;
            let asked = proto::MoveRequest { call_id, queue, requested_by };
            QueuesClient::new(client.connection).r#move(asked).await?;
        }
        CallVerb::Prioritize { call: call_id, credit, place } => {
            let client = Client::connect(&place).await?;
            let credit = prost_types::Duration::try_from(credit).ok();
            let asked = proto::PrioritizeRequest { call_id, credit, requested_by };
            let placed = QueuesClient::new(client.connection).prioritize(asked).await?;
            out(&format!("{}\n", placed.into_inner().position))?;
        }
        CallVerb::Pause(LegName { leg: leg_id, place }) => {
            let client = Client::connect(&place).await?;
            let asked = proto::PauseRecordingRequest { leg_id, requested_by };
            CallsClient::new(client.connection).pause_recording(asked).await?;
        }
        CallVerb::Record(LegName { leg: leg_id, place }) => {
            let client = Client::connect(&place).await?;
            let asked = proto::ResumeRecordingRequest { leg_id, requested_by };
            CallsClient::new(client.connection).resume_recording(asked).await?;
        }
        CallVerb::Resume(LegName { leg: leg_id, place }) => {
            let client = Client::connect(&place).await?;
            let asked = proto::ResumeRequest { leg_id, requested_by };
            CallsClient::new(client.connection).resume(asked).await?;
        }
        CallVerb::Supervise { agent, extension, mode, place } => {
            let client = Client::connect(&place).await?;
            let mode = match mode {
                Mode::Barge => proto::SupervisorMode::Barge,
                Mode::Listen => proto::SupervisorMode::Listen,
                Mode::Takeover => proto::SupervisorMode::TakeOver,
                Mode::Whisper => proto::SupervisorMode::Whisper,
            };
            let asked =
                proto::SuperviseRequest { agent, extension, mode: mode.into(), requested_by };
            let called = CallsClient::new(client.connection).supervise(asked).await?.into_inner();
            out(&format!("{}\n", called.call_id))?;
        }
        CallVerb::Transfer { leg: LegName { leg: leg_id, place }, to } => {
            let client = Client::connect(&place).await?;
            let asked = proto::TransferRequest { leg_id, to, requested_by };
            CallsClient::new(client.connection).transfer(asked).await?;
        }
    }
    Ok(())
}

async fn cancel_callback(call_id: String, place: &Where) -> Result<(), CliError> {
    let client = Client::connect(place).await?;
    let asked = proto::CancelCallbackRequest { call_id, requested_by: who() };
    QueuesClient::new(client.connection).cancel_callback(asked).await?;
    Ok(())
}

/// Has something done about a member of a conference.
pub async fn order_member(verb: ConferenceVerb) -> Result<(), CliError> {
    let requested_by = who();
    let (ConferenceVerb::Kick(LegName { place, .. })
    | ConferenceVerb::Mute(LegName { place, .. })
    | ConferenceVerb::Unmute(LegName { place, .. })) = &verb;
    let mut client = ConferencesClient::new(Client::connect(place).await?.connection);
    match verb {
        ConferenceVerb::Kick(LegName { leg: leg_id, .. }) => {
            client.kick(proto::KickRequest { leg_id, requested_by }).await?;
        }
        ConferenceVerb::Mute(LegName { leg: leg_id, .. }) => {
            client.mute(proto::MuteRequest { leg_id, requested_by }).await?;
        }
        ConferenceVerb::Unmute(LegName { leg: leg_id, .. }) => {
            client.unmute(proto::UnmuteRequest { leg_id, requested_by }).await?;
        }
    }
    Ok(())
}

/// Who sits at the command line, as the system calls him.
pub fn who() -> String {
    std::env::var("USER").unwrap_or_default().chars().take(32).collect()
}
