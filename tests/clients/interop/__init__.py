"""The interop suite: real clients log in to real servers through `authtape record`; each cassette is checked."""
