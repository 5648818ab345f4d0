//! The one buffer into which all connections' records are written.

/// Beside the plaintext of a record and its overhead there is room for a message of the protocol itself.
const BYTES_AT_REST: usize = super::RECORD_BYTES_MAX + 1_024;

/// Bytes of the header in front of a record; its last two are the length of the rest.
#[cfg(feature = "tls")]
const HEADER_BYTES: usize = 5;

/// How many whole records `input` begins with.
#[cfg(feature = "tls")]
pub(super) fn count(mut input: &[u8]) -> usize {
    let mut count = 0;
    while let Some(bytes) = first_bytes(input)
        && let Some(rest) = input.get(bytes..)
    {
        (input, count) = (rest, count + 1);
    }
    count
}

/// How long the record is that `input` begins with; None: that is not known yet.
#[cfg(feature = "tls")]
pub(super) fn first_bytes(input: &[u8]) -> Option<usize> {
    let header = input.first_chunk::<HEADER_BYTES>()?;
    Some(HEADER_BYTES + usize::from(u16::from_be_bytes([header[3], header[4]])))
}

/// Records on their way to a socket.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    used: usize,
}

impl Records {
    /// Its contents.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Empties it; what was needed once for something large is given back.
    pub fn clear(&mut self) {
        self.used = 0;
        if self.bytes.len() > BYTES_AT_REST {
            self.bytes.truncate(BYTES_AT_REST);
            self.bytes.shrink_to_fit();
        }
    }

    /// Lets `write` write behind what is there. It says how many bytes it wrote, or how many it needs.
    #[cfg(feature = "tls")]
    pub(super) fn write(&mut self, mut write: impl FnMut(&mut [u8]) -> Result<usize, usize>) {
        if self.bytes.is_empty() {
            self.bytes.resize(BYTES_AT_REST, 0);
        }
        loop {
            match write(&mut self.bytes[self.used..]) {
                Ok(written) => {
                    self.used += written;
                    return;
                }
                Err(needed) => self.bytes.resize(self.used + needed, 0),
            }
        }
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "tls")]
    fn whole_records_are_counted() {
        let records = [&[23, 3, 3, 0, 2, 9, 9][..], &[23, 3, 3, 0, 0], &[22, 3, 3, 1, 0, 1]].concat();
        assert_eq!((count(&records), count(&records[..11]), count(&[])), (2, 1, 0));
    }

    #[test]
    fn it_grows_for_what_is_large_and_shrinks_again() {
        let mut records = Records::default();
        assert!(records.is_empty());
        for _ in 0..2 {
            records.write(|room| {
                if room.len() < 15_000 {
                    return Err(15_000);
                }
                room[..15_000].fill(7);
                Ok(15_000)
            });
        }
        assert_eq!(records.bytes(), [7; 30_000]);
        records.clear();
        assert!(records.is_empty() && records.bytes.capacity() < 20_000);
    }
}
