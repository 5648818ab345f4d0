//! How nodes are told apart: a run of a node is `NAME:PROCESS:START`, and its membership `RUN#COUNT`, where each time
//! that it has lost its lease counts one more.

/// The run of a membership.
pub(super) fn run(id: &str) -> &str {
    id.rsplit_once('#').map_or(id, |(run, _)| run)
}

/// The name of a node, of either.
pub(super) fn name(id: &str) -> &str {
    let mut parts = run(id).rsplitn(3, ':');
    parts.nth(2).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_colons() {
        assert_eq!(name("eu:a:1f:64b#3"), "eu:a");
        assert_eq!(
            (run("a:1:2#3"), run("a:1:2"), name("a:1:2"), name("odd")),
            ("a:1:2", "a:1:2", "a", "odd")
        );
    }
}
