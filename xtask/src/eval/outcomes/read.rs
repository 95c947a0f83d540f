//! Reads outcomes: what each of several models made of each prompt, and at what cost.
//!
//! - Lines of JSON: `{"prompt": "...", "outcomes": {"model-a": {"quality": 0.8, "cost": 0.0012}, ...}}`, or one line for each
//!   prompt and model: `{"prompt": "...", "model": "model-a", "quality": 0.8, "cost": 0.0012}`.
//! - CSV, long: `prompt,model,quality,cost`; wide: `prompt,a.quality,a.cost,b.quality,b.cost` (or `_quality`, `_cost`), or as
//!   RouterBench has it: `prompt,a,a|total_cost,b,b|total_cost`.
//! - Optional everywhere: `prompt_id` or `sample_id` (which rows are of one prompt; else those of the same text), `task` (or `eval_name`), and
//!   `split`, `train` or `test`.
//! - Quality is from 0 to 1, cost in dollars. A prompt that lacks a model's outcome is left out.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// What a model made of a prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    pub quality: f64,
    pub cost: f64,
}

/// A prompt with the outcome of every model, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub text: String,
    pub task: Option<String>,
    /// Kept apart for measuring; `None`: the file doesn't say.
    pub is_test: Option<bool>,
    pub outcomes: Vec<Outcome>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    pub models: Vec<String>,
    pub prompts: Vec<Prompt>,
    /// Prompts that lacked a model's outcome.
    pub left_out: usize,
}

/// One prompt while it is read.
#[derive(Default)]
struct Entry {
    text: String,
    task: Option<String>,
    is_test: Option<bool>,
    by_model: BTreeMap<String, Outcome>,
}

#[derive(Default)]
struct Builder {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
}

/// What a row says of its prompt.
struct About<'a> {
    id: Option<&'a str>,
    text: &'a str,
    task: Option<&'a str>,
    split: Option<&'a str>,
}

/// Reads a file of either kind.
pub fn file(path: &Path) -> Result<Outcomes> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    self::text(&text).with_context(|| path.display().to_string())
}

/// Reads a file's text: JSON where it begins with a brace.
pub fn text(text: &str) -> Result<Outcomes> {
    let mut builder = Builder::default();
    if text.trim_start().starts_with('{') {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            json_line(line, &mut builder).with_context(|| format!("row {}", at + 1))?;
        }
    } else {
        csv_text(text, &mut builder)?;
    }
    builder.finish()
}

fn json_line(line: &str, builder: &mut Builder) -> Result<()> {
    let object: Map<String, Value> = serde_json::from_str(line).context("is no JSON object")?;
    let word = |name: &str| object.get(name).and_then(Value::as_str);
    let text = word("prompt").context("`prompt` is missing or no text")?;
    let about = About {
        id: word("prompt_id").or(word("sample_id")),
        text,
        task: word("task").or(word("eval_name")),
        split: word("split"),
    };
    let entry = builder.entry(&about)?;
    let number = |object: &Map<String, Value>, name: &str, path: &str| {
        let value = object.get(name).with_context(|| format!("`{path}` is missing"))?;
        value.as_f64().with_context(|| format!("`{path}`: {value} is no number"))
    };
    if let Some(outcomes) = object.get("outcomes") {
        let outcomes = outcomes.as_object().context("`outcomes` is no object")?;
        for (model, outcome) in outcomes {
            let path = |name: &str| format!("outcomes.{model}.{name}");
            let outcome = outcome.as_object().with_context(|| format!("`outcomes.{model}` is no object"))?;
            let quality = number(outcome, "quality", &path("quality"))?;
            let cost = number(outcome, "cost", &path("cost"))?;
            entry.add(model, [(quality, &path("quality")), (cost, &path("cost"))])?;
        }
        return Ok(());
    }
    let model = word("model").context("neither `outcomes` nor `model` is there")?;
    let values =
        [(number(&object, "quality", "quality")?, "quality"), (number(&object, "cost", "cost")?, "cost")];
    entry.add(model, values)
}

/// Where a model's values stand in a wide row.
struct Columns {
    model: String,
    quality: usize,
    cost: usize,
}

fn csv_text(text: &str, builder: &mut Builder) -> Result<()> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let headers: Vec<String> =
        reader.headers().context("the header")?.iter().map(|h| h.trim().to_owned()).collect();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let prompt = column("prompt").context("there is no column `prompt`")?;
    let (id, task, split) = (
        column("prompt_id").or(column("sample_id")),
        column("task").or(column("eval_name")),
        column("split"),
    );
    let long = match (column("model"), column("quality"), column("cost")) {
        (Some(model), Some(quality), Some(cost)) => Some((model, quality, cost)),
        _ => None,
    };
    let wide = wide_columns(&headers)?;
    ensure!(
        long.is_some() || !wide.is_empty(),
        "no column tells outcomes: `model,quality,cost`, or `<model>.quality,<model>.cost`, or `<model>,<model>|total_cost`"
    );
    for row in reader.records() {
        let row = row.context("a row")?;
        let line = row.position().map_or(0, csv::Position::line);
        let place = |at: usize| format!("row {line}, column `{}`", headers[at]);
        let cell = |at: usize| row.get(at).unwrap_or_default().trim();
        let some = |at: Option<usize>| at.map(cell).filter(|text| !text.is_empty());
        let number = |at: usize| {
            let text = cell(at);
            text.parse::<f64>().with_context(|| format!("{}: `{text}` is no number", place(at)))
        };
        let about = About { id: some(id), text: cell(prompt), task: some(task), split: some(split) };
        let entry = builder.entry(&about).with_context(|| format!("row {line}"))?;
        if let Some((model, quality, cost)) = long {
            let values = [(number(quality)?, &*place(quality)), (number(cost)?, &*place(cost))];
            entry.add(cell(model), values).with_context(|| format!("row {line}"))?;
            continue;
        }
        for Columns { model, quality, cost } in &wide {
            // An empty pair is an outcome that is not known.
            if !(cell(*quality).is_empty() && cell(*cost).is_empty()) {
                let values = [(number(*quality)?, &*place(*quality)), (number(*cost)?, &*place(*cost))];
                entry.add(model, values)?;
            }
        }
    }
    Ok(())
}

fn wide_columns(headers: &[String]) -> Result<Vec<Columns>> {
    let at = |name: &str| headers.iter().position(|header| header == name);
    let mut all = Vec::new();
    for (place, header) in headers.iter().enumerate() {
        if let Some(model) = header.strip_suffix("|total_cost") {
            let quality =
                at(model).with_context(|| format!("column `{header}` has no column `{model}` beside it"))?;
            all.push(Columns { model: model.to_owned(), quality, cost: place });
        }
        for (end, other) in [(".quality", ".cost"), ("_quality", "_cost")] {
            if let Some(model) = header.strip_suffix(end) {
                let name = format!("{model}{other}");
                let cost = at(&name)
                    .with_context(|| format!("column `{header}` has no column `{name}` beside it"))?;
                all.push(Columns { model: model.to_owned(), quality: place, cost });
            }
        }
    }
    Ok(all)
}

impl Entry {
    /// Takes in an outcome; each value comes with the name of its place.
    fn add(&mut self, model: &str, values: [(f64, &str); 2]) -> Result<()> {
        let [(quality, of_quality), (cost, of_cost)] = values;
        ensure!(!model.is_empty(), "the model has no name");
        ensure!((0.0..=1.0).contains(&quality), "{of_quality}: {quality} is not from 0 to 1");
        ensure!(cost.is_finite() && cost >= 0.0, "{of_cost}: {cost} is no amount");
        let before = self.by_model.insert(model.to_owned(), Outcome { quality, cost });
        ensure!(before.is_none(), "the model `{model}` comes twice for this prompt");
        Ok(())
    }
}

impl Builder {
    fn entry(&mut self, about: &About<'_>) -> Result<&mut Entry> {
        let is_test = match about.split.map(str::to_ascii_lowercase).as_deref() {
            None => None,
            Some("train") => Some(false),
            Some("test") => Some(true),
            Some(other) => bail!("column `split`: `{other}` is neither `train` nor `test`"),
        };
        let name = about.id.unwrap_or(about.text).to_owned();
        ensure!(!name.is_empty(), "column `prompt` is empty");
        let next = self.entries.len();
        let at = *self.places.entry(name).or_insert(next);
        if at == next {
            let (text, task) = (about.text.to_owned(), about.task.map(str::to_owned));
            self.entries.push(Entry { text, task, is_test, ..Entry::default() });
        }
        self.entries.get_mut(at).context("a prompt that is not there")
    }

    fn finish(self) -> Result<Outcomes> {
        let mut models: Vec<String> =
            self.entries.iter().flat_map(|entry| entry.by_model.keys().cloned()).collect();
        models.sort_unstable();
        models.dedup();
        ensure!(models.len() >= 2, "a router needs two models; {} are there", models.len());
        let all = self.entries.len();
        let mut prompts = Vec::with_capacity(all);
        for entry in self.entries {
            let outcomes: Vec<Outcome> =
                models.iter().filter_map(|model| entry.by_model.get(model).copied()).collect();
            if outcomes.len() == models.len() {
                prompts.push(Prompt { text: entry.text, task: entry.task, is_test: entry.is_test, outcomes });
            }
        }
        let told = prompts.iter().filter(|prompt| prompt.is_test.is_some()).count();
        ensure!(
            told == 0 || told == prompts.len(),
            "column `split`: only {told} of {} prompts have it",
            prompts.len()
        );
        ensure!(
            prompts.len() * 2 > all,
            "only {} of {all} prompts have an outcome of each of the {} models",
            prompts.len(),
            models.len()
        );
        Ok(Outcomes { left_out: all - prompts.len(), models, prompts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_says_the_same() {
        let rows = [
            r#"{"prompt": "p", "task": "code", "split": "test", "outcomes": {"b": {"quality": 1, "cost": 0.2}, "a": {"quality": 0.5, "cost": 0}}}"#,
            "{\"prompt\":\"p\",\"task\":\"code\",\"split\":\"test\",\"model\":\"a\",\"quality\":0.5,\"cost\":0}\n{\"prompt\":\"p\",\"model\":\"b\",\"quality\":1,\"cost\":0.2}",
            "prompt,model,quality,cost,task,split\np,a,0.5,0,code,test\np,b,1,0.2,code,test\n",
            "prompt,a.quality,a.cost,b.quality,b.cost,task,split\np,0.5,0,1,0.2,code,test\n",
            "split,task,b_cost,b_quality,a_cost,a_quality,prompt\ntest,code,0.2,1.0,0.0,0.5,p\n",
            "sample_id,prompt,eval_name,split,a,b,a|model_response,a|total_cost,b|total_cost\n1,p,code,test,0.5,1.0,\"x, y\",0.0,0.2\n",
        ];
        let of = |quality, cost| Outcome { quality, cost };
        let prompt = Prompt {
            text: "p".to_owned(),
            task: Some("code".to_owned()),
            is_test: Some(true),
            outcomes: vec![of(0.5, 0.0), of(1.0, 0.2)],
        };
        let models = vec!["a".to_owned(), "b".to_owned()];
        let expect = Outcomes { models, prompts: vec![prompt], left_out: 0 };
        for row in rows {
            assert_eq!(text(row).unwrap(), expect, "{row}");
        }
    }

    #[test]
    fn errors_name_row_and_column() {
        let rows = [
            (
                "prompt,a.quality,a.cost,b.quality,b.cost\np,1,1,1,1\nq,1,x,1,1\n",
                "row 3, column `a.cost`: `x` is no number",
            ),
            (
                "prompt,a.quality,a.cost,b.quality,b.cost\np,1,1,7,1\n",
                "row 2, column `b.quality`: 7 is not from 0 to 1",
            ),
            ("prompt,a.quality\np,1\n", "column `a.quality` has no column `a.cost` beside it"),
            ("text,a\np,1\n", "there is no column `prompt`"),
            ("prompt,a\np,1\n", "no column tells outcomes"),
            ("prompt,model,quality,cost\np,a,1,-1\n", "row 2, column `cost`: -1 is no amount"),
            ("prompt,model,quality,cost\np,a,1,1\np,a,1,1\n", "row 3: the model `a` comes twice"),
            ("prompt,model,quality,cost\np,a,1,1\nq,a,1,1\n", "a router needs two models"),
            ("prompt,model,quality,cost\np,a,1,1\nq,b,1,1\n", "only 0 of 2 prompts"),
            ("prompt,model,quality,cost,split\np,a,1,1,dev\n", "column `split`: `dev`"),
            ("{\"prompt\": \"p\"}", "row 1: neither `outcomes` nor `model`"),
            (
                "{\"prompt\": \"p\", \"outcomes\": {\"a\": {\"quality\": \"x\", \"cost\": 1}}}",
                "row 1: `outcomes.a.quality`: \"x\" is no number",
            ),
            ("{\"prompt\": \"p\"\n", "row 1: is no JSON object"),
        ];
        for (file, expect) in rows {
            let error = format!("{:#}", text(file).unwrap_err());
            assert!(error.contains(expect), "{error}\n{expect}");
        }
    }

    #[test]
    fn what_lacks_an_outcome_is_left_out_and_counted() {
        let file =
            "prompt,prompt_id,model,quality,cost\np,1,a,1,1\np,1,b,1,1\np,2,a,0,1\np,2,b,0,1\nq,3,a,1,1\n";
        let outcomes = text(file).unwrap();
        assert_eq!((outcomes.prompts.len(), outcomes.left_out), (2, 1));
        let wide = "prompt,a.quality,a.cost,b.quality,b.cost\np,1,1,1,1\nq,1,1,1,1\nr,1,1,,\n";
        assert_eq!(text(wide).unwrap().left_out, 1);
    }
}
