//! The id of a connection as its client, and its app's backends, know it.

use std::fmt;

use super::super::json::decimal;

/// `EPOCH.CONN`, both decimal: when the process began, and the connection's id in it. So a signature that was made for
/// a connection is never good for another one, and the connection of an id is found without a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketId {
    /// Of the process.
    pub epoch: u64,
    /// Of the connection.
    pub conn: u64,
}

impl SocketId {
    /// The id with this text; None: no server gives such ids.
    pub fn parse(text: &str) -> Option<SocketId> {
        let (epoch, conn) = text.split_once('.')?;
        Some(SocketId { epoch: decimal(epoch)?, conn: decimal(conn)? })
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.conn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (epoch, conn) in [(0, 0), (1_795_257_271_813_595, 4_294_967_297), (u64::MAX, u64::MAX)] {
            let id = SocketId { epoch, conn };
            assert_eq!(SocketId::parse(&id.to_string()), Some(id));
        }
        for text in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "1.2.3",
            "01.2",
            "1.02",
            "+1.2",
            "1.-2",
            "a.b",
            "1.18446744073709551616",
        ] {
            assert_eq!(SocketId::parse(text), None, "{text}");
        }
    }
}
