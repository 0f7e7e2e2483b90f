//! Where a text stands: which names mean something there. Decides roles, not values.

use crate::protocol::{FieldRole, Kind, Place, Reach, field_role_within};

/// JSON in strings, forms in URLs in JSON: no deeper than this.
pub(super) const DEEPEST: u8 = 4;

/// The kind of message a text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Area {
    /// OAuth, and everything not known to be something else.
    Login,
    /// Answers that describe a person.
    Person,
    /// Discovery documents and key sets.
    Metadata,
    /// JSON-RPC, outside arguments and results.
    Envelope,
    /// Arguments, results, resources: anything at all.
    Content,
    /// A JWT.
    Claims,
}

/// Which side sent a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground {
    pub(super) area: Area,
    pub(super) side: Side,
    /// How many layers of encoding were undone.
    pub(super) depth: u8,
    /// True when a placeholder in the text may be one of our own rather than one that came over the wire.
    pub(super) again: bool,
}

impl Ground {
    /// The ground of a body.
    pub(super) fn of(kind: Kind, side: Side) -> Self {
        let answer = side == Side::Response;
        let area = match kind {
            _ if kind.is_mcp() => Area::Envelope,
            Kind::Prm | Kind::AsMetadata | Kind::OidcConfig | Kind::Jwks | Kind::CimdDoc => Area::Metadata,
            Kind::Userinfo | Kind::AccountApi | Kind::Introspect if answer => Area::Person,
            _ if kind.is_token() && answer => Area::Person,
            Kind::LlmApi => Area::Content,
            _ => Area::Login,
        };
        Self { area, side, depth: 0, again: false }
    }

    /// The ground of a URL or header: never content.
    pub(super) fn head(side: Side) -> Self {
        Self { area: Area::Login, side, depth: 0, again: false }
    }

    /// One layer of encoding further in.
    pub(super) fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// The same text once more, now with our own placeholders in it.
    pub(super) fn again(self) -> Self {
        Self { again: true, ..self }
    }

    /// The same place inside a JWT.
    pub(super) fn in_claims(self) -> Self {
        Self { area: Area::Claims, ..self.deeper() }
    }

    /// The ground of what a member holds.
    pub(super) fn inside(self, name: &str) -> Self {
        let is_content = || {
            matches!(
                name,
                "arguments" | "content" | "contents" | "structuredContent" | "messages" | "inputSchema" | "outputSchema" | "data"
            )
        };
        if self.area == Area::Envelope && is_content() { Self { area: Area::Content, ..self } } else { self }
    }

    /// The role of a JSON member or claim.
    pub(super) fn member(self, name: &str) -> Option<FieldRole> {
        let place = if self.area == Area::Claims { Place::Claim } else { Place::Member };
        field_role_within(place, name, |reach| match reach {
            Reach::Anywhere => true,
            Reach::Login => !matches!(self.area, Area::Envelope | Area::Content),
            Reach::Asking => matches!(self.area, Area::Login | Area::Person) && self.side == Side::Request,
            Reach::Person => matches!(self.area, Area::Person | Area::Claims),
            Reach::Envelope => self.area == Area::Envelope,
            Reach::Keys => matches!(self.area, Area::Metadata | Area::Claims),
        })
    }

    /// The role of a query, fragment or form parameter. In content, only unmistakable names count, unless the text is plainly
    /// an OAuth message.
    pub(super) fn parameter(self, name: &str, is_oauth: bool) -> Option<FieldRole> {
        let login = is_oauth || !matches!(self.area, Area::Content | Area::Envelope);
        field_role_within(Place::Parameter, name, |reach| match reach {
            Reach::Anywhere => true,
            Reach::Login | Reach::Asking => login,
            Reach::Person | Reach::Envelope | Reach::Keys => false,
        })
    }
}
