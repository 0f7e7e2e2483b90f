//! The last pass over the documents of a recording, with all that was learned by its end: secrets that stand in earlier text,
//! and kinds that only later metadata could refine. Knows documents one at a time.

use super::Recorder;
use crate::cassette::{Interaction, Sweep};
use crate::exchange::ConnectionEvent;
use crate::protocol::Kind;
use crate::scrub::Mark;

/// Kinds that are given for want of a better one: metadata that came later may name the endpoint.
const REFINABLE: &[Kind] = &[Kind::AccountApi, Kind::McpGetStream];

/// How far into a document its kind stands.
const HEAD: usize = 256;

/// The sweep of a recorder.
pub struct Finishing<'a> {
    recorder: &'a mut Recorder,
}

impl<'a> Finishing<'a> {
    /// The sweep with what the recorder knows now.
    pub fn new(recorder: &'a mut Recorder) -> Self {
        Self { recorder }
    }
}

impl Sweep for Finishing<'_> {
    fn touches(&mut self, document: &[u8]) -> bool {
        // A document never holds a value that was known when it was written, so it is looked at for all of them.
        self.recorder.scrubber.touches(document, Mark::default()) || may_be_refined(document)
    }

    fn interaction(&mut self, interaction: &mut Interaction) {
        self.recorder.scrubber.sweep(&mut interaction.exchange);
        if REFINABLE.contains(&interaction.kind) {
            let kind = self.recorder.roles.classify(&interaction.exchange).kind;
            if kind.is_stored() {
                interaction.kind = kind;
            }
        }
    }

    fn event(&mut self, event: &mut ConnectionEvent) {
        self.recorder.scrubber.sweep_text(&mut event.detail);
    }
}

fn may_be_refined(document: &[u8]) -> bool {
    let head = &document[..document.len().min(HEAD)];
    REFINABLE.iter().any(|kind| memchr::memmem::find(head, format!("\nkind: {kind}\n").as_bytes()).is_some())
}
