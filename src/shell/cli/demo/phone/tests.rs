//! Two phones call each other, and one registers, over real sockets on loopback.

use std::net::Ipv4Addr;

use super::*;

#[tokio::test]
async fn two_phones_talk_both_ways_and_hang_up() {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let (mut called, mut steps) = phone("called", nobody).await;
    let (mut caller, _) = phone("caller", called.address()).await;
    called.server = caller.address();

    let calling = async {
        let mut call = caller.call("1002").await.unwrap();
        call.play(Some(440.0));
        call.press('5').await.unwrap();
        call.hear(Sound::Tone(1000.0), PATIENCE).await.unwrap();
        call.wait_for_hang_up(PATIENCE).await.unwrap();
    };
    let answering = async {
        let mut call = called.answer(PATIENCE, Duration::ZERO).await.unwrap();
        call.hear(Sound::Any, PATIENCE).await.unwrap();
        call.hear(Sound::Tone(440.0), PATIENCE).await.unwrap();
        call.play(Some(1000.0));
        call.stay(Duration::from_millis(400)).await.unwrap();
        call.hang_up().await.unwrap();
    };
    tokio::join!(calling, answering);

    let mut lines = Vec::new();
    while let Ok(step) = steps.try_recv() {
        lines.push((step.sent, step.line.split(' ').take(2).collect::<Vec<_>>().join(" ")));
    }
    let invite = format!("INVITE sip:1002@{}", called.address());
    let of = |line: &str| lines.iter().position(|(_, had)| had.starts_with(line)).unwrap();
    assert_eq!(lines[0], (false, invite));
    assert_eq!(lines[1], (true, "SIP/2.0 180".to_owned()));
    assert!(of("SIP/2.0 200") < of("ACK") && of("ACK") < of("BYE"), "{lines:?}");
}

#[tokio::test]
async fn a_phone_registers_with_the_digest_it_is_asked_for() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (mut phone, _) = phone("phone", server.local_addr().unwrap()).await;

    let serving = async {
        let mut seen = Vec::new();
        for status in [401, 200] {
            let mut buffer = [0; 4096];
            let (size, from) = server.recv_from(&mut buffer).await.unwrap();
            let message = Message::parse(Bytes::copy_from_slice(&buffer[..size])).unwrap();
            let Message::Request(register) = message else { panic!("{message:?}") };
            let response = Response::build(&register, status, Some("s"))
                .header(Name::WwwAuthenticate, "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
            server.send_to(response.response().bytes(), from).await.unwrap();
            seen.push(register);
        }
        seen
    };
    let (registered, seen) = tokio::join!(phone.register(60), serving);

    registered.unwrap();
    assert_eq!(seen[0].header(Name::Authorization), None);
    let credentials = seen[1].header(Name::Authorization).unwrap();
    assert!(credentials.starts_with("Digest username=\"1001\", realm=\"r\""), "{credentials}");
    assert_eq!(seen[1].cseq().number, seen[0].cseq().number + 1);
    assert_eq!(seen[1].call_id(), seen[0].call_id());
    assert_eq!(seen[1].expires(), Ok(Some(60)));
}

#[tokio::test]
async fn a_busy_number_is_a_refusal() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (mut phone, _) = phone("phone", server.local_addr().unwrap()).await;

    let serving = async {
        let mut buffer = [0; 4096];
        let (size, from) = server.recv_from(&mut buffer).await.unwrap();
        let message = Message::parse(Bytes::copy_from_slice(&buffer[..size])).unwrap();
        let Message::Request(invite) = message else { panic!("{message:?}") };
        let busy = Response::build(&invite, 486, Some("s")).response();
        server.send_to(busy.bytes(), from).await.unwrap();
        let (size, _) = server.recv_from(&mut buffer).await.unwrap();
        (invite, Message::parse(Bytes::copy_from_slice(&buffer[..size])).unwrap())
    };
    let (refused, (invite, ack)) = tokio::join!(phone.call("1002"), serving);

    assert!(matches!(refused.err(), Some(PhoneError::Refused { status: 486, .. })));
    assert_eq!(ack.cseq().method, Method::Ack);
    assert_eq!(ack.via().branch(), invite.via().branch());
    assert_eq!(ack.to_tag(), Some("s"));
}

async fn phone(name: &str, server: SocketAddr) -> (Phone, mpsc::UnboundedReceiver<Step>) {
    let (steps, reported) = mpsc::unbounded_channel();
    let rng = Rng::from_number(name.len() as u64);
    let address = Ipv4Addr::LOCALHOST.into();
    let phone = Phone::open(name, ("1001", "secret"), address, server, rng, steps).await.unwrap();
    (phone, reported)
}

/// Longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);
