# What CI runs, word for word.
ci:
    bash .ci/run

# Everything a change needs before a commit, without the clients.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo test

# The interop suite: real clients and servers, or one scenario of it.
interop *NAME:
    tests/clients/install
    tests/clients/run {{ NAME }}

# Records the tapes of cassettes/ anew, or one of them.
tapes *NAME:
    cargo build
    tests/clients/run --tapes {{ NAME }}

# The figures of the README's table, beside hudsucker alone and mitmdump (AUTHTAPE_MITMDUMP, or on PATH).
bench *PART:
    cargo bench --bench budgets -- {{ PART }}

# Licences, sources and duplicate versions of what we depend on.
deny:
    cargo deny check bans licenses sources

# A thousand kills at random moments of a recording (CI does a hundred).
kills number="1000":
    AUTHTAPE_KILLS={{ number }} cargo test --test it hard::kills -- --nocapture

# Memory while recording a hundred thousand exchanges (CI does some thousand).
memory number="100000":
    AUTHTAPE_EXCHANGES={{ number }} cargo test --test it hard::memory -- --nocapture
