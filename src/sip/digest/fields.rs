//! The fields of a challenge or of credentials: `Digest name=value, name="value", …`.

use std::borrow::Cow;

/// Fields in one header; more are refused.
const FIELDS_MAX: usize = 32;

/// The fields behind `Digest`; nothing if the scheme is another or the text is malformed.
pub(super) struct Fields<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, mut rest) = text.trim().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut fields = Vec::with_capacity(12);
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return Some(Self(fields));
            }
            if fields.len() == FIELDS_MAX {
                return None;
            }
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after.trim_start_matches([' ', '\t']))?;
            fields.push((name.trim_end_matches([' ', '\t']), value));
            rest = after.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
        }
    }

    /// A field's value, without quotes; nothing if it is there twice.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value.as_ref())
    }

    /// Whether a field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
    }
}

/// A token or quoted string, and what follows it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '"']).unwrap_or(text.len());
        return Some((Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let mut plain = None::<String>;
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match (c, &mut plain) {
            ('"', _) => {
                let value = plain.map_or(Cow::Borrowed(&inside[..at]), Cow::Owned);
                return Some((value, &inside[at + 1..]));
            }
            ('\\', plain) => {
                let (_, escaped) = chars.next()?;
                plain.get_or_insert_with(|| inside[..at].to_owned()).push(escaped);
            }
            (c, Some(plain)) => plain.push(c),
            (_, None) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_phones_write_them() {
        let fields = Fields::parse(
            "digest username=\"a \\\"b\\\", c\",realm=\"\" , nc=0000001f,uri=\"sip:x;y=z\" \
             , qop = auth",
        )
        .unwrap();

        assert_eq!(fields.get("Username"), Some("a \"b\", c"));
        assert_eq!(fields.get("realm"), Some(""));
        assert_eq!(fields.get("nc"), Some("0000001f"));
        assert_eq!(fields.get("uri"), Some("sip:x;y=z"));
        assert_eq!(fields.get("qop"), Some("auth"));
        assert_eq!(fields.get("opaque"), None);
    }

    #[test]
    fn what_is_malformed_is_nothing() {
        let many = format!("Digest {}", "a=b,".repeat(33));
        for text in [
            "",
            "Digest",
            "Basic a=b",
            "Digest a",
            "Digest a=\"b",
            "Digest a=\"b\\",
            "Digest a=b c=d",
            &many,
        ] {
            assert!(Fields::parse(text).is_none(), "{text}");
        }
        let twice = Fields::parse("Digest a=1, A=2").unwrap();
        assert_eq!(twice.get("a"), None);
        assert!(twice.has("a"));
    }
}
