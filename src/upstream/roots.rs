//! Which root certificates are trusted: the system's, read once a process and off the start path, and those named besides.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};
use std::thread;
use tokio::sync::watch;

/// Root certificates trusted besides those of the system.
#[derive(Clone, Default)]
pub struct ExtraRoots(Vec<CertificateDer<'static>>);

/// A file of root certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadRoots {
    /// Not PEM.
    #[error("not PEM: {0}")]
    NotPem(String),
    /// No certificate in it.
    #[error("holds no certificate")]
    Empty,
    /// A certificate that cannot be a root.
    #[error("certificate {number} cannot be used as a root: {reason}")]
    NotRoot {
        /// Its place in the file, from 1.
        number: usize,
        /// What rustls says.
        reason: rustls::Error,
    },
}

/// TLS settings that are ready soon after the start.
#[derive(Clone)]
pub(super) struct Roots(watch::Receiver<Option<Arc<RootCertStore>>>);

impl ExtraRoots {
    /// Reads certificates from PEM.
    pub fn from_pem(pem: &[u8]) -> Result<Self, BadRoots> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.map_err(|error| BadRoots::NotPem(error.to_string()))?;
        if found.is_empty() {
            return Err(BadRoots::Empty);
        }
        let mut store = RootCertStore::empty();
        for (index, certificate) in found.iter().enumerate() {
            store.add(certificate.clone()).map_err(|reason| BadRoots::NotRoot { number: index + 1, reason })?;
        }
        Ok(Self(found))
    }
}

impl Roots {
    /// Begins to load on a thread.
    pub fn load(extra: ExtraRoots) -> Self {
        let (sender, receiver) = watch::channel(None);
        let load = move || {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(native().iter().cloned());
            store.add_parsable_certificates(extra.0);
            sender.send_replace(Some(Arc::new(store)));
        };
        if let Err(error) = thread::Builder::new().name("roots".to_owned()).spawn(load) {
            // Without a thread the sender is gone; connections then fail with "no root certificates".
            tracing::warn!(code = error.raw_os_error(), "no thread to load root certificates");
        }
        Self(receiver)
    }

    /// TLS settings for a client that offers these protocols; waits until the roots are there.
    pub async fn config(&self, protocols: &[&[u8]]) -> Result<Arc<ClientConfig>, super::BoxError> {
        let mut receiver = self.0.clone();
        let loaded = receiver.wait_for(Option::is_some).await.map(|store| store.clone());
        let store = loaded.ok().flatten().ok_or("no root certificates could be loaded")?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(store).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// The system's roots; what cannot be read is left out, and a handshake that needed it names the missing issuer.
fn native() -> &'static [CertificateDer<'static>] {
    static NATIVE: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    NATIVE.get_or_init(|| {
        let loaded = rustls_native_certs::load_native_certs();
        tracing::debug!(roots = loaded.certs.len(), errors = loaded.errors.len(), "loaded native root certificates");
        loaded.certs
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert!(matches!(ExtraRoots::from_pem(b"hello"), Err(BadRoots::Empty)));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(ExtraRoots::from_pem(broken), Err(BadRoots::NotRoot { number: 1, .. })));
    }
}
