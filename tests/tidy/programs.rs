//! Which file of tests belongs to which program.

use std::collections::BTreeSet;

/// Finds files of tests that no program has as a module: nobody would miss them.
pub(super) fn left_out<'a>(names: impl Iterator<Item = &'a str>, programs: &str) -> Vec<String> {
    let declared: BTreeSet<&str> = programs
        .lines()
        .filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let is_program = |module: &str| module == "it" || module.starts_with("it_");
    let module = |name: &'a str| {
        let module = name.strip_prefix("tests/")?.strip_suffix(".rs")?;
        let module = module.strip_suffix("/mod").unwrap_or(module);
        (!module.contains('/') && !is_program(module)).then_some((name, module))
    };
    let missing = names.filter_map(module).filter(|(_, module)| !declared.contains(module));
    missing
        .map(|(name, module)| {
            format!("{name}: in no program; write `mod {module};` into one of tests/it*.rs")
        })
        .collect()
}

#[test]
fn a_file_that_nobody_runs_is_found() {
    let names = [
        "tests/it.rs",
        "tests/it_ffi.rs",
        "tests/push.rs",
        "tests/sim/mod.rs",
        "tests/sim/net.rs",
        "src/a.rs",
    ];
    assert_eq!(left_out(names.into_iter(), "mod push;\nmod sim;\n"), [""; 0]);
    let missing = left_out(names.into_iter(), "//! mod push;\nmod pushes;\n");
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing[0].starts_with("tests/push.rs: "), "{missing:?}");
}
