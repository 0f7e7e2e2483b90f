//! What the file of a run says about its replay.

use super::ReplayArguments;
use crate::cassette::{self, Elsewhere, Header, Missed, Recorded, Replayed};
use crate::cli::session::client;
use crate::replay::{Account, Miss, Policies};
use crate::runner::sockets::{Dial, Report};
use std::num::NonZeroU32;

/// The header as the run begins.
pub(super) fn header(arguments: &ReplayArguments, policies: Vec<Policies>) -> Header {
    let policies = policies.into_iter().map(|own| cassette::Policies { of: own.of, tape: own.tape, default: own.default });
    let replayed = Replayed {
        cassette: arguments.cassette().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        seed: arguments.seed,
        expires_in: arguments.expires_in,
        speed: arguments.speed.map(NonZeroU32::get),
        policies: policies.collect(),
        ..Replayed::default()
    };
    Header {
        recorded: Recorded {
            at: jiff::Timestamp::now(),
            with: concat!("authtape ", env!("CARGO_PKG_VERSION")).to_owned(),
            client: client::shown(&arguments.command),
            client_version: None,
        },
        scrubbed: None,
        finished: false,
        raw: false,
        sessions: Vec::new(),
        passed: Vec::new(),
        tools: Vec::new(),
        replayed: Some(replayed),
    }
}

/// The header with what came of it.
pub(super) fn finished(header: Header, account: &Account, seen: Option<&Report>) -> Header {
    let replayed = header.replayed.map(|replayed| Replayed {
        upstream_connections: seen.map(Report::upstream_connections),
        dialled: seen.map(|seen| seen.around.iter().map(Dial::to_string).collect()).unwrap_or_default(),
        adopted: account.adopted.clone(),
        misses: account.misses.iter().map(missed).collect(),
        missed: account.missed,
        elsewhere: account.elsewhere.iter().map(|(host, requests)| Elsewhere { host: host.clone(), requests: *requests }).collect(),
        untouched: account.untouched().map(str::to_owned).collect(),
        ..replayed
    });
    Header { replayed, ..header }
}

fn missed(miss: &Miss) -> Missed {
    let Miss { session, what, nearest, reasons } = miss.clone();
    Missed { session, what, nearest, reasons }
}
