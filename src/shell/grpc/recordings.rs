//! `strowger.v1.Recordings`: the archive. Whatever is given away is in the ledger before.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::convert::{call_id, wall};
use super::filter::Filter;
use super::record::caller;
use super::recording::recording;
use super::records::{Page, Wanted, blocking, pick, storage};
use super::{Shown, who};
use crate::cdr::entry::{Access, Entry, Fact};
use crate::cdr::record::{CallRecord, Recording};
use crate::id::CallId;
use crate::media::vault::Content;
use crate::shell::clock::Clock;
use crate::shell::ledger::{Body, Ledger};
use crate::shell::media::archive::{Archive, Damage, Inspected};
use crate::shell::media::tape::TapeError;
use crate::shell::proto::export_recording_response::Item;
use crate::shell::proto::recordings_server::Recordings;
use crate::shell::proto::{self, RecordingVerdict};
use crate::time::Duration;

/// How long the ledger may take to note who asked; then nobody is answered.
const NOTED_MAX: Duration = Duration::from_secs(10);

/// Files read at one time, so that the archive does not take the disk from the calls.
const READERS_MAX: usize = 4;

/// Pieces of a file that a client has not taken yet; then the reading waits.
const UNTAKEN_MAX: usize = 8;

/// Bytes of what somebody says that he wants it for, and of a number.
const PURPOSE_BYTES_MAX: usize = 200;
const NUMBER_BYTES_MAX: usize = 64;

#[derive(Clone)]
pub struct Service {
    ledger: Ledger,
    clock: Clock,
    archive: Archive,
    readers: Arc<Semaphore>,
}

impl Service {
    pub fn new(ledger: Ledger, clock: Clock, archive: Archive) -> Self {
        Self { ledger, clock, archive, readers: Arc::new(Semaphore::new(READERS_MAX)) }
    }

    /// Makes it durable that somebody wants something; without that he gets nothing.
    async fn note(&self, call: Option<CallId>, fact: Fact) -> Result<(), Status> {
        let entry = Entry { at: self.clock.wall(), call, fact };
        match timeout(NOTED_MAX, self.ledger.append_durably(vec![entry])).await {
            Ok(noted) => noted.map_err(|error| storage(&error)),
            Err(_) => Err(Status::unavailable("the ledger cannot be written at the moment")),
        }
    }

    /// One page of what fits, and notes that it was told.
    async fn page(&self, asked: &Asked, before: u64, most: usize) -> Result<Page, Status> {
        let query = asked.query.clone();
        let found = blocking(&self.ledger, move |ledger| query.find(ledger, before, most)).await;
        let page = found.map_err(|error| storage(&error))?;
        if !page.records.is_empty() {
            let calls = page.records.iter().map(|(_, record)| record.call).collect();
            let (query, access) = (asked.query.text.clone(), asked.access.clone());
            self.note(None, Fact::RecordingsFound { query, calls, access }).await?;
        }
        Ok(page)
    }

    fn reader(&self) -> Result<OwnedSemaphorePermit, Status> {
        let free = self.readers.clone().try_acquire_owned();
        free.map_err(|_| Status::resource_exhausted("too many recordings are read; try again"))
    }

    /// The recording of a call that is meant, and its place among them.
    async fn recording(
        &self,
        asked: &proto::ExportRecordingRequest,
    ) -> Result<(CallRecord, usize), Status> {
        let call = call_id(&asked.call_id)?;
        let found = blocking(&self.ledger, move |ledger| ledger.record(call)).await;
        let Some((_, record)) = found.map_err(|error| storage(&error))? else {
            return Err(Status::not_found(format!("there is no record of call {call}")));
        };
        let count = record.recordings.len();
        let place = match asked.number as usize {
            0 if count > 1 => {
                let text = format!("call {call} has {count} recordings; name one by its number");
                return Err(Status::invalid_argument(text));
            }
            0 => 0,
            number => number - 1,
        };
        match record.recordings.get(place) {
            None => Err(Status::not_found(format!("call {call} has {count} recordings"))),
            Some(recording) if recording.ended.is_none() => {
                Err(Status::failed_precondition("its end is not in this call's record"))
            }
            Some(_) => Ok((record, place)),
        }
    }
}

#[tonic::async_trait]
impl Recordings for Service {
    type ExportStream = ReceiverStream<Result<proto::ExportRecordingResponse, Status>>;
    type VerifyStream = ReceiverStream<Result<proto::VerifyRecordingsResponse, Status>>;

    async fn find(
        &self,
        request: Request<proto::FindRecordingsRequest>,
    ) -> Result<Response<proto::FindRecordingsResponse>, Status> {
        let from = Visitor::of(&request);
        let asked = request.into_inner();
        let (before, most) = Page::asked(&asked.page_token, asked.page_size)?;
        let access = from.access(asked.requested_by, asked.purpose)?;
        let asked = Asked { query: Query::read(asked.query)?, access };
        let Page { records, next } = self.page(&asked, before, most).await?;
        let recordings = records.iter().flat_map(|(_, record)| all_of(record)).collect();
        Ok(Response::new(proto::FindRecordingsResponse { recordings, next_page_token: next }))
    }

    async fn export(
        &self,
        request: Request<proto::ExportRecordingRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let from = Visitor::of(&request);
        let asked = request.into_inner();
        let access = from.access(asked.requested_by.clone(), asked.purpose.clone())?;
        let permit = self.reader()?;
        let (record, place) = self.recording(&asked).await?;
        let file = Kept::of(&record.recordings[place], asked.original)?;
        let (meant, named) = (record.recordings[place].clone(), file.path.clone());
        let archive = self.archive.clone();
        let examined = tokio::task::spawn_blocking(move || examine(&archive, &meant, &file)).await;
        let (path, exam) = examined.map_err(|_| Status::internal("reading it failed"))?;
        let found = exam.exported(asked.damaged)?;
        self.note(Some(record.call), Fact::RecordingExported { path: named, access }).await?;
        let head = proto::ExportedRecording {
            found: Some(one_of(&record, place)),
            size_bytes: found.export_bytes,
            damage: exam.wrong.map(|(_, detail)| detail),
            format: match found.content {
                Content::Ogg => proto::RecordingFormat::OggOpus.into(),
                Content::Samples(_) => proto::RecordingFormat::Wav.into(),
            },
        };
        let (out, pieces) = mpsc::channel(UNTAKEN_MAX);
        let archive = self.archive.clone();
        tokio::task::spawn_blocking(move || {
            let send = |item| {
                let item = proto::ExportRecordingResponse { item: Some(item) };
                out.blocking_send(Ok(item)).is_ok()
            };
            if !send(Item::Recording(head)) {
                return;
            }
            let sink = |piece| send(Item::Data(piece));
            if let Err(wrong) = archive.export(&path, &found, sink) {
                _ = out.blocking_send(Err(Status::data_loss(wrong.to_string()))); // or he has left
            }
            drop(permit);
        });
        Ok(Response::new(ReceiverStream::new(pieces)))
    }

    async fn verify(
        &self,
        request: Request<proto::VerifyRecordingsRequest>,
    ) -> Result<Response<Self::VerifyStream>, Status> {
        let from = Visitor::of(&request);
        let asked = request.into_inner();
        let access = from.access(asked.requested_by, asked.purpose)?;
        let asked = Asked { query: Query::read(asked.query)?, access };
        let permit = self.reader()?;
        let (out, verdicts) = mpsc::channel(UNTAKEN_MAX);
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(status) = service.verify_all(&asked, &out).await {
                _ = out.send(Err(status)).await; // or he has left
            }
            drop(permit);
        });
        Ok(Response::new(ReceiverStream::new(verdicts)))
    }
}

type Verdicts = mpsc::Sender<Result<proto::VerifyRecordingsResponse, Status>>;

impl Service {
    /// Verifies page after page, until the client leaves.
    async fn verify_all(&self, asked: &Asked, out: &Verdicts) -> Result<(), Status> {
        let mut before = u64::MAX;
        loop {
            let Page { records, next } = self.page(asked, before, VERIFIED_AT_ONCE).await?;
            let (archive, out) = (self.archive.clone(), out.clone());
            let wants_more = tokio::task::spawn_blocking(move || {
                let mut all = records.iter().flat_map(|(_, record)| {
                    (0..record.recordings.len()).map(move |place| (record, place))
                });
                all.all(|(record, place)| match verdict(&archive, record, place) {
                    Some(verdict) => out.blocking_send(Ok(verdict)).is_ok(),
                    None => !out.is_closed(),
                })
            });
            if next.is_empty() || !wants_more.await.unwrap_or(false) {
                return Ok(());
            }
            before = Page::asked(&next, 0)?.0;
        }
    }
}

/// Calls whose recordings are verified before more are looked for.
const VERIFIED_AT_ONCE: usize = 20;

/// Whether a recording is what it was; none if it is not complete, or another record has its end.
fn verdict(
    archive: &Archive,
    record: &CallRecord,
    place: usize,
) -> Option<proto::VerifyRecordingsResponse> {
    let recording = &record.recordings[place];
    recording.ended.as_ref()?;
    let mut files = Kept::all(recording).into_iter();
    let (verdict, detail) = match files.find_map(|file| examine(archive, recording, &file).1.wrong)
    {
        None => (RecordingVerdict::Sound, None),
        Some((verdict, detail)) => (verdict, Some(detail)),
    };
    let found = Some(one_of(record, place));
    Some(proto::VerifyRecordingsResponse { found, verdict: verdict.into(), detail })
}

/// What a look at a recording's file showed.
struct Exam {
    found: Option<Inspected>,
    wrong: Option<(RecordingVerdict, String)>,
}

impl Exam {
    fn wrong(verdict: RecordingVerdict, detail: impl ToString) -> Self {
        Self { found: None, wrong: Some((verdict, detail.to_string())) }
    }

    /// What may be exported; of a damaged one only if that is wanted.
    fn exported(&self, damaged: bool) -> Result<Inspected, Status> {
        use RecordingVerdict::{Deleted, Missing, NeverBegan, Unreadable};
        match (&self.found, &self.wrong) {
            (Some(found), None) => Ok(found.clone()),
            (Some(found), Some(_)) if damaged => Ok(found.clone()),
            (_, Some((Deleted | Missing | NeverBegan, detail))) => Err(Status::not_found(detail)),
            (_, Some((Unreadable, detail))) => Err(Status::failed_precondition(detail)),
            (_, Some((_, detail))) => {
                let text = format!("{detail}; ask for a damaged one to get what can be read");
                Err(Status::data_loss(text))
            }
            (None, None) => Err(Status::internal("nothing is known of it")),
        }
    }
}

/// One of a recording's files, as its record names it.
struct Kept {
    path: String,
    /// Empty if it was never completed.
    sha256: String,
}

impl Kept {
    /// Every file that there should be, the converted one first.
    fn all(recording: &Recording) -> Vec<Self> {
        let sha256 = recording.ended.as_ref().map(|end| end.sha256.clone()).unwrap_or_default();
        let original = Self { path: recording.path.clone(), sha256 };
        match &recording.converted {
            None => vec![original],
            Some(copy) => {
                let converted = Self { path: copy.path.clone(), sha256: copy.sha256.clone() };
                [Some(converted), copy.kept.then_some(original)].into_iter().flatten().collect()
            }
        }
    }

    /// The converted one if there is one, or what it was made of, if that is wanted.
    fn of(recording: &Recording, original: bool) -> Result<Self, Status> {
        let is_meant = |file: &Self| !original || file.path == recording.path;
        let gone = || Status::failed_precondition("the original went as it was converted");
        Self::all(recording).into_iter().find(is_meant).ok_or_else(gone)
    }
}

/// Reads one of a recording's files and compares it with what its record says.
fn examine(archive: &Archive, recording: &Recording, file: &Kept) -> (PathBuf, Exam) {
    use RecordingVerdict::{Altered, Deleted, Incomplete, Missing, NeverBegan, Unreadable};
    let path = archive.locate(&file.path);
    if let Some((at, _)) = recording.deleted {
        return (path, Exam::wrong(Deleted, format!("retention removed it at {at}")));
    }
    let known = file.sha256.as_str();
    let exam = match archive.inspect(&path) {
        Err(TapeError::File(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            let end = recording.ended.as_ref();
            match end.is_some_and(|end| (end.bytes, end.length_us) == (0, 0)) {
                true => Exam::wrong(NeverBegan, "nothing of it reached the disk"),
                false => Exam::wrong(Missing, "its file is gone"),
            }
        }
        Err(TapeError::NotOurs) => Exam::wrong(Altered, "its file is no recording"),
        Err(wrong @ TapeError::File(_)) => Exam::wrong(Unreadable, wrong),
        Err(wrong) => match archive.checksum(&path) {
            Ok(sha256) if sha256 == known => Exam::wrong(Unreadable, wrong),
            Ok(_) => Exam::wrong(Altered, format!("its checksum is another; {wrong}")),
            Err(error) => Exam::wrong(Unreadable, error),
        },
        Ok(found) => {
            let readable = |text: &str| {
                let ms = found.length_ms();
                format!("{text}; {}.{:03} s can be read", ms / 1000, ms % 1000)
            };
            let wrong = match &found.damage {
                Some(Damage::Altered(wrong)) => Some((Altered, readable(&wrong.to_string()))),
                Some(Damage::Page(page)) => {
                    Some((Altered, readable(&format!("page {page} was altered"))))
                }
                Some(Damage::Longer) => Some((Altered, readable("something follows its end"))),
                Some(Damage::Cut) if known.is_empty() => {
                    Some((Incomplete, readable("it was never completed")))
                }
                Some(Damage::Cut) => Some((Altered, readable("its end was cut off"))),
                None if known.is_empty() => {
                    Some((Incomplete, readable("it has no checksum: it was never completed")))
                }
                None if found.sha256 != known => {
                    Some((Altered, readable("its checksum is another")))
                }
                None => None,
            };
            Exam { found: Some(found), wrong }
        }
    };
    (path, exam)
}

/// Every recording of a call.
fn all_of(record: &CallRecord) -> impl Iterator<Item = proto::FoundRecording> {
    (0..record.recordings.len()).map(move |place| one_of(record, place))
}

fn one_of(record: &CallRecord, place: usize) -> proto::FoundRecording {
    let mut names = proto::FoundRecording {
        call_id: record.call.to_string(),
        number: place as u32 + 1, // a record's list is short
        recording: Some(recording(record.recordings[place].clone())),
        caller: Some(caller(record.caller.clone())),
        dialled: record.dialled.clone(),
        ..proto::FoundRecording::default()
    };
    names.agents.extend(record.talks.iter().filter_map(|talk| talk.agent.as_ref()).map(text));
    let talked = record.talks.iter().filter_map(|talk| talk.extension.as_ref()).map(text);
    names.extensions.extend(record.caller.extension.as_ref().map(text).into_iter().chain(talked));
    names.queues.extend(record.queues.iter().map(|visit| text(&visit.queue)));
    for list in [&mut names.agents, &mut names.extensions, &mut names.queues] {
        list.sort();
        list.dedup();
    }
    names
}

fn text(name: &impl ToString) -> String {
    name.to_string()
}

/// Who asks for what.
struct Asked {
    query: Query,
    access: Access,
}

/// What is looked for.
#[derive(Clone)]
struct Query {
    wanted: Arc<Wanted>,
    calls: Vec<CallId>,
    caller: String,
    /// The same for the ledger.
    text: String,
}

impl Query {
    fn read(asked: Option<proto::RecordingQuery>) -> Result<Self, Status> {
        let asked = asked.unwrap_or_default();
        let filter = asked.filter.unwrap_or_default();
        if !filter.kinds.is_empty() {
            return Err(Status::invalid_argument("leave kinds empty"));
        }
        if asked.caller.len() > NUMBER_BYTES_MAX || asked.caller.chars().any(char::is_control) {
            return Err(Status::invalid_argument("`caller` is a number"));
        }
        let mut words = Vec::new();
        for (word, names) in [
            ("call", &filter.call_ids),
            ("agent", &filter.agents),
            ("extension", &filter.extensions),
            ("queue", &filter.queues),
        ] {
            words.extend(names.iter().map(|name| format!("{word}={name}")));
        }
        if !asked.caller.is_empty() {
            words.push(format!("caller={}", asked.caller));
        }
        let since = asked.since.map(wall).transpose()?;
        let until = asked.until.map(wall).transpose()?;
        words.extend(since.map(|since| format!("since={since}")));
        words.extend(until.map(|until| format!("until={until}")));
        let calls = filter.call_ids.iter().map(|id| call_id(id)).collect::<Result<_, _>>()?;
        let text: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
        Ok(Self {
            wanted: Arc::new(Wanted { filter: Filter::read(Some(filter))?, since, until }),
            calls,
            caller: asked.caller,
            text: text.chars().take(QUERY_CHARACTERS_MAX).collect(),
        })
    }

    fn fits(&self, record: &CallRecord) -> bool {
        let numbers = [Some(record.caller.number.as_str()), record.caller.e164.as_deref()];
        let is_his = |number: &str| match self.caller.strip_suffix('*') {
            Some(begin) => number.starts_with(begin),
            None => number == self.caller,
        };
        !record.recordings.is_empty()
            && (self.caller.is_empty() || numbers.into_iter().flatten().any(is_his))
    }

    fn find(
        &self,
        ledger: &Ledger,
        before: u64,
        most: usize,
    ) -> Result<Page, crate::shell::ledger::LedgerError> {
        if self.calls.is_empty() {
            let fits = |body: &Body| {
                matches!(body, Body::Record(record) if self.fits(record)) && self.wanted.fits(body)
            };
            return pick(ledger, self.wanted.since, before, most, fits);
        }
        let mut records = Vec::new();
        for call in &self.calls {
            let Some((sequence, record)) = ledger.record(*call)? else { continue };
            let body = Body::Record(Box::new(record));
            let Body::Record(record) = &body else { continue };
            if self.fits(record) && self.wanted.fits(&body) {
                records.push((sequence, (**record).clone()));
            }
        }
        Ok(Page { records, next: String::new() })
    }
}

/// Characters of a query that the ledger keeps.
const QUERY_CHARACTERS_MAX: usize = 2000;

/// Where a request came from, and what it showed.
struct Visitor {
    shown: Shown,
    from: Option<SocketAddr>,
}

impl Visitor {
    fn of<T>(request: &Request<T>) -> Self {
        let shown = request.extensions().get::<Shown>().copied().unwrap_or(Shown::Nothing);
        Self { shown, from: request.remote_addr() }
    }

    fn access(&self, name: String, purpose: String) -> Result<Access, Status> {
        if purpose.len() > PURPOSE_BYTES_MAX || purpose.chars().any(char::is_control) {
            let text = "`purpose` is a sentence of at most 200 bytes";
            return Err(Status::invalid_argument(text));
        }
        let written = |text: String| (!text.is_empty()).then_some(text);
        let shown = match self.shown {
            Shown::Nothing => "local",
            Shown::Token => "token",
        };
        Ok(Access {
            shown: shown.to_owned(),
            name: written(who::named(name)?),
            address: self.from.map(|from| from.ip().to_string()),
            purpose: written(purpose),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LegId;
    use crate::time::Wall;

    /// A file that is gone, and one that never was: only one of them is to be looked for.
    #[test]
    fn what_never_began_is_told_from_what_is_missing() {
        use RecordingVerdict::{Missing, NeverBegan};
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive { folder: folder.path().to_owned(), ..Archive::default() };
        for (length_us, bytes, expected) in [(0, 0, NeverBegan), (0, 44, Missing), (9, 60, Missing)]
        {
            let call = CallId::from_u64(7);
            let (leg, path) = (LegId { call, index: 0 }, "2026/7.wav".to_owned());
            let (sha256, fault) = (String::new(), Some("the disk was too slow".to_owned()));
            let began = Fact::RecordingBegan { leg, path: path.clone() };
            let gaps = Vec::new();
            let ended = Fact::RecordingEnded { leg, path, length_us, bytes, sha256, fault, gaps };
            let mut record = CallRecord::new(call, "hq");
            for fact in [began, ended] {
                record.apply(&Entry { at: Wall::from_micros(1), call: Some(call), fact });
            }

            let found = verdict(&archive, &record, 0).unwrap();

            assert_eq!(found.verdict(), expected, "{bytes} bytes");
            assert!(!found.detail.unwrap().is_empty());
        }
    }
}
