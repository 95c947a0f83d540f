//! A provider's usage export: which column holds what, and the sums by day and model.
//!
//! OpenAI's and Anthropic's exports, of usage and of cost, are known by their headings; of any other the columns are told.
//! Several columns may hold the same field (two lengths of cache writes): they are added.

use std::collections::BTreeMap;
use std::path::Path;

use types::Money;

/// Largest export, rows.
const ROWS_MAX: usize = 5_000_000;

/// What a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Day,
    Model,
    /// Input that was neither read from nor written to a cache.
    Input,
    /// Input with everything cached.
    InputTotal,
    CacheRead,
    CacheWrite,
    Output,
    Requests,
    Cost,
}

impl Field {
    const ALL: [(&'static str, Field); 9] = [
        ("day", Field::Day),
        ("model", Field::Model),
        ("input", Field::Input),
        ("input_total", Field::InputTotal),
        ("cache_read", Field::CacheRead),
        ("cache_write", Field::CacheWrite),
        ("output", Field::Output),
        ("requests", Field::Requests),
        ("cost", Field::Cost),
    ];

    fn named(name: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }
}

/// Exports that are known by their headings: all of these columns are there.
const KNOWN: [&[(&str, Field)]; 4] = [
    // OpenAI, usage of completions; its input counts what was cached.
    &[
        ("start_time_iso", Field::Day),
        ("model", Field::Model),
        ("num_model_requests", Field::Requests),
        ("input_tokens", Field::InputTotal),
        ("output_tokens", Field::Output),
    ],
    // OpenAI, costs; a line item is a model and what of it.
    &[("start_time_iso", Field::Day), ("line_item", Field::Model), ("amount_value", Field::Cost)],
    // Anthropic, usage.
    &[
        ("usage_date_utc", Field::Day),
        ("model_version", Field::Model),
        ("usage_input_tokens_no_cache", Field::Input),
        ("usage_input_tokens_cache_write_5m", Field::CacheWrite),
        ("usage_input_tokens_cache_write_1h", Field::CacheWrite),
        ("usage_input_tokens_cache_read", Field::CacheRead),
        ("usage_output_tokens", Field::Output),
    ],
    // Anthropic, costs.
    &[("usage_date_utc", Field::Day), ("model", Field::Model), ("cost_usd", Field::Cost)],
];

/// Sums of one model on one day; `None`: the export doesn't say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) requests: Option<u64>,
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) cost: Option<Money>,
}

/// Sums by day and model. The model is empty where the export doesn't tell models apart.
pub(super) type Export = BTreeMap<(i64, String), Sums>;

/// `COLUMN=FIELD`, each; the column's name may hold `=` itself.
pub(super) fn mapping(told: &[String]) -> Result<Vec<(String, Field)>, String> {
    let one = |text: &String| {
        let allowed = Field::ALL.map(|(name, _)| name).join(", ");
        let wrong = || {
            format!(
                "--map {text}: write a column and what it holds, such as \"Usage date=day\"; allowed: {allowed}"
            )
        };
        let (column, field) = text.rsplit_once('=').ok_or_else(wrong)?;
        Ok((column.trim().to_owned(), Field::named(field.trim()).ok_or_else(wrong)?))
    };
    told.iter().map(one).collect()
}

/// Reads the file and adds it up.
pub(super) fn read(path: &Path, told: &[(String, Field)]) -> Result<Export, String> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(path)
        .map_err(|e| format!("can't be read: {e}"))?;
    let heading = reader.headers().map_err(|e| format!("can't be read: {e}"))?.clone();
    let heading: Vec<&str> = heading.iter().map(|name| name.trim_start_matches('\u{feff}').trim()).collect();
    let columns = columns(&heading, told)?;
    let mut export = Export::new();
    for (at, row) in reader.records().enumerate() {
        // The heading is line 1.
        let line = at + 2;
        if at >= ROWS_MAX {
            return Err(format!("has more than {ROWS_MAX} rows; export fewer days at a time"));
        }
        let row = row.map_err(|error| format!("line {line}: {error}"))?;
        add(&mut export, &row, &columns).map_err(|why| format!("line {line}: {why}"))?;
    }
    if export.is_empty() { Err("has no rows".to_owned()) } else { Ok(export) }
}

/// Places of columns, and what they hold.
fn columns(heading: &[&str], told: &[(String, Field)]) -> Result<Vec<(usize, Field)>, String> {
    let place = |name: &str| heading.iter().position(|column| column.eq_ignore_ascii_case(name));
    if told.is_empty() {
        let known = KNOWN.iter().find(|shape| shape.iter().all(|(name, _)| place(name).is_some()));
        let known = known.ok_or_else(|| {
            format!(
                "has the columns {}, which no known export has; say what they hold with --map COLUMN=FIELD",
                heading.join(", ")
            )
        })?;
        return Ok(known.iter().filter_map(|(name, field)| place(name).map(|at| (at, *field))).collect());
    }
    let mut columns = Vec::new();
    for (name, field) in told {
        let at =
            place(name).ok_or_else(|| format!("has no column `{name}`; it has {}", heading.join(", ")))?;
        columns.push((at, *field));
    }
    let has = |field| columns.iter().any(|(_, of)| *of == field);
    if !has(Field::Day) {
        return Err("needs a column with the day: --map COLUMN=day".to_owned());
    }
    if columns.iter().all(|(_, field)| matches!(field, Field::Day | Field::Model)) {
        return Err("needs a column to compare, such as --map COLUMN=cost".to_owned());
    }
    if has(Field::InputTotal) && (has(Field::Input) || has(Field::CacheRead) || has(Field::CacheWrite)) {
        return Err(
            "`input_total` holds the cached input already; leave the other input columns out".to_owned()
        );
    }
    Ok(columns)
}

fn add(export: &mut Export, row: &csv::StringRecord, columns: &[(usize, Field)]) -> Result<(), String> {
    let mut of = (None, String::new());
    let mut sums = Sums::default();
    for (at, field) in columns {
        let text = row.get(*at).unwrap_or_default().trim();
        match field {
            Field::Day => of.0 = Some(day(text).ok_or_else(|| format!("`{text}` is no day"))?),
            // `gpt-4o-mini-2024-07-18, input` is a line item of a model.
            Field::Model => text.split(',').next().unwrap_or_default().trim().clone_into(&mut of.1),
            Field::Cost => more(&mut sums.cost, dollars(text)?, Money::checked_add)?,
            Field::Requests => more(&mut sums.requests, count(text)?, u64::checked_add)?,
            Field::Output => more(&mut sums.output_tokens, count(text)?, u64::checked_add)?,
            Field::Input | Field::InputTotal | Field::CacheRead | Field::CacheWrite => {
                more(&mut sums.input_tokens, count(text)?, u64::checked_add)?;
            }
        }
    }
    let day = of.0.ok_or("has no day")?;
    let all = export.entry((day, of.1)).or_default();
    for (slot, one) in [
        (&mut all.requests, sums.requests),
        (&mut all.input_tokens, sums.input_tokens),
        (&mut all.output_tokens, sums.output_tokens),
    ] {
        one.map_or(Ok(()), |one| more(slot, one, u64::checked_add))?;
    }
    sums.cost.map_or(Ok(()), |cost| more(&mut all.cost, cost, Money::checked_add))
}

fn more<T: Copy + Default>(slot: &mut Option<T>, one: T, sum: fn(T, T) -> Option<T>) -> Result<(), String> {
    *slot = Some(sum(slot.unwrap_or_default(), one).ok_or("the numbers are too large to add up")?);
    Ok(())
}

/// A day, an instant or seconds since 1970, as days since 1970.
fn day(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds.div_euclid(86_400));
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_second().div_euclid(86_400));
    }
    let date: jiff::civil::Date = text.get(..10)?.parse().ok()?;
    let epoch = jiff::civil::date(1970, 1, 1);
    Some(i64::from(epoch.until(date).ok()?.get_days()))
}

/// Nothing is 0.
fn count(text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|c| !matches!(c, ',' | '_')).collect();
    let whole = plain.strip_suffix(".0").unwrap_or(&plain);
    if whole.is_empty() { Ok(0) } else { whole.parse().map_err(|_| format!("`{text}` is no count")) }
}

/// Nothing is 0. Digits beyond the nano-dollar are cut: theirs are finer than what is compared.
fn dollars(text: &str) -> Result<Money, String> {
    let plain: String = text.chars().filter(|c| !matches!(c, '$' | ',')).collect();
    let plain = plain.trim();
    if plain.is_empty() {
        return Ok(Money::ZERO);
    }
    let cut = match plain.split_once('.') {
        Some((whole, fraction)) => {
            let fraction: String = fraction
                .chars()
                .enumerate()
                .take_while(|(at, c)| *at < 9 || !c.is_ascii_digit())
                .map(|(_, c)| c)
                .collect();
            format!("{whole}.{fraction}")
        }
        None => plain.to_owned(),
    };
    cut.parse().map_err(|error: types::MoneyError| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(text: &str, told: &[&str]) -> Result<Export, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let told: Vec<String> = told.iter().map(|text| (*text).to_owned()).collect();
        read(file.path(), &mapping(&told)?)
    }

    const OPENAI: &str = "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens\n\
        1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,,3,,,gpt-5-mini-2025-08-07,false,default,1000,200,400\n\
        1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,,1,,,gpt-5-mini-2025-08-07,false,flex,10,2,0\n\
        1759708800,1759795200,2025-10-06T00:00:00+00:00,2025-10-07T00:00:00+00:00,,,,,,,,,,\n";
    const OPENAI_COST: &str = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id,organization_id,organization_name\n\
        1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,0.8958740000000000,usd,,,org-a,Personal\n";
    const ANTHROPIC: &str = "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count\n\
        2025-10-05,claude-sonnet-4-5-20250929,k,Default,standard,<=200k,10,20,30,40,50,0\n";
    const ANTHROPIC_COST: &str = "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd\n\
        2025-10-05,claude-sonnet-4-5-20250929,Default,k,message,<=200k,output_tokens,1.25\n2025-10-05,claude-sonnet-4-5-20250929,Default,k,message,<=200k,input,0.10\n";
    const DAY: i64 = 20_366;

    #[test]
    fn the_exports_of_openai_and_anthropic_are_known() {
        let tokens = |requests, input, output| Sums {
            requests,
            input_tokens: Some(input),
            output_tokens: Some(output),
            cost: None,
        };
        let cost = |text: &str| Sums { cost: Some(text.parse().unwrap()), ..Sums::default() };
        let rows = [
            (OPENAI, "gpt-5-mini-2025-08-07", tokens(Some(4), 1_010, 202)),
            (OPENAI_COST, "", cost("0.895874")),
            (ANTHROPIC, "claude-sonnet-4-5-20250929", tokens(None, 100, 50)),
            (ANTHROPIC_COST, "claude-sonnet-4-5-20250929", cost("1.35")),
        ];
        for (text, model, expect) in rows {
            let export = export(text, &[]).unwrap();
            assert_eq!(export.get(&(DAY, model.to_owned())), Some(&expect), "{export:?}");
        }
    }

    #[test]
    fn other_exports_are_read_as_told() {
        let text =
            "\u{feff}Usage date,Model = name,In,Cost ($)\n2025-10-05 12:00,m,\"1,200\",$0.12345678999\n";
        let told = ["Usage date=day", "Model = name=model", "In=input", "Cost ($)=cost"];
        let export = export(text, &told).unwrap();
        let sums = export[&(DAY, "m".to_owned())];
        assert_eq!((sums.input_tokens, sums.cost), (Some(1_200), Some(Money::from_nanos(123_456_789))));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let rows: [(&str, &[&str], &str); 9] = [
            ("a,b\n1,2\n", &[], "no known export has"),
            ("a,b\n1,2\n", &["a=dya"], "allowed: day, model"),
            ("a,b\n1,2\n", &["c=day"], "no column `c`; it has a, b"),
            ("a,b\n1,2\n", &["b=cost"], "--map COLUMN=day"),
            ("a,b\n1,2\n", &["a=day"], "a column to compare"),
            ("a,b\n1,2\n", &["a=day", "b=input_total", "b=input"], "leave the other input columns out"),
            ("a,b\nx,2\n", &["a=day", "b=cost"], "line 2: `x` is no day"),
            ("a,b\n2025-10-05,x\n", &["a=day", "b=requests"], "`x` is no count"),
            ("a,b\n2025-10-05,1e3\n", &["a=day", "b=cost"], "not a decimal amount"),
        ];
        for (text, told, expect) in rows {
            let error = export(text, told).unwrap_err();
            assert!(error.contains(expect), "{told:?}: {error}");
        }
    }
}
