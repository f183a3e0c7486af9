//! Closes what was open when the node stopped without warning: calls, and recordings of calls that
//! had ended.

use rusqlite::Connection;
use tracing::{info, warn};

use super::LedgerError;
use super::store::{self, End};
use crate::cdr::entry::{Entry, Fact, Gap};
use crate::cdr::fold::NODE_RESTART;
use crate::cdr::record::Recording;
use crate::media::control::Recorded;
use crate::switch::UNSEALED;
use crate::time::Wall;

/// Ends every call that began and has no end, with the moment at which the node was last known to
/// live, and appends its record. Gives the stream's end after that.
pub fn close_cut_off(
    db: &mut Connection,
    node: &str,
    now: Wall,
    recorded: &mut dyn FnMut(&str) -> Option<Recorded>,
) -> Result<End, LedgerError> {
    let mut end = End::of(db)?;
    let (calls, unsealed) = (store::open_calls(db)?, store::all(db, UNSEALED)?);
    if calls.is_empty() && unsealed.is_empty() {
        return Ok(end);
    }
    let stopped = store::last_alive(db)?.unwrap_or(now);
    let transaction = db.transaction()?;
    for call in &calls {
        let record = match store::fold_call(&transaction, *call, node) {
            Ok(record) => record,
            Err(LedgerError::Json(error)) => {
                // Its entries stay; the call gets no record.
                warn!(%call, %error, "a call's entries cannot be read");
                transaction.execute(
                    "DELETE FROM open_calls WHERE call = ?1",
                    [call.as_u64().cast_signed()],
                )?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let open = record.recordings.iter().filter(|recording| recording.ended.is_none());
        for recording in open {
            let fact = sealed(recording, stopped, recorded);
            end.append(&transaction, &Entry { at: stopped, call: Some(*call), fact }, node)?;
        }
        for entry in record.closing(stopped) {
            end.append(&transaction, &entry, node)?;
        }
    }
    for (key, call) in &unsealed {
        let leg = key.strip_prefix(UNSEALED).unwrap_or_default();
        if let Ok(call) = serde_json::from_str(call)
            && let Ok(record) = store::fold_call(&transaction, call, node)
        {
            let at = record.times.end.unwrap_or(stopped);
            let open = record.recordings.iter().filter(|recording| recording.ended.is_none());
            for recording in open.filter(|recording| recording.leg.to_string() == leg) {
                let fact = sealed(recording, at, recorded);
                end.append(&transaction, &Entry { at, call: Some(call), fact }, node)?;
            }
        }
        store::put(&transaction, key, None)?;
    }
    transaction.commit()?;
    info!(calls = calls.len(), recordings_of = unsealed.len(), %stopped, "closed what was cut off");
    Ok(end)
}

/// The end of a recording that has none; `stopped` is when it ought to have ended. What has no
/// file, or none that can be read, lacks all of itself.
fn sealed(
    recording: &Recording,
    stopped: Wall,
    recorded: &mut dyn FnMut(&str) -> Option<Recorded>,
) -> Fact {
    let (mut length_us, mut bytes, mut sha256, mut gaps) = (0, 0, String::new(), Vec::new());
    if let Some(found) = recorded(&recording.path) {
        length_us = u64::try_from(found.length.as_micros()).unwrap_or(u64::MAX);
        (bytes, sha256) = (found.bytes, found.sha256);
        gaps.extend(found.gaps.into_iter().map(Gap::from));
    }
    gaps.extend(lost_at_the_end(recording.began, stopped, length_us));
    Fact::RecordingEnded {
        leg: recording.leg,
        path: recording.path.clone(),
        length_us,
        bytes,
        sha256,
        fault: Some(NODE_RESTART.to_owned()),
        gaps,
    }
}

/// What a recording that began then lacks at its end, of which the file has so much.
fn lost_at_the_end(began: Wall, stopped: Wall, length_us: u64) -> Option<Gap> {
    let lasted_us = u64::try_from(stopped.as_micros() - began.as_micros()).ok()?;
    let lost_us = lasted_us.checked_sub(length_us).filter(|lost| *lost >= LOST_MIN_US)?;
    Some(Gap { from_us: length_us, length_us: lost_us, why: NODE_RESTART.to_owned() })
}

/// What is lacking and shorter than this may be the difference of two clocks: 100 ms.
const LOST_MIN_US: u64 = 100_000;
