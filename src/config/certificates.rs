//! Certificates: read, matched with their keys, and made ready for TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

use crate::config::Config;
use crate::config::problem::{Finding, error};
use crate::sip;

/// Why TLS cannot be spoken with these files; reads as a sentence that helps.
#[derive(Debug, Error)]
pub enum CertificateError {
    #[error("`{path}` has a certificate that cannot be used: {why}", path = .path.display())]
    Authority { path: PathBuf, why: String },
    #[error("`{path}` cannot be read: {source}; make it readable", path = .path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("`{path}` is longer than {FILE_BYTES_MAX} bytes; write PEM", path = .path.display())]
    Long { path: PathBuf },
    #[error(
        "`{path}` holds no certificate; write PEM with `-----BEGIN CERTIFICATE-----`",
        path = .path.display()
    )]
    NoCertificate { path: PathBuf },
    #[error(
        "`{path}` holds no private key; write PEM with `-----BEGIN PRIVATE KEY-----`",
        path = .path.display()
    )]
    NoKey { path: PathBuf },
    #[error("the system has no trusted certificates; install `ca-certificates` or write `ca`")]
    NoRoots,
    #[error("certificate and key do not fit: {0}; write those that belong together")]
    Unfit(rustls::Error),
}

impl CertificateError {
    /// The file that is wrong, if it is a certain one.
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Authority { path, .. }
            | Self::File { path, .. }
            | Self::Long { path }
            | Self::NoCertificate { path }
            | Self::NoKey { path } => Some(path),
            Self::NoRoots | Self::Unfit(_) => None,
        }
    }
}

/// What a server needs to speak TLS 1.2 and 1.3: a certificate chain with its key.
///
/// With `client_ca`, clients are asked for a certificate: one that it did not sign ends the
/// connection; a client without any goes on, and shows who it is by its password.
///
/// # Errors
///
/// If a file cannot be read or is not what it should be, or certificate and key do not fit.
pub fn server(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Arc<ServerConfig>, CertificateError> {
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| CertificateError::NoKey { path: key.to_owned() })?;
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(CertificateError::Unfit)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let wrong = |why: String| CertificateError::Authority { path: path.to_owned(), why };
            let roots = Arc::new(roots(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                .allow_unauthenticated()
                .build();
            builder.with_client_cert_verifier(verifier.map_err(|error| wrong(error.to_string()))?)
        }
    };
    let config = builder.with_single_cert(chain, secret).map_err(CertificateError::Unfit)?;
    Ok(Arc::new(config))
}

/// What a client needs: the certificates that it trusts, of `ca` or else of `system`.
///
/// # Errors
///
/// If `ca` cannot be read or holds no certificate, or there is none in `system`.
pub fn client(
    ca: Option<&Path>,
    system: impl FnOnce() -> Vec<CertificateDer<'static>>,
) -> Result<Arc<ClientConfig>, CertificateError> {
    let roots = match ca {
        Some(path) => roots(path)?,
        None => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(system());
            if roots.is_empty() {
                return Err(CertificateError::NoRoots);
            }
            roots
        }
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(CertificateError::Unfit)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Every file of `[sip]` and `[grpc]` that TLS could not work with.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sip::config::Config { certificate, key, client_ca, ca, .. } = &config.sip;
    if let (Some(certificate), Some(key)) = (certificate, key)
        && let Err(wrong) = server(certificate, key, client_ca.as_deref())
    {
        let files = [
            ("certificate", Some(certificate)),
            ("key", Some(key)),
            ("client_ca", client_ca.as_ref()),
        ];
        findings.push(finding("sip", &files, &wrong));
    }
    if let Some(ca) = ca
        && let Err(wrong) = roots(ca)
    {
        findings.push(finding("sip", &[("ca", Some(ca))], &wrong));
    }
    if let (Some(certificate), Some(key)) = (&config.grpc.certificate, &config.grpc.key)
        && let Err(wrong) = server(certificate, key, None)
    {
        let files = [("certificate", Some(certificate)), ("key", Some(key))];
        findings.push(finding("grpc", &files, &wrong));
    }
    findings
}

/// At the key that names the wrong file; a pair that does not fit is told at the key's.
fn finding(section: &str, files: &[(&str, Option<&PathBuf>)], wrong: &CertificateError) -> Finding {
    let is_in = |file: &Option<&PathBuf>| file.is_some_and(|file| wrong.path() == Some(file));
    let named = files.iter().find(|(_, file)| is_in(file)).map(|(key, _)| *key);
    // Certificate and key may be one file.
    let key = match wrong {
        CertificateError::NoKey { .. } => "key",
        _ => named.unwrap_or("key"),
    };
    error(&[section, key], wrong.to_string())
}

fn roots(path: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| CertificateError::Authority {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
    }
    Ok(roots)
}

/// The certificates of a PEM file: at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(CertificateError::NoCertificate { path: path.to_owned() }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let wrong = |source| CertificateError::File { path: path.to_owned(), source };
    if fs::metadata(path).map_err(wrong)?.len() > FILE_BYTES_MAX {
        return Err(CertificateError::Long { path: path.to_owned() });
    }
    fs::read(path).map_err(wrong)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The longest PEM file: a store of a whole system's certificates is a quarter of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_fits_its_own_key_and_no_other() {
        let (certificate, key) = (file("certificate.pem"), file("key.pem"));
        assert!(server(&certificate, &key, None).is_ok());
        assert!(server(&certificate, &key, Some(&certificate)).is_ok());

        let swapped = server(&key, &certificate, None);
        assert!(matches!(swapped, Err(CertificateError::NoCertificate { path }) if path == key));
        let no_key = server(&certificate, &certificate, None);
        assert!(matches!(no_key, Err(CertificateError::NoKey { .. })));
        let gone = server(&file("gone.pem"), &key, None);
        assert!(matches!(gone, Err(CertificateError::File { .. })));
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let folder = tempfile::tempdir().unwrap();
        let other_key = folder.path().join("other.pem");
        fs::write(&other_key, other).unwrap();
        let unfit = server(&certificate, &other_key, None);
        assert!(matches!(unfit, Err(CertificateError::Unfit(_))), "{unfit:?}");
    }

    #[test]
    fn a_client_trusts_its_own_authority_or_the_systems() {
        assert!(client(Some(&file("certificate.pem")), Vec::new).is_ok());
        assert!(matches!(client(None, Vec::new), Err(CertificateError::NoRoots)));
    }

    fn file(name: &str) -> PathBuf {
        Path::new("tests/data/tls").join(name)
    }
}
