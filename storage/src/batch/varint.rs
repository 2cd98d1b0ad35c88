//! The zigzag varints of records, as Kafka's reader takes them: up to 5 bytes for 32 bits and 10 for 64; bits beyond the
//! width are dropped, one byte more is an error.

/// Reads from the front of a slice. Every method is None where the bytes end or the number is malformed.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    #[inline(always)]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// A 32-bit zigzag varint.
    #[inline(always)]
    pub(crate) fn int(&mut self) -> Option<i32> {
        match *self.rest {
            [a, ref rest @ ..] if a < 0x80 => {
                self.rest = rest;
                Some(zigzag32(u32::from(a)))
            }
            [a, b, ref rest @ ..] if b < 0x80 => {
                self.rest = rest;
                Some(zigzag32(u32::from(a & 0x7f) | u32::from(b) << 7))
            }
            _ => self.long_int(),
        }
    }

    #[inline(never)]
    fn long_int(&mut self) -> Option<i32> {
        let mut raw = 0u32;
        for i in 0..5 {
            let byte = self.byte()?;
            raw |= u32::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                return Some(zigzag32(raw));
            }
        }
        None
    }

    /// A 64-bit zigzag varint.
    #[inline(always)]
    pub(crate) fn long(&mut self) -> Option<i64> {
        match *self.rest {
            [a, ref rest @ ..] if a < 0x80 => {
                self.rest = rest;
                Some(zigzag64(u64::from(a)))
            }
            _ => self.long_long(),
        }
    }

    #[inline(never)]
    fn long_long(&mut self) -> Option<i64> {
        let mut raw = 0u64;
        for i in 0..10 {
            let byte = self.byte()?;
            raw |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                return Some(zigzag64(raw));
            }
        }
        None
    }

    /// Takes `length` bytes; a negative length is a null, which takes none.
    #[inline(always)]
    pub(crate) fn nullable(&mut self, length: i32) -> Option<Option<&'a [u8]>> {
        match usize::try_from(length) {
            Ok(length) => {
                let (taken, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                Some(Some(taken))
            }
            Err(_) => Some(None),
        }
    }
}

const fn zigzag32(raw: u32) -> i32 {
    ((raw >> 1) as i32) ^ -((raw & 1) as i32)
}

const fn zigzag64(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ -((raw & 1) as i64)
}

/// Appends a 32-bit zigzag varint.
pub(crate) fn put_int(out: &mut Vec<u8>, value: i32) {
    put_raw(out, u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()));
}

/// Appends a 64-bit zigzag varint.
pub(crate) fn put_long(out: &mut Vec<u8>, value: i64) {
    put_raw(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends an unsigned varint.
pub(crate) fn put_raw(out: &mut Vec<u8>, mut raw: u64) {
    loop {
        let [low, ..] = raw.to_le_bytes();
        raw >>= 7;
        if raw == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_read() {
        for value in [0, 1, -1, 63, -64, 64, 8191, 8192, -8192, 1 << 20, i32::MAX, i32::MIN] {
            let mut out = Vec::new();
            put_int(&mut out, value);
            let mut cursor = Cursor::new(&out);
            assert_eq!(cursor.int(), Some(value));
            assert!(cursor.rest.is_empty());
            assert_eq!(Cursor::new(&out[..out.len() - 1]).int(), None);
        }
        for value in [0, -1, 1 << 33, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_long(&mut out, value);
            assert_eq!(Cursor::new(&out).long(), Some(value));
        }
    }

    #[test]
    fn too_long_is_refused_and_bits_beyond_the_width_are_dropped() {
        assert_eq!(Cursor::new(&[0x80; 6]).int(), None);
        assert_eq!(Cursor::new(&[0x80; 11]).long(), None);
        assert_eq!(
            Cursor::new(&[0x80, 0x80, 0x80, 0x80, 0x7f]).int(),
            Cursor::new(&[0x80, 0x80, 0x80, 0x80, 0x0f]).int()
        );
    }
}
