//! Which alert a client sent. In TLS 1.3 it is encrypted like the rest of the handshake, so the keys of a handshake that is
//! being watched are kept until it is over.

use rustls::crypto::aws_lc_rs::cipher_suite::{TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256};
use rustls::crypto::cipher::{AeadKey, InboundOpaqueMessage, Iv};
use rustls::crypto::tls13::{HkdfExpander, OkmBlock};
use rustls::{ContentType, KeyLog, ProtocolVersion, SupportedCipherSuite};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What names a handshake: the random of its client hello.
type Random = [u8; 32];

/// The name NSS gave to the secret that protects a client's handshake records.
const CLIENT_HANDSHAKE: &str = "CLIENT_HANDSHAKE_TRAFFIC_SECRET";

/// Secrets of the handshakes that are being watched, and of no others.
#[derive(Default)]
pub(super) struct HandshakeKeys(Mutex<HashMap<Random, Option<Vec<u8>>>>);

/// Keeps the secret of one handshake as long as it lives.
pub(super) struct KeyWatch {
    keys: Arc<HandshakeKeys>,
    random: Random,
}

impl HandshakeKeys {
    /// Keeps the secret of the handshake with this random from now on.
    pub fn watch(self: &Arc<Self>, random: Random) -> KeyWatch {
        self.map().insert(random, None);
        KeyWatch { keys: Arc::clone(self), random }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Random, Option<Vec<u8>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyLog for HandshakeKeys {
    fn log(&self, _label: &str, client_random: &[u8], secret: &[u8]) {
        if let Some(place) = self.map().get_mut(client_random) {
            *place = Some(secret.to_owned());
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == CLIENT_HANDSHAKE
    }
}

impl fmt::Debug for HandshakeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandshakeKeys({})", self.map().len())
    }
}

impl KeyWatch {
    /// The number of the alert in the client's first encrypted record, given without its header.
    pub fn decrypt(&self, record: &[u8]) -> Option<u8> {
        let secret = self.keys.map().get(&self.random)?.clone()?;
        // Our settings prefer AES-256, which alone goes with SHA-384; rustls gives no way to AES-128 from outside.
        let suite = if secret.len() == 48 { TLS13_AES_256_GCM_SHA384 } else { TLS13_CHACHA20_POLY1305_SHA256 };
        decrypt(suite, &secret, record)
    }
}

impl Drop for KeyWatch {
    fn drop(&mut self) {
        self.keys.map().remove(&self.random);
    }
}

/// RFC 8446 §7.3 and §5.2.
fn decrypt(suite: SupportedCipherSuite, secret: &[u8], record: &[u8]) -> Option<u8> {
    let SupportedCipherSuite::Tls13(suite) = suite else { return None };
    let expander = suite.hkdf_provider.expander_for_okm(&OkmBlock::new(secret));
    let (mut key, mut iv) = ([0; 32], [0; 12]);
    expand(&*expander, b"tls13 key", &mut key)?;
    expand(&*expander, b"tls13 iv", &mut iv)?;
    let mut decrypter = suite.aead_alg.decrypter(AeadKey::from(key), Iv::from(iv));
    let mut payload = record.to_owned();
    let message = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, &mut payload);
    let plain = decrypter.decrypt(message, 0).ok()?;
    (plain.typ == ContentType::Alert).then(|| plain.payload.get(1).copied())?
}

/// HKDF-Expand-Label without a context (RFC 8446 §7.1).
fn expand(expander: &dyn HkdfExpander, label: &[u8], output: &mut [u8]) -> Option<()> {
    let size = u16::try_from(output.len()).ok()?.to_be_bytes();
    expander.expand_slice(&[&size, &[u8::try_from(label.len()).ok()?], label, &[0]], output).ok()
}

/// RFC 8446 §6 and, for those it dropped, RFC 5246 §7.2.
pub(super) fn name(number: u8) -> String {
    let name = match number {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        other => return other.to_string(),
    };
    name.to_owned()
}
