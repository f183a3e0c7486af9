//! Tables, times and lengths for people.

use std::io::{self, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Rows under headings; columns as wide as they need to be.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(str::to_owned).into()] }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, column) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(column + 2 - self::width(cell)));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Writes to the standard output, at once.
///
/// # Errors
///
/// If nobody reads it any more.
pub fn out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Columns that a text takes on a terminal: two for East Asian characters.
fn width(text: &str) -> usize {
    let wide = |c: &char| {
        matches!(*c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{20000}'..='\u{3fffd}')
    };
    text.chars().count() + text.chars().filter(wide).count()
}

/// A text from outside without what could command the terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A time in a zone, to the second; a hyphen if there is none.
pub fn moment(time: Option<prost_types::Timestamp>, zone: &TimeZone) -> String {
    time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok()).map_or_else(
        || "-".to_owned(),
        |time| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// How long ago a time was, at `now`; a hyphen if there is none.
pub fn ago(time: Option<prost_types::Timestamp>, now: i64) -> String {
    time.map_or_else(|| "-".to_owned(), |time| clock(now.saturating_sub(time.seconds)))
}

/// A length as `m:ss`, `h:mm:ss` or `d:hh:mm:ss`; a hyphen if there is none.
pub fn length(length: Option<prost_types::Duration>) -> String {
    length.map_or_else(|| "-".to_owned(), |length| clock(length.seconds))
}

fn clock(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
        (_, _) => format!("{days}d {hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The text of an optional name; a hyphen if there is none.
pub fn or_hyphen(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), plain)
}

/// An enum's name in the contract as people write it: `AGENT_STATE_ON_CALL` as `on-call`.
pub fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_one_another() {
        let mut table = Table::new(["AGENT", "NAME", "STATE"]);
        table.row(["17".into(), "王芳".into(), "away".into()]);
        table.row(["18".into(), "Li".into(), "-".into()]);

        assert_eq!(table.text(), "AGENT  NAME  STATE\n17     王芳  away\n18     Li    -\n");
    }

    #[test]
    fn lengths_are_short() {
        assert_eq!(clock(7), "0:07");
        assert_eq!(clock(3_661), "1:01:01");
        assert_eq!(clock(90_061), "1d 1:01:01");
        assert_eq!(clock(-5), "0:00");
    }

    #[test]
    fn a_caller_cannot_command_the_terminal() {
        assert_eq!(plain("\u{1b}[2Jhello"), "\u{fffd}[2Jhello");
    }

    #[test]
    fn times_are_shown_in_the_zone() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let time = prost_types::Timestamp { seconds: 0, nanos: 0 };
        assert_eq!(moment(Some(time), &zone), "1970-01-01 08:00:00");
    }
}
