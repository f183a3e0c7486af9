//! Closes what was open when the node stopped without warning.

use rusqlite::Connection;
use tracing::{info, warn};

use super::LedgerError;
use super::store::{self, End};
use crate::cdr::entry::{Entry, Fact, Gap};
use crate::cdr::fold::NODE_RESTART;
use crate::media::control::Recorded;
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
    let calls = store::open_calls(db)?;
    if calls.is_empty() {
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
        for recording in record.recordings.iter().filter(|recording| recording.ended.is_none()) {
            let Some(found) = recorded(&recording.path) else { continue };
            let length_us = u64::try_from(found.length.as_micros()).unwrap_or(u64::MAX);
            let mut gaps: Vec<Gap> = found.gaps.into_iter().map(Gap::from).collect();
            gaps.extend(lost_at_the_end(recording.began, stopped, length_us));
            let fact = Fact::RecordingEnded {
                leg: recording.leg,
                path: recording.path.clone(),
                length_us,
                bytes: found.bytes,
                sha256: found.sha256,
                fault: Some(NODE_RESTART.to_owned()),
                gaps,
            };
            end.append(&transaction, &Entry { at: stopped, call: Some(*call), fact }, node)?;
        }
        for entry in record.closing(stopped) {
            end.append(&transaction, &entry, node)?;
        }
    }
    transaction.commit()?;
    info!(calls = calls.len(), %stopped, "closed the calls that the last stop cut off");
    Ok(end)
}

/// What a recording that began then lacks at its end, of which the file has so much.
fn lost_at_the_end(began: Wall, stopped: Wall, length_us: u64) -> Option<Gap> {
    let lasted_us = u64::try_from(stopped.as_micros() - began.as_micros()).ok()?;
    let lost_us = lasted_us.checked_sub(length_us).filter(|lost| *lost >= LOST_MIN_US)?;
    Some(Gap { from_us: length_us, length_us: lost_us, why: NODE_RESTART.to_owned() })
}

/// What is lacking and shorter than this may be the difference of two clocks: 100 ms.
const LOST_MIN_US: u64 = 100_000;
