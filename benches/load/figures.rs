//! What is measured, and the table it is printed in.

use std::fmt;
use std::fs;

/// CPU time of all threads of a process.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    nanoseconds: u64,
}

impl Cpu {
    /// What the scheduler has given to the process so far. Threads that have ended are not
    /// counted; the daemon's threads live as long as it does.
    pub fn of(pid: u32) -> Self {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the daemon runs");
        let one = |task: fs::DirEntry| -> Option<u64> {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse().ok()
        };
        Self { nanoseconds: tasks.filter_map(|task| one(task.ok()?)).sum() }
    }

    /// As `of`, with its children and theirs.
    pub fn of_family(pid: u32) -> Self {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        let nanoseconds = children.map(|child| Self::of_family(child).nanoseconds).sum::<u64>();
        Self { nanoseconds: Self::of(pid).nanoseconds + nanoseconds }
    }

    /// Seconds since an earlier reading.
    pub fn since(self, earlier: Self) -> f64 {
        self.nanoseconds.saturating_sub(earlier.nanoseconds) as f64 / 1e9
    }
}

/// The number below which a share of the numbers lies.
pub fn percentile(numbers: &mut [f64], share: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len().saturating_sub(1);
    numbers.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Rows of what was measured, beside what other switches took on a machine of two cores.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<[String; 5]>,
}

impl Table {
    pub fn row(&mut self, work: &str, ours: String, asterisk: &str, rustpbx: &str) {
        self.row_beside(work, ours, [asterisk, rustpbx, ""]);
    }

    /// `rivals`: Asterisk and RustPBX, as they were once measured; rtpengine in this run.
    pub fn row_beside(&mut self, work: &str, ours: String, rivals: [&str; 3]) {
        println!("{work}: {ours} {}", rivals[2]);
        let [asterisk, rustpbx, rtpengine] = rivals.map(str::to_owned);
        self.rows.push([work.to_owned(), ours, asterisk, rustpbx, rtpengine]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["work", "Strowger", "Asterisk 22.10", "RustPBX 0.5-rc", "rtpengine, beside us"];
        let head = head.map(str::to_owned);
        let rows: Vec<&[String; 5]> = [&head].into_iter().chain(&self.rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
        writeln!(f)?;
        for (index, row) in rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                let line: String =
                    widths.iter().map(|width| format!("|{}", "-".repeat(width + 2))).collect();
                writeln!(f, "{line}|")?;
            }
        }
        Ok(())
    }
}
