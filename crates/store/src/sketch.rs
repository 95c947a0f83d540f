//! How long things took, or how fast they went: counts in buckets of which each begins a twentieth above the one before, so that
//! any percentile is within 2.5 % of the true one. Two sketches are one by adding their counts.
//!
//! As text, a bucket is two letters and its count digits: `AHAI12` is one in bucket `AH` and twelve in `AI`, a count of one being
//! left out. Texts behind each other are the text of both, so that a database adds to a sketch by `||`; what has grown long by that
//! is written anew.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Where the second bucket begins; all that is less is in the first.
const LEAST: i64 = 1_000;
/// Where the last bucket begins.
const MOST: i64 = 3_600_000_000;

/// As many as two letters name.
const BUCKETS_MAX: usize = 26 * 26;

/// Where each bucket begins. Whole numbers, so that every machine has the same.
static BEGINS: LazyLock<Vec<i64>> = LazyLock::new(|| {
    let mut begins = vec![0];
    let mut next = LEAST;
    while next < MOST {
        begins.push(next);
        next += next / 20;
    }
    begins.push(MOST);
    begins
});

/// A distribution of whole numbers: microseconds, or thousandths of tokens per second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch(BTreeMap<u16, u64>);

impl Sketch {
    /// Takes in one number.
    pub fn add(&mut self, number: i64) {
        let bucket = BEGINS.partition_point(|begin| *begin <= number).saturating_sub(1);
        *self.0.entry(u16::try_from(bucket).unwrap_or(u16::MAX)).or_default() += 1;
    }

    /// Takes in another.
    pub fn merge(&mut self, other: &Sketch) {
        for (bucket, count) in &other.0 {
            let sum = self.0.entry(*bucket).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// How many numbers it has taken in.
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The number that so many thousandths are not above, in the middle of its bucket; `None`: there is none.
    pub fn quantile(&self, per_mille: u64) -> Option<i64> {
        let rank = u128::from(self.count()) * u128::from(per_mille.min(1_000));
        let rank = rank.div_ceil(1_000).max(1);
        let mut seen = 0u128;
        let (bucket, _) = self.0.iter().find(|(_, count)| {
            seen += u128::from(**count);
            seen >= rank
        })?;
        let begin = BEGINS.get(usize::from(*bucket)).copied().unwrap_or(MOST);
        let end = BEGINS.get(usize::from(*bucket) + 1).copied().unwrap_or(begin);
        Some(begin + (end - begin) / 2)
    }

    /// Whether nothing was taken in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As it is stored.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(self.0.len() * 4);
        for (bucket, count) in &self.0 {
            for digit in [bucket / 26, bucket % 26] {
                text.push(char::from(b'A' + u8::try_from(digit).unwrap_or(25).min(25)));
            }
            if *count != 1 {
                text.push_str(&count.to_string());
            }
        }
        text
    }

    /// Reads one or several texts behind each other; `None`: they are damaged.
    pub(crate) fn read(text: &str) -> Option<Sketch> {
        // Many texts behind each other are counted faster in a row of all buckets than in a tree.
        let mut counts = [0u64; BUCKETS_MAX];
        let mut rest = text.as_bytes();
        while let [high, low, after @ ..] = rest {
            let letter = |byte: &u8| byte.is_ascii_uppercase().then(|| u16::from(byte - b'A'));
            let bucket = letter(high)? * 26 + letter(low)?;
            let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (number, after) = after.split_at_checked(digits)?;
            let count = match number {
                [] => 1,
                number => std::str::from_utf8(number).ok()?.parse().ok()?,
            };
            let sum = counts.get_mut(usize::from(bucket))?;
            *sum = u64::saturating_add(*sum, count);
            rest = after;
        }
        let counted = (0..).zip(counts).filter(|(_, count)| *count > 0);
        rest.is_empty().then(|| Sketch(counted.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_fortieth() {
        let mut sketch = Sketch::default();
        let mut numbers: Vec<i64> = (0..10_000).map(|n| 1_000 + n * n * 7).collect();
        numbers.iter().for_each(|number| sketch.add(*number));
        numbers.sort_unstable();
        for per_mille in [1, 100, 500, 900, 950, 990, 999, 1_000] {
            let exact = numbers[(per_mille as usize * numbers.len()).div_ceil(1_000) - 1];
            let told = sketch.quantile(per_mille).unwrap();
            assert!((told - exact).abs() * 40 <= exact + 40, "{per_mille}: {told} for {exact}");
        }
        assert_eq!(Sketch::default().quantile(500), None);
    }

    #[test]
    fn texts_behind_each_other_are_the_text_of_both() {
        let of = |numbers: &[i64]| {
            let mut sketch = Sketch::default();
            numbers.iter().for_each(|number| sketch.add(*number));
            sketch
        };
        let (one, two) = (of(&[0, 999, 1_000, 5_000_000]), of(&[i64::MAX, -5, 1_000, 2_000]));
        let both = Sketch::read(&format!("{}{}", one.text(), two.text())).unwrap();
        let mut sum = one.clone();
        sum.merge(&two);
        assert_eq!((both.clone(), both.count()), (sum.clone(), 8));
        assert_eq!(Sketch::read(&sum.text()), Some(sum));
        assert_eq!(of(&[1_000, 1_000]).text(), "AB2");
        for damaged in ["A", "AB1x", "ab1", "AB99999999999999999999999"] {
            assert_eq!(Sketch::read(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn every_bucket_has_two_letters() {
        assert!(
            BEGINS.len() < BUCKETS_MAX && BEGINS.windows(2).all(|pair| pair[0] < pair[1]),
            "{}",
            BEGINS.len()
        );
    }
}
