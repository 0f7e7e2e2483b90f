//! Bodies that are not what their head says.

use super::WIRE;
use crate::fault::deeds::edited;
use crate::fault::{Attribute, Page, Spec};

pub(super) const GARBAGE: Spec = Spec {
    name: "garbage-body",
    page: Page {
        title: "The body is garbage",
        injects: "Status and header fields stay; the body is bytes that are neither JSON nor events nor UTF-8.",
        reproduces: &[],
        correct: "Reports an answer that it cannot read, names status and URL, keeps its credentials.",
        source: "RFC 8259 §8.1; RFC 6749 §5.2",
        broken: "Crash, or take the failure to read for a refusal.",
    },
    make: |_| {
        edited(|_, reply| {
            reply.set_body(&b"\x00\xff\xfe{]garbage\x80"[..]);
            true
        })
    },
    ..WIRE
};

pub(super) const TRUNCATE: Spec = Spec {
    name: "truncate",
    page: Page {
        title: "The body ends early, in order",
        injects: "The body is cut to bytes (half of it), and the answer ends as if that were all.",
        reproduces: &[],
        correct: "Reports JSON that it cannot read; does not use a part of it.",
        source: "RFC 8259 §2; RFC 9112 §8",
        broken: "Store half an answer.",
    },
    attributes: &[Attribute { name: "bytes", values: "N", default: "half of it", about: "how many bytes of the body are left" }],
    make: |written| {
        let bytes: Option<usize> = written.parsed("bytes", "a number of bytes")?;
        edited(move |_, reply| {
            let body = reply.body();
            let kept = bytes.unwrap_or(body.len() / 2);
            let is_shorter = kept < body.len();
            if is_shorter {
                reply.set_body(body[..kept].to_vec());
            }
            is_shorter
        })
    },
    ..WIRE
};

pub(super) const WRONG_TYPE: Spec = Spec {
    name: "wrong-content-type",
    page: Page {
        title: "The Content-Type is another one",
        injects: "The answer says Content-Type: text/plain (or type), whatever its body is.",
        reproduces: &["modelcontextprotocol/typescript-sdk#1342"],
        correct: "At an MCP endpoint: refuses what is neither JSON nor an event stream, and says which type came. At a token endpoint it may be \
                  lenient.",
        source: "MCP 2025-11-25, Transports, Streamable HTTP; RFC 6749 §5.1; RFC 9110 §8.3",
        broken: "Hang, or read events as JSON.",
    },
    attributes: &[Attribute { name: "type", values: "TEXT", default: "text/plain", about: "the media type that is sent" }],
    make: |written| {
        let media_type = written.text("type").unwrap_or("text/plain").to_owned();
        if !media_type.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(written.refuse("type", "a media type"));
        }
        edited(move |_, reply| {
            reply.set_header("content-type", &media_type);
            true
        })
    },
    ..WIRE
};
