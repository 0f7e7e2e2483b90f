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

# Licences, sources and duplicate versions of what we depend on.
deny:
    cargo deny check bans licenses sources
