//! A publication on its way to the logs of several reactors, and the forms that one of them has made of it for all.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::form::Form;
use super::publication::Publication;

/// A publication, and its other forms as far as somebody takes them: each is made once, by the reactor that needs it
/// first.
#[derive(Debug)]
pub struct Prepared {
    publication: Publication,
    pub(super) forms: [OnceLock<Box<[u8]>>; Form::LAZY.len()],
}

impl Prepared {
    /// No other form is made yet.
    pub fn new(publication: Publication) -> Prepared {
        Prepared { publication, forms: Default::default() }
    }

    /// The publication.
    pub fn publication(&self) -> &Publication {
        &self.publication
    }
}

/// A publication as an inbox has it.
#[derive(Debug)]
pub enum Carried {
    /// There is one reactor.
    Alone(Publication),
    /// Others have it as well.
    Together(Arc<Prepared>),
}

impl Deref for Carried {
    type Target = Publication;

    fn deref(&self) -> &Publication {
        match self {
            Carried::Alone(publication) => publication,
            Carried::Together(prepared) => &prepared.publication,
        }
    }
}
