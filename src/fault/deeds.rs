//! The usual shapes of a deed, so that a fault's own file holds only what is its own: an answer in place of the server's, an edit
//! of the server's answer, a server that is stricter from the start, a delivery that goes astray.

use super::attributes::FaultError;
use super::deed::{Before, Deed, Scene, Stage};
use crate::model::{IssuerId, IssuerPolicy, Model};
use crate::reply::{Delivery, Reply};

/// What makes a fault: its deed, or what is wrong with its attributes.
pub(super) type Made = Result<Box<dyn Deed>, FaultError>;

/// Answers in place of the server, which never sees the request.
pub(super) fn instead(answer: impl FnMut(&Scene<'_>) -> Reply + Send + 'static) -> Made {
    Ok(Box::new(Instead(answer)))
}

/// Answers in place of the server where the closure has an answer.
pub(super) fn answering(answer: impl FnMut(&Scene<'_>, &mut Model) -> Option<Reply> + Send + 'static) -> Made {
    Ok(Box::new(Answering(answer)))
}

/// Edits the server's answer; the closure says whether it did.
pub(super) fn edited(edit: impl FnMut(&Scene<'_>, &mut Reply) -> bool + Send + 'static) -> Made {
    Ok(Box::new(Edited(edit)))
}

/// Edits the server's answer and what the servers know of it; the closure says whether it did.
pub(super) fn altered(edit: impl FnMut(&Scene<'_>, &mut Reply, &mut Model) -> bool + Send + 'static) -> Made {
    Ok(Box::new(Altered(edit)))
}

/// Changes the servers before the first client starts; fires with each answer in which that shows.
pub(super) fn stricter(
    prepare: impl FnMut(&mut Stage<'_>) -> Result<(), String> + Send + 'static,
    met: impl FnMut(&Scene<'_>, &Reply) -> bool + Send + 'static,
) -> Made {
    Ok(Box::new(Stricter { prepare, met }))
}

/// Changes what the servers know before they answer; the closure says whether it did.
pub(super) fn earlier(act: impl FnMut(&Scene<'_>, &mut Model) -> bool + Send + 'static) -> Made {
    Ok(Box::new(Earlier(act)))
}

/// Answers in place of the server where the closure gives an answer.
pub(super) fn perhaps(answer: impl FnMut(&Scene<'_>, &Model) -> Option<Reply> + Send + 'static) -> Made {
    Ok(Box::new(Perhaps(answer)))
}

/// Changes the policy of the authorization server for one request; `met` says whether that showed in its answer.
pub(super) fn momentary(
    change: impl FnMut(&mut IssuerPolicy) + Send + 'static,
    met: impl FnMut(&Scene<'_>) -> bool + Send + 'static,
) -> Made {
    Ok(Box::new(Momentary { change, met, own: None }))
}

/// Edits what becomes of a redirect back to the client; the closure says whether it did.
pub(super) fn astray(edit: impl FnMut(&mut Delivery) -> bool + Send + 'static) -> Made {
    Ok(Box::new(Astray(edit)))
}

struct Instead<F>(F);

impl<F: FnMut(&Scene<'_>) -> Reply + Send> Deed for Instead<F> {
    fn before(&mut self, scene: &Scene<'_>, _: &mut Model) -> Before {
        Before::Answer(Box::new((self.0)(scene)))
    }
}

struct Answering<F>(F);

impl<F: FnMut(&Scene<'_>, &mut Model) -> Option<Reply> + Send> Deed for Answering<F> {
    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        (self.0)(scene, model).map_or(Before::Nothing, |reply| Before::Answer(Box::new(reply)))
    }
}

struct Edited<F>(F);

impl<F: FnMut(&Scene<'_>, &mut Reply) -> bool + Send> Deed for Edited<F> {
    fn edit(&mut self, scene: &Scene<'_>, reply: &mut Reply, _: &mut Model) -> bool {
        (self.0)(scene, reply)
    }
}

struct Altered<F>(F);

impl<F: FnMut(&Scene<'_>, &mut Reply, &mut Model) -> bool + Send> Deed for Altered<F> {
    fn edit(&mut self, scene: &Scene<'_>, reply: &mut Reply, model: &mut Model) -> bool {
        (self.0)(scene, reply, model)
    }
}

struct Stricter<P, M> {
    prepare: P,
    met: M,
}

impl<P, M> Deed for Stricter<P, M>
where
    P: FnMut(&mut Stage<'_>) -> Result<(), String> + Send,
    M: FnMut(&Scene<'_>, &Reply) -> bool + Send,
{
    fn prepare(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        (self.prepare)(stage)
    }

    fn edit(&mut self, scene: &Scene<'_>, reply: &mut Reply, _: &mut Model) -> bool {
        (self.met)(scene, reply)
    }
}

struct Earlier<F>(F);

impl<F: FnMut(&Scene<'_>, &mut Model) -> bool + Send> Deed for Earlier<F> {
    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        if (self.0)(scene, model) { Before::Acted } else { Before::Nothing }
    }
}

struct Astray<F>(F);

impl<F: FnMut(&mut Delivery) -> bool + Send> Deed for Astray<F> {
    fn deliver(&mut self, delivery: &mut Delivery) -> bool {
        (self.0)(delivery)
    }
}

struct Perhaps<F>(F);

impl<F: FnMut(&Scene<'_>, &Model) -> Option<Reply> + Send> Deed for Perhaps<F> {
    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        (self.0)(scene, model).map_or(Before::Nothing, |reply| Before::Answer(Box::new(reply)))
    }
}

struct Momentary<C, M> {
    change: C,
    met: M,
    /// The policy that the server has otherwise.
    own: Option<(IssuerId, IssuerPolicy)>,
}

impl<C, M> Deed for Momentary<C, M>
where
    C: FnMut(&mut IssuerPolicy) + Send,
    M: FnMut(&Scene<'_>) -> bool + Send,
{
    fn before(&mut self, scene: &Scene<'_>, model: &mut Model) -> Before {
        if let Some(id) = scene.issuer {
            let policy = &mut model.issuer_mut(id).policy;
            self.own = Some((id, policy.clone()));
            (self.change)(policy);
        }
        Before::Nothing
    }

    fn edit(&mut self, scene: &Scene<'_>, _: &mut Reply, model: &mut Model) -> bool {
        let Some((id, own)) = self.own.take() else { return false };
        model.issuer_mut(id).policy = own;
        (self.met)(scene)
    }
}
