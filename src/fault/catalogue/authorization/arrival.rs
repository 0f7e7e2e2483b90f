//! The redirect comes late, twice, or elsewhere.

use super::CALLBACK;
use crate::fault::catalogue::seconds;
use crate::fault::deeds::astray;
use crate::fault::{Attribute, Attributes, Control, Life, Page, Spec};
use crate::reply::Family;
use url::Url;

pub(super) const LATE: Spec = Spec {
    name: "callback-late",
    page: Page {
        title: "The callback comes late",
        injects: "The browser goes to the client's redirect URI after so many seconds. Choose more than the client waits (mcp-remote 30, \
                  many others 120 or 300), and a longer --timeout for the run.",
        reproduces: &["geelen/mcp-remote, --auth-timeout 30"],
        correct: "Has given up by then: its listener is closed, or the state is one that it does not take any more.",
        source: "RFC 6749 §10.12 and §4.1.2 (a code lives up to ten minutes)",
        broken: "Exchange the code of an attempt that they gave up, or take it for the answer to another one.",
    },
    attributes: &[Attribute { name: "seconds", values: "SECONDS", default: "35", about: "how late it is" }],
    excludes: &["callback-dropped"],
    make: |written| {
        let late = seconds(written, "seconds", 35.0)?;
        astray(move |delivery| {
            delivery.arrivals.iter_mut().for_each(|arrival| arrival.after += late);
            !delivery.arrivals.is_empty()
        })
    },
    ..CALLBACK
};

pub(super) const DUPLICATED: Spec = Spec {
    name: "callback-duplicated",
    page: Page {
        title: "The callback comes twice",
        injects: "The browser goes to the client's redirect URI, and once it was answered goes there again with the same code and state.",
        reproduces: &["cloudflare/agents#1666"],
        correct: "Exchanges the code once; the second arrival finds nobody, or a page that changes nothing.",
        source: "RFC 6749 §4.1.2 (a code is used once; the second use revokes the tokens)",
        broken: "Exchange the code again, and lose the tokens of the first exchange.",
    },
    excludes: &["callback-dropped"],
    make: |_| {
        astray(|delivery| {
            let again = delivery.arrivals.last().cloned();
            let had = again.is_some();
            delivery.arrivals.extend(again);
            had
        })
    },
    ..CALLBACK
};

pub(super) const WRONG_PORT: Spec = Spec {
    name: "callback-wrong-port",
    page: Page {
        title: "The callback goes to another port",
        injects: "The browser is sent to port, where nothing listens, instead of the port of the redirect URI in the authorization request: \
                  a server that takes the registered URI for the one that was sent.",
        reproduces: &[
            "anthropics/claude-code#53066",
            "anthropics/claude-code#55067",
            "anthropics/claude-code#58595",
            "MoonshotAI/kimi-code#2620",
        ],
        correct: "Listens at the port that it sent, gives up after a stated time and says so. The server is at fault.",
        source: "RFC 8252 §7.3 (the port of a loopback redirect URI is free); RFC 6749 §4.1.3",
        broken: "Wait for ever, or send another redirect_uri to the token endpoint than to the authorization endpoint.",
    },
    attributes: &[Attribute { name: "port", values: "1..65535", default: "1", about: "the port that the browser goes to" }],
    make: wrong_port,
    ..CALLBACK
};

pub(super) const ADDRESS_FAMILY: Spec = Spec {
    name: "callback-address-family",
    page: Page {
        title: "localhost means one address family only",
        injects: "The browser looks for localhost at ::1 only (family=6) or at 127.0.0.1 only (family=4). A redirect URI with an address \
                  in it is not affected.",
        reproduces: &["opencode-ai/opencode#30013", "anthropics/claude-code#31007", "geelen/mcp-remote#259"],
        correct: "Sends the address literal that it listens on, or listens on both addresses of localhost.",
        source: "RFC 8252 §7.3, §8.3",
        broken: "Send localhost and listen on one of the two.",
    },
    attributes: &[Attribute { name: "family", values: "6|4", default: "6", about: "where localhost is looked for" }],
    life: Life::Forever,
    control: Control::Positive,
    make: |written| {
        let family = if written.word("family", &["6", "4"])? == "4" { Family::V4 } else { Family::V6 };
        astray(move |delivery| {
            delivery.arrivals.iter_mut().for_each(|arrival| arrival.family = family);
            !delivery.arrivals.is_empty()
        })
    },
    ..CALLBACK
};

fn wrong_port(written: &Attributes) -> crate::fault::deeds::Made {
    let port: u16 = written.parsed("port", "a port from 1 to 65535")?.unwrap_or(1);
    if port == 0 {
        return Err(written.refuse("port", "a port from 1 to 65535"));
    }
    astray(move |delivery| {
        let mut has_changed = false;
        for arrival in &mut delivery.arrivals {
            let Ok(mut url) = Url::parse(&arrival.url) else { continue };
            has_changed |= url.port_or_known_default() != Some(port) && url.set_port(Some(port)).is_ok();
            arrival.url = url.into();
        }
        has_changed
    })
}
