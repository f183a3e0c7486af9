//! Recordings, and what happened to them, as the contract writes them.

use super::convert::{duration, time};
use super::record::written;
use crate::cdr::entry::{Access, DeletedWhy, Fact, Gap};
use crate::cdr::record::{Converted, Pause, Recording};
use crate::shell::proto::{self, event::Fact as Told};
use crate::time::Duration;

pub fn recording(recording: Recording) -> proto::Recording {
    let mut told = proto::Recording {
        leg_id: recording.leg.to_string(),
        path: recording.path,
        start_time: Some(time(recording.began)),
        pauses: recording.pauses.into_iter().map(pause).collect(),
        ..proto::Recording::default()
    };
    told.converted = recording.converted.map(converted);
    if let Some((at, why)) = recording.deleted {
        told.delete_time = Some(time(at));
        told.delete_reason = Some(reason(why).to_owned());
    }
    if let Some(end) = recording.ended {
        told.end_time = Some(time(end.at));
        told.length = Some(duration(Duration::from_micros(end.length_us)));
        told.size_bytes = Some(end.bytes);
        told.sha256 = written(end.sha256);
        told.fault = end.fault;
        told.gaps = end.gaps.into_iter().map(gap).collect();
    }
    told
}

fn converted(copy: Converted) -> proto::ConvertedRecording {
    proto::ConvertedRecording {
        time: Some(time(copy.at)),
        path: copy.path,
        length: Some(duration(Duration::from_micros(copy.length_us))),
        size_bytes: copy.bytes,
        sha256: copy.sha256,
        original_kept: copy.kept,
    }
}

fn reason(why: DeletedWhy) -> &'static str {
    match why {
        DeletedWhy::Age => "age",
        DeletedWhy::Size => "size",
    }
}

fn gap(gap: Gap) -> proto::RecordingGap {
    proto::RecordingGap {
        from: Some(duration(Duration::from_micros(gap.from_us))),
        length: Some(duration(Duration::from_micros(gap.length_us))),
        why: gap.why,
    }
}

fn pause(pause: Pause) -> proto::RecordingPause {
    proto::RecordingPause {
        start_time: Some(time(pause.began)),
        end_time: pause.ended.map(time),
        by: pause.by,
    }
}

/// The facts about recordings, and no others.
pub fn told_of_recordings(fact: Fact) -> Told {
    match fact {
        Fact::RecordingBegan { leg, path } => {
            Told::RecordingBegan(proto::RecordingBegan { leg_id: leg.to_string(), path })
        }
        Fact::RecordingConverted { path, to, length_us, bytes, sha256, kept } => {
            Told::RecordingConverted(proto::RecordingConverted {
                original_path: path,
                path: to,
                length: Some(duration(Duration::from_micros(length_us))),
                size_bytes: bytes,
                sha256,
                original_kept: kept,
            })
        }
        Fact::RecordingDeleted { path, bytes, why } => {
            let reason = reason(why).to_owned();
            Told::RecordingDeleted(proto::RecordingDeleted { path, size_bytes: bytes, reason })
        }
        Fact::RecordingEnded { leg, path, length_us, bytes, sha256, fault, gaps } => {
            Told::RecordingEnded(proto::RecordingEnded {
                leg_id: leg.to_string(),
                path,
                length: Some(duration(Duration::from_micros(length_us))),
                size_bytes: bytes,
                sha256: written(sha256),
                fault,
                gaps: gaps.into_iter().map(gap).collect(),
            })
        }
        Fact::RecordingExported { path, access: who } => {
            Told::RecordingExported(proto::RecordingExported { path, access: Some(access(who)) })
        }
        Fact::RecordingKept { path, why } => {
            Told::RecordingKept(proto::RecordingKept { path, error: why })
        }
        Fact::RecordingPaused { leg, by } => {
            Told::RecordingPaused(proto::RecordingPaused { leg_id: leg.to_string(), by })
        }
        Fact::RecordingResumed { leg, by } => {
            Told::RecordingResumed(proto::RecordingResumed { leg_id: leg.to_string(), by })
        }
        Fact::RecordingsFound { query, calls, access: who } => {
            Told::RecordingsFound(proto::RecordingsFound {
                query,
                call_ids: calls.iter().map(ToString::to_string).collect(),
                access: Some(access(who)),
            })
        }
        _ => unreachable!("`told_rest` gives none else"),
    }
}

fn access(access: Access) -> proto::Access {
    let Access { shown, name, address, purpose } = access;
    proto::Access { shown, name, address, purpose }
}
