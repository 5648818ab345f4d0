//! `state_file`: logs and epochs outlive the process. They are written when the end has come, after all that was
//! published, and taken over once by whoever starts next. A server that dies has written nothing, so its successor
//! begins anew under new epochs, and nobody is told that it has missed nothing.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::config::{LogLevel, channel_name_ok};
use crate::push::state::{self, Loaded, StateError, StateWriter, Terms};
use crate::push::{Channels, FIRST_OFFSET};

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
            Ok(Some(Loaded { publications, channels_dropped, .. })) => {
                let (channels, revoked) = (self.channels.len(), self.revoked.len());
                let fields: [(&str, &dyn Display); 5] = [
                    ("file", &file),
                    ("channels", &channels),
                    ("publications", &publications),
                    ("channels_dropped", &channels_dropped),
                    ("revoked_users", &revoked),
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
        };
        let loaded = state::load(BufReader::with_capacity(PIECE_BYTES, file), &mut channels, terms)?;
        // A state is true once: who died after this would otherwise come back with offsets that were given away.
        fs::remove_file(path).map_err(StateError::Io)?;
        self.channels = channels;
        self.tell_channels_the_policy();
        self.channels.settle(self.now.mono_us, |_| {});
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
        // A publication that has its receipt is in the state.
        let mut carried = None;
        while carried != Some(self.inbox.carried) {
            carried = Some(self.inbox.carried);
            self.work.begin_commands();
            self.carry_out_commands();
        }
        match self.write_state(Path::new(&file)) {
            Ok(bytes) => {
                let fields: [(&str, &dyn Display); 2] = [("file", &file), ("bytes", &bytes)];
                self.journal.event(self.now, LogLevel::Info, "state_saved", &fields);
            }
            Err(problem) => {
                let fields: [(&str, &dyn Display); 3] = [
                    ("file", &file),
                    ("problem", &problem),
                    ("so", &"the next start begins anew, under new epochs"),
                ];
                self.journal.event(self.now, LogLevel::Error, "state_not_saved", &fields);
            }
        }
    }

    /// A file is there whole or not at all: it is written beside its place, and moved there when it is on the disk.
    fn write_state(&self, path: &Path) -> io::Result<u64> {
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
        let written = self.write_channels(&file).and_then(|bytes| {
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

    fn write_channels(&self, file: &File) -> io::Result<u64> {
        let buffered = BufWriter::with_capacity(PIECE_BYTES, file);
        let mut writer = StateWriter::begin(buffered, self.shared.counters())?;
        for (_, channel) in self.channels.iter() {
            // Of one that nothing was published to there is nothing to keep.
            if channel.log().next_offset() > FIRST_OFFSET && channel.notices_of().is_none() {
                writer.channel(channel)?;
            }
        }
        let (mut buffered, header) = writer.end(self.revoked.iter())?;
        buffered.flush()?;
        drop(buffered);
        file.write_all_at(&header, 0)?;
        Ok(file.metadata()?.len())
    }
}
