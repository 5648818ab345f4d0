//! SPDX expressions, as far as crates use them: names, WITH, AND, OR (or the old `/`), brackets.

/// Whether the licences that `may` knows suffice for the expression.
pub fn is_satisfied(expression: &str, may: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest, may) && rest.is_empty()
}

fn any(rest: &mut &[&str], may: &dyn Fn(&str) -> bool) -> bool {
    let mut satisfied = all(rest, may);
    while let ["OR", behind @ ..] = *rest {
        *rest = behind;
        satisfied |= all(rest, may);
    }
    satisfied
}

fn all(rest: &mut &[&str], may: &dyn Fn(&str) -> bool) -> bool {
    let mut satisfied = one(rest, may);
    while let ["AND", behind @ ..] = *rest {
        *rest = behind;
        satisfied &= one(rest, may);
    }
    satisfied
}

fn one(rest: &mut &[&str], may: &dyn Fn(&str) -> bool) -> bool {
    match *rest {
        ["(", behind @ ..] => {
            *rest = behind;
            let satisfied = any(rest, may);
            let [")", behind @ ..] = *rest else { return false };
            *rest = behind;
            satisfied
        }
        [name, "WITH", exception, behind @ ..] => {
            *rest = behind;
            may(&format!("{name} WITH {exception}"))
        }
        [name, behind @ ..] => {
            *rest = behind;
            may(name)
        }
        [] => false,
    }
}

#[test]
fn expressions_mean_what_they_say() {
    let may = |name: &str| matches!(name, "MIT" | "Unicode-3.0");
    for (expression, expected) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("Unlicense OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("GPL-3.0 AND Unicode-3.0 OR MIT", true),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("Apache-2.0 WITH LLVM-exception OR MIT", true),
        ("(MIT", false),
        ("MIT)", false),
        ("", false),
    ] {
        assert_eq!(is_satisfied(expression, &may), expected, "{expression:?}");
    }
}
