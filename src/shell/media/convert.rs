//! Turns one finished recording into Ogg/Opus, so that a process killed at any moment leaves either
//! the WAV file or both, and the ledger never names what is not there.
//!
//! In this order: the Ogg file under another name, complete and durable; read again, whole, from
//! the disk; its own name; the ledger's entry with its checksum, durable; then the WAV file goes.
//! Whoever comes after a kill finds which of these is the last that was done, and goes on there. An
//! Ogg file has the time of its WAV file once the ledger knows it: that is how a look at the folder
//! tells what is done.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use thiserror::Error;

use crate::audio::ogg_opus::{CLOCK, Writer};
use crate::audio::wav;
use crate::cdr::entry::{Entry, Fact};
use crate::cdr::record::{CallRecord, Recording};
use crate::id::CallId;
use crate::media::archive::Config;
use crate::media::vault::{Content, Layout};
use crate::shell::clock::Clock;
use crate::shell::ledger::{Ledger, LedgerError};
use crate::shell::media::archive::{Archive, Inspected};
use crate::shell::media::margin;
use crate::shell::media::opened::Fresh;
use crate::shell::media::retention::{Growing, call_of, ogg_of, stem};
use crate::shell::media::tape::TapeError;
use crate::time::Duration;

/// Converts recordings of one archive.
pub struct Converter {
    pub archive: Archive,
    pub growing: Growing,
    pub ledger: Ledger,
    pub clock: Clock,
    pub policy: Config,
    /// The disk keeps so much room, as it does from recording.
    pub free_bytes_min: u64,
    /// Its sender is dropped when the node stops.
    pub stop: Receiver<()>,
    /// Called before each step; an error is what the disk could say there.
    pub before: Box<dyn FnMut(Step) -> io::Result<()> + Send>,
}

/// What is done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Create,
    Append,
    Finish,
    Examine,
    Rename,
    Note,
    Mark,
    Remove,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is Ogg/Opus, and the ledger knows.
    Done,
    /// Somebody has it at the moment, or its call goes on.
    Later,
    /// It is to stay as it is: the ledger does not know it, it has gone, or it was never completed.
    Left,
}

/// Why a recording stays a WAV file for now.
#[derive(Debug, Error)]
pub enum ConvertError {
    #[error("it is not what the ledger knows of it")]
    Altered,
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    #[error("the disk is nearly full")]
    NoRoom,
    #[error("the node stops")]
    Stopped,
    #[error("{0}")]
    Tape(#[from] TapeError),
    #[error("what was written is not what was read again")]
    Unlike,
}

impl Converter {
    /// Converts the WAV file at `path`, or goes on where that was interrupted.
    ///
    /// # Errors
    ///
    /// If it stays a WAV file; then nothing else is left behind.
    pub fn convert(&mut self, path: &Path) -> Result<Outcome, ConvertError> {
        let Some(call) = call_of(path) else { return Ok(Outcome::Left) };
        if !self.growing.claim(path) {
            return Ok(Outcome::Later);
        }
        let outcome = self.convert_claimed(call, path);
        self.growing.release(path);
        outcome
    }

    fn convert_claimed(&mut self, call: CallId, path: &Path) -> Result<Outcome, ConvertError> {
        let Some((_, record)) = self.ledger.record(call)? else { return Ok(Outcome::Later) };
        let Some(recording) = find(&record, path) else { return Ok(Outcome::Left) };
        let Some(ended) = &recording.ended else { return Ok(Outcome::Later) };
        if recording.deleted.is_some() || ended.sha256.is_empty() || !path.exists() {
            return Ok(Outcome::Left);
        }
        let ogg = ogg_of(path);
        if let Some(copy) = &recording.converted
            && self.archive.inspect(&ogg).is_ok_and(|found| found.sha256 == copy.sha256)
        {
            self.conclude(path, &ogg)?;
            return Ok(Outcome::Done);
        }
        let found = self.archive.inspect(path)?;
        if found.damage.is_some() || found.sha256 != ended.sha256 {
            return Err(ConvertError::Altered);
        }
        let part = with_ending(&ogg, ".part");
        let written = self.write(path, &found, &part).and_then(|fact| {
            (self.before)(Step::Rename)?;
            fs::rename(&part, &ogg)?;
            sync_folder(&ogg)?;
            Ok(fact)
        });
        let noted = written.and_then(|(found, length_us)| {
            (self.before)(Step::Note)?;
            let fact = Fact::RecordingConverted {
                path: path.display().to_string(),
                to: ogg.display().to_string(),
                length_us,
                bytes: found.bytes,
                sha256: found.sha256,
                kept: self.policy.original_kept,
            };
            let entry = Entry { at: self.clock.wall(), call: Some(call), fact };
            Ok(self.ledger.append_blocking(vec![entry])?)
        });
        if let Err(error) = noted {
            for file in [&part, &ogg] {
                let _ = fs::remove_file(file); // the WAV file is what counts
            }
            return Err(error);
        }
        self.conclude(path, &ogg)?;
        Ok(Outcome::Done)
    }

    /// The Ogg file, complete, durable and read again; with its length in microseconds.
    fn write(
        &mut self,
        path: &Path,
        found: &Inspected,
        part: &Path,
    ) -> Result<(Inspected, u64), ConvertError> {
        let Content::Samples(layout) = found.content else { return Err(ConvertError::Altered) };
        self.check_room(layout, found.frames)?;
        (self.before)(Step::Create)?;
        let keys = self.archive.keyring.keys();
        let mut file = Fresh::create(part, keys.as_deref())?;
        self.encode(path, found, layout, &mut file)?;
        (self.before)(Step::Finish)?;
        file.finish()?;
        (self.before)(Step::Examine)?;
        let written = self.archive.inspect(part)?;
        let ticks = found.frames * u64::from(CLOCK / layout.rate);
        let is_whole = written.content == Content::Ogg && written.damage.is_none();
        if !is_whole || written.frames != ticks {
            return Err(ConvertError::Unlike);
        }
        Ok((written, 1_000_000 * found.frames / u64::from(layout.rate)))
    }

    /// Everything that follows once the ledger knows the Ogg file.
    fn conclude(&mut self, path: &Path, ogg: &Path) -> Result<(), ConvertError> {
        (self.before)(Step::Mark)?;
        let modified = fs::metadata(path)?.modified()?;
        File::options().write(true).open(ogg)?.set_modified(modified)?;
        if self.policy.original_kept {
            return Ok(());
        }
        (self.before)(Step::Remove)?;
        fs::remove_file(path)?;
        margin::forget(path); // the record has them
        sync_folder(path)?;
        Ok(())
    }

    fn encode(
        &mut self,
        path: &Path,
        found: &Inspected,
        layout: Layout,
        file: &mut Fresh,
    ) -> Result<(), ConvertError> {
        let serial = u32::from_str_radix(&found.sha256[..8], 16).unwrap_or(1);
        let name = stem(path).file_name().map(|name| name.to_string_lossy().into_owned());
        let comments = [format!("RECORDING={}", name.unwrap_or_default())];
        let mut writer = Writer::new(layout.rate, self.policy.opus_bitrate, serial, &comments);
        let (archive, mut is_header, mut failed) = (self.archive.clone(), true, None);
        let mut worked_from = self.clock.now();
        archive.export(path, found, |piece| {
            if std::mem::take(&mut is_header) {
                return true;
            }
            for piece in piece.chunks(PIECE_BYTES) {
                writer.write(&wav::decode(layout.format, piece));
                let appended =
                    (self.before)(Step::Append).and_then(|()| file.append(&writer.take()));
                failed = appended.err().map(ConvertError::File);
                let worked = self.clock.now().since(worked_from);
                if failed.is_none() && !self.rest(worked) {
                    failed = Some(ConvertError::Stopped);
                }
                if failed.is_some() {
                    return false;
                }
                worked_from = self.clock.now();
            }
            true
        })?;
        match failed {
            Some(error) => Err(error),
            None => Ok(file.append(&writer.finish())?),
        }
    }

    /// Lets others work, in proportion; false once the node stops.
    fn rest(&self, worked: Duration) -> bool {
        let share = u32::from(self.policy.convert_cpu_max.clamp(1, 100));
        let rest = worked * (100 - share) / share;
        if rest.is_zero() {
            return !matches!(self.stop.try_recv(), Err(TryRecvError::Disconnected));
        }
        !matches!(self.stop.recv_timeout(rest), Err(RecvTimeoutError::Disconnected))
    }

    /// Leaves the disk the room that recordings leave it.
    fn check_room(&self, layout: Layout, frames: u64) -> Result<(), ConvertError> {
        let disk = rustix::fs::statvfs(&self.archive.folder).map_err(io::Error::from)?;
        let seconds = frames / u64::from(layout.rate) + 1;
        let wanted = seconds.saturating_mul(u64::from(self.policy.opus_bitrate) / 8);
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let is_enough = free >= self.free_bytes_min.saturating_add(wanted);
        if is_enough { Ok(()) } else { Err(ConvertError::NoRoom) }
    }
}

/// The recording that a file holds; an archive that was moved keeps the names of its files.
fn find<'a>(record: &'a CallRecord, path: &Path) -> Option<&'a Recording> {
    let name = stem(path);
    let mut recordings = record.recordings.iter();
    recordings.find(|it| stem(Path::new(&it.path)).file_name() == name.file_name())
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What is encoded before a rest: a second or two.
const PIECE_BYTES: usize = 32_000;

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
