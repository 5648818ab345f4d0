//! Routes as `io.wspush.WsPushRoute` packs them.

use std::time::Duration;

use wspush::{Pieces, Route};

/// A route of Java's, and what its handler does about it.
pub(super) struct JavaRoute {
    /// For the router.
    pub(super) route: Route,
    /// For the handler.
    pub(super) place: Place,
}

/// The facts about a route that its handler needs.
#[derive(Clone)]
pub(super) struct Place {
    /// The names in its path.
    names: Vec<Box<str>>,
    /// The time-out that its sessions begin with.
    pub(super) idle: Option<Duration>,
}

impl Place {
    /// The names, and what each stands for, packed; None without any.
    pub(super) fn parameters<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Option<Vec<u8>> {
        let pairs = self.names.iter().flat_map(|name| [&**name, value(name).unwrap_or_default()]);
        (!self.names.is_empty()).then(|| super::packed::pack(pairs.map(str::as_bytes)))
    }

    /// How many names there are.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }
}

/// Takes them apart; None if they can't be read.
pub(super) fn unpack(parts: &[&str]) -> Option<Vec<JavaRoute>> {
    let (mut routes, mut rest) = (Vec::new(), parts.iter().copied());
    while let Some(path) = rest.next() {
        let mut route = Route::new(path);
        if let Some(bytes) = number(rest.next()?)? {
            route = route.message_bytes_max(usize::try_from(bytes).ok()?);
        }
        let idle = number(rest.next()?)?.map(Duration::from_millis);
        route = route.pieces(pieces(rest.next()?)?);
        if let Some(names) = list(&mut rest)? {
            route = route.subprotocols(names);
        }
        if let Some(origins) = list(&mut rest)? {
            route = route.origins(origins);
        }
        routes.push(JavaRoute { route, place: Place { names: names(path), idle } });
    }
    Some(routes)
}

/// How messages are handed over, by the number of `io.wspush.Pieces`.
pub(super) fn pieces(text: &str) -> Option<Pieces> {
    [Pieces::Off, Pieces::Bounded, Pieces::Unbounded].get(text.parse::<usize>().ok()?).copied()
}

/// Nothing, or a number.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

/// How many there are, and so many texts; -1 is no list.
fn list<'a>(rest: &mut impl Iterator<Item = &'a str>) -> Option<Option<Vec<&'a str>>> {
    match rest.next()? {
        "-1" => Some(None),
        count => (0..count.parse().ok()?).map(|_| rest.next()).collect::<Option<Vec<_>>>().map(Some),
    }
}

/// The names in a path. Whether it is one the router says.
fn names(path: &str) -> Vec<Box<str>> {
    let name = |segment: &str| segment.strip_prefix('{')?.strip_suffix('}').map(Box::from);
    path.split('/').filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_as_java_packs_them() {
        let parts = ["/a", "", "", "0", "-1", "-1", "/b/{x}/{y}", "4096", "1500", "2", "2", "v2", "v1", "0"];
        let routes = unpack(&parts).unwrap();
        let places: Vec<_> = routes.iter().map(|route| (route.place.count(), route.place.idle)).collect();
        assert_eq!(places, [(0, None), (2, Some(Duration::from_millis(1_500)))]);
        let packed = routes[1].place.parameters(|name| (name == "x").then_some("1")).unwrap();
        assert_eq!(super::super::packed::unpack(&packed).unwrap(), ["x", "1", "y", ""]);
        assert_eq!(routes[0].place.parameters(|_| None), None);
        for end in [1, 2, 3, 4, 5, 7, 9, 11, 12] {
            assert!(unpack(&parts[..end]).is_none(), "{end}");
        }
        assert!(unpack(&["/a", "x", "", "0", "-1", "-1"]).is_none());
        assert!(unpack(&["/a", "", "", "3", "-1", "-1"]).is_none());
    }
}
