//! Changes of kept inputs, the same in every run: what a fuzzer would try first.

/// Bytes that mean something to one reader or another.
const TOKENS: &[&[u8]] = &[
    b"\n",
    b"\0",
    b"=",
    b":",
    b"::",
    b" ",
    b"\"",
    b"\\",
    b"#",
    b",",
    b"/",
    b"{",
    b"}",
    b"<",
    b">",
    b">>>\n",
    b"<<<\n",
    b"###\n",
    b"%%%\n",
    b"(0)",
    b"0",
    b"-1",
    b"65535",
    b"4294967296",
    b"18446744073709551615",
    b"1.5",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f",
    b"\x1b[",
    "é".as_bytes(),
];

/// Splitmix64, so that a release of somebody else's generator changes nothing here.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).expect("64 bits are enough");
        usize::try_from(self.next() % limit).expect("it is below one")
    }
}

/// The `round`-th change of one of these inputs, of which there is at least one.
pub fn mutated(inputs: &[Vec<u8>], round: u64) -> Vec<u8> {
    let dice = &mut Dice(round);
    let mut bytes = inputs[dice.below(inputs.len())].clone();
    for _ in 0..=dice.below(4) {
        change(&mut bytes, inputs, dice);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, inputs: &[Vec<u8>], dice: &mut Dice) {
    let place = dice.below(bytes.len() + 1);
    let length = dice.below(16).min(bytes.len() - place);
    match dice.below(7) {
        0 => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << dice.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = dice.next().to_le_bytes()[0];
            }
        }
        2 => drop(bytes.drain(place..place + length)),
        3 => {
            let copy = bytes[place..place + length].to_vec();
            let times = 1 + dice.below(3);
            bytes.splice(place..place, copy.repeat(times));
        }
        4 => {
            let token = TOKENS[dice.below(TOKENS.len())];
            bytes.splice(place..place, token.iter().copied());
        }
        5 => {
            let token = TOKENS[dice.below(TOKENS.len())];
            bytes.splice(place..place + length, token.iter().copied());
        }
        // The beginning of one input and the end of another.
        _ => {
            let other = &inputs[dice.below(inputs.len())];
            bytes.truncate(place);
            bytes.extend(&other[dice.below(other.len() + 1)..]);
        }
    }
}
