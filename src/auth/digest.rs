//! Hashes of what is shown as a proof.

/// The SHA-256 of `bytes`.
#[cfg(feature = "auth")]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(all(test, feature = "auth"))]
mod tests {
    #[test]
    fn known_hash() {
        // FIPS 180-2, appendix B.1.
        let hex: String = super::sha256(b"abc").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
