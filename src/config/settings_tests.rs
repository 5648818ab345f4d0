//! The table of settings holds together.

use super::{Config, SETTINGS, Setting};

#[test]
fn every_field_has_its_row_once() {
    let fields: Vec<String> = format!("{:#?}", Config::default())
        .lines()
        .filter(|line| line.starts_with("    ") && !line.starts_with("     "))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name.trim().to_owned()))
        .collect();
    let mut rows: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(fields.len(), rows.len());
    rows.sort_unstable();
    rows.dedup();
    for field in &fields {
        assert!(rows.binary_search(&field.as_str()).is_ok(), "{field} has no row");
    }
    assert_eq!(fields.len(), rows.len());
}

#[test]
fn every_default_is_allowed_and_comes_back() {
    let default = Config::default();
    for setting in SETTINGS {
        let mut config = default.clone();
        setting.set(&mut config, setting.get(&default)).unwrap();
        assert_eq!(config, default, "{}", setting.name);
    }
}

#[test]
fn groups_are_contiguous_and_help_is_a_phrase() {
    assert!(SETTINGS.is_sorted_by_key(|setting| setting.group));
    for Setting { name, help, .. } in SETTINGS {
        assert!(!help.is_empty() && !help.ends_with('.') && !help.contains('|'), "{name}");
    }
}
