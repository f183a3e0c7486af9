//! Waiting messages as `application/simple-message-summary` (RFC 3842 §5).

use super::shown::Mailbox;

/// The document about the mailbox of `account`.
pub fn body(mailbox: &Mailbox, account: &str) -> String {
    let Mailbox { new, old, new_urgent, old_urgent } = mailbox;
    let waiting = if *new > 0 { "yes" } else { "no" };
    format!(
        "Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\n\
         Voice-Message: {new}/{old} ({new_urgent}/{old_urgent})\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the example of RFC 3842 §5.2.
    #[test]
    fn counts_are_new_then_old_then_the_urgent_among_them() {
        let mailbox = Mailbox { new: 2, old: 8, new_urgent: 0, old_urgent: 2 };
        let expected = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\n\
                        Voice-Message: 2/8 (0/2)\r\n";
        assert_eq!(body(&mailbox, "sip:alice@vmail.example.com"), expected);
    }

    #[test]
    fn an_empty_mailbox_says_no() {
        let text = body(&Mailbox::default(), "sip:1001@pbx");
        assert!(text.starts_with("Messages-Waiting: no\r\n"), "{text}");
    }
}
