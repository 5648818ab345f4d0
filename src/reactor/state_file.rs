//! `state_file`: logs and epochs outlive the process. They are written when the end has come, after all that was
//! published, and taken over once by whoever starts next. A server that dies has written nothing of that kind: its
//! successor has what a [snapshot](super::snapshot) has kept, or nothing, under new epochs, and nobody is told that it
//! has missed nothing.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::config::{LogLevel, channel_name_ok};
use crate::push::Channels;
use crate::push::state::{self, Loaded, StateError, StateKind, StateWriter, Terms};

use super::directory::Opened;
use super::reactor::Reactor;
use super::socket::Socket;

/// Bytes that are read and written at once.
const PIECE_BYTES: usize = 256 << 10;

impl<S: Socket> Reactor<S> {
    /// Takes over the state that a predecessor has left. Before anything has happened here.
    pub fn load_state(&mut self) {
        let Some(file) = self.config.state_file.clone() else { return };
        match self.read_state(Path::new(&file)) {
            Ok(None) => self.journal.event(self.now, LogLevel::Info, "no_state", &[("file", &file)]),
            Ok(Some(Loaded { publications, channels_dropped, kind, .. })) => {
                let (channels, revoked) = (self.channels.len(), self.revoked.len());
                let epochs = if kind == StateKind::Final { "kept" } else { "new" };
                let fields: [(&str, &dyn Display); 6] = [
                    ("file", &file),
                    ("channels", &channels),
                    ("publications", &publications),
                    ("channels_dropped", &channels_dropped),
                    ("revoked_users", &revoked),
                    ("epochs", &epochs),
                ];
                self.journal.event(self.now, LogLevel::Info, "state_loaded", &fields);
            }
            Err(problem) => {
                // Somebody else's file stays somebody else's.
                self.exit.leaves_state = matches!(problem, StateError::Foreign);
                let fields: [(&str, &dyn Display); 3] = [
                    ("file", &file),
                    ("problem", &problem),
                    ("so", &"all channels begin anew, under new epochs"),
                ];
                self.journal.event(self.now, LogLevel::Warn, "state_refused", &fields);
            }
        }
    }

    /// Takes over what another reactor has loaded.
    pub fn adopt_state(&mut self, loaded: &Reactor<S>) {
        self.channels = loaded.channels.replica();
        self.revoked = loaded.revoked.clone();
        self.tell_channels_the_policy();
    }

    fn read_state(&mut self, path: &Path) -> Result<Option<Loaded>, StateError> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(data) if !data.is_file() => return Err(StateError::Foreign),
            _ => {}
        }
        let file = File::open(path).map_err(StateError::Io)?;
        state::verify(&file)?;
        (&file).seek(SeekFrom::Start(0)).map_err(StateError::Io)?;
        let mut channels = Channels::new(self.channels.limits(), self.shared.default_epoch());
        channels.set_rules(self.config.channel_rule.clone());
        let terms = Terms {
            is_name: channel_name_ok,
            channels_max: self.config.channels_max,
            now_us: self.now.mono_us,
            new_epoch: self.shared.default_epoch() + 1,
        };
        let loaded = state::load(BufReader::with_capacity(PIECE_BYTES, file), &mut channels, terms)?;
        if loaded.kind == StateKind::Final {
            // It is true once: who died after this would otherwise come back with offsets that were given away.
            fs::remove_file(path).map_err(StateError::Io)?;
        }
        self.channels = channels;
        self.tell_channels_the_policy();
        self.channels.settle(self.now.mono_us, |_, _| {});
        let heads = self.channels.iter().map(|(_, channel)| Opened {
            name: channel.name.clone(),
            epoch: channel.epoch,
            next_offset: channel.log().next_offset(),
        });
        self.shared.restore(heads, loaded.counters);
        for (user, until_s) in &loaded.revoked {
            // A file with more of them than there may be was refused.
            let _ = self.revoked.add(user, *until_s);
        }
        Ok(Some(loaded))
    }

    /// Writes the state for the successor, when nobody is connected any more.
    pub(super) fn save_state(&mut self) {
        let Some(file) = self.config.state_file.clone() else { return };
        if self.exit.leaves_state {
            return;
        }
        self.exit.leaves_state = true;
        self.end_snapshot();
        // A publication that has its receipt is in the state.
        let mut carried = None;
        while carried != Some(self.inbox.carried) {
            carried = Some(self.inbox.carried);
            self.work.begin_commands();
            self.carry_out_commands();
        }
        let written = put_file(Path::new(&file), |file| {
            let mut writer = StateWriter::begin(buffered(file), StateKind::Final, self.shared.counters())?;
            for (_, channel) in self.channels.iter() {
                if state::is_saved(channel) {
                    writer.channel(channel)?;
                }
            }
            finish(writer.end(self.revoked.iter())?)
        });
        match written {
            Ok(bytes) => self.note_saved(&file, StateKind::Final, bytes),
            Err(problem) => self.note_not_saved(&file, &problem),
        }
    }

    /// A state is on the disk.
    pub(super) fn note_saved(&mut self, file: &str, kind: StateKind, bytes: u64) {
        let kind = if kind == StateKind::Final { "final" } else { "snapshot" };
        let fields: [(&str, &dyn Display); 3] = [("file", &file), ("bytes", &bytes), ("kind", &kind)];
        self.journal.event(self.now, LogLevel::Info, "state_saved", &fields);
    }

    /// It is not.
    pub(super) fn note_not_saved(&mut self, file: &str, problem: &dyn Display) {
        let so = "the next start begins anew, under new epochs, unless a later state is saved";
        let fields: [(&str, &dyn Display); 3] = [("file", &file), ("problem", problem), ("so", &so)];
        self.journal.event(self.now, LogLevel::Error, "state_not_saved", &fields);
    }
}

/// Room for what is written at once.
pub(super) fn buffered(file: &File) -> BufWriter<&File> {
    BufWriter::with_capacity(PIECE_BYTES, file)
}

/// Writes the rest, and the header last of all; how many bytes there are.
pub(super) fn finish(
    (mut buffered, header): (BufWriter<&File>, [u8; state::HEADER_BYTES]),
) -> io::Result<u64> {
    buffered.flush()?;
    let file = *buffered.get_ref();
    file.write_all_at(&header, 0)?;
    Ok(file.metadata()?.len())
}

/// A file is there whole or not at all: it is written beside its place, and moved there when it is on the disk.
pub(super) fn put_file(path: &Path, write: impl FnOnce(&File) -> io::Result<u64>) -> io::Result<u64> {
    let beside = {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        name
    };
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = write(&file).and_then(|bytes| {
        file.sync_all()?;
        fs::rename(&beside, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
