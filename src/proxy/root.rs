//! The root certificate that the client is made to trust: made for one run, its key only in memory; or a lasting one from
//! files. Does not write files.

use crate::upstream::chain;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};

/// Clocks that run behind accept the certificates too.
const BEFORE: Duration = Duration::days(1);
const RUN: Duration = Duration::days(7);

/// A root certificate with its key.
pub struct Root {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

/// A root that could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The certificate could not be made.
    #[error("cannot make a root certificate: {0}")]
    Make(String),
    /// The certificate cannot be used.
    #[error("cannot use the root certificate: {0}")]
    Certificate(String),
    /// The key cannot be used.
    #[error("cannot use the key of the root certificate: {0}")]
    Key(String),
    /// Certificate and key do not belong together.
    #[error("the root certificate was not made with this key")]
    Mismatch,
}

impl Root {
    /// Makes a root for a run: a week long, its key nowhere but here.
    pub fn for_run() -> Result<Self, RootError> {
        Self::make(RUN).map(|(root, _)| root)
    }

    /// Makes a root to be kept, with its key as PEM for a file that only its owner can read.
    pub fn lasting(days: u16) -> Result<(Self, String), RootError> {
        Self::make(Duration::days(days.into())).map(|(root, key)| (root, key.serialize_pem()))
    }

    /// Reads a root from PEM.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, RootError> {
        let key = KeyPair::from_pem(key).map_err(|error| RootError::Key(chain(&error)))?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|error| RootError::Certificate(chain(&error)))?;
        let same_key = contains(&der, key.public_key_raw());
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| RootError::Certificate(chain(&error)))?;
        if !same_key {
            return Err(RootError::Mismatch);
        }
        Ok(Self { issuer, pem: certificate.to_owned(), der })
    }

    /// The certificate as PEM, to be trusted by the client.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The certificate as DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.der
    }

    fn make(validity: Duration) -> Result<(Self, KeyPair), RootError> {
        let now = OffsetDateTime::now_utc();
        let make = || {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            let params = params(now, validity)?;
            let certificate = params.self_signed(&key)?;
            let copy = KeyPair::from_pem(&key.serialize_pem())?;
            Ok((params, key, copy, certificate))
        };
        let (params, key, copy, certificate) = make().map_err(|error: rcgen::Error| RootError::Make(chain(&error)))?;
        let root = Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) };
        Ok((root, copy))
    }
}

fn params(now: OffsetDateTime, validity: Duration) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let mut name = DistinguishedName::new();
    // The date tells the roots of different runs apart in a trust store.
    name.push(DnType::CommonName, format!("authtape {}", now.date()));
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - BEFORE;
    params.not_after = now + validity;
    Ok(params)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_root_is_read_again_and_a_foreign_key_is_refused() {
        let (root, key) = Root::lasting(30).unwrap();
        let (_, other) = Root::lasting(30).unwrap();
        let again = Root::from_pem(root.certificate_pem(), &key).unwrap();
        assert_eq!(again.certificate(), root.certificate());
        assert!(matches!(Root::from_pem(root.certificate_pem(), &other), Err(RootError::Mismatch)));
        assert!(matches!(Root::from_pem("x", &key), Err(RootError::Certificate(_))));
        assert!(matches!(Root::from_pem(root.certificate_pem(), "x"), Err(RootError::Key(_))));
    }
}
