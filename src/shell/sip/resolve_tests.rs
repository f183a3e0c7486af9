//! The resolver against a name server on loopback that knows one domain.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_channel::{Receiver, bounded};
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, NAPTR, SRV};
use tokio::net::UdpSocket;

use super::*;

#[tokio::test]
async fn records_are_found_and_cached() {
    let server = Server::start().await;
    let (resolver, answers) = resolver(server.address);

    let naptr = ask(&resolver, &answers, Question::Naptr("example.com".into())).await;
    let wanted = Naptr {
        order: 10,
        preference: 20,
        flags: "s".to_owned(),
        service: "SIP+D2U".to_owned(),
        replacement: "_sip._udp.example.com".to_owned(),
    };
    assert_eq!(naptr, Answer::Naptr(vec![wanted]));
    let question = Question::Servers("_sip._udp.example.com".to_owned());
    let servers = ask(&resolver, &answers, question.clone()).await;
    let wanted = Srv { priority: 1, weight: 2, port: 5070, target: "sip1.example.com".to_owned() };
    assert_eq!(servers, Answer::Servers(vec![wanted]));
    let addresses = Question::Addresses("sip1.example.com".to_owned());
    let addresses = ask(&resolver, &answers, addresses).await;
    assert_eq!(addresses, Answer::Addresses(vec![IpAddr::from([192, 0, 2, 7])]));

    let before = server.asked();
    assert_eq!(ask(&resolver, &answers, question).await, servers);
    assert_eq!(server.asked(), before, "the second time nobody was asked");
}

#[tokio::test]
async fn what_does_not_exist_is_an_empty_list_and_localhost_needs_no_server() {
    let server = Server::start().await;
    let (resolver, answers) = resolver(server.address);

    let question = Question::Addresses("nobody.example.com".to_owned());
    assert_eq!(ask(&resolver, &answers, question).await, Answer::Addresses(Vec::new()));
    let question = Question::Servers("_sip._tcp.example.com".to_owned());
    assert_eq!(ask(&resolver, &answers, question).await, Answer::Servers(Vec::new()));
    let before = server.asked();
    let question = Question::Addresses("localhost".to_owned());
    let Answer::Addresses(found) = ask(&resolver, &answers, question).await else {
        panic!("asked for addresses")
    };
    assert!(found.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{found:?}");
    assert_eq!(server.asked(), before);
}

#[tokio::test]
async fn a_name_server_that_refuses_leaves_it_unknown() {
    let server = Server::start().await;
    let (resolver, answers) = resolver(server.address);

    let question = Question::Naptr("refused.example.com".to_owned());

    assert_eq!(ask(&resolver, &answers, question).await, Answer::Unavailable);
}

fn resolver(server: SocketAddr) -> (Resolver, Receiver<(QuestionId, Answer)>) {
    let (sender, answers) = bounded(8);
    (Resolver::new(vec![server], sender), answers)
}

async fn ask(
    resolver: &Resolver,
    answers: &Receiver<(QuestionId, Answer)>,
    question: Question,
) -> Answer {
    resolver.ask(QuestionId(7), question);
    let answers = answers.clone();
    let wait = ANSWER_TIMEOUT + Duration::from_secs(2);
    let received = tokio::task::spawn_blocking(move || answers.recv_timeout(wait));
    let (id, answer) = received.await.unwrap().expect("every question is answered");
    assert_eq!(id, QuestionId(7));
    answer
}

/// A name server on loopback that knows one domain.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicU32>,
}

impl Server {
    async fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, asked) = (socket.local_addr().unwrap(), Arc::<AtomicU32>::default());
        let count = asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((size, from)) = socket.recv_from(&mut buffer).await {
                count.fetch_add(1, Ordering::Relaxed); // a figure
                let answer = reply(&Message::from_vec(&buffer[..size]).unwrap());
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn reply(query: &Message) -> Message {
    let question = query.queries.first().unwrap();
    let name = question.name().to_ascii().to_ascii_lowercase();
    let of = |name: &str| Name::from_ascii(name).unwrap();
    let data = match (name.as_str(), question.query_type()) {
        ("example.com.", RecordType::NAPTR) => {
            let (flags, service) = (b"s".to_vec().into(), b"SIP+D2U".to_vec().into());
            let replacement = of("_sip._udp.example.com.");
            Some(RData::NAPTR(NAPTR::new(10, 20, flags, service, Box::default(), replacement)))
        }
        ("_sip._udp.example.com.", RecordType::SRV) => {
            Some(RData::SRV(SRV::new(1, 2, 5070, of("SIP1.example.com."))))
        }
        ("sip1.example.com.", RecordType::A) => Some(RData::A(A::new(192, 0, 2, 7))),
        _ => None,
    };
    let mut answer = Message::response(query.metadata.id, OpCode::Query);
    answer.add_query(question.clone());
    match (data, name.starts_with("refused")) {
        (Some(data), _) => {
            let record = Record::from_rdata(question.name().clone(), 60, data);
            _ = answer.add_answer(record);
        }
        (None, true) => answer.metadata.response_code = ResponseCode::Refused,
        (None, false) => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    answer
}
