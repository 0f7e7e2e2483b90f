//! The faults of a run: armed in the order in which they were written, asked in that order, counted when they fire.

use super::attributes::{self, Attributes, FaultError};
use super::deed::{Before, Deed, Scene, ServerFacts, Stage};
use super::selection::{Life, Selection};
use super::spec::{Control, Needs, Spec, Trigger};
use crate::model::policy::{RefreshIssue, Registration, ResourceMetadata};
use crate::model::{Decided, GrantType, IssuerId, Model};
use crate::protocol::Kind;
use crate::reply::{Delivery, Handshake, Reply, Threshold};
use std::fmt;

/// A fault that is armed.
pub struct Fault {
    spec: &'static Spec,
    attributes: Attributes,
    selection: Selection,
    deed: Box<dyn Deed>,
    /// How many requests it aimed at.
    seen: u32,
    fired: u32,
    is_awake: bool,
    is_over: bool,
    /// True while the servers answer as if asked at its URL: it may edit that answer, too.
    is_elsewhere: bool,
    /// True for one that only makes another one fire.
    is_trigger: bool,
}

/// How often a fault fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Its name.
    pub name: &'static str,
    /// How it was written, name left out.
    pub attributes: Vec<(String, String)>,
    /// How often it fired.
    pub times: u32,
    /// How many requests it aimed at.
    pub aimed_at: u32,
    /// The kinds that it waits for.
    pub kinds: Vec<Kind>,
    /// Whether a correct client sees anything wrong.
    pub control: Control,
    /// True for one that only makes another one fire.
    pub is_trigger: bool,
}

/// What came of the faults that stepped in before the servers.
#[derive(Debug, Default)]
pub struct Stepped {
    /// The answer in place of the servers'.
    pub answer: Option<Box<Reply>>,
    /// The URL for which the servers are to take the request.
    pub at: Option<String>,
    /// The places of those that fired.
    pub fired: Vec<usize>,
}

/// How expiry comes about in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// As on the tape: nothing makes a client refresh.
    AsRecorded,
    /// By an option: short lifetimes, or a clock that is moved between sessions.
    Arranged,
}

/// The faults of a run, in order.
#[derive(Default)]
pub struct Faults {
    list: Vec<Fault>,
}

impl Faults {
    /// Arms these faults. Where one waits for a refresh that nothing brings about, the first bearer of the last session is
    /// refused once.
    ///
    /// # Errors
    /// A value that cannot be; faults that contradict each other.
    pub fn arm(written: Vec<(&'static Spec, Attributes)>, expiry: Expiry) -> Result<Self, FaultError> {
        let mut list: Vec<Fault> = Vec::new();
        for (spec, attributes) in written {
            list.push(Fault::arm(spec, attributes)?);
        }
        for (index, fault) in list.iter().enumerate() {
            let other = list[..index].iter().find(|other| other.excludes(fault) || fault.excludes(other));
            if let Some(other) = other {
                let message = format!("{} and {} contradict each other", other.spec.name, fault.spec.name);
                return Err(FaultError::Contradiction(message));
            }
        }
        let mut faults = Self { list };
        faults.arm_trigger(expiry)?;
        Ok(faults)
    }

    /// What makes clients refresh, where a fault waits for that and nothing else does.
    fn arm_trigger(&mut self, expiry: Expiry) -> Result<(), FaultError> {
        let waits = |fault: &&Fault| fault.waits_for_refresh();
        let mut chosen: Option<&str> = None;
        for fault in self.list.iter().filter(waits) {
            let word = fault.attributes.word("trigger", &["", "early-401", "expired-at-start", "none"])?;
            if chosen.is_some_and(|own| own != word && !word.is_empty() && !own.is_empty()) {
                return Err(FaultError::Contradiction("two faults of one run ask for different triggers".to_owned()));
            }
            if chosen.is_none_or(str::is_empty) {
                chosen = Some(word);
            }
        }
        if let Some(fault) = self.list.iter().find(|fault| !fault.waits_for_refresh() && fault.attributes.text("trigger").is_some()) {
            return Err(FaultError::Contradiction(format!("{} needs no trigger", fault.spec.name)));
        }
        let arranges =
            |fault: &Fault| matches!(fault.spec.name, "expired-at-start" | "early-401" | "early-401-refresh-400" | "token-expires-in-odd");
        let is_arranged = expiry == Expiry::Arranged || self.list.iter().any(arranges);
        let name = match chosen {
            None | Some("none") => return Ok(()),
            Some("") if is_arranged => return Ok(()),
            Some("") => "early-401",
            Some(other) => other,
        };
        let (spec, attributes) = attributes::of(name, Vec::new())?;
        let mut trigger = Fault::arm(spec, attributes)?;
        trigger.is_trigger = true;
        // First, so that the servers it changes are the ones that the others meet.
        self.list.insert(0, trigger);
        Ok(())
    }

    /// Lets each fault change the servers before the first client starts.
    ///
    /// # Errors
    /// The tape lacks what a fault needs, or nothing on it is what the fault aims at.
    pub fn prepare(
        &mut self,
        model: &mut Model,
        issuers: &[IssuerId],
        servers: &[ServerFacts],
        sessions: u32,
        kinds: &[Kind],
    ) -> Result<(), FaultError> {
        for fault in &mut self.list {
            let unfit = |reason: &str| FaultError::Unfit { fault: fault.spec.name, reason: reason.to_owned() };
            let own: Vec<IssuerId> =
                issuers.iter().copied().filter(|id| fault.selection.takes_issuer(&model.issuer(*id).identifier)).collect();
            if own.is_empty() && !issuers.is_empty() {
                return Err(unfit("the tape shows no such issuer"));
            }
            let near: Vec<ServerFacts> =
                servers.iter().copied().filter(|facts| fault.selection.takes_server(&model.server(facts.id).resource)).collect();
            if near.is_empty() && !servers.is_empty() {
                return Err(unfit("the tape shows no such server"));
            }
            if !has(fault.spec.needs, model, &own, &near, kinds) {
                return Err(unfit(fault.spec.needs.missing()));
            }
            let mut stage = Stage { model, issuers: own, servers: near, sessions };
            fault.deed.prepare(&mut stage).map_err(|reason| unfit(&reason))?;
        }
        Ok(())
    }

    /// Asks each fault before the servers are asked. The first answer counts, of several URLs the last.
    pub fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Stepped {
        let mut stepped = Stepped::default();
        for (index, fault) in self.list.iter_mut().enumerate() {
            if !fault.meets(scene) {
                continue;
            }
            match fault.deed.before(scene, model) {
                Before::Nothing => continue,
                Before::Acted => {}
                Before::At(url) => {
                    fault.is_elsewhere = true;
                    stepped.at = Some(url);
                }
                Before::Answer(reply) => stepped.answer = Some(reply),
            }
            fault.fire();
            stepped.fired.push(index);
            if stepped.answer.is_some() {
                break;
            }
        }
        stepped
    }

    /// Lets each fault that is due edit the answer; one that stepped in before is not asked again, unless it named another URL. Gives the places of those
    /// that fired.
    pub fn edit(&mut self, scene: &Scene<'_>, reply: &mut Reply, model: &mut Model, before: &[usize]) -> Vec<usize> {
        let mut fired = Vec::new();
        for (index, fault) in self.list.iter_mut().enumerate() {
            if std::mem::take(&mut fault.is_elsewhere) {
                // It has fired already.
                fault.deed.edit(scene, reply, model);
            } else if !before.contains(&index) && fault.is_due(scene) && fault.deed.edit(scene, reply, model) {
                fault.fire();
                fired.push(index);
            }
        }
        self.answered(scene);
        fired
    }

    /// What becomes of a redirect back to the client of a session.
    pub fn deliver(&mut self, delivery: &mut Delivery) -> Vec<usize> {
        let mut fired = Vec::new();
        for (index, fault) in self.list.iter_mut().enumerate() {
            if fault.is_over || !fault.is_awake || !fault.selection.takes_session(delivery.session) {
                continue;
            }
            // Only those that deliver count deliveries.
            if fault.spec.aims_at == [Kind::Callback] {
                fault.seen += 1;
            }
            if fault.seen >= fault.selection.nth() && fault.deed.deliver(delivery) {
                fault.fire();
                fired.push(index);
            }
        }
        fired
    }

    /// The URL that the browser of a session opens in place of the one that its client wants shown; `None` for that one.
    pub fn open(&mut self, session: u32, url: &str) -> Option<String> {
        for fault in &mut self.list {
            if fault.is_over || !fault.is_awake || !fault.selection.takes_session(session) {
                continue;
            }
            if let Some(other) = fault.deed.open(url) {
                fault.seen += 1;
                if fault.seen >= fault.selection.nth() {
                    fault.fire();
                    return Some(other);
                }
            }
        }
        None
    }

    /// How a connection of a session to a host begins, where it does not begin as it should.
    pub fn handshake(&mut self, session: u32, host: &str, at: Threshold) -> (Option<Handshake>, Vec<usize>) {
        for (index, fault) in self.list.iter_mut().enumerate() {
            if fault.is_over || !fault.is_awake || !fault.selection.takes_host(host) || !fault.selection.takes_session(session) {
                continue;
            }
            if let Some(handshake) = fault.deed.handshake(host).filter(|own| own.threshold() == at) {
                fault.seen += 1;
                if fault.seen >= fault.selection.nth() {
                    fault.fire();
                    return (Some(handshake), vec![index]);
                }
            }
        }
        (None, Vec::new())
    }

    /// How often each fired.
    pub fn fired(&self) -> impl Iterator<Item = Fired> {
        self.list.iter().map(|fault| Fired {
            name: fault.spec.name,
            attributes: fault.attributes.pairs().to_vec(),
            times: fault.fired,
            aimed_at: fault.seen,
            kinds: fault.selection.kinds().to_vec(),
            control: fault.spec.control,
            is_trigger: fault.is_trigger,
        })
    }

    /// True where the last session is to begin with tokens that have ended.
    pub fn waits_for_expiry(&self) -> bool {
        self.list.iter().any(|fault| fault.spec.name == "expired-at-start")
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What an answered exchange ends and begins.
    fn answered(&mut self, scene: &Scene<'_>) {
        let is_login = matches!(scene.decided, Some(Decided::Issued { grant_type: GrantType::Code }));
        for fault in &mut self.list {
            fault.is_over |= is_login && fault.selection.life == Life::UntilCode && fault.fired > 0;
            fault.is_awake |= fault.selection.after() == Some(scene.kind);
        }
    }
}

impl Fault {
    fn arm(spec: &'static Spec, attributes: Attributes) -> Result<Self, FaultError> {
        let selection = Selection::of(spec, &attributes)?;
        let deed = (spec.make)(&attributes)?;
        let is_awake = selection.after().is_none();
        Ok(Self { spec, attributes, selection, deed, seen: 0, fired: 0, is_awake, is_over: false, is_elsewhere: false, is_trigger: false })
    }

    /// True when nothing but a refresh lets it fire.
    fn waits_for_refresh(&self) -> bool {
        self.spec.trigger == Trigger::Refresh || self.selection.kinds() == [Kind::TokenRefresh]
    }

    fn excludes(&self, other: &Self) -> bool {
        self.spec.excludes.contains(&other.spec.name)
    }

    /// Counts a request that it aims at. True when it is due.
    fn meets(&mut self, scene: &Scene<'_>) -> bool {
        if !self.is_awake || !self.selection.aims_at(scene) {
            return false;
        }
        self.seen = self.seen.saturating_add(1);
        self.is_due(scene)
    }

    fn is_due(&self, scene: &Scene<'_>) -> bool {
        self.is_awake && !self.is_over && self.seen >= self.selection.nth() && self.selection.aims_at(scene)
    }

    fn fire(&mut self) {
        self.fired = self.fired.saturating_add(1);
        self.is_over |= matches!(self.selection.life, Life::Times(times) if self.fired >= times);
    }
}

/// True when the servers are what a fault needs.
fn has(needs: Needs, model: &Model, issuers: &[IssuerId], servers: &[ServerFacts], kinds: &[Kind]) -> bool {
    let issuer = |fits: &dyn Fn(&crate::model::IssuerPolicy) -> bool| issuers.iter().any(|id| fits(&model.issuer(*id).policy));
    let server = |fits: &dyn Fn(&crate::model::ServerPolicy) -> bool| servers.iter().any(|own| fits(&model.server(own.id).policy));
    match needs {
        Needs::Nothing => true,
        Needs::Login => !issuers.is_empty(),
        Needs::Registration => issuer(&|policy| policy.registration != Registration::Closed),
        Needs::Refresh => issuer(&|policy| policy.refresh_issue != RefreshIssue::Never),
        Needs::Server => !servers.is_empty(),
        Needs::Protected => server(&|policy| policy.protected),
        Needs::ResourceMetadata => server(&|policy| policy.protected && policy.metadata != ResourceMetadata::Nowhere),
        Needs::Legacy => servers.iter().any(|own| own.is_legacy),
        Needs::Sessions => servers.iter().any(|own| own.is_legacy && model.server(own.id).policy.session_required),
        Needs::GetStream => servers.iter().any(|own| own.is_legacy && model.server(own.id).policy.get_stream),
        Needs::Modern => servers.iter().any(|own| own.is_modern),
        Needs::AccountApi => kinds.contains(&Kind::AccountApi),
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.iter().map(|fault| fault.spec.name)).finish()
    }
}
