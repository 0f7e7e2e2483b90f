//! The certificates shown to the client, one a host, signed by the root with a key of their own. IP addresses become
//! address names, as RFC 5280 §4.2.1.6 wants them.

use super::alert::HandshakeKeys;
use super::root::{Root, RootError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::uri::Authority;
use hudsucker::certificate_authority::CertificateAuthority;
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
    SanType,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCertUsingSni;
use rustls::{KeyLog, ServerConfig};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};

/// Hosts whose settings are kept; when there are more, all are made anew.
const HOSTS: usize = 256;

/// Signs a certificate for each host.
pub(super) struct Leaves {
    root: Arc<Root>,
    key: KeyPair,
    provider: Arc<CryptoProvider>,
    keys: Arc<HandshakeKeys>,
    settings: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl Leaves {
    pub fn new(root: Arc<Root>, keys: Arc<HandshakeKeys>) -> Result<Self, RootError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| RootError::Make(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Ok(Self { root, key, provider, keys, settings: Mutex::default() })
    }

    /// Base64 of the SHA-256 of the subject public key info (RFC 5280 §4.1.2.7) that all of them share.
    pub fn key_hash(&self) -> String {
        STANDARD.encode(Sha256::digest(self.key.subject_public_key_info()))
    }

    fn settings(&self, host: &str) -> Arc<ServerConfig> {
        if let Some(known) = self.known().get(host) {
            return Arc::clone(known);
        }
        let made = Arc::new(self.make(host));
        let mut known = self.known();
        if known.len() >= HOSTS {
            known.clear();
        }
        known.insert(host.to_owned(), Arc::clone(&made));
        made
    }

    fn make(&self, host: &str) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default versions")
            .with_no_client_auth();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let mut config = match self.sign(host) {
            Ok(certificate) => builder.with_single_cert(vec![certificate], key).expect("the certificate was made with this key"),
            // No certificate can name this host: the client gets an alert in place of one.
            Err(error) => {
                tracing::warn!(%error, "cannot sign a certificate");
                builder.with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()))
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // AES-256 wherever the client offers it: see `alert`.
        config.ignore_client_order = true;
        config.key_log = Arc::clone(&self.keys) as Arc<dyn KeyLog>;
        config
    }

    fn sign(&self, host: &str) -> Result<CertificateDer<'static>, rcgen::Error> {
        Ok(params(host)?.signed_by(&self.key, &self.root.issuer)?.into())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<ServerConfig>>> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a certificate for a host says.
pub(super) fn params(host: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    params.subject_alt_names = vec![match bare.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(Ia5String::try_from(bare)?),
    }];
    let mut name = DistinguishedName::new();
    // A common name has at most 64 characters (RFC 5280, ub-common-name).
    name.push(DnType::CommonName, if bare.len() <= 64 { bare } else { "authtape" });
    params.distinguished_name = name;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(7);
    Ok(params)
}

impl CertificateAuthority for Leaves {
    async fn gen_server_config(&self, authority: &Authority) -> Arc<ServerConfig> {
        self.settings(authority.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_kept_for_a_bounded_number_of_hosts() {
        let leaves = Leaves::new(Arc::new(Root::for_run().unwrap()), Arc::default()).unwrap();
        let first = leaves.settings("a.test");
        assert!(Arc::ptr_eq(&first, &leaves.settings("a.test")));
        for number in 0..HOSTS {
            leaves.settings(&format!("{number}.test"));
        }
        assert!(leaves.known().len() <= HOSTS);
        assert!(!Arc::ptr_eq(&first, &leaves.settings("a.test")));
    }
}
