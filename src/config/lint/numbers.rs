//! Numbers: what bears them, and that no two things bear one.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::config::problem::{Finding, Path, error, owned, warning};

pub fn lint(config: &Config, findings: &mut Vec<Finding>) {
    let mut borne: BTreeMap<String, (String, Path)> = BTreeMap::new();
    for (number, bearer, path) in bearers(config) {
        let key: Vec<&str> = path.iter().map(String::as_str).collect();
        if !is_number(&number) {
            let text = format!(
                "`{number}` cannot be dialled; write digits, letters, `*`, `#`, `+`, `-`, `_` or \
                 `.`"
            );
            findings.push(error(&key, text));
        } else if let Some((other, place)) = borne.get(&number) {
            let text = format!("{other} and {bearer} have the number `{number}`; change one");
            findings.push(error(&key, text).against(place.clone()));
        } else {
            borne.insert(number, (bearer, path));
        }
    }
    with_number(config, &borne, findings);
    for (id, account) in &config.extensions {
        let wrong = account.identities.iter().enumerate().filter(|(_, it)| !is_number(it));
        for (place, number) in wrong {
            let path = ["extensions", id.as_str(), "identities", &place.to_string()];
            let text = format!("`{number}` cannot be dialled; write one such as \"+862112345601\"");
            findings.push(error(&path, text));
        }
    }
    for digit in config.codes.away_reasons.keys().filter(|digit| !digit.is_ascii_digit()) {
        let path = ["codes", "away_reasons", &digit.to_string()];
        findings.push(error(&path, format!("`{digit}` is no digit; write one from 0 to 9")));
    }
}

/// Everything that can be dialled without a rule: its number, what to call it, and the key that
/// says so.
pub(super) fn bearers(config: &Config) -> Vec<(String, String, Path)> {
    let numbers = config.numbers().into_iter();
    let numbers = numbers.map(|(number, target, path)| (number, format!("`{target}`"), path));
    let codes = config.codes.dialled().map(|(code, dialled)| {
        let name = format!("feature code `{}`", code.key());
        (dialled.to_owned(), name, owned(&["codes", code.key()]))
    });
    numbers.chain(codes).collect()
}

/// Codes that a number may follow, and what reads like one of them with a number: the longest code
/// counts, and any code more than a number.
fn with_number(
    config: &Config,
    borne: &BTreeMap<String, (String, Path)>,
    findings: &mut Vec<Finding>,
) {
    for (code, dialled) in config.codes.dialled().filter(|(code, _)| code.takes_number()) {
        let longer = borne
            .iter()
            .filter(|(number, _)| number.len() > dialled.len() && number.starts_with(dialled));
        for (number, (bearer, place)) in longer {
            let text = format!(
                "`{number}` of {bearer} reads like `{dialled}` and a number; change one of them"
            );
            findings.push(warning(&["codes", code.key()], text).against(place.clone()));
        }
    }
}

/// Whether phones can dial it and it stands unescaped in a SIP URI.
pub(super) fn is_number(text: &str) -> bool {
    let good = |key: char| key.is_ascii_alphanumeric() || "*#+-_.".contains(key);
    !text.is_empty() && text.len() <= NUMBER_BYTES_MAX && text.chars().all(good)
}

/// The longest number, in bytes.
const NUMBER_BYTES_MAX: usize = 64;
