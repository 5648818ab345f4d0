//! Files that settings name.

use std::fs::File;
use std::io::Read;

/// The contents of the file, up to so many bytes; or why they can't be read.
pub fn read_file(name: &str, bytes_max: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(name).and_then(|open| open.take(bytes_max + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(format!("cannot be read: {error}")),
        Ok(n) if n as u64 > bytes_max => Err(format!("larger than {bytes_max} bytes")),
        Ok(0) => Err("the file is empty".to_owned()),
        Ok(_) => Ok(bytes),
    }
}
