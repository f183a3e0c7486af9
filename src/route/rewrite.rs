//! Rules that change numbers: what is dialled becomes what a trunk wants, and back.
//!
//! The first rule of a list whose `match` fits is applied, and no other; a number that fits none
//! stays as it is.

use serde::Deserialize;

use crate::route::pattern::Pattern;

/// One rule: takes `strip` characters off the front and puts `prefix` there; or, with `replace`,
/// writes the number anew.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// The numbers that it is for: exact `"110"`, prefix `"00*"`, pattern `"~^0(\\d+)$"`. No
    /// default.
    #[serde(rename = "match")]
    pub number: Pattern,
    /// What is put in front. Default `""`.
    #[serde(default)]
    pub prefix: String,
    /// What the match of a pattern becomes: `$1` is its first group. Only with a pattern. Default:
    /// the number stays, but for `strip` and `prefix`.
    #[serde(default)]
    pub replace: Option<String>,
    /// How many characters are taken off the front. Default 0.
    #[serde(default)]
    pub strip: usize,
}

impl Rewrite {
    /// What the number becomes; `None` if the rule is not for it.
    fn apply(&self, number: &str) -> Option<String> {
        let changed = match &self.replace {
            Some(with) => self.number.replace(number, with)?,
            None if self.number.matches(number) => number.to_owned(),
            None => return None,
        };
        let rest: String = changed.chars().skip(self.strip).collect();
        Some(format!("{}{rest}", self.prefix))
    }
}

/// What `number` becomes by the first rule that is for it.
pub fn rewrite(rules: &[Rewrite], number: &str) -> String {
    let changed = rules.iter().find_map(|rule| rule.apply(number));
    changed.unwrap_or_else(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct List {
        rules: Vec<Rewrite>,
    }

    #[test]
    fn the_first_rule_that_fits_is_applied_and_no_other() {
        let list: List = toml::from_str(
            r#"
            rules = [
                { match = "9*", strip = 1 },
                { match = "~^0(\\d{9,})$", replace = "+86$1" },
                { match = "~^1\\d{10}$", prefix = "+86" },
                { match = "10000", replace = "95598" },
                { match = "*", strip = 2, prefix = "x" },
            ]
            "#,
        )
        .unwrap();
        for (number, becomes) in [
            ("9021", "021"),
            ("02112345678", "+862112345678"),
            ("13800138000", "+8613800138000"),
            ("10000", "95598"),
            ("4321", "x21"),
            ("4", "x"),
        ] {
            assert_eq!(rewrite(&list.rules, number), becomes, "{number}");
        }
        assert_eq!(rewrite(&[], "4321"), "4321");
    }
}
