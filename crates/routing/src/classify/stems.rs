//! Where any of many short texts stand in another: every place of each, overlapping ones too.
//!
//! - From each byte of the text on a trie is walked as far as it goes. An automaton that never goes back would look at each byte once,
//!   but each look waits for the one before it; walks from different bytes wait for nothing, and the memory that they need is an eighth.
//! - Four bytes that no stem begins with, as three of four are in plain text, are told by one bit ([`Stems::begins`]). Where a walk
//!   begins is found by them; stems that are shorter are looked for apart.
//! - The trie is one row of numbers: a node's first child stands right behind it, so that the end of a stem, which no other shares, is
//!   read in one go.

/// Bytes that a walk begins with.
const BEGINNING: usize = 4;
/// Bits that tell whether a beginning is worth a look: many more than there are beginnings.
const BITS_LOG2: u32 = 17;
/// Slots of a beginning's table.
const SLOTS_LOG2: u32 = 15;
/// Of a node's first number: its children, whether a stem ends there, the byte of its first child.
const CHILDREN: u32 = 0xff;
const ENDS: u32 = 1 << 8;
const FIRST_SHIFT: u32 = 16;
/// Of a number that tells another child: where it stands; above that its byte.
const PLACE: u32 = (1 << LABEL_SHIFT) - 1;
const LABEL_SHIFT: u32 = 24;

/// Texts to be found.
#[derive(Debug, Default)]
pub(super) struct Stems {
    /// By the hash of four bytes: whether any stem begins so.
    begins: Vec<u64>,
    /// By the same: the four bytes, and where the walk goes on. Empty slots go nowhere.
    slots: Vec<Option<(u32, u32)>>,
    /// The tries behind the beginnings.
    trie: Vec<u32>,
    /// By their first two bytes: whether stems that are shorter than a beginning begin so.
    short_begins: Vec<u64>,
    /// Those stems, filled up with zeros, sorted.
    short: Vec<(u32, u32)>,
}

fn hash(beginning: u32, log2: u32) -> usize {
    (beginning.wrapping_mul(0x9e37_79b1) >> (32 - log2)) as usize
}

fn is_set(bits: &[u64], at: usize) -> bool {
    bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}

fn set(bits: &mut [u64], at: usize) {
    if let Some(word) = bits.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

/// The first bytes of a text as one number; zeros where it has no more.
fn begun(text: &[u8]) -> u32 {
    let bytes = text.iter().take(BEGINNING).zip([0, 8, 16, 24]);
    bytes.fold(0, |all, (byte, shift)| all | u32::from(*byte) << shift)
}

impl Stems {
    /// From stems in the order of their bytes, none twice, each of two bytes or more and none with a zero in it; `None`: they aren't, or are
    /// too many. A stem is called by its place among them.
    pub(super) fn of<'t>(stems: impl Iterator<Item = &'t str>) -> Option<Stems> {
        let all: Vec<(&[u8], u32)> = stems.map(str::as_bytes).zip(0..).collect();
        if !all.is_sorted_by(|(a, _), (b, _)| a < b)
            || all.iter().any(|(stem, _)| stem.len() < 2 || stem.contains(&0))
        {
            return None;
        }
        let mut made = Stems {
            begins: vec![0; (1 << BITS_LOG2) / 64],
            slots: vec![None; 1 << SLOTS_LOG2],
            short_begins: vec![0; (1 << 16) / 64],
            ..Stems::default()
        };
        let (short, long): (Vec<_>, Vec<_>) = all.into_iter().partition(|(stem, _)| stem.len() < BEGINNING);
        for (stem, number) in short {
            let begun = begun(stem);
            set(&mut made.short_begins, (begun & 0xffff) as usize);
            made.short.push((begun, number));
        }
        made.short.sort_unstable();
        for group in long.chunk_by(|(a, _), (b, _)| begun(a) == begun(b)) {
            let beginning = group.first().map(|(stem, _)| begun(stem))?;
            set(&mut made.begins, hash(beginning, BITS_LOG2));
            let node = made.node(group, BEGINNING)?;
            let at = hash(beginning, SLOTS_LOG2);
            let mut places = (at..1 << SLOTS_LOG2).chain(0..at);
            let free = places.find(|at| made.slots.get(*at).is_some_and(Option::is_none))?;
            *made.slots.get_mut(free)? = Some((beginning, node));
        }
        Some(made)
    }

    /// Writes the node of stems that begin with the same bytes, so many, and those behind it; says where it stands.
    fn node(&mut self, stems: &[(&[u8], u32)], depth: usize) -> Option<u32> {
        let place = u32::try_from(self.trie.len()).ok().filter(|place| *place <= PLACE)?;
        let (own, longer) = match stems.split_first() {
            Some(((stem, number), longer)) if stem.len() == depth => (Some(*number), longer),
            _ => (None, stems),
        };
        let label = |stem: &[u8]| stem.get(depth).copied().unwrap_or_default();
        let children: Vec<&[(&[u8], u32)]> = longer.chunk_by(|(a, _), (b, _)| label(a) == label(b)).collect();
        let labels: Vec<u32> =
            children.iter().filter_map(|group| Some(u32::from(label(group.first()?.0)))).collect();
        let first = labels.first().copied().unwrap_or_default();
        let ends = if own.is_some() { ENDS } else { 0 };
        self.trie.push(u32::try_from(children.len()).ok()?.min(CHILDREN) | ends | first << FIRST_SHIFT);
        self.trie.extend(own);
        let others = self.trie.len();
        self.trie.extend(labels.iter().skip(1));
        for (number, group) in children.into_iter().enumerate() {
            let node = self.node(group, depth + 1)?;
            if let Some(other) = number.checked_sub(1).and_then(|number| self.trie.get_mut(others + number)) {
                *other = *other << LABEL_SHIFT | node;
            }
        }
        Some(place)
    }

    /// Tells each place of each stem in a text that ends in three zeros: where its last byte stands, and the stem.
    pub(super) fn find(&self, text: &[u8], mut take: impl FnMut(usize, u32)) {
        let mut begun = 0;
        for (end, byte) in text.iter().enumerate() {
            begun = begun >> 8 | u32::from(*byte) << 24;
            if is_set(&self.begins, hash(begun, BITS_LOG2)) {
                self.walk(begun, text, end, &mut take);
            }
            if is_set(&self.short_begins, (begun & 0xffff) as usize) {
                for (bytes, mask) in [(2, 0xffff), (3, 0xff_ffff)] {
                    let found = self.short.binary_search_by_key(&(begun & mask), |(short, _)| *short);
                    let found = found.ok().and_then(|at| self.short.get(at));
                    if let Some((_, stem)) = found.filter(|(short, _)| bytes == 2 || short >> 16 != 0) {
                        take((end + bytes).saturating_sub(BEGINNING), *stem);
                    }
                }
            }
        }
    }

    /// From four bytes, the last of which stands at `end`, as far as stems go.
    fn walk(&self, begun: u32, text: &[u8], end: usize, take: &mut impl FnMut(usize, u32)) {
        let at = hash(begun, SLOTS_LOG2);
        let slots = self.slots.iter().skip(at).chain(&self.slots).map_while(|slot| *slot);
        let Some((_, node)) = slots.into_iter().find(|(beginning, _)| *beginning == begun) else { return };
        let (mut node, mut end) = (node as usize, end);
        while let Some(own) = self.trie.get(node).copied() {
            let mut others = node + 1;
            if own & ENDS != 0 {
                if let Some(stem) = self.trie.get(others) {
                    take(end, *stem);
                }
                others += 1;
            }
            let children = (own & CHILDREN) as usize;
            end += 1;
            let Some(byte) = text.get(end).copied().filter(|_| children > 0) else { return };
            let first = others + children - 1;
            if own >> FIRST_SHIFT == u32::from(byte) {
                node = first;
                continue;
            }
            let others = self.trie.get(others..first).unwrap_or_default();
            let Some(other) = others.iter().find(|other| *other >> LABEL_SHIFT == u32::from(byte)) else {
                return;
            };
            node = (other & PLACE) as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn found(stems: &[&str], text: &str) -> Vec<(usize, String)> {
        let made = Stems::of(stems.iter().copied()).unwrap();
        let mut all = Vec::new();
        made.find(format!("{text}\0\0\0").as_bytes(), |end, stem| {
            all.push((end, stems[stem as usize].to_owned()))
        });
        all.sort();
        all
    }

    #[test]
    fn stems_are_found_wherever_they_stand_and_nothing_else_is() {
        let mut random = Random::new(11);
        for round in 0..300 {
            let letters = ["a", "b", "c", " ", "ä", "ß", "字"];
            let letters = &letters[..2 + round % 6];
            let mut text = |most: u64| -> String {
                let length = 1 + random.bits() % most;
                (0..length).map(|_| letters[(random.bits() % letters.len() as u64) as usize]).collect()
            };
            let mut stems: Vec<String> = (0..60).map(|_| text(9)).filter(|stem| stem.len() > 1).collect();
            stems.sort();
            stems.dedup();
            let stems: Vec<&str> = stems.iter().map(String::as_str).collect();
            let text = text(200);
            let mut expect = Vec::new();
            for stem in &stems {
                let places = (0..text.len()).filter(|at| text.as_bytes()[*at..].starts_with(stem.as_bytes()));
                expect.extend(places.map(|at| (at + stem.len() - 1, (*stem).to_owned())));
            }
            expect.sort();
            assert_eq!(found(&stems, &text), expect, "{stems:?} in {text:?}");
        }
    }

    #[test]
    fn what_it_can_not_hold_it_refuses() {
        for stems in [&["a"][..], &["bb", "aa"], &["aa", "aa"], &["a\0a"]] {
            assert!(Stems::of(stems.iter().copied()).is_none(), "{stems:?}");
        }
        assert_eq!(found(&[], "abc"), Vec::new());
    }
}
