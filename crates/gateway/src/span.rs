//! An instant, or a span from or back from now: `since` of a replay, `--expires` and `--since` of the command line.

use std::str::FromStr;

use types::Timestamp;

/// `--expires`: an instant, or a span from now; of `--since` the span goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// At this instant.
    At(Timestamp),
    /// This many seconds from now, or before.
    In(i64),
}

impl FromStr for Expiry {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Expiry, &'static str> {
        const WRONG: &str =
            "write an instant such as 2030-01-31T12:00:00Z, or a span such as 30d, 12h or 45m";
        const SPAN_S_MAX: i64 = 100 * 365 * 86_400;
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Ok(Expiry::At(Timestamp(instant.as_microsecond())));
        }
        let unit_s = match text.chars().last() {
            Some('d') => 86_400,
            Some('h') => 3600,
            Some('m') => 60,
            _ => return Err(WRONG),
        };
        let count = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
        let plain = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
        let seconds = count.parse::<i64>().ok().and_then(|count| count.checked_mul(unit_s));
        seconds.filter(|s| plain && (1..=SPAN_S_MAX).contains(s)).map(Expiry::In).ok_or(WRONG)
    }
}

impl Expiry {
    /// The instant that is meant.
    pub fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Expiry::At(instant) => instant,
            Expiry::In(seconds) => Timestamp(now.micros().saturating_add(seconds.saturating_mul(1_000_000))),
        }
    }

    /// The instant that is meant where spans go back.
    pub fn instant_before(self, now: Timestamp) -> Timestamp {
        match self {
            Expiry::At(instant) => instant,
            Expiry::In(seconds) => Timestamp(now.micros().saturating_sub(seconds.saturating_mul(1_000_000))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_instants_and_spans() {
        let now = Timestamp::from_seconds(1_000_000);
        let rows = [
            ("30d", Some(1_000_000 + 30 * 86_400)),
            ("12h", Some(1_000_000 + 12 * 3600)),
            ("45m", Some(1_000_000 + 45 * 60)),
            ("2030-01-31T12:00:00Z", Some(1_896_091_200)),
            ("2030-01-31T13:00:00+01:00", Some(1_896_091_200)),
            ("0d", None),
            ("-1d", None),
            ("+1d", None),
            ("30", None),
            ("d", None),
            ("", None),
            ("99999999999999999999d", None),
            ("30\u{e9}", None),
            ("2030-01-31", None),
        ];
        let back = "12h".parse::<Expiry>().map(|span| span.instant_before(now).seconds());
        assert_eq!(back, Ok(1_000_000 - 12 * 3600));
        for (text, expect) in rows {
            let got = text.parse::<Expiry>().ok().map(|expiry| expiry.instant(now).seconds());
            assert_eq!(got, expect, "{text}");
        }
    }
}
