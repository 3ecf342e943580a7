//! Ethernet addresses, and how they stand in a message.

/// The type of the message that tells them. A node of heartbeat 3.0.6 is sent none.
pub(super) const KIND: &str = "hb_hardware";

/// An Ethernet address.
pub type Ethernet = [u8; 6];

/// More than these of one node are neither told nor heard.
pub const MOST_ETHERNET: usize = 16;

/// What this node has told, and how new the other's word is.
#[derive(Debug, Default)]
pub(super) struct Hardware {
    /// What this node has, as it was told last.
    pub(super) own: Vec<Ethernet>,
    /// Generation and number of what was heard last: a message that was lost and comes late is no news.
    pub(super) heard: (u64, u64),
}

/// As in `020000000001,020000000002`.
pub fn write_ethernet(all: &[Ethernet]) -> String {
    let words = all.iter().map(|address| {
        let digits = address.iter().map(|byte| format!("{byte:02x}"));
        digits.collect::<String>()
    });
    words.collect::<Vec<_>>().join(",")
}

/// The reverse of [`write_ethernet`]; none when that is not what it is.
pub fn read_ethernet(text: &str) -> Option<Vec<Ethernet>> {
    let words = text.split(',').take(MOST_ETHERNET.saturating_add(1));
    let all = words.map(|word| {
        let mut address = Ethernet::default();
        let is_hex = word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(word, 16).ok().filter(|_| is_hex)?;
        let bytes = number.to_be_bytes();
        address.copy_from_slice(bytes.get(2..)?);
        Some(address)
    });
    let all = all.collect::<Option<Vec<_>>>()?;
    (all.len() <= MOST_ETHERNET).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_and_nothing_else_is_taken_for_one() {
        let all = [[2, 0, 0, 0, 0, 1], [0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa]];
        let text = write_ethernet(&all);
        assert_eq!(text, "020000000001,ffeeddccbbaa");
        assert_eq!(read_ethernet(&text), Some(all.to_vec()));
        let many = vec![[7; 6]; MOST_ETHERNET];
        assert_eq!(read_ethernet(&write_ethernet(&many)), Some(many.clone()));
        let too_many = vec![[7; 6]; MOST_ETHERNET + 1];
        for wrong in [
            "",
            "02000000000",
            "0200000000011",
            "+20000000001",
            "02000000000g",
            "020000000001,",
            &write_ethernet(&too_many),
        ] {
            assert_eq!(read_ethernet(wrong), None, "{wrong}");
        }
    }
}
