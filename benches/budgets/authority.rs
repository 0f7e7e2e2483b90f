//! A certificate authority for one run of the bench: what the upstream servers and the bare proxy show, and what clients of
//! the bench trust.

use super::Fallible;
use http::uri::Authority as HostPort;
use hudsucker::certificate_authority::CertificateAuthority;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;

/// The name under which clients reach the upstream servers.
pub const HOST: &str = "localhost";

/// Vouches for [`HOST`].
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Fallible<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server's settings with a certificate of its own.
    pub fn server(&self, protocols: &[&str]) -> Fallible<Arc<ServerConfig>> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([HOST.to_owned()])?.signed_by(&key, &self.0)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.into()], key)?;
        config.alpn_protocols = wire_names(protocols);
        Ok(Arc::new(config))
    }
}

/// A client's settings that trust one PEM certificate.
pub fn client(trusted: &str, protocols: &[&str]) -> Fallible<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes())?)?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = wire_names(protocols);
    Ok(config)
}

fn wire_names(protocols: &[&str]) -> Vec<Vec<u8>> {
    protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect()
}

/// The bare proxy's certificates: it is only ever asked for one host.
pub struct OneHost(pub Arc<ServerConfig>);

impl CertificateAuthority for OneHost {
    async fn gen_server_config(&self, _: &HostPort) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}
