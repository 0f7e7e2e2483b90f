//! Who signs the tokens that a replay issues, seen from the player: algorithms, names of keys and a trait. Holds no key and draws
//! no chance; the keys of a run come from outside.

use serde_json::{Map, Value};

/// Signs with keys that were made for one run.
pub trait Signer: Send {
    /// Says that this key of ours will be needed, so that nobody waits for it then.
    fn prepare(&mut self, issuer: &str, id: Option<&str>, algorithm: Algorithm);

    /// Signs the input; `None` where that key cannot be made.
    fn sign(&mut self, key: SigningKey<'_>, algorithm: Algorithm, input: &[u8]) -> Option<Vec<u8>>;

    /// The public half of a key of ours, as the members of a JWK (RFC 7517 §4) that hold it, `kty` among them; `None` for a secret
    /// one.
    fn public(&mut self, issuer: &str, id: Option<&str>, algorithm: Algorithm) -> Option<Map<String, Value>>;
}

/// A key that signs.
#[derive(Clone, Copy)]
pub enum SigningKey<'a> {
    /// That of an authorization server, by its identifier and `kid`.
    Own(&'a str, Option<&'a str>),
    /// The secret of a client (OpenID Connect Core §10.1).
    Secret(&'a [u8]),
}

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-2 of so many bits.
    Hs(u16),
    /// RSASSA-PKCS1-v1_5 with SHA-2 of so many bits.
    Rs(u16),
    /// RSASSA-PSS with SHA-2 of so many bits.
    Ps(u16),
    /// ECDSA on P-256, P-384 or P-521 (512).
    Es(u16),
    /// Ed25519.
    EdDsa,
}

const NAMES: &[(&str, Algorithm)] = &[
    ("HS256", Algorithm::Hs(256)),
    ("HS384", Algorithm::Hs(384)),
    ("HS512", Algorithm::Hs(512)),
    ("RS256", Algorithm::Rs(256)),
    ("RS384", Algorithm::Rs(384)),
    ("RS512", Algorithm::Rs(512)),
    ("PS256", Algorithm::Ps(256)),
    ("PS384", Algorithm::Ps(384)),
    ("PS512", Algorithm::Ps(512)),
    ("ES256", Algorithm::Es(256)),
    ("ES384", Algorithm::Es(384)),
    ("ES512", Algorithm::Es(512)),
    ("EdDSA", Algorithm::EdDsa),
    ("Ed25519", Algorithm::EdDsa),
];

impl Algorithm {
    /// Reads an `alg`.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(own, _)| *own == name).map(|(_, algorithm)| *algorithm)
    }

    /// The `alg`.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, own)| *own == self).map_or("RS256", |(name, _)| name)
    }

    /// The type of its keys (RFC 7518 §6.1, RFC 8037 §2).
    pub const fn key_type(self) -> &'static str {
        match self {
            Self::Hs(_) => "oct",
            Self::Rs(_) | Self::Ps(_) => "RSA",
            Self::Es(_) => "EC",
            Self::EdDsa => "OKP",
        }
    }

    /// The bits of the hash that goes with it (OpenID Connect Core §3.1.3.6).
    pub const fn hash_bits(self) -> u16 {
        match self {
            Self::Hs(bits) | Self::Rs(bits) | Self::Ps(bits) | Self::Es(bits) => bits,
            Self::EdDsa => 512,
        }
    }
}
