//! `strowger recordings`: find, export, verify. Who did is in the ledger.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jiff::tz::TimeZone;
use prost_types::Timestamp;
use tokio_stream::StreamExt as _;
use tonic::Streaming;

use super::client::{Client, Connection};
use super::control::who;
use super::print::{Table, length, moment, or_hyphen, out, plain, word};
use super::{CliError, Export, RecordingsVerb, Search, json};
use crate::shell::proto::export_recording_response::Item;
use crate::shell::proto::recordings_client::RecordingsClient;
use crate::shell::proto::{
    self, ExportRecordingResponse, FoundRecording, RecordingQuery, RecordingVerdict,
};

pub async fn run(verb: RecordingsVerb) -> Result<(), CliError> {
    match verb {
        RecordingsVerb::Find(search) => find(&search).await,
        RecordingsVerb::Export(wanted) => export(&wanted).await,
        RecordingsVerb::Verify(search) => verify(&search).await,
    }
}

async fn find(search: &Search) -> Result<(), CliError> {
    let client = Client::connect(&search.place).await?;
    let query = query(search, &client.zone)?;
    let mut recordings = recordings(&client);
    let mut table = Table::new(["BEGAN", "CALL", "NO", "FROM", "TO", "WHO", "QUEUE", "LENGTH", ""]);
    let mut page_token = String::new();
    loop {
        let asked = proto::FindRecordingsRequest {
            query: Some(query.clone()),
            page_size: PAGE,
            page_token,
            requested_by: who(),
            purpose: search.purpose.clone().unwrap_or_default(),
        };
        let page = recordings.find(asked).await?.into_inner();
        for found in &page.recordings {
            match search.json {
                true => out(&format!("{}\n", json::line(found)?))?,
                false => table.row(row(found, &client.zone)),
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if !search.json {
        out(&table.text())?;
    }
    Ok(())
}

async fn export(wanted: &Export) -> Result<(), CliError> {
    let client = Client::connect(&wanted.place).await?;
    if wanted.out.exists() {
        return Err(file_error(&wanted.out, io::ErrorKind::AlreadyExists.into()));
    }
    let asked = proto::ExportRecordingRequest {
        call_id: wanted.call.clone(),
        number: wanted.number.unwrap_or_default(),
        damaged: wanted.damaged,
        requested_by: who(),
        purpose: wanted.purpose.clone().unwrap_or_default(),
        original: wanted.original,
    };
    let stream = recordings(&client).export(asked).await?.into_inner();
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(&wanted.out);
    let mut file = made.map_err(|error| file_error(&wanted.out, error))?;
    match copy(stream, &mut file, &wanted.out).await {
        Ok(exported) => {
            if let Some(damage) = &exported.damage {
                eprintln!("it is damaged: {}", plain(damage));
            }
            let format = word(exported.format().as_str_name(), "RECORDING_FORMAT_");
            let length = exported.found.and_then(|found| found.recording?.length);
            out(&format!("{}  {}  {format}\n", wanted.out.display(), self::length(length)))?;
            Ok(())
        }
        Err(error) => {
            drop(file);
            let _ = fs::remove_file(&wanted.out); // half a recording is none
            Err(error)
        }
    }
}

/// Writes what comes, which must be as much as was announced.
async fn copy(
    mut stream: Streaming<ExportRecordingResponse>,
    file: &mut fs::File,
    path: &Path,
) -> Result<proto::ExportedRecording, CliError> {
    let (mut head, mut bytes) = (None, 0);
    while let Some(response) = stream.next().await {
        match response?.item {
            Some(Item::Recording(exported)) => head = Some(exported),
            Some(Item::Data(data)) => {
                file.write_all(&data).map_err(|error| file_error(path, error))?;
                bytes += data.len() as u64;
            }
            None => {}
        }
    }
    file.sync_all().map_err(|error| file_error(path, error))?;
    match head {
        Some(head) if head.size_bytes == bytes => Ok(head),
        Some(_) | None => Err(CliError::Torn),
    }
}

async fn verify(search: &Search) -> Result<(), CliError> {
    let client = Client::connect(&search.place).await?;
    let asked = proto::VerifyRecordingsRequest {
        query: Some(query(search, &client.zone)?),
        requested_by: who(),
        purpose: search.purpose.clone().unwrap_or_default(),
    };
    let mut stream = recordings(&client).verify(asked).await?.into_inner();
    let (mut all, mut never, mut unsound) = (0, 0, 0);
    while let Some(verified) = stream.next().await {
        let verified = verified?;
        all += 1;
        let verdict = verified.verdict();
        never += u64::from(verdict == RecordingVerdict::NeverBegan);
        unsound += u64::from(is_wrong(verdict));
        let line = match search.json {
            true => json::line(&verified)?,
            false => verdict_line(&verified, &client.zone),
        };
        out(&format!("{line}\n"))?;
    }
    if !search.json {
        let never = if never > 0 { format!(", {never} never began") } else { String::new() };
        out(&format!("{all} recordings, {unsound} not as they were{never}\n"))?;
    }
    if unsound > 0 { Err(CliError::Unsound { unsound, all }) } else { Ok(()) }
}

/// Whether somebody should look after it: its file ought to be there, and to be another.
fn is_wrong(verdict: RecordingVerdict) -> bool {
    use RecordingVerdict::{
        Altered, Deleted, Incomplete, Missing, NeverBegan, Sound, Unreadable, Unspecified,
    };
    match verdict {
        Deleted | NeverBegan | Sound => false,
        Altered | Incomplete | Missing | Unreadable | Unspecified => true,
    }
}

fn verdict_line(verified: &proto::VerifyRecordingsResponse, zone: &TimeZone) -> String {
    let found = verified.found.clone().unwrap_or_default();
    let verdict = word(verified.verdict().as_str_name(), "RECORDING_VERDICT_");
    let recording = found.recording.clone().unwrap_or_default();
    let mut line = format!(
        "{}  {}  {}  {verdict:11}  {}",
        moment(recording.start_time, zone),
        found.call_id,
        found.number,
        length(recording.length),
    );
    line.push_str(&notes(&recording));
    if let Some(detail) = &verified.detail {
        line.push_str(&format!("  {}", plain(detail)));
    }
    line
}

fn row(found: &FoundRecording, zone: &TimeZone) -> [String; 9] {
    let recording = found.recording.clone().unwrap_or_default();
    let who = if found.agents.is_empty() { &found.extensions } else { &found.agents };
    [
        moment(recording.start_time, zone),
        found.call_id.clone(),
        found.number.to_string(),
        or_hyphen(found.caller.as_ref().map(|caller| caller.number.as_str())),
        plain(&found.dialled),
        plain(&who.join(",")),
        plain(&found.queues.join(",")),
        length(recording.length),
        notes(&recording).trim_start().to_owned(),
    ]
}

/// What a listener should know before he hears it.
fn notes(recording: &proto::Recording) -> String {
    let mut notes = String::new();
    if !recording.pauses.is_empty() {
        notes.push_str(&format!("  paused {}x", recording.pauses.len()));
    }
    if let Some(copy) = &recording.converted {
        let kept = if copy.original_kept { ", and as it was recorded" } else { "" };
        notes.push_str(&format!("  Ogg/Opus{kept}"));
    }
    if let Some(reason) = &recording.delete_reason {
        notes.push_str(&format!("  deleted ({})", plain(reason)));
    }
    for gap in &recording.gaps {
        let (from, length) = (length(gap.from), length(gap.length));
        notes.push_str(&format!("  gap at {from} of {length} ({})", plain(&gap.why)));
    }
    if let Some(fault) = &recording.fault {
        notes.push_str(&format!("  {}", plain(fault)));
    }
    notes
}

fn recordings(client: &Client) -> RecordingsClient<Connection> {
    RecordingsClient::new(client.connection.clone()).max_decoding_message_size(PAGE_BYTES_MAX)
}

fn query(search: &Search, zone: &TimeZone) -> Result<RecordingQuery, CliError> {
    let when = |text: &Option<String>, is_end| {
        let text = text.as_deref();
        text.map(|text| when(text, zone, is_end).ok_or_else(|| CliError::Time(text.to_owned())))
            .transpose()
    };
    Ok(RecordingQuery {
        filter: Some(proto::Filter {
            kinds: Vec::new(),
            call_ids: search.call.clone(),
            agents: search.agent.clone(),
            queues: search.queue.clone(),
            extensions: search.extension.clone(),
        }),
        caller: search.caller.clone().unwrap_or_default(),
        since: when(&search.from, false)?,
        until: when(&search.to, true)?,
    })
}

/// RFC 3339, what a clock in `zone` shows, or a day there: its begin, or its end.
fn when(text: &str, zone: &TimeZone, is_end: bool) -> Option<Timestamp> {
    let at = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let day = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() <= DAY_CHARACTERS);
        let clock = match day {
            Some(day) if is_end => day.tomorrow().ok()?.at(0, 0, 0, 0),
            Some(day) => day.at(0, 0, 0, 0),
            None => text.parse::<jiff::civil::DateTime>().ok()?,
        };
        Some(clock.to_zoned(zone.clone()).ok()?.timestamp())
    })?;
    Some(Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() })
}

fn file_error(path: &Path, source: io::Error) -> CliError {
    CliError::File { path: path.to_owned(), source }
}

/// Calls asked for at once.
const PAGE: u32 = 500;
/// A page with calls of very many recordings.
const PAGE_BYTES_MAX: usize = 64 << 20;
/// Of a day without a time: `2026-11-30`.
const DAY_CHARACTERS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_that_of_the_node() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let seconds = |text, is_end| when(text, &zone, is_end).map(|time| time.seconds);

        let midnight = 1_795_968_000; // 2026-11-30T00:00 in Shanghai
        assert_eq!(seconds("2026-11-30", false), Some(midnight));
        assert_eq!(seconds("2026-11-30", true), Some(midnight + 86_400));
        assert_eq!(seconds("2026-11-30 10:00", true), Some(midnight + 36_000));
        assert_eq!(seconds("2026-11-30T10:00:00Z", true), Some(midnight + 64_800));
        assert_eq!(seconds("yesterday", true), None);
    }
}
