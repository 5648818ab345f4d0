//! Patterns of a host, and the paths that strangers ask for.

use wspush::Router;

/// Lines: patterns, and then a path. Whatever is found for it, its values are good for a file's name.
pub fn route(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (patterns, path) = text.rsplit_once('\n').unwrap_or(("", text));
    let mut router = Router::new(());
    for pattern in patterns.lines() {
        match router.add(pattern, ()) {
            Ok(_) => assert!(pattern.starts_with('/')),
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
    let (_, routes) = router.into_parts();
    let found = match routes.find(path) {
        Ok(found) => found,
        Err(refusal) => return assert_eq!(refusal.status, 400),
    };
    let Some(id) = found else { return };
    let pattern = routes.pattern(id);
    let values = pattern.parameters(path);
    assert_eq!(values.len(), pattern.names().count(), "{:?} for {path:?}", pattern.text());
    for value in &values {
        assert!(!value.is_empty() && !value.contains(char::is_control), "{value:?}");
    }
    for text in values.iter().chain(&pattern.rest(path)) {
        assert!(text.split(['/', '\\']).all(|name| name != "." && name != ".."), "{text:?}");
    }
}
