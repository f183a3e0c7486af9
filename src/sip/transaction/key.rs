//! What tells transactions apart: the keys of the table, and the branches that it makes.

use std::fmt::{self, Write as _};

use crate::sip::message::{Method, Name, Request};

/// A request received, until its transaction has ended. Never given twice by one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey(pub u64);

/// A request of ours, until its transaction has ended. Never given twice by one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// The branch of a request of ours: `z9hG4bK`, shard, client, secret, in hexadecimal.
///
/// The shard's number lets responses find their Switch, the client's its transaction; nobody who
/// has not seen the request can guess the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    pub shard: u8,
    pub client: ClientId,
    pub secret: u64,
}

/// How branches begin since RFC 3261 (§8.1.1.7).
pub const COOKIE: &str = "z9hG4bK";

impl Branch {
    /// Reads a branch as this table prints it, and no other.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(COOKIE)?.split('.');
        let (shard, client, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = shard.len() == 2 && secret.len() == 16 && parts.next().is_none();
        let plain = [shard, client, secret]
            .iter()
            .all(|part| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        if !fits || !plain {
            return None;
        }
        Some(Self {
            shard: u8::from_str_radix(shard, 16).ok()?,
            client: ClientId(u64::from_str_radix(client, 16).ok()?),
            secret: u64::from_str_radix(secret, 16).ok()?,
        })
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{COOKIE}{:02x}.{:x}.{:016x}", self.shard, self.client.0, self.secret)
    }
}

/// Writes into `key` what a request shares with its copies, its CANCEL and, if it is an INVITE, the
/// ACK of its refusal (RFC 3261 §17.2.3).
///
/// Branch, sent-by and method as the RFC asks; beside them the Call-ID and the CSeq number, which
/// copies share too: so phones that use a branch twice harm nobody. Without the cookie of RFC 3261
/// in the branch, RFC 2543 decides: Request-URI, From tag and the whole Via. The To tag that it
/// wants compared says nothing more here, since the table answers for one user.
pub(super) fn write_match(key: &mut String, request: &Request) {
    key.clear();
    let via = request.via();
    let cseq = request.cseq();
    let method = match request.method() {
        Method::Ack | Method::Cancel => "INVITE",
        _ => request.method_text(),
    };
    match via.branch().filter(|branch| branch.len() > COOKIE.len() && has_cookie(branch)) {
        Some(branch) => {
            key.push_str(branch);
            separate(key);
            // The host is compared without case, as hosts are.
            let start = key.len();
            key.push_str(via.sent_by());
            key[start..].make_ascii_lowercase();
        }
        None => {
            key.push_str(request.values(Name::Via).next().unwrap_or_default());
            separate(key);
            key.push_str(request.uri_text());
            separate(key);
            key.push_str(request.from_tag().unwrap_or_default());
        }
    }
    separate(key);
    key.push_str(method);
    separate(key);
    key.push_str(request.call_id());
    separate(key);
    write!(key, "{}", cseq.number).expect("writing to a String cannot fail");
}

/// Writes into `key` what requests share that came by several ways from one (RFC 3261 §8.2.2.2).
pub(super) fn write_merge(key: &mut String, request: &Request) {
    key.clear();
    key.push_str(request.from_tag().unwrap_or_default());
    separate(key);
    key.push_str(request.call_id());
    separate(key);
    key.push_str(request.method_text());
    write!(key, "\n{}", request.cseq().number).expect("writing to a String cannot fail");
}

/// A byte that no part of a key can hold.
fn separate(key: &mut String) {
    key.push('\n');
}

/// The cookie is compared without case: some phones write `z9hg4bk`.
fn has_cookie(branch: &str) -> bool {
    branch.get(..COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_reads_as_it_prints() {
        let branch = Branch { shard: 3, client: ClientId(0xabc), secret: 7 };

        assert_eq!(branch.to_string(), "z9hG4bK03.abc.0000000000000007");
        assert_eq!(Branch::parse(&branch.to_string()), Some(branch));
    }

    #[test]
    fn other_branches_are_not_ours() {
        let wrong = [
            "",
            "z9hG4bK",
            "z9hG4bK03.abc.7",
            "z9hG4bK03.abc.0000000000000007.1",
            "z9hG4bK03.ABC.0000000000000007",
            "z9hG4bK+3.abc.0000000000000007",
            "z9hG4bK03..0000000000000007",
            "z9hG4bK03.fffffffffffffffffffff.0000000000000007",
            "Z9HG4BK03.abc.0000000000000007",
        ];
        for text in wrong {
            assert_eq!(Branch::parse(text), None, "{text}");
        }
    }
}
