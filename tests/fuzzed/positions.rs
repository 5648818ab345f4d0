//! Positions and beginnings of subscriptions, as clients write them.

use wspush::push::{Position, Since};

/// A text in which a position or a beginning is written in just one way, or refused in one line.
pub fn since(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Since>() {
        Ok(since) => {
            assert_eq!(since.to_string(), text);
            assert_eq!(matches!(since, Since::Position(_)), text.parse::<Position>().is_ok());
        }
        Err(error) => {
            assert!(text.parse::<Position>().is_err());
            let said = error.to_string();
            assert!(said.starts_with("not ") && said.len() < 100 && !said.contains('\n'), "{said}");
        }
    }
}
