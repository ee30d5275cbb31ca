//! Tries out whether the server honours conditions, on an object of its own.

use crate::{
    client::{Answer, Call, CallError, Client},
    object::Objects,
};
use flott_ha::incarnation_id;

/// A tag that no object has.
const WRONG: &str = "\"00000000000000000000000000000000\"";

/// What a server can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// Whether it honours conditions where an object is removed, or is not there. If not, no object is ever removed: it is marked.
    pub(crate) removal: bool,
}

/// What was found out.
#[derive(Debug)]
pub(crate) enum Found {
    /// It can be used.
    Usable(Abilities),
    /// It cannot: why.
    Unusable(&'static str),
}

struct Probe<'a> {
    client: &'a Client,
    object: String,
    body: Vec<u8>,
}

/// Finds out what the server can do.
pub(crate) fn probe(client: &Client, objects: &Objects) -> Result<Found, CallError> {
    let object = format!("{}.probe-{}", client.settings().prefix, incarnation_id());
    let probe = Probe { client, object, body: objects.value(b"probe") };
    let found = probe.run();
    // What stays of it is a few bytes that nobody reads.
    let _ = probe.delete(None);
    found
}

impl Probe<'_> {
    fn run(&self) -> Result<Found, CallError> {
        let honours_absence = !is_done(&self.put(("if-match", WRONG))?);
        if !honours_absence {
            self.delete(None)?;
        }
        let first = self.put(("if-none-match", "*"))?;
        if !is_done(&first) {
            return Err(CallError::NotDone(self.client.explain(&first)));
        }
        let Some(tag) = first.etag else { return Ok(Found::Unusable("it gives no entity tags")) };
        if is_done(&self.put(("if-none-match", "*"))?) {
            return Ok(Found::Unusable("a write on the condition that there is no object is done though there is one"));
        }
        if is_done(&self.put(("if-match", WRONG))?) {
            return Ok(Found::Unusable("a write on the condition that an object has a certain tag is done though it has another"));
        }
        if !is_done(&self.put(("if-match", &tag))?) {
            return Ok(Found::Unusable("a write on the condition that an object has a certain tag is not done though it has it"));
        }
        Ok(Found::Usable(Abilities { removal: honours_absence && self.can_remove()? }))
    }

    fn can_remove(&self) -> Result<bool, CallError> {
        let refused = match self.delete(Some(("if-match", WRONG))) {
            Ok(answer) => !is_done(&answer),
            // It does not know such a thing.
            Err(CallError::NotDone(_)) => false,
            Err(error) => return Err(error),
        };
        if !refused {
            return Ok(false);
        }
        self.delete(None)?;
        // The object is not there, so that it has no tag.
        Ok(!is_done(&self.delete(Some(("if-match", WRONG)))?))
    }

    fn put(&self, condition: (&str, &str)) -> Result<Answer, CallError> {
        self.client.call(&Call { method: "PUT", object: &self.object, query: &[], condition: Some(condition), body: &self.body })
    }

    fn delete(&self, condition: Option<(&str, &str)>) -> Result<Answer, CallError> {
        self.client.call(&Call { method: "DELETE", object: &self.object, query: &[], condition, body: &[] })
    }
}

fn is_done(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}
