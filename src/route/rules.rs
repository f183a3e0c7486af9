//! The compiled rules: where a call goes, and why not elsewhere.
//!
//! In this order; the first rule that matches decides:
//!
//! 1. numbers of `[emergency]`, for calls of extensions only,
//! 2. feature codes of `[codes]`, for calls of extensions only,
//! 3. `[[routes]]`, in the order of the file,
//! 4. extensions, by their number,
//! 5. queues and menus, by their `number`,
//! 6. none: the caller gets `404 Not Found`.
//!
//! So a route can bend any number but an emergency number and a feature code, and a new extension
//! never bends a route.

use std::collections::{BTreeMap, HashMap};

use crate::id::{ExtensionId, HoursId, Target, TrunkId};
use crate::route::config::{Code, Codes, Hours, Route};
use crate::route::emergency::Emergency;
use crate::route::hours::Calendar;
use crate::time::Wall;

/// What rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The caller's number.
    pub from: &'a str,
    /// The number dialled.
    pub to: &'a str,
    /// The account that calls.
    pub extension: Option<&'a ExtensionId>,
    /// The trunk that it came over.
    pub trunk: Option<&'a TrunkId>,
    pub at: Wall,
}

/// Where a call goes, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The rule's name, as records show it.
    pub rule: String,
    pub target: Dest,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dest {
    Code(Code),
    /// Over the trunks of `[emergency]`, past all limits.
    Emergency,
    Target(Target),
}

/// A rule that did not match, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    pub rule: String,
    pub reason: String,
}

/// All rules, ready for calls. Built anew at each reload.
#[derive(Clone, Debug)]
pub struct Routes {
    codes: HashMap<String, Code>,
    emergency: Emergency,
    routes: Vec<Compiled>,
    numbers: HashMap<String, Target>,
}

/// One of `[[routes]]` with its name and its calendar.
#[derive(Clone, Debug)]
struct Compiled {
    name: String,
    route: Route,
    calendar: Calendars,
}

/// The opening hours of a route.
#[derive(Clone, Debug)]
enum Calendars {
    Always,
    /// No such hours, or their zone is unknown: the configuration's check refuses it.
    Never,
    Of(Calendar),
}

impl Routes {
    /// `numbers` are those of extensions, queues and menus, in this order: if two are the same, the
    /// first counts. `zone` is that of hours which name none.
    pub fn new(
        (emergency, codes): (&Emergency, &Codes),
        routes: &[Route],
        hours: &BTreeMap<HoursId, Hours>,
        numbers: impl IntoIterator<Item = (String, Target)>,
        zone: &str,
    ) -> Self {
        let mut known = HashMap::new();
        for (number, target) in numbers {
            known.entry(number).or_insert(target);
        }
        let compile = |(place, route): (usize, &Route)| {
            let calendar = match &route.hours {
                None => Calendars::Always,
                Some(id) => hours
                    .get(id)
                    .and_then(|hours| Calendar::new(hours, zone).ok())
                    .map_or(Calendars::Never, Calendars::Of),
            };
            Compiled { name: name(place, route), route: route.clone(), calendar }
        };
        Self {
            emergency: emergency.clone(),
            codes: codes.dialled().map(|(code, dialled)| (dialled.to_owned(), code)).collect(),
            routes: routes.iter().enumerate().map(compile).collect(),
            numbers: known,
        }
    }

    /// The first rule that matches.
    pub fn find(&self, call: &Call<'_>) -> Decision {
        if call.extension.is_some() && self.emergency.has(call.to) {
            let rule = format!("emergency {}", call.to);
            return Decision { rule, target: Dest::Emergency };
        }
        if let Some(code) = self.code(call) {
            return Decision { rule: format!("code {}", code.key()), target: Dest::Code(code) };
        }
        if let Some(found) = self.routes.iter().find(|route| route.refusal(call).is_none()) {
            let target = Dest::Target(found.route.target.clone());
            return Decision { rule: found.name.clone(), target };
        }
        match self.numbers.get(call.to) {
            Some(target) => {
                let rule = format!("number of {target}");
                Decision { rule, target: Dest::Target(target.clone()) }
            }
            None => {
                let rule = "no rule".to_owned();
                Decision { rule, target: Dest::Target(Target::Hangup(NOT_FOUND)) }
            }
        }
    }

    /// The last `most` of `[[routes]]` before the one that matches, or of all if none does, each
    /// with the reason why it did not; and how many there are before those.
    pub fn passed(&self, call: &Call<'_>, most: usize) -> (Vec<Passed>, usize) {
        let matches = |route: &Compiled| route.refusal(call).is_none();
        let before = self.routes.iter().position(matches).unwrap_or(self.routes.len());
        let more = before.saturating_sub(most);
        let told = self.routes[more..before].iter().filter_map(|route| {
            route.refusal(call).map(|reason| Passed { rule: route.name.clone(), reason })
        });
        (told.collect(), more)
    }

    /// Every rule before the one that matches, with the reason it did not, and the decision.
    pub fn explain(&self, call: &Call<'_>) -> (Vec<Passed>, Decision) {
        let decision = self.find(call);
        let mut passed = Vec::new();
        let mut pass = |rule: &str, reason: String| {
            passed.push(Passed { rule: rule.to_owned(), reason });
        };
        let called = format!("`{}`", call.to);
        if decision.target == Dest::Emergency {
            return (passed, decision);
        }
        if self.emergency.has(call.to) {
            pass("emergency numbers", format!("{called} is one, but no extension calls"));
        } else if !self.emergency.numbers.is_empty() {
            pass("emergency numbers", format!("{called} is none"));
        }
        if matches!(decision.target, Dest::Code(_)) {
            return (passed, decision);
        }
        if self.codes.contains_key(call.to) {
            pass("feature codes", format!("{called} is one, but no extension calls"));
        } else {
            pass("feature codes", format!("{called} is none"));
        }
        for route in &self.routes {
            match route.refusal(call) {
                Some(reason) => pass(&route.name, reason),
                None => return (passed, decision),
            }
        }
        if !self.numbers.contains_key(call.to) {
            let reason = format!("{called} is the number of no extension, queue or menu");
            pass("numbers", reason);
        }
        (passed, decision)
    }

    fn code(&self, call: &Call<'_>) -> Option<Code> {
        call.extension?;
        let exact = self.codes.get(call.to).copied();
        exact.or_else(|| {
            let with_number = self.codes.iter().filter(|(dialled, code)| {
                code.takes_number() && call.to.starts_with(dialled.as_str())
            });
            with_number.max_by_key(|(dialled, _)| dialled.len()).map(|(_, code)| *code)
        })
    }
}

impl Compiled {
    /// Why the rule does not match; `None` if it does.
    fn refusal(&self, call: &Call<'_>) -> Option<String> {
        if let Some(to) = self.route.to.as_ref().filter(|to| !to.matches(call.to)) {
            return Some(format!("dialled `{}`, the rule wants `{to}`", call.to));
        }
        if let Some(from) = self.route.from.as_ref().filter(|from| !from.matches(call.from)) {
            return Some(format!("caller `{}`, the rule wants `{from}`", call.from));
        }
        if let Some(trunk) = self.route.trunk.as_ref().filter(|trunk| Some(*trunk) != call.trunk) {
            let came = call.trunk.map_or("no trunk".to_owned(), |came| format!("trunk `{came}`"));
            return Some(format!("came over {came}, the rule wants `{trunk}`"));
        }
        let hours = self.route.hours.as_ref();
        match &self.calendar {
            Calendars::Always => None,
            Calendars::Never => Some(format!("hours `{}` cannot be used", hours?)),
            Calendars::Of(calendar) if calendar.is_open(call.at) => None,
            Calendars::Of(calendar) => {
                Some(format!("hours `{}` are closed at {}", hours?, calendar.clock_text(call.at)))
            }
        }
    }
}

/// What a route is called: its name, or its place counted from 1.
pub fn name(place: usize, route: &Route) -> String {
    if route.name.is_empty() { format!("route {}", place + 1) } else { route.name.clone() }
}

/// What a caller gets for whom there is no rule.
const NOT_FOUND: u16 = 404;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn numbers_lead_to_what_bears_them() {
        assert_eq!(found("1001", "1002", MONDAY), ("number of extension:1002", "extension:1002"));
        assert_eq!(found("1001", "600", MONDAY), ("number of queue:sales", "queue:sales"));
        assert_eq!(found("1001", "777", MONDAY), ("no rule", "hangup:404"));
    }

    #[test]
    fn a_route_goes_before_a_number_and_heeds_hours() {
        assert_eq!(found("1001", "500", MONDAY), ("open", "menu:main"));
        assert_eq!(found("1001", "500", SUNDAY), ("closed", "prompt:closed"));
    }

    #[test]
    fn the_caller_counts_too() {
        assert_eq!(found("1009", "1002", MONDAY), ("route 3", "hangup:403"));
    }

    #[test]
    fn a_feature_code_is_for_extensions_only() {
        let routes = routes();
        let extension = ExtensionId::from("1001");
        let mut call = call("1001", "*43", MONDAY);
        call.extension = Some(&extension);

        assert_eq!(routes.find(&call).target, Dest::Code(Code::EchoTest));
        call.extension = None;
        assert_eq!(routes.find(&call).rule, "no rule");
        assert_eq!(routes.explain(&call).0[1].reason, "`*43` is one, but no extension calls");
    }

    #[test]
    fn a_trunk_is_a_condition() {
        let (routes, itsp, other) = (routes(), TrunkId::from("itsp"), TrunkId::from("other"));
        let mut call = call("13800138000", "4008001234", SUNDAY);
        assert_eq!(routes.find(&call).rule, "no rule");
        call.trunk = Some(&other);
        let (passed, _) = routes.explain(&call);
        assert_eq!(passed[5].reason, "came over trunk `other`, the rule wants `itsp`");
        call.trunk = Some(&itsp);
        assert_eq!(routes.find(&call).rule, "route 4");
    }

    /// Whatever else has the number, and for nobody but extensions; never by a part of it.
    #[test]
    fn an_emergency_number_goes_first() {
        let (routes, extension) = (routes(), ExtensionId::from("1009"));
        for (to, rule) in [
            ("110", "emergency 110"),
            ("1002", "emergency 1002"),
            ("1100", "route 3"),
            ("0110", "route 3"),
            ("11", "route 3"),
        ] {
            let mut call = call("1009", to, MONDAY);
            call.extension = Some(&extension);
            assert_eq!(routes.find(&call).rule, rule);
        }
        assert_eq!(routes.find(&call("5551234", "110", MONDAY)).rule, "no rule");
    }

    #[test]
    fn every_rule_passed_over_says_why() {
        let (passed, decision) = routes().explain(&call("1001", "500", SUNDAY));

        assert_eq!(decision.rule, "closed");
        let passed: Vec<_> = passed.iter().map(|p| (p.rule.as_str(), p.reason.as_str())).collect();
        assert_eq!(
            passed,
            [
                ("emergency numbers", "`500` is none"),
                ("feature codes", "`500` is none"),
                ("open", "hours `office` are closed at Sun 2026-11-22 10:00"),
            ]
        );
    }

    #[test]
    fn a_few_rules_that_were_passed_over_are_told_and_the_others_counted() {
        let routes = routes();
        let told = |most| {
            let (passed, more) = routes.passed(&call("1001", "777", MONDAY), most);
            (passed.into_iter().map(|it| it.rule).collect::<Vec<_>>(), more)
        };

        assert_eq!(told(2), (vec!["route 3".to_owned(), "route 4".to_owned()], 2));
        assert_eq!(told(9).0.len(), 4);
        let (passed, more) = routes.passed(&call("1001", "500", SUNDAY), 9);
        assert_eq!((passed.len(), passed[0].rule.as_str(), more), (1, "open", 0));
    }

    #[test]
    fn a_call_nobody_wants_passes_every_rule() {
        let (passed, decision) = routes().explain(&call("1001", "777", MONDAY));

        assert_eq!(decision.target, Dest::Target(Target::Hangup(404)));
        let rules: Vec<_> = passed.iter().map(|passed| passed.rule.as_str()).collect();
        let wanted = [
            "emergency numbers",
            "feature codes",
            "open",
            "closed",
            "route 3",
            "route 4",
            "numbers",
        ];
        assert_eq!(rules, wanted);
        assert_eq!(passed[4].reason, "caller `1001`, the rule wants `~^1009$`");
    }

    #[test]
    fn hours_that_do_not_exist_are_never_open() {
        let route: Route = toml::from_str("hours = 'none'\ntarget = 'queue:sales'").unwrap();
        let sets = (&Emergency::default(), &Codes::default());
        let routes = Routes::new(sets, &[route], &BTreeMap::new(), [], "UTC");

        let (passed, _) = routes.explain(&call("1001", "600", MONDAY));
        assert_eq!(passed[1].reason, "hours `none` cannot be used");
    }

    #[derive(Deserialize)]
    struct File {
        emergency: Emergency,
        routes: Vec<Route>,
        hours: BTreeMap<HoursId, Hours>,
    }

    fn routes() -> Routes {
        let file: File = toml::from_str(
            r#"
            [[routes]]
            name = "open"
            to = "500"
            hours = "office"
            target = "menu:main"
            [[routes]]
            name = "closed"
            to = "500"
            target = "prompt:closed"
            [[routes]]
            from = "~^1009$"
            target = "hangup:403"
            [[routes]]
            trunk = "itsp"
            to = "4008001234"
            target = "menu:main"
            [emergency]
            numbers = ["110", "1002"]
            trunks = ["itsp"]
            [hours.office]
            open = ["mon-fri 09:00-18:00"]
            "#,
        )
        .unwrap();
        let numbers = [
            ("1002", "extension:1002"),
            ("600", "queue:sales"),
            ("500", "menu:main"),
            ("600", "menu:second"),
        ];
        let numbers = numbers.map(|(number, to)| (number.to_owned(), to.parse().unwrap()));
        let sets = (&file.emergency, &Codes::default());
        Routes::new(sets, &file.routes, &file.hours, numbers, "UTC")
    }

    fn call<'a>(from: &'a str, to: &'a str, at: &str) -> Call<'a> {
        let at: jiff::Timestamp = at.parse().unwrap();
        let (extension, trunk) = (None, None);
        Call { from, to, extension, trunk, at: Wall::from_micros(at.as_microsecond()) }
    }

    /// The rule and the target, both as text.
    fn found(from: &str, to: &str, at: &str) -> (&'static str, &'static str) {
        let decision = routes().find(&call(from, to, at));
        let Dest::Target(target) = decision.target else { panic!("a feature code") };
        (decision.rule.leak(), target.to_string().leak())
    }

    const MONDAY: &str = "2026-11-23T10:00:00Z";
    const SUNDAY: &str = "2026-11-22T10:00:00Z";
}
