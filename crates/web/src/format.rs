//! Values for people. Everything that a page, a feed or a sentence says in numbers goes through here, so that prose and
//! tables can't differ.
//!
//! - Prices are shown with their significant digits (at least two after the point, at most six in all), from integers.
//! - Totals of the books have two digits, cut; estimates two from one dollar on and three significant ones below it.
//! - Tokens are short (`1.05M`) with all digits (`1,048,576`) behind the short form.
//! - A share is never shown as all or nothing unless it is.
//! - Unknown is a dash that is spoken as "unknown"; a price that is not charged of its own is another dash.

mod money;
mod number;
mod shown;
mod time;

pub(crate) use money::{cost, per_million, per_thousand, price_name, quote, total, unit};
pub(crate) use number::{
    bytes, count, count_of, list, milliseconds, percent, ratio, short, speed, tokens, words, yes_no,
};
pub(crate) use shown::Shown;
pub(crate) use time::{age, date, day, day_number, duration, instant, iso_day, rfc3339};
