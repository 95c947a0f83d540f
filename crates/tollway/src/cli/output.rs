//! Answers on standard output: lines for people, JSON for programs.

use std::io::Write;

use serde_json::Value;

use super::Failure;

/// Where answers go.
pub(super) struct Output<'a> {
    out: &'a mut dyn Write,
    json: bool,
}

impl<'a> Output<'a> {
    pub(super) fn new(out: &'a mut dyn Write, json: bool) -> Output<'a> {
        Output { out, json }
    }

    /// Writes one of the two, as was asked for.
    pub(super) fn answer(&mut self, human: &str, json: &Value) -> Result<(), Failure> {
        if self.json { self.raw(&json.to_string()) } else { self.raw(human) }
    }

    /// Writes what was made, and what there is to say of it apart from it: to standard error, so that
    /// `KEY=$(tollway keys create ...)` holds the key alone.
    pub(super) fn made(&mut self, text: &str, remark: &str, json: &Value) -> Result<(), Failure> {
        if self.json {
            return self.raw(&json.to_string());
        }
        self.raw(text)?;
        writeln!(std::io::stderr().lock(), "{remark}")?;
        Ok(())
    }

    /// Writes a text whatever was asked for.
    pub(super) fn raw(&mut self, text: &str) -> Result<(), Failure> {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(end.as_bytes())?;
        self.out.flush()?;
        Ok(())
    }
}

/// Lines with their columns aligned, two spaces apart; the first row is the heading.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let fill = width(column).saturating_sub(cell.chars().count()) + 2;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', fill));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(columns(&[row(["a", "b"]), row(["éàü", ""])]), "a    b\néàü\n");
    }
}
