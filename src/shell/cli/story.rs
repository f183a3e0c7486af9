//! `strowger explain CALL-ID`: why a call went as it did, from its facts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_stream::StreamExt as _;

use super::client::Client;
use super::print::{out, plain, word};
use super::{CliError, Where, json};
use crate::shell::proto::event::Fact;
use crate::shell::proto::records_client::RecordsClient;
use crate::shell::proto::{self, Event, PassedWhy};

/// Prints the story of a call that is over or goes on.
pub async fn tell(call: &str, place: &Where, as_json: bool) -> Result<(), CliError> {
    let client = Client::connect(place).await?;
    let asked = proto::FactsRequest { call_id: call.to_owned() };
    let mut facts = RecordsClient::new(client.connection).facts(asked).await?.into_inner();
    let mut story = Story::new(&client.zone);
    while let Some(event) = facts.next().await {
        let event = event?;
        let text = if as_json { json::line(&event)? + "\n" } else { story.told(&event) };
        out(&text)?;
    }
    Ok(out(if as_json { "" } else { story.end() })?)
}

/// Facts as lines: those that decide, not those that count packets.
struct Story<'a> {
    zone: &'a TimeZone,
    began: bool,
    ended: bool,
    /// Whose phone each leg is.
    legs: BTreeMap<String, String>,
}

impl<'a> Story<'a> {
    const fn new(zone: &'a TimeZone) -> Self {
        Self { zone, began: false, ended: false, legs: BTreeMap::new() }
    }

    /// What one fact adds to the story.
    fn told(&mut self, event: &Event) -> String {
        let Some(lines) = event.fact.as_ref().and_then(|fact| self.lines(fact)) else {
            return String::new();
        };
        let mut text = String::new();
        if !std::mem::replace(&mut self.began, true) {
            let call = event.call_id.as_deref().unwrap_or_default();
            text.push_str(&format!("call {call}, {}\n", self.clock(event, "%Y-%m-%d %Z")));
            if !matches!(event.fact, Some(Fact::Setup(_))) {
                text.push_str("              its beginning is no longer kept\n");
            }
        }
        for (at, line) in lines.into_iter().enumerate() {
            let clock = if at == 0 { self.clock(event, "%H:%M:%S%.3f") } else { " ".repeat(12) };
            text.push_str(&format!("{clock}  {line}\n"));
        }
        text
    }

    /// What stands below it.
    const fn end(&self) -> &'static str {
        if self.ended { "" } else { "              it goes on\n" }
    }

    fn clock(&self, event: &Event, format: &str) -> String {
        let at = event.time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
        let at = at.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone());
        at.strftime(format).to_string()
    }

    fn lines(&mut self, fact: &Fact) -> Option<Vec<String>> {
        let one = |line: String| Some(vec![line]);
        match fact {
            Fact::Setup(setup) => one(arrives(setup)),
            Fact::RulesPassed(passed) => Some(rules(passed)),
            Fact::Routed(routed) => {
                one(format!("takes  {} → {}", plain(&routed.rule), plain(&routed.target)))
            }
            Fact::Answered(_) => one("the caller is answered".to_owned()),
            Fact::MenuEntered(entered) => one(format!("menu {}", plain(&entered.menu))),
            Fact::KeyPressed(key) => {
                one(format!("key {} in menu {}", plain(&key.digit), plain(&key.menu)))
            }
            Fact::Collected(collected) => {
                let mut values: Vec<_> = collected.values.iter().collect();
                values.sort();
                let values = values.into_iter();
                let values =
                    values.map(|(key, value)| format!("{} = {}", plain(key), plain(value)));
                one(format!("data: {}", values.collect::<Vec<_>>().join(", ")))
            }
            Fact::Queued(queued) if queued.position == 0 => {
                one(format!("queue {} takes nobody", plain(&queued.queue)))
            }
            Fact::Queued(queued) => {
                one(format!("waits in queue {}, place {}", plain(&queued.queue), queued.position))
            }
            Fact::HeldTooLong(held) => {
                one(format!("agent {} holds him for too long", plain(&held.agent)))
            }
            Fact::AgentTold(_) => one("the agent was told whose call it is".to_owned()),
            Fact::QueueMessageTold(told) => one(format!("hears `{}`", plain(&told.prompt))),
            Fact::QueueWaitTold(told) => one(format!(
                "hears that he is going to wait {} to {} minutes",
                told.from_minutes, told.to_minutes
            )),
            Fact::QueuePositionTold(told) => {
                one(format!("hears that his place is {}", told.position))
            }
            Fact::CallbackAsked(_)
            | Fact::CallbackBegan(_)
            | Fact::CallbackConfirmed(_)
            | Fact::CallbackEnded(_) => callback(fact).map(|line| vec![line]),
            Fact::Decided(decided) => Some(decision(decided)),
            Fact::Widened(widened) => one(widening(widened)),
            Fact::QueueLeft(left) => {
                let why = word(left.why().as_str_name(), "QUEUE_LEFT_");
                one(format!("leaves queue {}: {why}", plain(&left.queue)))
            }
            Fact::Overflowed(gone) => one(format!("queue sends on → {}", plain(&gone.target))),
            fact => self.rest(fact).map(|line| vec![line]),
        }
    }

    /// What happens at phones, and the end.
    fn rest(&mut self, fact: &Fact) -> Option<String> {
        let line = match fact {
            Fact::Offered(offered) => {
                let who = named(Some(&offered.extension), offered.agent.as_deref());
                self.legs.insert(offered.leg_id.clone(), who.clone());
                format!("rings {who}")
            }
            Fact::OfferEnded(ended) => {
                let outcome = word(ended.outcome().as_str_name(), "OFFER_OUTCOME_");
                format!("{}: {outcome}", self.who(&ended.leg_id))
            }
            Fact::AttemptBegan(began) => {
                let who = format!("trunk {} at {}", plain(&began.trunk), plain(&began.server));
                self.legs.insert(began.leg_id.clone(), who.clone());
                format!("calls {} over {who}", plain(&began.number))
            }
            Fact::AttemptEnded(ended) => {
                let outcome = word(ended.outcome().as_str_name(), "OFFER_OUTCOME_");
                let status = ended.sip_status.map(|status| format!(" ({status})"));
                format!("{}: {outcome}{}", self.who(&ended.leg_id), status.unwrap_or_default())
            }
            Fact::TrunkSkipped(skipped) => {
                format!("not over trunk {}: {}", plain(&skipped.trunk), plain(&skipped.why))
            }
            Fact::Forwarded(forwarded) => {
                let why = word(forwarded.why().as_str_name(), "FORWARD_WHY_");
                let (from, to) = (plain(&forwarded.extension), plain(&forwarded.to));
                format!("{from} forwards to {to}: {why}")
            }
            Fact::TalkBegan(talk) => {
                format!("talks with {}", named(talk.extension.as_deref(), talk.agent.as_deref()))
            }
            Fact::TalkEnded(_) => "the talk is over".to_owned(),
            Fact::Transferred(sent) => {
                let who = named(sent.extension.as_deref(), sent.agent.as_deref());
                format!("{who} sends the other side to {}", plain(&sent.to))
            }
            Fact::TransferEnded(ended) => {
                format!("transfer: {}", word(ended.outcome().as_str_name(), "TRANSFER_OUTCOME_"))
            }
            Fact::Joined(joined) => {
                let why = word(joined.why().as_str_name(), "JOIN_WHY_");
                format!("joined with call {}: {why}", plain(&joined.call_id))
            }
            Fact::Parked(parked) => format!("parked at {}", parked.slot),
            Fact::Unparked(parked) => {
                let why = word(parked.why().as_str_name(), "PARK_LEFT_");
                format!("parked no more: {why}")
            }
            Fact::ConferenceJoined(it) => format!("enters conference {}", plain(&it.conference)),
            Fact::ConferenceLeft(it) => format!("leaves conference {}", plain(&it.conference)),
            Fact::Ordered(ordered) => {
                let order = word(ordered.order().as_str_name(), "ORDER_KIND_");
                let to = ordered.to.as_deref().map(|to| format!(" to {}", plain(to)));
                format!("{order}{} ordered by {}", to.unwrap_or_default(), plain(&ordered.by))
            }
            Fact::WrapUpBegan(it) => format!("agent {} begins after-call work", plain(&it.agent)),
            Fact::WrapUpEnded(it) => format!("agent {} has done it", plain(&it.agent)),
            Fact::Ended(end) => {
                self.ended = true;
                let by = word(end.by().as_str_name(), "HUNG_UP_BY_");
                let status = end.sip_status.map(|status| format!(", SIP {status}"));
                let (reason, status) = (plain(&end.reason), status.unwrap_or_default());
                format!("ends: {reason}, by the {by}{status}, Q.850 {}", end.q850_cause)
            }
            _ => return None,
        };
        Some(line)
    }

    fn who(&self, leg: &str) -> String {
        self.legs.get(leg).cloned().unwrap_or_else(|| format!("leg {}", plain(leg)))
    }
}

fn arrives(setup: &proto::Setup) -> String {
    let caller = setup.caller.clone().unwrap_or_default();
    let name = caller.name.as_deref().map(|name| format!(" ({})", plain(name)));
    let over = setup.trunk.as_deref().map(|trunk| format!(" over trunk {}", plain(trunk)));
    format!(
        "{}{} calls {}{}",
        plain(&caller.number),
        name.unwrap_or_default(),
        plain(&setup.dialled),
        over.unwrap_or_default()
    )
}

fn callback(fact: &Fact) -> Option<String> {
    let line = match fact {
        Fact::CallbackAsked(asked) => {
            format!("is to be called back at {}, and keeps his place", plain(&asked.number))
        }
        Fact::CallbackBegan(began) => format!(
            "is called back at {}, attempt {}, as asked in call {}; an agent is held for him",
            plain(&began.number),
            began.attempt,
            plain(&began.asked_call_id)
        ),
        Fact::CallbackConfirmed(_) => "he is there: the agent's phone rings".to_owned(),
        Fact::CallbackEnded(ended) => {
            let outcome = word(ended.outcome().as_str_name(), "CALLBACK_OUTCOME_");
            let by = ended.by.as_deref().map(|by| format!(", by {}", plain(by)));
            format!("callback: {outcome}{}", by.unwrap_or_default())
        }
        _ => return None,
    };
    Some(line)
}

fn rules(passed: &proto::RulesPassed) -> Vec<String> {
    let more = (passed.more > 0).then(|| format!("not    the {} rules before these", passed.more));
    let rules = passed.rules.iter();
    let rules = rules.map(|it| format!("not    {}: {}", plain(&it.rule), plain(&it.reason)));
    more.into_iter().chain(rules).collect()
}

fn named(extension: Option<&str>, agent: Option<&str>) -> String {
    match (extension.map(plain), agent.map(plain)) {
        (Some(extension), Some(agent)) => format!("agent {agent} at {extension}"),
        (Some(extension), None) => extension,
        (None, Some(agent)) => format!("agent {agent}"),
        (None, None) => "the other side".to_owned(),
    }
}

fn widening(widened: &proto::Widened) -> String {
    let mut skills: Vec<_> = widened.skills.iter().collect();
    skills.sort();
    let skills = skills.into_iter().map(|(skill, level)| match level {
        0 => format!("{} is not needed any more", plain(skill)),
        level => format!("{} {level} is enough", plain(skill)),
    });
    let skills = skills.collect::<Vec<_>>().join(", ");
    format!("queue {} widens, step {}: {skills}", plain(&widened.queue), widened.step)
}

/// Who is chosen, then who is not: the named ones, and the others as numbers.
fn decision(decided: &proto::Decided) -> Vec<String> {
    let strategy = decided.strategy.as_str();
    let compared = |standing: Option<u64>| {
        standing.map(|figure| format!(", {}", standing_of(strategy, figure))).unwrap_or_default()
    };
    let chosen: Vec<String> = decided
        .chosen
        .iter()
        .map(|it| format!("{}{}", plain(&it.agent), compared(it.standing)))
        .collect();
    let untold = match decided.untold {
        0 => String::new(),
        untold => format!(" ({untold} decisions before this one are not told)"),
    };
    let head = match chosen.as_slice() {
        [] => format!("nobody of queue {} can be rung{untold}", plain(&decided.queue)),
        [one] => format!("{} chooses agent {one}{untold}", plain(strategy)),
        many => {
            let all = decided.ringing;
            format!("{} rings {all} agents: {}{untold}", plain(strategy), many.join("; "))
        }
    };
    let mut lines = vec![head];
    let mut rest: BTreeMap<i32, u32> =
        decided.passed.iter().map(|passed| (passed.why, passed.agents)).collect();
    for one in &decided.named {
        if let Some(count) = rest.get_mut(&one.why) {
            *count = count.saturating_sub(1);
        }
        let why = match &one.lacks {
            Some(lacks) => {
                format!("lacks {} {}, has {}", plain(&lacks.skill), lacks.needed, lacks.has)
            }
            None => reason(one.why()).to_owned(),
        };
        lines.push(format!("not    {}: {why}{}", plain(&one.agent), compared(one.standing)));
    }
    rest.retain(|_, count| *count > 0);
    if !rest.is_empty() {
        let why = |why| reason(PassedWhy::try_from(why).unwrap_or_default());
        let others = rest.iter().map(|(it, count)| format!("{count} {}", why(*it)));
        lines.push(format!("nor    {}", others.collect::<Vec<_>>().join(", ")));
    }
    lines
}

fn standing_of(strategy: &str, figure: u64) -> String {
    match strategy {
        "most-idle" => format!("idle for {figure} s"),
        "least-talk" => format!("talked for {figure} s"),
        "fewest-calls" => format!("{figure} calls"),
        "linear" | "round-robin" => format!("number {figure} in order"),
        "skills" => format!("levels {figure} in all"),
        _ => figure.to_string(),
    }
}

const fn reason(why: PassedWhy) -> &'static str {
    match why {
        PassedWhy::Unspecified => "for a reason that this version does not know",
        PassedWhy::Away => "away",
        PassedWhy::Behind => "free, but behind",
        PassedWhy::Busy => "phone in use, or takes no calls",
        PassedWhy::Favourite => "the caller waits for another first",
        PassedWhy::LoggedOut => "logged out",
        PassedWhy::OnCall => "on a call",
        PassedWhy::Paused => "has just refused a call",
        PassedWhy::Ringing => "rings for another caller",
        PassedWhy::Skill => "not skilled enough",
        PassedWhy::Tier => "of a tier or group that is not due",
        PassedWhy::Tried => "has refused or missed this call",
        PassedWhy::Unseen => "logged in, not looked at",
        PassedWhy::Unreachable => "no phone registered",
        PassedWhy::WrapUp => "in after-call work",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdr::decision::{
        Chosen, Decision, Lacking, PassedOver, PassedWhy as Why, RulePassed, RulesPassed,
    };
    use crate::cdr::entry::{Direction, Entry, Fact as Kept, HungUpBy, OfferOutcome, QueueLeft};
    use crate::id::{CallId, LegId, Target};
    use crate::shell::grpc::record::event;
    use crate::time::Wall;

    #[test]
    fn a_call_is_told_from_its_rule_to_its_end() {
        let utc = TimeZone::UTC;
        let mut story = Story::new(&utc);

        let text: String = facts().into_iter().map(|entry| story.told(&event(entry))).collect();

        assert_eq!(
            text + story.end(),
            "call 0000000000000007, 1970-01-01 UTC\n\
             00:00:01.000  1001 (Reception) calls 600\n\
             00:00:02.000  not    closed: hours `office` are open\n\
             00:00:03.000  takes  number of queue:sales → queue:sales\n\
             00:00:04.000  waits in queue sales, place 1\n\
             00:00:05.000  most-idle chooses agent 17, idle for 45 s\n\
             \x20             not    18: free, but behind, idle for 12 s\n\
             \x20             not    19: lacks vpn 3, has 2\n\
             \x20             nor    40 logged out\n\
             00:00:06.000  rings agent 17 at 1002\n\
             00:00:07.000  agent 17 at 1002: no-answer\n\
             00:00:08.000  nobody of queue sales can be rung (3 decisions before this one are not \
             told)\n\
             \x20             nor    2 away\n\
             00:00:09.000  queue sales widens, step 1: vpn 1 is enough\n\
             00:00:10.000  leaves queue sales: timed-out\n\
             00:00:11.000  queue sends on → hangup:480\n\
             00:00:12.000  ends: rule, by the switch, SIP 480, Q.850 19\n"
        );
    }

    #[test]
    fn a_call_that_goes_on_or_lost_its_beginning_says_so() {
        let utc = TimeZone::UTC;
        let mut story = Story::new(&utc);

        let text = story.told(&event(facts().remove(3)));

        assert!(text.contains("its beginning is no longer kept\n"), "{text}");
        assert_eq!(story.end(), "              it goes on\n");
    }

    fn facts() -> Vec<Entry> {
        let queue = || "sales".into();
        let agent = |agent: &str, why, standing, lacks| PassedOver {
            agent: agent.into(),
            why,
            standing,
            lacks,
        };
        let lacks = Lacking { skill: "vpn".into(), needed: 3, has: 2 };
        let chosen = Decision {
            queue: queue(),
            strategy: "most-idle".to_owned(),
            chosen: vec![Chosen { agent: "17".into(), standing: Some(45) }],
            ringing: 1,
            passed: [(Why::Behind, 1), (Why::Skill, 1), (Why::LoggedOut, 40)].into(),
            named: vec![
                agent("18", Why::Behind, Some(12), None),
                agent("19", Why::Skill, None, Some(lacks)),
            ],
            untold: 0,
        };
        let nobody = Decision {
            chosen: Vec::new(),
            ringing: 0,
            passed: [(Why::Away, 2)].into(),
            named: Vec::new(),
            untold: 3,
            ..chosen.clone()
        };
        let leg = LegId { call: CallId::from_u64(7), index: 1 };
        let rule =
            RulePassed { rule: "closed".to_owned(), reason: "hours `office` are open".to_owned() };
        let facts = vec![
            setup(),
            Kept::RulesPassed(RulesPassed { rules: vec![rule], more: 0 }),
            Kept::Routed { rule: "number of queue:sales".into(), target: Target::Queue(queue()) },
            Kept::Queued { queue: queue(), position: 1 },
            Kept::Decided(chosen),
            Kept::Offered {
                leg,
                extension: "1002".into(),
                agent: Some("17".into()),
                queue: Some(queue()),
            },
            Kept::OfferEnded { leg, outcome: OfferOutcome::NoAnswer },
            Kept::Decided(nobody),
            Kept::Widened { queue: queue(), step: 1, skills: [("vpn".into(), 1)].into() },
            Kept::QueueLeft { queue: queue(), why: QueueLeft::TimedOut },
            Kept::Overflowed { queue: queue(), target: Target::Hangup(480) },
            Kept::Ended { by: HungUpBy::Switch, status: 480, cause: 19, reason: "rule".to_owned() },
        ];
        let at = |second: i64| Wall::from_micros(second * 1_000_000);
        let call = Some(CallId::from_u64(7));
        let entries = (1..).zip(facts).map(|(second, fact)| Entry { at: at(second), call, fact });
        entries.collect()
    }

    fn setup() -> Kept {
        Kept::Setup {
            direction: Direction::Internal,
            from: "1001".to_owned(),
            e164: None,
            name: Some("Reception".to_owned()),
            extension: Some("1001".into()),
            trunk: None,
            did: None,
            to: "600".to_owned(),
            sip_call_id: "abc@phone".to_owned(),
            config: 1,
        }
    }
}
