//! Asks the DNS as the system is configured to: hosts file, resolv.conf; keeps answers by TTL.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Sender, TrySendError};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::ROOM_CHECK_INTERVAL;
use crate::sip::locate::{Answer, Naptr, Question, QuestionId, Srv};

/// Answers questions for names; cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    /// `[sip] resolvers`; none: the system's.
    servers: Vec<SocketAddr>,
    dns: Mutex<Dns>,
    asking: Semaphore,
    answers: Sender<(QuestionId, Answer)>,
}

/// The resolver as the system's files make it.
struct Dns {
    resolver: TokioResolver,
    /// When the files were changed that it was made from.
    files: Vec<Option<SystemTime>>,
    looked_at: Instant,
}

impl Resolver {
    /// Reads the system's configuration; call it inside a tokio runtime. Answers come out of the
    /// other end of `answers`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(servers: Vec<SocketAddr>, answers: Sender<(QuestionId, Answer)>) -> Self {
        let dns = Dns { resolver: build(&servers), files: changed_at(), looked_at: Instant::now() };
        let asking = Semaphore::new(ASKING_MAX);
        let shared = Shared { servers, dns: Mutex::new(dns), asking, answers };
        Self { shared: Arc::new(shared), runtime: Handle::current() }
    }

    /// Asks without waiting; each question is answered once. Above `ASKING_MAX` questions the
    /// answer is `Unavailable` at once.
    pub fn ask(&self, id: QuestionId, question: Question) {
        let shared = self.shared.clone();
        self.runtime.spawn(async move {
            let answer = match shared.asking.try_acquire() {
                Ok(_asking) => {
                    let resolver = shared.resolver();
                    let asked = timeout(ANSWER_TIMEOUT, answer(&resolver, &question));
                    asked.await.unwrap_or(Answer::Unavailable)
                }
                Err(_) => Answer::Unavailable,
            };
            shared.deliver(id, answer).await;
        });
    }
}

impl Shared {
    /// The resolver, made anew if the system's files have changed.
    fn resolver(&self) -> TokioResolver {
        let mut dns = self.dns.lock().unwrap_or_else(PoisonError::into_inner);
        if dns.looked_at.elapsed() >= LOOK_EVERY {
            dns.looked_at = Instant::now();
            let files = changed_at();
            if files != dns.files {
                dns.files = files;
                dns.resolver = build(&self.servers);
            }
        }
        dns.resolver.clone()
    }

    /// The Switch takes its time only when it is overloaded.
    async fn deliver(&self, id: QuestionId, answer: Answer) {
        let mut answer = (id, answer);
        while let Err(TrySendError::Full(back)) = self.answers.try_send(answer) {
            answer = back;
            sleep(ROOM_CHECK_INTERVAL).await;
        }
    }
}

async fn answer(resolver: &TokioResolver, question: &Question) -> Answer {
    let records = |name: &str, kind| {
        let name = Name::from_ascii(name);
        async move {
            let mut name = name.map_err(NetError::from)?;
            name.set_fqdn(true); // services are never below a search domain
            resolver.lookup(name, kind).await
        }
    };
    match question {
        Question::Addresses(name) => match resolver.lookup_ip(name.as_str()).await {
            Ok(found) => Answer::Addresses(found.iter().collect()),
            Err(error) => nothing(&error, Answer::Addresses(Vec::new())),
        },
        Question::Naptr(name) => match records(name, RecordType::NAPTR).await {
            Ok(found) => Answer::Naptr(naptr(&found)),
            Err(error) => nothing(&error, Answer::Naptr(Vec::new())),
        },
        Question::Servers(name) => match records(name, RecordType::SRV).await {
            Ok(found) => Answer::Servers(servers(&found)),
            Err(error) => nothing(&error, Answer::Servers(Vec::new())),
        },
        Question::Ways { .. } => Answer::Unavailable, // the driver answers these by itself
    }
}

/// There is no such record, or nobody knows.
fn nothing(error: &NetError, none: Answer) -> Answer {
    if error.is_no_records_found() {
        return none;
    }
    debug!(%error, "the DNS does not answer");
    Answer::Unavailable
}

fn naptr(found: &Lookup) -> Vec<Naptr> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let records = found.answers().iter().filter_map(|record| match &record.data {
        RData::NAPTR(naptr) => Some(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            service: text(&naptr.services),
            replacement: plain(&naptr.replacement),
        }),
        _ => None,
    });
    records.take(RECORDS_MAX).collect()
}

fn servers(found: &Lookup) -> Vec<Srv> {
    let records = found.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(srv) => Some(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: plain(&srv.target),
        }),
        _ => None,
    });
    records.take(RECORDS_MAX).collect()
}

/// A name without the dot at its end, in small letters; the root stays a dot.
fn plain(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    match text.strip_suffix('.') {
        Some("") | None => text,
        Some(name) => name.to_owned(),
    }
}

/// Without resolv.conf only the hosts file answers.
fn build(servers: &[SocketAddr]) -> TokioResolver {
    let (config, mut options) = match servers {
        [] => match hickory_resolver::system_conf::read_system_conf() {
            Ok(read) => read,
            Err(error) => {
                warn!(%error, "/etc/resolv.conf cannot be used: only /etc/hosts knows names");
                (ResolverConfig::from_parts(None, Vec::new(), Vec::new()), ResolverOpts::default())
            }
        },
        servers => {
            let servers = servers.iter().map(name_server).collect();
            (ResolverConfig::from_parts(None, Vec::new(), servers), ResolverOpts::default())
        }
    };
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = CACHED_MAX;
    options.timeout = options.timeout.min(SERVER_TIMEOUT);
    options.attempts = options.attempts.min(2);
    options.positive_max_ttl = Some(TTL_MAX);
    options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().expect("only trust anchors can be wrong, and none are given")
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    server.connections = server.connections.into_iter().map(on_port).collect();
    server
}

/// When the system's files were changed.
fn changed_at() -> Vec<Option<SystemTime>> {
    let modified = |path| fs::metadata(path).and_then(|file| file.modified()).ok();
    ["/etc/resolv.conf", "/etc/hosts"].into_iter().map(modified).collect()
}

/// Questions that are asked at a time; a further one is answered `Unavailable`.
const ASKING_MAX: usize = 256;
/// Names that are kept, each as long as its TTL allows.
const CACHED_MAX: u64 = 4096;
/// Records of one answer that are looked at.
const RECORDS_MAX: usize = 64;
/// How long one name server may take before the next one is asked.
const SERVER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer may take in all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);
/// An answer is asked for again after this, whatever its TTL.
const TTL_MAX: Duration = Duration::from_secs(3600);
/// That a name does not exist is believed no longer than this.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(60);
/// How often the system's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
