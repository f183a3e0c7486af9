//! The forms of a telephone number: international (ITU-T E.164), national, as it is.

use serde::Deserialize;

/// How numbers are written around here, and how a trunk wants them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Numbering {
    /// The country's code without `+`, such as `"86"`. Default `""`: numbers are never completed.
    pub country: String,
    /// The form in which a trunk is given numbers: `"as-is"`, `"e164"` (`+862112345678`),
    /// `"digits"` (`862112345678`), `"national"` (`02112345678`; other countries' with the
    /// international prefix). A number whose country is unknown stays as it is.
    /// Default `"as-is"`.
    pub form: Form,
    /// What is dialled before the number of another country, such as `"00"`. Default `""`: none.
    pub international: String,
    /// What is dialled before the area code within the country, such as `"0"`. Default `""`: none.
    pub national: String,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    #[default]
    AsIs,
    Digits,
    E164,
    National,
}

impl Numbering {
    /// The number with `+` and its country (ITU-T E.164); `None` if it does not tell them.
    pub fn e164(&self, number: &str) -> Option<String> {
        let international = Some(self.international.as_str()).filter(|prefix| !prefix.is_empty());
        let national = Some(self.national.as_str()).filter(|prefix| !prefix.is_empty());
        let digits = if let Some(digits) = number.strip_prefix('+') {
            digits.to_owned()
        } else if let Some(digits) = international.and_then(|prefix| number.strip_prefix(prefix)) {
            digits.to_owned()
        } else if let Some(rest) = national.and_then(|prefix| number.strip_prefix(prefix)) {
            (!self.country.is_empty()).then(|| format!("{}{rest}", self.country))?
        } else {
            return None;
        };
        let is_number = digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
            && (E164_DIGITS_MIN..=E164_DIGITS_MAX).contains(&digits.len());
        is_number.then(|| format!("+{digits}"))
    }

    /// The number in the form that the trunk wants.
    pub fn formed(&self, number: &str) -> String {
        let Some(e164) = self.e164(number).filter(|_| self.form != Form::AsIs) else {
            return number.to_owned();
        };
        let digits = &e164[1..];
        match self.form {
            Form::AsIs | Form::E164 => e164,
            Form::Digits => digits.to_owned(),
            Form::National => {
                let own = Some(self.country.as_str()).filter(|country| !country.is_empty());
                match own.and_then(|country| digits.strip_prefix(country)) {
                    Some(rest) => format!("{}{rest}", self.national),
                    None => format!("{}{digits}", self.international),
                }
            }
        }
    }
}

/// Digits of an international number, without `+` (ITU-T E.164 §6.2.1).
const E164_DIGITS_MAX: usize = 15;
/// The shortest that is taken for one.
const E164_DIGITS_MIN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_completed_only_if_they_tell_their_country() {
        let china = numbering(Form::E164);
        for (number, e164) in [
            ("+862112345678", Some("+862112345678")),
            ("004930123456", Some("+4930123456")),
            ("02112345678", Some("+862112345678")),
            ("12345678", None),
            ("1001", None),
            ("+0123456", None),
            ("+86abc", None),
            ("+1234567890123456", None),
        ] {
            assert_eq!(china.e164(number).as_deref(), e164, "{number}");
        }
        assert_eq!(Numbering::default().e164("02112345678"), None);
        assert_eq!(Numbering::default().e164("+862112345678").unwrap(), "+862112345678");
    }

    #[test]
    fn each_form_is_written() {
        let written = |form, number: &str| numbering(form).formed(number);

        assert_eq!(written(Form::E164, "02112345678"), "+862112345678");
        assert_eq!(written(Form::Digits, "02112345678"), "862112345678");
        assert_eq!(written(Form::National, "+862112345678"), "02112345678");
        assert_eq!(written(Form::National, "+4930123456"), "004930123456");
        assert_eq!(written(Form::AsIs, "02112345678"), "02112345678");
        assert_eq!(written(Form::E164, "95598"), "95598");
    }

    fn numbering(form: Form) -> Numbering {
        Numbering {
            country: "86".to_owned(),
            form,
            international: "00".to_owned(),
            national: "0".to_owned(),
        }
    }
}
