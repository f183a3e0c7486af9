//! The Replaces header: whose place an INVITE takes (RFC 3891 §6.1).

use crate::sip::message::Params;

/// A dialog that is to be replaced, as the one who names it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    pub call_id: String,
    /// The tag of the user agent that is asked: ours.
    pub to_tag: String,
    /// The tag of the peer in that dialog.
    pub from_tag: String,
    /// Not if the dialog is confirmed.
    pub early_only: bool,
}

impl Replaces {
    /// Reads `call-id;to-tag=…;from-tag=…`; `None` unless all three are there once.
    pub fn parse(text: &str) -> Option<Self> {
        let (call_id, params) = text.split_at(text.find(';')?);
        let params = Params::parse(params)?;
        let once = |wanted: &str| {
            let mut found = params.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            let (_, value) = found.next()?;
            (found.next().is_none() && !value.is_empty()).then(|| value.to_owned())
        };
        let call_id = call_id.trim();
        let is_word = !call_id.is_empty() && !call_id.contains([' ', '\t', ',']);
        is_word.then_some(())?;
        Some(Self {
            call_id: call_id.to_owned(),
            to_tag: once("to-tag")?,
            from_tag: once("from-tag")?,
            early_only: params.get("early-only").is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3891 §6.1.
    #[test]
    fn a_dialog_is_named_by_three_words() {
        let text = "98732@sip.example.com ;from-tag=r33th4x0r; to-tag=ff87ff;early-only";
        let replaces = Replaces::parse(text).unwrap();

        assert_eq!(replaces.call_id, "98732@sip.example.com");
        assert_eq!((&*replaces.to_tag, &*replaces.from_tag), ("ff87ff", "r33th4x0r"));
        assert!(replaces.early_only);
    }

    #[test]
    fn what_names_no_dialog_is_refused() {
        for text in [
            "",
            "abc",
            "abc;to-tag=1",
            "abc;to-tag=1;from-tag=",
            ";to-tag=1;from-tag=2",
            "a b;to-tag=1;from-tag=2",
            "abc;to-tag=1;to-tag=3;from-tag=2",
            "abc;to-tag=1;from-tag=2;\"",
        ] {
            assert_eq!(Replaces::parse(text), None, "{text}");
        }
    }
}
