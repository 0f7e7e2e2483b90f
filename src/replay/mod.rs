//! Layer 5: the player. The tape says what each endpoint's answers look like, the model says which answer is due. Knows both and
//! how they meet; knows no sockets, files or clocks: seed and time are arguments, and what comes out is plain data.

mod account;
mod adopt;
mod assist;
mod batch;
mod conclusions;
mod discovery;
mod dress;
mod evidence;
mod faulty;
mod gate;
mod issue;
mod issuers;
mod jwt;
mod key_set;
mod made;
mod mcp;
mod policies;
mod rewrite;
mod seed;
mod servers;
mod signer;
mod tape;
mod vendor;

pub use account::{Account, Miss, Part, Told};
pub use assist::Assistance;
pub use policies::Policies;
pub use signer::{Algorithm, Signer, SigningKey};

use crate::assistant::{Did, Script};
use crate::cassette::Cassette;
use crate::exchange::{Content, Headers, Json, JsonStyle, Request, Response};
use crate::model::{Decided, GrantId, IssuerId, Model, Moment, OpenStream, ServerId, allow_origin};
use crate::protocol::{Endpoint, Kind};
use crate::reply::{Pace, Reply};
use account::At;
use adopt::Presumed;
use key_set::KeySet;
use serde_json::{Value, json};
use servers::Line;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;
use tape::Tape;
use vendor::Gate;

/// Answers clients from one tape. Several clients may share it.
pub struct Player {
    tape: Tape,
    model: Model,
    issuers: Vec<IssuerId>,
    lines: HashMap<ServerId, Line>,
    /// How often a call was answered, by who calls and by the first place of that call on the tape; without one, a stream.
    used: HashMap<(ServerId, Caller, Option<usize>), usize>,
    /// The ids of recorded calls and of those they answered, for streams that are resumed.
    ids: HashMap<Caller, Vec<(Value, Value)>>,
    key_sets: Vec<KeySet>,
    signer: Option<Box<dyn Signer>>,
    adoption: Adoption,
    /// What may be adopted at each authorization server.
    presumed: HashMap<IssuerId, Presumed>,
    script: Script,
    pace: Pace,
    policies: Vec<Policies>,
    gate: Gate,
    account: Account,
    trouble: faulty::Trouble,
}

/// What may be chosen about a replay.
#[derive(Clone, Debug, Default)]
pub struct PlayerOptions {
    /// The lifetime of access tokens, instead of the one on the tape.
    pub expires_in: Option<Duration>,
    /// Whether values from before the recording are taken for those of the tape.
    pub adoption: Adoption,
    /// What the model does, instead of the tape's first tool calls.
    pub script: Option<Script>,
    /// What becomes of recorded waits.
    pub pace: Pace,
}

/// Whether unknown credentials may be the ones that the tape began with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adoption {
    /// The first one of each sort, where the tape begins logged in.
    #[default]
    First,
    /// Never.
    None,
}

/// A cassette that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayerError {
    /// It holds no exchange that a client could repeat.
    #[error("the cassette holds no OAuth or MCP exchange to replay")]
    Empty,
}

/// An answer, and where it comes from.
#[derive(Debug)]
pub struct Answered {
    /// What to perform.
    pub reply: Reply,
    /// Where it comes from.
    pub source: Source,
    /// The stream that stays open behind it; [`Player::stream_closed`] is due when it ends.
    pub open: Option<OpenStream>,
}

/// Where an answer comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is the recorded one, its ids and session rewritten.
    Tape {
        /// The number of the interaction.
        interaction: u32,
    },
    /// The model decided it; it looks as the tape's own answer of that kind does.
    Dressed {
        /// The number of the interaction that it looks like.
        interaction: u32,
        /// What was decided.
        decided: Decided,
    },
    /// The model made it.
    Model(Decided),
    /// A fault, in place of the servers.
    Fault {
        /// What the request was for.
        kind: Kind,
    },
    /// The assistant, in place of the client's model or vendor.
    Assistant(Did),
    /// The host is not on the tape.
    Elsewhere,
    /// It could not be answered honestly.
    Miss(Box<Miss>),
}

/// Whose calls are counted together: repeated calls get the tape's answers one after the other.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Caller {
    /// A session of the older era.
    Session(String),
    /// A bearer and what it is refreshed to.
    Grant(IssuerId, GrantId),
    /// A client process, on a server without protection.
    Process(u32),
}

impl Player {
    /// Prepares a replay. The seed decides every value that is issued.
    ///
    /// # Errors
    /// The cassette holds nothing to replay.
    pub fn new(cassette: Cassette, seed: [u8; 32], options: &PlayerOptions) -> Result<Self, PlayerError> {
        let tape = Tape::new(cassette.interactions);
        let seed::Seeded { model, issuers, lines, policies, gate } = seed::model_of(&tape, seed, options);
        if lines.is_empty() && issuers.is_empty() {
            return Err(PlayerError::Empty);
        }
        let account = Account::expecting(
            lines.iter().filter(|(_, line)| line.is_spoken_to()).map(|(id, _)| (*id, model.server(*id).resource.clone())),
        );
        let script = options.script.clone().unwrap_or_else(|| assist::script_of(&tape));
        let presumed = issuers.iter().map(|id| (*id, Presumed::of(&tape, model.issuer(*id)))).collect();
        let (used, ids) = (HashMap::new(), HashMap::new());
        let key_sets = issuers.iter().map(|id| KeySet::of(&tape, model.issuer(*id))).collect();
        let (adoption, pace, trouble) = (options.adoption, options.pace, faulty::Trouble::default());
        let signer = None;
        let player = Self {
            tape,
            model,
            issuers,
            lines,
            used,
            ids,
            key_sets,
            signer,
            adoption,
            presumed,
            script,
            gate,
            pace,
            policies,
            account,
            trouble,
        };
        Ok(player)
    }

    /// Answers a request of a client process (or of its browser) at a real moment.
    pub fn answer(&mut self, request: &Request, session: u32, now: Moment) -> Answered {
        let answered = self.troubled(request, session, now);
        let path = Endpoint::parse(&request.url);
        let at = match self.model.server_at(&request.url) {
            Some(_) => At::Mcp,
            None => path.as_ref().map_or(At::Elsewhere, |endpoint| At::path(endpoint.path())),
        };
        self.account.tell(request, session, at, &answered);
        answered
    }

    /// Says that an open stream has ended.
    pub fn stream_closed(&mut self, stream: &OpenStream) {
        self.model.stream_closed(stream);
    }

    /// What decides where servers differ: the tape, or a stated default.
    pub fn policies(&self) -> &[Policies] {
        &self.policies
    }

    /// The origins that are answered for: those of the tape and those of the authorization servers that it names.
    pub fn origins(&self) -> BTreeSet<String> {
        let named = self.issuers.iter().filter_map(|id| Endpoint::parse(&self.model.issuer(*id).identifier));
        named.map(|issuer| issuer.origin().to_owned()).chain(self.tape.origins().map(str::to_owned)).collect()
    }

    /// What happened so far.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The authorization servers of the tape, in the model.
    pub fn issuers(&self) -> &[IssuerId] {
        &self.issuers
    }

    /// The MCP servers of the tape, in the model.
    pub fn servers(&self) -> impl Iterator<Item = ServerId> {
        self.lines.keys().copied()
    }

    /// The model, to move its clock or to look at it.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// The authorization server whose token endpoint this is.
    fn issuer_at(&self, endpoint: &Endpoint) -> Option<IssuerId> {
        self.issuers.iter().copied().find(|id| Endpoint::parse(&self.model.issuer(*id).endpoints.token).as_ref() == Some(endpoint))
    }

    /// The answer of the servers, as late as it is due.
    fn paced(&mut self, request: &Request, session: u32, now: Moment) -> Answered {
        let mut answered = self.routed(request, session, now);
        answered.reply.delay = self.delay(&answered.source);
        allow_origin(&mut answered.reply.headers, request);
        answered
    }

    /// How long the recorded answer took. That of a stream is in its events.
    fn delay(&self, source: &Source) -> Duration {
        let (Source::Tape { interaction } | Source::Dressed { interaction, .. }) = source else { return Duration::ZERO };
        let Some(exchange) = self.tape.numbered(*interaction) else { return Duration::ZERO };
        let is_stream = exchange.response().is_some_and(|response| response.body.content.events().is_some());
        if is_stream { Duration::ZERO } else { self.pace.wait(exchange.took.unwrap_or_default()) }
    }

    fn routed(&mut self, request: &Request, session: u32, now: Moment) -> Answered {
        let Some(endpoint) = Endpoint::parse(&request.url) else { return elsewhere() };
        if let Some(id) = self.model.server_at(&request.url).filter(|_| request.method != "OPTIONS") {
            self.account.reached(id);
            return self.mcp(id, request, session, now);
        }
        if let Some(keys) = self.key_set(request, &endpoint) {
            return keys;
        }
        if let Some(index) = self.tape.document(&request.method, &endpoint) {
            return self.document(index);
        }
        if let Some(index) = self.tape.behind_bearer(&request.method, &endpoint) {
            return self.behind_bearer(index, request, &endpoint, now);
        }
        if let Some(answered) = self.assisted(request, &endpoint, now) {
            return answered;
        }
        self.adopt_credentials(request, &endpoint);
        let answer = self.model.answer(request, now);
        if answer.decided != Decided::NotFound {
            let answer = self.as_jwts(request, &endpoint, answer, now);
            return dress::dressed(&self.tape, request, &endpoint, answer);
        }
        if let Some(index) = self.configuration_at(&endpoint).filter(|_| request.method == "GET") {
            return self.document(index);
        }
        match () {
            () if !self.tape.knows(&endpoint) => elsewhere(),
            // Whoever looks for metadata asks in several places.
            () if endpoint.path().contains("/.well-known/") => Answered::whole(&answer.response, Source::Model(Decided::NotFound)),
            () => self.missed_request(request, &endpoint, session),
        }
    }

    /// A document as it was recorded.
    fn document(&self, index: usize) -> Answered {
        let (number, response) = self.tape.answer(index);
        let mut response = response.clone();
        response.headers = dress::lasting(&response.headers);
        Answered::whole(&response, Source::Tape { interaction: number })
    }

    /// Something recorded that only a valid bearer may see.
    fn behind_bearer(&mut self, index: usize, request: &Request, endpoint: &Endpoint, now: Moment) -> Answered {
        let bearer = crate::protocol::Bearer::of(request);
        let now = self.model.time(now);
        let holds = |value: &str| self.issuers.iter().any(|id| self.model.issuer(*id).valid_access(value, now).is_some());
        if bearer.as_ref().is_some_and(|bearer| holds(&bearer.token)) {
            return self.document(index);
        }
        // A client with another credential than the tape's asks its vendor, too.
        if let Some(answered) = Answered::of_start(request, endpoint).filter(|_| bearer.is_none()) {
            return answered;
        }
        let refused = json_response(401, json!({"error": "invalid_token", "error_description": "the access token is not valid"}));
        Answered::whole(&refused, Source::Model(Decided::Challenged { status: 401, reason: "no bearer that holds" }))
    }

    /// Nothing on a host of the tape fits (RFC 9457).
    fn missed_request(&self, request: &Request, endpoint: &Endpoint, session: u32) -> Answered {
        let nearest = self.tape.nearest(&request.method, endpoint);
        let what = format!("{} {}{}", request.method, endpoint.host(), endpoint.path());
        let reason = match nearest {
            Some((_, recorded)) if recorded != request.method => format!("the tape holds this URL with {recorded} only"),
            Some(_) => "this kind of exchange is not replayed yet".to_owned(),
            None => "the tape holds nothing at this URL".to_owned(),
        };
        let miss = Miss { session, what, nearest: nearest.map(|(number, _)| number), reasons: vec![reason] };
        let problem = json!({"type": "about:blank", "title": "not on the tape", "status": 404, "detail": miss.to_string()});
        let mut response = json_response(404, problem);
        response.headers = [("content-type", "application/problem+json")].into_iter().collect();
        Answered::whole(&response, Source::Miss(Box::new(miss)))
    }
}

impl Answered {
    fn whole(response: &Response, source: Source) -> Self {
        Self { reply: Reply::whole(response), source, open: None }
    }
}

/// An answer of a host that the tape does not know. At once: a refused tunnel costs some clients half a minute.
fn elsewhere() -> Answered {
    let response = json_response(404, json!({"error": "not_found", "error_description": "authtape: this host is not on the tape"}));
    Answered::whole(&response, Source::Elsewhere)
}

fn json_response(status: u16, value: Value) -> Response {
    let headers: Headers = [("content-type", "application/json")].into_iter().collect();
    let mut response = Response { status, headers, body: Default::default(), trailers: Headers::new() };
    response.body.content = Content::Json(Json { value, style: JsonStyle::Compact });
    response
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("model", &self.model).field("servers", &self.lines.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller")
    }
}
