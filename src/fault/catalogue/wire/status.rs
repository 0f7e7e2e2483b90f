//! Another status in place of the server's answer.

use super::WIRE;
use crate::fault::deeds::instead;
use crate::fault::{Attribute, Page, Spec};
use crate::reply::Reply;

pub(super) const SPEC: Spec = Spec {
    name: "status",
    page: Page {
        title: "Another status in place of the answer",
        injects: "The request is answered with the status code (503), a media type and a body; the server never sees it.",
        reproduces: &[],
        correct: "Does what the status says: waits on 429 and 503, gives up on other 4xx, never takes a 5xx for a refused login.",
        source: "RFC 9110 §15",
        broken: "Log in anew on a 5xx, or try for ever on a 4xx.",
    },
    attributes: &[
        Attribute { name: "code", values: "200..599", default: "503", about: "the status" },
        Attribute { name: "body", values: "TEXT", default: "empty", about: "the body" },
        Attribute { name: "type", values: "TEXT", default: "text/plain", about: "the media type of the body" },
        Attribute { name: "retry-after", values: "SECONDS", default: "none", about: "the Retry-After field" },
    ],
    make: |written| {
        let code: u16 = written.parsed("code", "a status from 200 to 599")?.unwrap_or(503);
        if !(200..600).contains(&code) {
            return Err(written.refuse("code", "a status from 200 to 599"));
        }
        let retry_after: Option<u32> = written.parsed("retry-after", "whole seconds")?;
        let media_type = written.text("type").unwrap_or("text/plain").to_owned();
        let body = written.text("body").unwrap_or_default().to_owned();
        instead(move |_| {
            let mut reply = Reply::text(code, &media_type, body.clone());
            if let Some(seconds) = retry_after {
                reply.set_header("retry-after", &seconds.to_string());
            }
            reply
        })
    },
    ..WIRE
};
