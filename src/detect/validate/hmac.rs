//! Keyed hashes (RFC 2104) with SHA-1 and SHA-256, whose blocks have 64 bytes.

use sha2::Digest;

/// Bytes of a block of either hash.
pub(super) const BLOCK_LEN: usize = 64;

/// The keyed hash of `message`.
pub(super) fn hmac<D: Digest>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let hashed = (key.len() > BLOCK_LEN).then(|| D::digest(key).to_vec());
    let mut block = [0_u8; BLOCK_LEN];
    for (place, byte) in block.iter_mut().zip(hashed.as_deref().unwrap_or(key)) {
        *place = *byte;
    }
    let inner = D::new_with_prefix(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    D::new_with_prefix(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_cases_of_the_specifications_agree() {
        // RFC 2202, case 2; RFC 4231, cases 2 and 6.
        let hex = |bytes: Vec<u8>| data_encoding::HEXLOWER.encode(&bytes);
        let text = b"what do ya want for nothing?";
        assert_eq!(hex(hmac::<sha1::Sha1>(b"Jefe", text)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            hex(hmac::<sha2::Sha256>(b"Jefe", text)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(hmac::<sha2::Sha256>(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
