//! The HTTP pages over a real connection.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use strowger::cdr::config::Config;
use strowger::cdr::entry::{Entry, Fact};
use strowger::config::sections::Http;
use strowger::shell::clock::Clock;
use strowger::shell::grpc::handle::{Asked, SwitchHandle};
use strowger::shell::http::{HttpError, Pages, bind, serve};
use strowger::shell::ledger::{Ledger, Node};
use strowger::shell::metrics::Metrics;
use strowger::switch::request::{NodeStatus, Reply};
use strowger::time::Wall;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_node_that_takes_calls_is_live_and_ready() {
    let site = Site::start().await;

    assert_eq!(site.get("/health/live").await, (200, "live\n".to_owned()));
    assert_eq!(site.get("/health/ready").await, (200, "ready\n".to_owned()));
    assert_eq!(site.get("/nothing").await.0, 404);
}

#[tokio::test]
async fn a_node_that_is_not_ready_says_why() {
    let site = Site::start().await;
    site.draining.store(true, Relaxed);
    assert_eq!(site.get("/health/ready").await, (503, "node: draining\n".to_owned()));
    site.draining.store(false, Relaxed);
    assert_eq!(site.get("/health/ready").await.0, 200);

    assert!(site.ledger.close());

    let (status, body) = site.get("/health/ready").await;
    assert_eq!(status, 503);
    assert!(body.contains("ledger: cannot be written"), "{body}");
    assert_eq!(site.get("/health/live").await.0, 200, "a restart would not help");
}

#[tokio::test]
async fn a_switch_that_is_stuck_is_not_live() {
    let site = Site::start().await;
    site.stuck.store(true, Relaxed);

    assert_eq!(site.get("/health/live").await.0, 503);
    let (status, body) = site.get("/health/ready").await;
    assert_eq!((status, body.as_str()), (503, "switch: does not answer\n"));
}

#[tokio::test]
async fn metrics_tell_what_the_node_holds() {
    let site = Site::start().await;
    let fact = Fact::Answered;
    site.ledger.append(Entry { at: Wall::from_micros(1), call: None, fact });
    let mut head = site.ledger.head();
    head.wait_for(|head| *head == 1).await.unwrap();

    let (status, page) = site.get("/metrics").await;

    assert_eq!(status, 200);
    assert!(page.contains("strowger_calls 7\n"), "{page}");
    assert!(page.contains("strowger_ledger_head 1\n"), "{page}");
    assert!(page.contains("strowger_ledger_writable 1\n"), "{page}");
}

#[tokio::test]
async fn a_taken_address_is_an_error_that_names_it() {
    let first = bind(&http()).await.unwrap();
    let config = Http { listen: first.local_addr().unwrap(), ..Http::default() };

    let error = bind(&config).await.unwrap_err();

    assert!(matches!(error, HttpError::Listen { .. }));
    assert!(error.to_string().contains(&config.listen.to_string()), "{error}");
}

struct Site {
    _folder: tempfile::TempDir,
    ledger: Ledger,
    draining: Arc<AtomicBool>,
    stuck: Arc<AtomicBool>,
    address: std::net::SocketAddr,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Box::new(|| Wall::from_micros(1));
        let node = Node { name: "hq", clock, recorded: &mut |_| None };
        let path = folder.path().join("ledger.db");
        let ledger = Ledger::open(&path, &Config::default(), node).unwrap();
        let stuck = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stuck);
        let draining = Arc::new(AtomicBool::new(false));
        let drains = Arc::clone(&draining);
        let switch = SwitchHandle::new(move |asked| {
            let status = NodeStatus {
                calls: 7,
                draining: drains.load(Relaxed),
                ports_spare: 1,
                ..NodeStatus::default()
            };
            match asked {
                Asked::Switch { reply, .. } if !stops.load(Relaxed) => {
                    reply.send(Reply::Status(status)).is_ok()
                }
                _ => true, // the place for the answer is dropped
            }
        });
        let listener = bind(&http()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (metrics, clock) = (Metrics::default(), Clock::start());
        let pages = Pages { ledger: ledger.clone(), switch, metrics, clock };
        tokio::spawn(serve(listener, pages, std::future::pending()));
        Self { _folder: folder, ledger, draining, stuck, address }
    }

    /// Status and body of a page.
    async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

fn http() -> Http {
    Http { listen: "127.0.0.1:0".parse().unwrap(), ..Http::default() }
}
