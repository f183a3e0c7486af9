//! An authority of certificates for one test, and what it signs.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Signs certificates into a folder: `ca.pem`, `certificate.pem`, `key.pem`.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(folder: &Path) -> Self {
        Self::named(folder, "authority of a test")
    }

    /// As `new`, under another name: who trusts one of them does not know the other.
    pub fn named(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(Vec::new()).expect("no name is wrong");
        // OpenSSL takes a certificate whose issuer has its own name for one that it signed itself.
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate can be made");
        fs::write(folder.join("ca.pem"), certificate.pem()).expect("the folder can be written");
        Self { folder: folder.to_owned(), issuer: Issuer::new(params, key) }
    }

    /// Writes a new certificate for an address, with its key, over the one before.
    pub fn sign(&self, address: Ipv4Addr) {
        self.sign_into(&self.folder, address);
    }

    /// As `sign`, into another folder.
    pub fn sign_into(&self, folder: &Path, address: Ipv4Addr) {
        let key = KeyPair::generate().expect("a key can be made");
        let params = CertificateParams::new(vec![address.to_string()]);
        let params = params.expect("an address is a name");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate can be made");
        let write = |file: &str, text: String| {
            fs::write(folder.join(file), text).expect("the folder can be written");
        };
        write("certificate.pem", signed.pem());
        write("key.pem", key.serialize_pem());
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }
}
