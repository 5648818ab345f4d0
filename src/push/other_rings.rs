//! A channel's rings beside the plain one, of which mostly there is none: then nothing is looked through.

use super::form::Form;
use super::ring::Ring;

/// Those that there are.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct OtherRings(Option<Box<[Option<Box<Ring>>; Form::LAZY.len()]>>);

impl OtherRings {
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The ring of a form; not the plain one.
    pub fn get(&self, form: Form) -> Option<&Ring> {
        self.0.as_ref()?[form.index().checked_sub(1)?].as_deref()
    }

    /// As [`get`](Self::get), to be changed.
    pub fn get_mut(&mut self, form: Form) -> Option<&mut Ring> {
        self.0.as_mut()?[form.index().checked_sub(1)?].as_deref_mut()
    }

    /// The same, made if need be; `None`: the plain one is elsewhere.
    pub(super) fn get_or_make(&mut self, form: Form, make: impl FnOnce() -> Ring) -> Option<&mut Ring> {
        let place = &mut self.0.get_or_insert_default()[form.index().checked_sub(1)?];
        Some(place.get_or_insert_with(|| Box::new(make())))
    }

    /// All of them.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &Ring> {
        self.0.iter().flat_map(|rings| rings.iter().flatten().map(|ring| &**ring))
    }

    /// All of them, to be changed.
    #[inline]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Ring> {
        self.0.iter_mut().flat_map(|rings| rings.iter_mut().flatten().map(|ring| &mut **ring))
    }

    /// Drops those of which this says so; the largest position that they have had.
    pub(super) fn drop_if(&mut self, mut is_unused: impl FnMut(&mut Ring) -> bool) -> Option<u64> {
        let rings = self.0.as_mut()?;
        let dropped = rings.iter_mut().filter_map(|place| place.take_if(|ring| is_unused(ring)));
        let head = dropped.map(|ring| ring.log.head()).max();
        self.0.take_if(|rings| rings.iter().all(Option::is_none));
        head
    }
}
