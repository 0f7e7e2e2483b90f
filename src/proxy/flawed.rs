//! TLS that goes wrong on purpose: an alert in place of a hello, and certificates that should not be trusted. They are made for
//! one connection and kept for none.

use super::leaf;
use super::root::Root;
use super::wire::Wire;
use crate::reply::Flaw;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A record with the fatal alert `handshake_failure` (RFC 8446 §5.1, §6.2).
const HANDSHAKE_FAILURE: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 40];

/// The name of a host that nobody asks for (RFC 2606 §2).
const OTHER_HOST: &str = "other-host.invalid";

/// Answers a client hello with an alert and closes the connection.
pub(super) async fn refuse(mut wire: Wire) -> io::Result<()> {
    // All of the hello: a connection that is closed with bytes unread is reset, and the alert may be lost.
    let head = wire.look_ahead(5).await?;
    let size = head.get(3..5).map_or(0, |size| usize::from(u16::from_be_bytes([size[0], size[1]])));
    wire.look_ahead(5 + size).await?;
    wire.take_ahead();
    wire.write_all(&HANDSHAKE_FAILURE).await?;
    wire.shutdown().await
}

/// Speaks TLS with a certificate that has this flaw.
pub(super) async fn accept(root: &Root, host: &str, flaw: Flaw, wire: Wire) -> io::Result<TlsStream<Wire>> {
    let config = config(root, host, flaw).map_err(io::Error::other)?;
    TlsAcceptor::from(Arc::new(config)).accept(wire).await
}

fn config(root: &Root, host: &str, flaw: Flaw) -> Result<ServerConfig, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let chain = chain(root, host, flaw, &key)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("the certificate was made with this key");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn chain(root: &Root, host: &str, flaw: Flaw, key: &KeyPair) -> Result<Vec<CertificateDer<'static>>, rcgen::Error> {
    let mut params = leaf::params(if flaw == Flaw::WrongHost { OTHER_HOST } else { host })?;
    match flaw {
        Flaw::WrongHost => {}
        Flaw::Expired => {
            let now = OffsetDateTime::now_utc();
            (params.not_before, params.not_after) = (now - Duration::days(30), now - Duration::days(1));
        }
        Flaw::Untrusted => {
            let (issuer, certificate) = authority("Untrusted Root")?;
            return Ok(vec![params.signed_by(key, &issuer)?.into(), certificate]);
        }
        // What the client never sees need not lead to the root.
        Flaw::IncompleteChain => return Ok(vec![params.signed_by(key, &authority("Intermediate")?.0)?.into()]),
    }
    Ok(vec![params.signed_by(key, &root.issuer)?.into()])
}

/// A certificate authority of that name.
fn authority(name: &str) -> Result<(Issuer<'static, KeyPair>, CertificateDer<'static>), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&key)?.into();
    Ok((Issuer::new(params, key), certificate))
}
