//! The ledger's file: tables, statements, nothing of threads.
//!
//! One SQLite database in WAL mode with `synchronous=FULL`: a commit that returned survives a power
//! cut. A row's sequence is its rowid; rows are added at the end and removed from the beginning, so
//! there is never a gap between.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};

use super::LedgerError;
use crate::cdr::entry::{Entry, Fact};
use crate::cdr::record::CallRecord;
use crate::id::CallId;
use crate::time::{Duration, Wall};

/// Layout of the tables (`PRAGMA user_version`).
const VERSION: i64 = 1;

/// Rows removed in one transaction.
const REMOVED_MAX: u64 = 5000;

/// Entries of one call from which its record has everything; of those after them it lacks who was
/// rung.
const CALL_ENTRIES_MAX: usize = 50_000;

const SCHEMA: &str = "
CREATE TABLE entries (
    sequence INTEGER PRIMARY KEY,   -- without gap
    at       INTEGER NOT NULL,      -- microseconds since 1970
    mark     INTEGER NOT NULL,      -- the latest `at` up to here: never falls
    call     INTEGER,
    record   INTEGER NOT NULL,      -- 1: body is a call record, 0: an entry
    body     TEXT NOT NULL          -- JSON
) STRICT;
CREATE INDEX entries_by_call ON entries (call) WHERE call IS NOT NULL;
CREATE INDEX entries_records ON entries (sequence) WHERE record = 1;
CREATE TABLE open_calls (call INTEGER PRIMARY KEY) STRICT;
CREATE TABLE consumers (name TEXT PRIMARY KEY, acknowledged INTEGER NOT NULL) STRICT;
CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE alive (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT;
INSERT INTO alive VALUES (1, 0);
";

/// One row of the ledger, as subscribers get it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub sequence: u64,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Entry(Entry),
    /// Follows its call's `Ended`.
    Record(Box<CallRecord>),
}

impl Body {
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::Entry(entry) => entry.call,
            Self::Record(record) => Some(record.call),
        }
    }
}

/// Where the stream begins and ends; an empty ledger has `newest` 0 and `oldest` 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub oldest: u64,
    pub newest: u64,
}

/// Opens the file for writing and makes the tables if it is new.
pub fn open(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.set_prepared_statement_cache_capacity(64);
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        VERSION => {}
        0 => {
            let all = format!("BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;");
            connection.execute_batch(&all)?;
        }
        found => return Err(LedgerError::Version { found, known: VERSION }),
    }
    Ok(connection)
}

/// Opens the file for reading, beside the writer.
pub fn open_reader(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    Ok(connection)
}

pub fn span(db: &Connection) -> Result<Span, LedgerError> {
    let mut query = db.prepare_cached("SELECT min(sequence), max(sequence) FROM entries")?;
    let (oldest, newest): (Option<i64>, Option<i64>) =
        query.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Span { oldest: oldest.map_or(1, unsigned), newest: newest.map_or(0, unsigned) })
}

/// The writer's place at the end of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The newest sequence.
    pub sequence: u64,
    mark: i64,
}

impl End {
    pub fn of(db: &Connection) -> Result<Self, LedgerError> {
        let last = db
            .query_row(
                "SELECT sequence, mark FROM entries ORDER BY sequence DESC LIMIT 1",
                [],
                |r| Ok(Self { sequence: unsigned(r.get(0)?), mark: r.get(1)? }),
            )
            .optional()?;
        Ok(last.unwrap_or(Self { sequence: 0, mark: i64::MIN }))
    }

    /// Appends an entry; after a call's end its record too. Run it inside a transaction.
    pub fn append(
        &mut self,
        db: &Connection,
        entry: &Entry,
        node: &str,
    ) -> Result<(), LedgerError> {
        let body = serde_json::to_string(entry)?;
        self.insert(db, entry.at, entry.call, false, &body)?;
        let Some(call) = entry.call else { return Ok(()) };
        match entry.fact {
            Fact::Setup { .. } => {
                let mut open = db.prepare_cached("INSERT OR IGNORE INTO open_calls VALUES (?1)")?;
                open.execute([signed(call.as_u64())])?;
            }
            Fact::Ended { .. } => {
                let record = fold_call(db, call, node)?;
                self.insert(db, entry.at, Some(call), true, &serde_json::to_string(&record)?)?;
                let mut close = db.prepare_cached("DELETE FROM open_calls WHERE call = ?1")?;
                close.execute([signed(call.as_u64())])?;
            }
            _ => {}
        }
        Ok(())
    }

    fn insert(
        &mut self,
        db: &Connection,
        at: Wall,
        call: Option<CallId>,
        record: bool,
        body: &str,
    ) -> Result<(), LedgerError> {
        let sequence = self.sequence + 1;
        let mark = self.mark.max(at.as_micros());
        let call = call.map(|call| signed(call.as_u64()));
        let mut insert =
            db.prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        insert.execute(params![place(sequence), at.as_micros(), mark, call, record, body])?;
        *self = Self { sequence, mark };
        Ok(())
    }
}

/// The record of a call from all its entries; empty but for its id if there are none.
pub fn fold_call(db: &Connection, call: CallId, node: &str) -> Result<CallRecord, LedgerError> {
    let mut record = CallRecord::new(call, node);
    let mut query = db.prepare_cached(
        "SELECT body FROM entries WHERE call = ?1 AND record = 0 ORDER BY sequence",
    )?;
    let mut rows = query.query([signed(call.as_u64())])?;
    let mut folded = 0;
    while let Some(row) = rows.next()? {
        let entry: Entry = serde_json::from_str(row.get_ref(0)?.as_str().map_err(broken)?)?;
        folded += 1;
        if folded <= CALL_ENTRIES_MAX || !is_of_a_ring(&entry.fact) {
            record.apply(&entry);
        } else {
            record.omitted += 1;
        }
    }
    Ok(record)
}

/// Whether a fact tells of a phone that rings: the ones that a long wait has many of.
const fn is_of_a_ring(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Decided(_)
            | Fact::LegSetup { .. }
            | Fact::Offered { .. }
            | Fact::OfferEnded { .. }
            | Fact::Ringing { .. }
    )
}

/// The facts of a call after the sequence `after`, in order, at most `rows_max`.
pub fn facts_of(
    db: &Connection,
    call: CallId,
    after: u64,
    rows_max: usize,
) -> Result<Vec<(u64, Entry)>, LedgerError> {
    let mut query = db.prepare_cached(
        "SELECT sequence, body FROM entries WHERE call = ?1 AND record = 0 AND sequence > ?2 \
         ORDER BY sequence LIMIT ?3",
    )?;
    let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let mut rows = query.query(params![signed(call.as_u64()), place(after), rows_max])?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let entry = serde_json::from_str(row.get_ref(1)?.as_str().map_err(broken)?)?;
        facts.push((unsigned(row.get(0)?), entry));
    }
    Ok(facts)
}

/// The entries about callers in queues from `from` on, in order, each given to `count`.
pub fn visits(
    db: &Connection,
    from: u64,
    count: &mut dyn FnMut(&Entry),
) -> Result<(), LedgerError> {
    let mut query = db.prepare_cached(
        "SELECT body FROM entries WHERE sequence >= ?1 AND record = 0 \
         AND (instr(body, '\"fact\":\"queue') > 0 OR instr(body, '\"fact\":\"callback') > 0 \
              OR instr(body, '\"fact\":\"agent-told\"') > 0 \
              OR instr(body, '\"fact\":\"ended\"') > 0) \
         ORDER BY sequence",
    )?;
    let mut rows = query.query([place(from)])?;
    while let Some(row) = rows.next()? {
        count(&serde_json::from_str(row.get_ref(0)?.as_str().map_err(broken)?)?);
    }
    Ok(())
}

/// When the oldest entry that is kept happened; none in an empty ledger.
pub fn oldest(db: &Connection) -> Result<Option<Wall>, LedgerError> {
    let mut query = db.prepare_cached("SELECT at FROM entries ORDER BY sequence LIMIT 1")?;
    let at: Option<i64> = query.query_row([], |row| row.get(0)).optional()?;
    Ok(at.map(Wall::from_micros))
}

/// Calls that began and have not ended, oldest first.
pub fn open_calls(db: &Connection) -> Result<Vec<CallId>, LedgerError> {
    let mut query = db.prepare_cached("SELECT call FROM open_calls ORDER BY call")?;
    let calls = query.query_map([], |row| Ok(CallId::from_u64(unsigned(row.get(0)?))))?;
    Ok(calls.collect::<Result<_, _>>()?)
}

/// Rows from `from` on: at most `rows_max`, and no more once `bytes_max` of text are reached.
pub fn page(
    db: &Connection,
    from: u64,
    rows_max: usize,
    bytes_max: usize,
) -> Result<Vec<Item>, LedgerError> {
    let mut query = db.prepare_cached(
        "SELECT sequence, record, body FROM entries WHERE sequence >= ?1 \
         ORDER BY sequence LIMIT ?2",
    )?;
    let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let mut rows = query.query(params![place(from), rows_max])?;
    let (mut items, mut bytes) = (Vec::new(), 0);
    while bytes < bytes_max
        && let Some(row) = rows.next()?
    {
        bytes += row.get_ref(2)?.as_str().map_err(broken)?.len();
        items.push(item(row)?);
    }
    Ok(items)
}

/// Call records older than `before`, newest first, at most `rows_max`.
pub fn records_before(
    db: &Connection,
    before: u64,
    rows_max: usize,
) -> Result<Vec<Item>, LedgerError> {
    let mut query = db.prepare_cached(
        "SELECT sequence, record, body FROM entries WHERE record = 1 AND sequence < ?1 \
         ORDER BY sequence DESC LIMIT ?2",
    )?;
    let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let mut rows = query.query(params![place(before), rows_max])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(item(row)?);
    }
    Ok(items)
}

/// The sequence of a call's record and the record with all that is known, also what came after the
/// call's end; none if no record of it is kept.
pub fn record_of(
    db: &Connection,
    call: CallId,
    node: &str,
) -> Result<Option<(u64, CallRecord)>, LedgerError> {
    let mut query =
        db.prepare_cached("SELECT max(sequence) FROM entries WHERE call = ?1 AND record = 1")?;
    let sequence: Option<i64> = query.query_row([signed(call.as_u64())], |row| row.get(0))?;
    let Some(sequence) = sequence else { return Ok(None) };
    Ok(Some((unsigned(sequence), fold_call(db, call, node)?)))
}

/// The first sequence from which on every entry is that happened at `time` or later; one more than
/// the newest if there is none.
pub fn first_since(db: &Connection, time: Wall) -> Result<u64, LedgerError> {
    let Span { oldest, newest } = span(db)?;
    let mut query = db.prepare_cached("SELECT mark FROM entries WHERE sequence = ?1")?;
    let (mut low, mut high) = (oldest, newest + 1); // the answer is in low..=high
    while low < high {
        let middle = low + (high - low) / 2;
        let mark: Option<i64> = query.query_row([place(middle)], |row| row.get(0)).optional()?;
        match mark {
            Some(mark) if mark >= time.as_micros() => high = middle,
            Some(_) | None => low = middle + 1,
        }
    }
    Ok(low)
}

/// Removes what is older than `keep` or exceeds `keep_bytes`, but never the newest row; at most
/// `REMOVED_MAX` rows. True if there may be more to remove.
pub fn remove_old(
    db: &mut Connection,
    oldest_kept: Wall,
    keep_bytes: u64,
) -> Result<bool, LedgerError> {
    let Span { oldest, newest } = span(db)?;
    let too_big = used_bytes(db)? > keep_bytes;
    let shrunk = if too_big { oldest + (newest.saturating_sub(oldest)) / 20 + 1 } else { 0 };
    let wanted = first_since(db, oldest_kept)?.max(shrunk).min(newest);
    let before = wanted.min(oldest + REMOVED_MAX);
    if before <= oldest {
        return Ok(false);
    }
    let transaction = db.transaction()?;
    transaction.execute("DELETE FROM entries WHERE sequence < ?1", [place(before)])?;
    transaction.commit()?;
    let mut vacuum = db.prepare_cached("PRAGMA incremental_vacuum(2000)")?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(before < wanted || too_big)
}

/// Bytes of the database file that hold something.
pub fn used_bytes(db: &Connection) -> Result<u64, LedgerError> {
    let number = |pragma: &str| -> Result<u64, LedgerError> {
        let query = format!("PRAGMA {pragma}");
        Ok(unsigned(db.prepare_cached(&query)?.query_row([], |row| row.get(0))?))
    };
    Ok((number("page_count")?.saturating_sub(number("freelist_count")?)) * number("page_size")?)
}

/// Notes that the node lives.
pub fn set_alive(db: &Connection, at: Wall) -> Result<(), LedgerError> {
    db.prepare_cached("UPDATE alive SET at = ?1")?.execute([at.as_micros()])?;
    Ok(())
}

/// The last moment at which the node is known to have lived; none for a new ledger.
pub fn last_alive(db: &Connection) -> Result<Option<Wall>, LedgerError> {
    let noted: i64 = db.query_row("SELECT at FROM alive", [], |row| row.get(0))?;
    let last: Option<i64> = db
        .query_row("SELECT at FROM entries ORDER BY sequence DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let at = noted.max(last.unwrap_or(0));
    Ok((at > 0).then_some(Wall::from_micros(at)))
}

/// Sets or removes one value of the key-value table.
pub fn put(db: &Connection, key: &str, value: Option<&str>) -> Result<(), LedgerError> {
    match value {
        Some(value) => {
            db.prepare_cached("INSERT OR REPLACE INTO kv VALUES (?1, ?2)")?.execute([key, value])?
        }
        None => db.prepare_cached("DELETE FROM kv WHERE key = ?1")?.execute([key])?,
    };
    Ok(())
}

/// Keys that begin with `prefix` and their values, in order of the keys.
pub fn all(db: &Connection, prefix: &str) -> Result<Vec<(String, String)>, LedgerError> {
    let mut query = db.prepare_cached(
        "SELECT key, value FROM kv WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1 \
         ORDER BY key",
    )?;
    let pairs = query.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(pairs.collect::<Result<_, _>>()?)
}

/// What a consumer has acknowledged; none if its name is new.
pub fn acknowledged(db: &Connection, consumer: &str) -> Result<Option<u64>, LedgerError> {
    let mut query = db.prepare_cached("SELECT acknowledged FROM consumers WHERE name = ?1")?;
    Ok(query.query_row([consumer], |row| row.get(0)).optional()?.map(unsigned))
}

/// Notes a consumer's acknowledgement, which never goes back, and gives the one in force.
pub fn acknowledge(
    db: &Connection,
    consumer: &str,
    sequence: u64,
    consumers_max: usize,
) -> Result<u64, LedgerError> {
    let newest = span(db)?.newest;
    if sequence > newest {
        return Err(LedgerError::Ahead { sequence, newest });
    }
    let known = acknowledged(db, consumer)?;
    if known.is_none() {
        let count: i64 = db.query_row("SELECT count(*) FROM consumers", [], |row| row.get(0))?;
        if unsigned(count) >= consumers_max as u64 {
            return Err(LedgerError::Consumers { max: consumers_max });
        }
    }
    let sequence = sequence.max(known.unwrap_or(0));
    db.prepare_cached("INSERT OR REPLACE INTO consumers VALUES (?1, ?2)")?
        .execute(params![consumer, place(sequence)])?;
    Ok(sequence)
}

fn item(row: &Row<'_>) -> Result<Item, LedgerError> {
    let text = row.get_ref(2)?.as_str().map_err(broken)?;
    let body = match row.get(1)? {
        true => Body::Record(serde_json::from_str(text)?),
        false => Body::Entry(serde_json::from_str(text)?),
    };
    Ok(Item { sequence: unsigned(row.get(0)?), body })
}

fn broken(error: rusqlite::types::FromSqlError) -> LedgerError {
    LedgerError::Storage(error.into())
}

/// A sequence as SQLite's signed integer; none is so high that it would not fit.
fn place(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

/// SQLite's integers are signed: the bits of a call id are kept as they are.
const fn signed(number: u64) -> i64 {
    number.cast_signed()
}

const fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}
