//! The certificate files that clients are pointed at. A variable that *replaces* a client's roots gets the system's roots, the
//! caller's own bundles and ours, or hosts that are not intercepted would break; a variable that *adds* gets the caller's own
//! addition and ours. Does not know how a certificate is made.

use super::Environment;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Variables that replace a client's roots.
pub const REPLACING: &[&str] = &[
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "NPM_CONFIG_CAFILE",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NIX_SSL_CERT_FILE",
    "HEX_CACERTS_PATH",
    "PERL_LWP_SSL_CA_FILE",
    "CODEX_CA_CERTIFICATE",
    "GOOSE_CA_CERT_PATH",
    "BUNDLE_SSL_CA_CERT",
];

/// Variables that add to a client's roots.
pub const ADDING: &[&str] = &["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

/// Where Linux distributions keep the system's roots as one file.
const SYSTEM_FILES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How much of a bundle, and how many files of a certificate directory, are read.
const BUNDLE_LIMIT: u64 = 8 << 20;
const FOLDER_LIMIT: usize = 2_000;

/// The two files of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundles {
    /// System roots, the caller's bundles, ours.
    pub all: PathBuf,
    /// The caller's additions, ours.
    pub added: PathBuf,
}

impl Bundles {
    /// As [`Bundles::write`], into a directory below `parent` that is named for what the files hold: the same caller gets the same
    /// files again.
    pub fn write_once(parent: &Path, root: &str, caller: &Environment) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(".env-").tempdir_in(parent)?;
        let made = Self::write(folder.path(), root, caller)?;
        let mut hash = Sha256::new();
        for file in [&made.all, &made.added] {
            hash.update(fs::read(file)?);
        }
        let name: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let place = parent.join(format!("env-{name}"));
        match fs::rename(folder.path(), &place) {
            Ok(()) => {}
            // A directory that holds something is not replaced: what is there is the same.
            Err(_) if place.is_dir() => {}
            Err(error) => return Err(error),
        }
        Ok(Self { all: place.join("roots.pem"), added: place.join("added-roots.pem") })
    }

    /// Writes both files into a directory of the run. `root` is the PEM text of the run's root certificate. A bundle of the
    /// caller that cannot be read is left out: the client could not have read it either.
    pub fn write(folder: &Path, root: &str, caller: &Environment) -> io::Result<Self> {
        let mut all = Collection::default();
        all.add(&system_roots());
        for name in REPLACING {
            all.add_file(caller.value(name).map(Path::new));
        }
        for folder in caller.value("SSL_CERT_DIR").into_iter().flat_map(std::env::split_paths) {
            all.add_folder(&folder);
        }
        let mut added = Collection::default();
        for name in ADDING {
            added.add_file(caller.value(name).map(Path::new));
        }
        all.add(&added.text);
        all.add(root);
        added.add(root);
        let bundles = Self { all: folder.join("roots.pem"), added: folder.join("added-roots.pem") };
        write_private(&bundles.all, all.text.as_bytes())?;
        write_private(&bundles.added, added.text.as_bytes())?;
        Ok(bundles)
    }
}

/// Writes a file that only its owner reads.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// PEM certificates, each once.
#[derive(Default)]
struct Collection {
    text: String,
    seen: HashSet<String>,
}

impl Collection {
    fn add(&mut self, pem: &str) {
        for block in certificates(pem) {
            if self.seen.insert(block.to_owned()) {
                self.text.push_str(block);
                self.text.push('\n');
            }
        }
    }

    fn add_file(&mut self, path: Option<&Path>) {
        if let Some(pem) = path.filter(|path| !path.as_os_str().is_empty()).and_then(read_pem) {
            self.add(&pem);
        }
    }

    fn add_folder(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut files: Vec<PathBuf> = entries.flatten().take(FOLDER_LIMIT).map(|entry| entry.path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.is_file()) {
            self.add_file(Some(file));
        }
    }
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificate blocks of a PEM text; keys and comments are left behind.
fn certificates(pem: &str) -> impl Iterator<Item = &str> {
    let mut rest = pem;
    std::iter::from_fn(move || {
        let begin = rest.find(BEGIN)?;
        let end = begin + rest[begin..].find(END)? + END.len();
        let block = &rest[begin..end];
        rest = &rest[end..];
        Some(block)
    })
}

fn read_pem(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(BUNDLE_LIMIT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The system's roots: its bundle file, or where there is none (macOS) what the platform's store lists.
fn system_roots() -> String {
    if let Some(pem) = SYSTEM_FILES.iter().map(Path::new).find_map(read_pem) {
        return pem;
    }
    rustls_native_certs::load_native_certs().certs.iter().map(|der| to_pem(der)).collect()
}

fn to_pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("{BEGIN}\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + END + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "comment\n-----BEGIN CERTIFICATE-----\nVVNFUg==\n-----END CERTIFICATE-----\n";
    const EXTRA: &str = "-----BEGIN CERTIFICATE-----\nRVhUUkE=\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN \u{50}RIVATE KEY-----\nS0VZ\n-----END \u{50}RIVATE KEY-----\n";
    const OURS: &str = "-----BEGIN CERTIFICATE-----\nT1VSUw==\n-----END CERTIFICATE-----\n";

    #[test]
    fn what_the_caller_had_stays_and_ours_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let user = folder.path().join("user.pem");
        let extra = folder.path().join("extra.pem");
        fs::write(&user, format!("{USER}{KEY}{USER}")).unwrap();
        fs::write(&extra, EXTRA).unwrap();
        let missing = folder.path().join("missing.pem");
        let caller: Environment =
            [("REQUESTS_CA_BUNDLE", &user), ("NODE_EXTRA_CA_CERTS", &extra), ("CURL_CA_BUNDLE", &missing)].into_iter().collect();
        let bundles = Bundles::write(folder.path(), OURS, &caller).unwrap();
        let all = fs::read_to_string(&bundles.all).unwrap();
        let added = fs::read_to_string(&bundles.added).unwrap();
        assert_eq!(all.matches("VVNFUg==").count(), 1);
        assert!(all.contains("RVhUUkE=") && all.contains("T1VSUw==") && !all.contains("S0VZ"));
        assert_eq!(added, format!("{EXTRA}{OURS}"));
    }

    #[test]
    fn the_same_caller_gets_the_same_files_again() {
        let folder = tempfile::tempdir().unwrap();
        let first = Bundles::write_once(folder.path(), OURS, &Environment::default()).unwrap();
        let behind: Environment = [("SSL_CERT_FILE", &first.all), ("NODE_EXTRA_CA_CERTS", &first.added)].into_iter().collect();
        assert_eq!(Bundles::write_once(folder.path(), OURS, &behind).unwrap(), first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let other: Environment = [("NODE_EXTRA_CA_CERTS", &folder.path().join("none.pem"))].into_iter().collect();
        assert_eq!(Bundles::write_once(folder.path(), OURS, &other).unwrap(), first);
        assert_ne!(Bundles::write_once(folder.path(), USER, &other).unwrap(), first);
    }

    #[test]
    fn a_directory_of_certificates_is_folded_in() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = folder.path().join("certs");
        fs::create_dir(&certificates).unwrap();
        fs::write(certificates.join("a.pem"), USER).unwrap();
        let caller: Environment = [("SSL_CERT_DIR", &certificates)].into_iter().collect();
        let bundles = Bundles::write(folder.path(), OURS, &caller).unwrap();
        assert!(fs::read_to_string(bundles.all).unwrap().contains("VVNFUg=="));
    }
}
