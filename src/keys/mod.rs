//! Layer 6: the keys of one run. They sign tokens in place of the recorded authorization servers; their public halves are what the
//! replay serves as key sets. Made by the operating system's chance, RSA keys beside the run, kept in memory only, never shown.

use crate::replay::{Algorithm, Signer, SigningKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt;
use std::thread::{self, JoinHandle};

/// Every key of a run.
#[derive(Default)]
pub struct KeyRing {
    own: HashMap<Name, Private>,
    /// Keys that are being made: an RSA key takes up to a second.
    coming: HashMap<Name, JoinHandle<Option<Private>>>,
}

/// Authorization server, `kid` and family.
type Name = (String, Option<String>, Family);

/// Algorithms that share a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Family {
    Shared,
    Rsa,
    Curve(u16),
    Edwards,
}

enum Private {
    Shared([u8; 64]),
    Rsa(RsaKeyPair),
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

impl KeyRing {
    fn own(&mut self, issuer: &str, id: Option<&str>, algorithm: Algorithm) -> Option<&Private> {
        let name = name(issuer, id, algorithm);
        if !self.own.contains_key(&name) {
            let made = match self.coming.remove(&name) {
                Some(coming) => coming.join().ok()?,
                None => Private::generate(name.2),
            };
            self.own.insert(name.clone(), made?);
        }
        self.own.get(&name)
    }
}

fn name(issuer: &str, id: Option<&str>, algorithm: Algorithm) -> Name {
    let family = match algorithm {
        Algorithm::Hs(_) => Family::Shared,
        Algorithm::Rs(_) | Algorithm::Ps(_) => Family::Rsa,
        Algorithm::Es(bits) => Family::Curve(bits),
        Algorithm::EdDsa => Family::Edwards,
    };
    (issuer.to_owned(), id.map(str::to_owned), family)
}

impl Signer for KeyRing {
    fn prepare(&mut self, issuer: &str, id: Option<&str>, algorithm: Algorithm) {
        let name = name(issuer, id, algorithm);
        if name.2 == Family::Rsa && !self.own.contains_key(&name) && !self.coming.contains_key(&name) {
            self.coming.insert(name, thread::spawn(|| Private::generate(Family::Rsa)));
        }
    }

    fn sign(&mut self, key: SigningKey<'_>, algorithm: Algorithm, input: &[u8]) -> Option<Vec<u8>> {
        match (key, algorithm) {
            (SigningKey::Secret(secret), Algorithm::Hs(bits)) => Some(mac(secret, bits, input)),
            (SigningKey::Secret(_), _) => None,
            (SigningKey::Own(issuer, id), _) => self.own(issuer, id, algorithm)?.sign(algorithm, input),
        }
    }

    fn public(&mut self, issuer: &str, id: Option<&str>, algorithm: Algorithm) -> Option<Map<String, Value>> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let members = match self.own(issuer, id, algorithm)? {
            Private::Shared(_) => return None,
            Private::Rsa(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                json!({"kty": "RSA", "n": text(n.big_endian_without_leading_zero()), "e": text(e.big_endian_without_leading_zero())})
            }
            Private::Curve(pair) => {
                // SEC 1 §2.3.3: 4, x, y.
                let point = pair.public_key().as_ref().get(1..)?;
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if let Algorithm::Es(512) = algorithm { 521 } else { algorithm.hash_bits() };
                json!({"kty": "EC", "crv": format!("P-{curve}"), "x": text(x), "y": text(y)})
            }
            Private::Edwards(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}),
        };
        members.as_object().cloned()
    }
}

impl Private {
    fn generate(family: Family) -> Option<Self> {
        match family {
            Family::Shared => {
                let mut secret = [0; 64];
                rand::fill(&mut secret).ok()?;
                Some(Self::Shared(secret))
            }
            Family::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).ok().map(Self::Rsa),
            Family::Curve(bits) => EcdsaKeyPair::generate(curve(bits)).ok().map(Self::Curve),
            Family::Edwards => Ed25519KeyPair::generate().ok().map(Self::Edwards),
        }
    }

    fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Option<Vec<u8>> {
        match (self, algorithm) {
            (Self::Shared(secret), Algorithm::Hs(bits)) => Some(mac(secret, bits, input)),
            (Self::Rsa(pair), _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(rsa(algorithm)?, &SystemRandom::new(), input, &mut signature).ok()?;
                Some(signature)
            }
            (Self::Curve(pair), _) => Some(pair.sign(&SystemRandom::new(), input).ok()?.as_ref().to_vec()),
            (Self::Edwards(pair), _) => Some(pair.sign(input).as_ref().to_vec()),
            (Self::Shared(_), _) => None,
        }
    }
}

fn curve(bits: u16) -> &'static EcdsaSigningAlgorithm {
    match bits {
        384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        512 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        _ => &ECDSA_P256_SHA256_FIXED_SIGNING,
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs(256) => &RSA_PKCS1_SHA256,
        Algorithm::Rs(384) => &RSA_PKCS1_SHA384,
        Algorithm::Rs(_) => &RSA_PKCS1_SHA512,
        Algorithm::Ps(256) => &RSA_PSS_SHA256,
        Algorithm::Ps(384) => &RSA_PSS_SHA384,
        Algorithm::Ps(_) => &RSA_PSS_SHA512,
        _ => return None,
    })
}

fn mac(secret: &[u8], bits: u16, input: &[u8]) -> Vec<u8> {
    let algorithm = match bits {
        384 => hmac::HMAC_SHA384,
        512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    hmac::sign(&hmac::Key::new(algorithm, secret), input).as_ref().to_vec()
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.own.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};

    #[test]
    fn a_key_is_made_once_and_is_that_of_its_server_and_id() {
        let mut ring = KeyRing::default();
        ring.prepare("a", Some("1"), Algorithm::Rs(256));
        let public = ring.public("a", Some("1"), Algorithm::Ps(256));
        assert_eq!(public, ring.public("a", Some("1"), Algorithm::Rs(512)));
        for (issuer, id) in [("b", Some("1")), ("a", None)] {
            assert_ne!(public, ring.public(issuer, id, Algorithm::Rs(256)));
        }
        assert_eq!(ring.public("a", None, Algorithm::Hs(256)), None, "a secret has no public half");
        assert_eq!(format!("{ring:?}"), "KeyRing(4 keys)");
    }

    #[test]
    fn p_521_signs_and_its_jwk_verifies() {
        let mut ring = KeyRing::default();
        let signature = ring.sign(SigningKey::Own("a", None), Algorithm::Es(512), b"input").unwrap();
        let key = ring.public("a", None, Algorithm::Es(512)).unwrap();
        assert_eq!((&key["crv"], signature.len()), (&json!("P-521"), 132));
        let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
        let point = [vec![4], part("x"), part("y")].concat();
        UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point).verify(b"input", &signature).unwrap();
    }
}
