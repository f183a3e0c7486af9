//! The trunk asks who we are (RFC 3665 §3.2, RFC 3261 §22): INVITE, BYE, re-INVITE.

use crate::trunk_out::{begin, invite, sent, site};
use crate::world::phone::{Manner, Stage};
use crate::world::{World, in_all_weathers};
use strowger::sip::digest::Algorithm;
use strowger::sip::message::{Method, Name};
use strowger::time::Duration;

#[test]
fn a_challenged_call_is_made_with_md5() {
    calls_with(Algorithm::Md5);
}

#[test]
fn a_challenged_call_is_made_with_sha_256() {
    calls_with(Algorithm::Sha256);
}

fn calls_with(algorithm: Algorithm) {
    in_all_weathers(&site(ACCOUNT), |world| {
        begin(world);
        ask(world, "secret");
        world.provider("itsp").algorithm = algorithm;
        world.dial("1001", "02112345678");
        world.until("it rings", |world| world.rings("itsp"));
        let invite = invite(world, "itsp");
        assert_eq!(invite.cseq().number, 2);
        assert!(invite.header(Name::Authorization).is_some());
        world.answer("itsp");
        world.until("they talk", |world| world.talk("1001", "itsp"));
        world.settle();
        // RFC 3261 §13.2.2.4.
        let ack = sent(world, Method::Ack).pop().expect("an ACK");
        assert!(ack.header(Name::Authorization).is_some());
        world.hang_up("1001");
    });
}

#[test]
fn a_wrong_password_is_tried_once_and_the_caller_is_refused() {
    in_all_weathers(&site(ACCOUNT), |world| {
        begin(world);
        ask(world, "another");
        world.dial("1001", "02112345678");
        world.until("it is refused", |world| world.stage("1001") == Stage::Over);
        world.until("the books are closed", |world| world.ends().len() == 1);

        assert_eq!(world.status_of("1001"), 503);
        assert_eq!(world.ends(), [(503, "trunk_failed".to_owned())]);
        assert_eq!(world.provider("itsp").wrong, 1);
    });
}

#[test]
fn a_challenged_bye_ends_the_call() {
    in_all_weathers(&site(ACCOUNT), |world| {
        begin(world);
        ask(world, "secret");
        world.provider("itsp").asks = vec![Method::Invite, Method::Bye];
        world.set("itsp", |phone| phone.manner = Manner::Answers(Duration::from_secs(1)));
        world.dial("1001", "02112345678");
        world.until("they talk", |world| world.talk("1001", "itsp"));
        world.settle();
        world.provider("itsp").nonce = "n2".to_owned();
        world.hang_up("1001");
        world.until("the trunk is told", |world| world.stage("itsp") == Stage::Over);

        assert_eq!(world.phone("itsp").line().byes, 1);
    });
}

/// The nonce of the first answer is too old by the time that it comes.
#[test]
fn a_stale_nonce_is_asked_for_again() {
    let mut world = World::new(&site(ACCOUNT));
    begin(&mut world);
    ask(&mut world, "secret");
    world.dial("1001", "02112345678");
    world.until("it is challenged", |world| {
        sent(world, Method::Invite).iter().any(|invite| invite.cseq().number == 2)
    });
    world.provider("itsp").nonce = "n2".to_owned();
    world.until("it rings", |world| world.rings("itsp"));

    assert_eq!(invite(&world, "itsp").cseq().number, 3);
    world.cancel("1001");
    world.close();
}

#[test]
fn another_realm_gets_no_answer() {
    let mut world = World::new(&site(&format!("{ACCOUNT}\nrealm = 'elsewhere'")));
    begin(&mut world);
    ask(&mut world, "secret");
    world.dial("1001", "02112345678");
    world.close();

    assert_eq!(world.status_of("1001"), 503);
    assert!(sent(&world, Method::Invite).iter().all(|r| r.header(Name::Authorization).is_none()));
}

/// The caller gives up while the credentials are under way.
#[test]
fn a_cancelled_call_is_not_made_again() {
    in_all_weathers(&site(ACCOUNT), |world| {
        begin(world);
        ask(world, "secret");
        world.dial("1001", "02112345678");
        world.until("it is tried", |world| !sent(world, Method::Invite).is_empty());
        world.cancel("1001");
        world.until("the books are closed", |world| world.ends().len() == 1);
        world.settle();

        assert_eq!(world.ends()[0].1, "caller_hung_up");
    });
}

fn ask(world: &mut World, password: &str) {
    world.provider("itsp").password = Some(password.to_owned());
}

const ACCOUNT: &str = "username = 'acct'\npassword = 'secret'";
