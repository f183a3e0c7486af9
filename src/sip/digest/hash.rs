//! What digest authentication computes (RFC 7616 §3.4), for both algorithms.

use std::fmt;

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The hash of a challenge, the stronger one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    #[serde(rename = "sha-256")]
    Sha256,
    #[serde(rename = "md5")]
    Md5,
}

impl Algorithm {
    /// As written in a challenge.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// Reads the `algorithm` field; a missing one is MD5 (RFC 7616 §3.3).
    pub fn of(field: Option<&str>) -> Option<Self> {
        match field {
            None => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }

    /// The hash of `parts` joined by colons, as lower-case hexadecimal digits.
    pub fn hex_of(self, parts: &[&str]) -> String {
        match self {
            Self::Sha256 => hex::encode(hash::<Sha256>(parts)),
            Self::Md5 => hex::encode(hash::<Md5>(parts)),
        }
    }
}

fn hash<H: sha2::Digest>(parts: &[&str]) -> impl AsRef<[u8]> {
    let mut hasher = H::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part.as_bytes());
    }
    hasher.finalize()
}

/// An account's password as digests need it: the hashes of user, realm and password.
///
/// As good as the password within its realm: it never appears in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    ha1_md5: String,
    ha1_sha256: String,
}

impl Secret {
    pub fn new(user: &str, realm: &str, password: &str) -> Self {
        let parts = [user, realm, password];
        Self {
            ha1_md5: Algorithm::Md5.hex_of(&parts),
            ha1_sha256: Algorithm::Sha256.hex_of(&parts),
        }
    }

    pub(super) fn ha1(&self, algorithm: Algorithm) -> &str {
        match algorithm {
            Algorithm::Sha256 => &self.ha1_sha256,
            Algorithm::Md5 => &self.ha1_md5,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a `response` is made from, besides the secret.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub algorithm: Algorithm,
    pub method: &'a str,
    /// The `uri` field, as written.
    pub uri: &'a str,
    pub nonce: &'a str,
    /// `nc` and `cnonce`, both as written, if `qop=auth` was chosen.
    pub counted: Option<(&'a str, &'a str)>,
}

impl Question<'_> {
    /// The `response` field (RFC 7616 §3.4.1).
    pub fn response(&self, secret: &Secret) -> String {
        let ha1 = secret.ha1(self.algorithm);
        let ha2 = self.algorithm.hex_of(&[self.method, self.uri]);
        match self.counted {
            Some((nc, cnonce)) => {
                self.algorithm.hex_of(&[ha1, self.nonce, nc, cnonce, "auth", &ha2])
            }
            None => self.algorithm.hex_of(&[ha1, self.nonce, &ha2]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1, both algorithms.
    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        let secret = Secret::new("Mufasa", "http-auth@example.org", "Circle of Life");
        let question = |algorithm| Question {
            algorithm,
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            counted: Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
        };

        assert_eq!(
            question(Algorithm::Sha256).response(&secret),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        assert_eq!(question(Algorithm::Md5).response(&secret), "8ca523f5e9506fed4657c9700eebdbec");
    }

    /// RFC 2617 §3.5, and the older form without qop.
    #[test]
    fn the_example_of_rfc_2617_comes_out() {
        let secret = Secret::new("Mufasa", "testrealm@host.com", "Circle Of Life");
        let question = Question {
            algorithm: Algorithm::Md5,
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            counted: Some(("00000001", "0a4f113b")),
        };

        assert_eq!(question.response(&secret), "6629fae49393a05397450978507c4ef1");
        let older = Question { counted: None, ..question };
        assert_eq!(older.response(&secret), "670fd8c2df070c60b045671b8b24ff02");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("1001", "pbx", "password");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
