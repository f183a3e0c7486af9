//! Makes what recordings have so far durable, beside the threads that write them.
//!
//! A disk that takes long for it delays nobody: what finds no room here is asked for again with the
//! recording's next block. A file's folder is made durable with it once, or the file would have no
//! name after a power cut.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

/// A file to be made durable.
#[derive(Debug)]
struct Job {
    file: File,
    /// Its folder, if that was not done before.
    folder: Option<PathBuf>,
}

/// Where files are handed over.
#[derive(Clone, Debug)]
pub struct Sync {
    jobs: Sender<Job>,
}

impl Sync {
    /// Starts the thread, which ends with the last of these.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn start() -> io::Result<(Self, JoinHandle<()>)> {
        let (jobs, taken) = bounded(WAITING_MAX);
        let thread = Builder::new().name("sync".into()).spawn(move || run(&taken))?;
        Ok((Self { jobs }, thread))
    }

    /// Hands a file over, with its folder the first time; whether there was room.
    pub fn ask(&self, file: File, folder: Option<PathBuf>) -> bool {
        self.jobs.try_send(Job { file, folder }).is_ok()
    }
}

fn run(jobs: &Receiver<Job>) {
    for Job { file, folder } in jobs {
        let folder = folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all());
        if let Err(error) = file.sync_data().and(folder) {
            tracing::warn!(%error, "a recording that is being written is not durable");
        }
    }
}

/// Files that may wait: each is a handle of the process.
const WAITING_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// With nobody to do it, those that wait are bounded, and nobody waits.
    #[test]
    fn what_finds_no_room_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (jobs, taken) = bounded(2);
        let sync = Sync { jobs };
        let file = || File::create(folder.path().join("a.wav")).unwrap();

        let asked = [0; 3].map(|_| sync.ask(file(), Some(folder.path().to_owned())));

        assert_eq!(asked, [true, true, false]);
        drop(sync);
        run(&taken);
        assert!(taken.is_empty());
    }
}
