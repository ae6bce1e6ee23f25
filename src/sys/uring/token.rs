//! Names an operation in flight: which slot it belongs to, and as what.

/// The name that comes back with a completion; it fits the kernel's `user_data`.
///
/// The generation tells the connection that began an operation from the next one in the same
/// slot, so that a late completion can never touch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The place of the connection, or of the listener.
    pub slot_index: u32,
    /// How often the slot was used before, modulo [`Token::GENERATION_MAX`] + 1.
    pub generation: u32,
    /// What the operation does.
    pub kind: Kind,
}

/// What an operation does, as far as its owner needs to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// New connections of a listener.
    Accept,
    /// Bytes from a client.
    Receive,
    /// Bytes to a client.
    Send,
    /// Room in a socket's send buffer.
    Writable,
    /// A file to send.
    Open,
    /// A part of a file on its way into the page cache.
    Read,
    /// The end of another operation.
    Cancel,
    /// A second has passed.
    Tick,
    /// Another thread has something to say.
    Wake,
    /// A connection to a server.
    Connect,
    /// Bytes from a server that nobody looks at.
    Discard,
}

impl Token {
    /// The largest slot index a token can name.
    pub const SLOT_INDEX_MAX: u32 = (1 << SLOT_BITS) - 1;
    /// The largest generation a token can name.
    pub const GENERATION_MAX: u32 = u32::MAX;

    /// The token of an operation that belongs to no connection.
    pub const fn of_worker(kind: Kind) -> Self {
        Self {
            slot_index: 0,
            generation: 0,
            kind,
        }
    }

    /// The number the kernel keeps.
    pub const fn to_bits(self) -> u64 {
        assert!(self.slot_index <= Self::SLOT_INDEX_MAX);
        (self.kind as u64) << (32 + SLOT_BITS)
            | (self.slot_index as u64) << 32
            | self.generation as u64
    }

    /// The token of a number; none if it was never a token.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        let Some(kind) = Kind::from_bits(bits >> (32 + SLOT_BITS)) else {
            return None;
        };
        let slot_index = (bits >> 32) as u32 & Self::SLOT_INDEX_MAX;
        Some(Self {
            slot_index,
            generation: bits as u32,
            kind,
        })
    }
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Accept,
        Self::Receive,
        Self::Send,
        Self::Writable,
        Self::Open,
        Self::Read,
        Self::Cancel,
        Self::Tick,
        Self::Wake,
        Self::Connect,
        Self::Discard,
    ];

    const fn from_bits(bits: u64) -> Option<Self> {
        if bits < Self::ALL.len() as u64 {
            Some(Self::ALL[bits as usize])
        } else {
            None
        }
    }
}

const SLOT_BITS: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_way_through_the_kernel() {
        for kind in Kind::ALL {
            for slot_index in [0, 1, Token::SLOT_INDEX_MAX] {
                for generation in [0, 7, Token::GENERATION_MAX] {
                    let token = Token {
                        slot_index,
                        generation,
                        kind,
                    };
                    assert_eq!(Token::from_bits(token.to_bits()), Some(token));
                }
            }
        }
        assert_eq!(Token::from_bits(u64::MAX), None);
    }
}
