//! Positions and beginnings of subscriptions, as clients write them.

use wspush::push::state::{self as state_file, HEADER_BYTES, StateKind, StateWriter, Terms};
use wspush::push::{Channels, LogLimits};
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

/// The body of a state file: whatever is taken comes out as it went in.
pub fn state(data: &[u8]) {
    let limits = LogLimits { bytes: 1 << 14, publications: 8, sum_bytes: 1 << 18 };
    assert!(state_file::verify(data).is_err() || data.len() >= HEADER_BYTES);
    for kind in [StateKind::Final, StateKind::Snapshot] {
        state_of_kind(kind, data, limits);
    }
}

fn state_of_kind(kind: StateKind, data: &[u8], limits: LogLimits) {
    let terms =
        Terms { is_name: wspush::config::channel_name_ok, channels_max: 8, now_us: 5, new_epoch: 1_000 };
    let sealed = state_file::seal(kind, data);
    state_file::verify(&sealed[..]).expect("its own header");
    let mut channels = Channels::new(limits, 1);
    let Ok(loaded) = state_file::load(&sealed[..], &mut channels, terms) else { return };
    assert_eq!(loaded.kind, kind);
    if kind == StateKind::Snapshot {
        let is_new = |epoch| epoch > loaded.counters.last_epoch && epoch >= 1_000;
        assert!(channels.iter().all(|(_, channel)| channel.epoch == 1 || is_new(channel.epoch)));
    }
    assert!(channels.len() <= 8 && channels.log_bytes() <= limits.sum_bytes);
    let mut writer = StateWriter::begin(Vec::new(), StateKind::Final, loaded.counters).expect("memory");
    channels.iter().for_each(|(_, channel)| writer.channel(channel).expect("memory"));
    let revoked = loaded.revoked.iter().map(|(user, until_s)| (&**user, *until_s));
    let (mut bytes, header) = writer.end(revoked).expect("memory");
    bytes[..HEADER_BYTES].copy_from_slice(&header);
    state_file::verify(&bytes[..]).expect("written by us");
    let mut again = Channels::new(limits, 1);
    let reloaded = state_file::load(&bytes[..], &mut again, terms).expect("written by us");
    assert_eq!((reloaded.publications, again.len()), (loaded.publications, channels.len()));
    assert_eq!(reloaded.revoked, loaded.revoked);
}
