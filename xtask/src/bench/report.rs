//! What the figures say: a table, JSON, a page, and whether the goals are met.

use std::fmt::Write;

use serde_json::{Value, json};

use super::CONCURRENCIES;
use super::servers::{Facts, Target, median};

/// One round against one target, or the medians of all.
#[derive(Clone, Default)]
pub struct Figures {
    pub p50_us: f64,
    pub p99_us: f64,
    /// CPU time per request with one connection: one wake-up each.
    pub cpu_us_one: f64,
    pub requests_per_s: [f64; CONCURRENCIES.len()],
    /// CPU time per request with 32 connections.
    pub cpu_us: f64,
    pub first_byte_us: f64,
    pub stream_cpu_us: f64,
    pub large_cpu_us: f64,
    pub large_requests_per_s: f64,
}

/// One line of the table.
struct Row {
    name: String,
    unit: &'static str,
    direct: Option<f64>,
    nginx: Option<f64>,
    tollway: f64,
    goal: Option<Goal>,
}

#[derive(Clone, Copy)]
enum Goal {
    /// Tollway's value over nginx' is at most this.
    RatioMost(f64),
    /// Tollway's value over nginx' is at least this.
    RatioLeast(f64),
    /// Tollway's value is at most this.
    Most(f64),
    /// Tollway's value is at least this.
    Least(f64),
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.nginx.filter(|nginx| *nginx > 0.0).map(|nginx| self.tollway / nginx)
    }

    fn is_met(&self) -> Option<bool> {
        Some(match self.goal? {
            Goal::RatioMost(most) => self.ratio()? <= most,
            Goal::RatioLeast(least) => self.ratio()? >= least,
            Goal::Most(most) => self.tollway <= most,
            Goal::Least(least) => self.tollway >= least,
        })
    }

    fn goal_text(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::RatioMost(most)) => format!("at most {most}x nginx"),
            Some(Goal::RatioLeast(least)) => format!("at least {least}x nginx"),
            Some(Goal::Most(most)) => format!("at most {most} {}", self.unit),
            Some(Goal::Least(least)) => format!("at least {least}{}", self.unit),
        }
    }
}

pub struct Report {
    rows: Vec<Row>,
    round_count: usize,
}

impl Report {
    /// `rounds` by target, in the order of [`Target::ALL`]; `governed`: requests per second without and with budgets.
    pub fn new(rounds: &[Vec<Figures>], governed: &[(f64, f64)], facts: &Facts) -> Report {
        // What a proxy adds is taken within a round, against the direct connection of the same round.
        let middle = |target: Target, of: &dyn Fn(&Figures) -> f64| {
            let rounds = rounds.get(target as usize).map(Vec::as_slice).unwrap_or_default();
            median(&mut rounds.iter().map(of).collect::<Vec<_>>())
        };
        let added = |target: Target, of: &dyn Fn(&Figures) -> f64| {
            let of_target =
                |target: Target| rounds.get(target as usize).map(Vec::as_slice).unwrap_or_default();
            let pairs = of_target(target).iter().zip(of_target(Target::Direct));
            median(&mut pairs.map(|(proxy, direct)| of(proxy) - of(direct)).collect::<Vec<_>>())
        };
        let over = |name: &str, of: &dyn Fn(&Figures) -> f64, goal| Row {
            name: name.to_owned(),
            unit: "us",
            direct: Some(middle(Target::Direct, of)),
            nginx: Some(added(Target::Nginx, of)),
            tollway: added(Target::Tollway, of),
            goal,
        };
        let plain = |name: String, unit, with_direct: bool, of: &dyn Fn(&Figures) -> f64, goal| Row {
            name,
            unit,
            direct: with_direct.then(|| middle(Target::Direct, of)),
            nginx: Some(middle(Target::Nginx, of)),
            tollway: middle(Target::Tollway, of),
            goal,
        };
        let mut rows = vec![
            over("added p50, c=1 (direct: whole)", &|f| f.p50_us, Some(Goal::RatioMost(1.6))),
            over("added p99, c=1 (direct: whole)", &|f| f.p99_us, None),
        ];
        for (at, connections) in CONCURRENCIES.into_iter().enumerate() {
            let goal = (connections == 32).then_some(Goal::RatioLeast(0.35));
            let of = |figures: &Figures| figures.requests_per_s[at];
            rows.push(plain(format!("requests, c={connections}"), "1/s", true, &of, goal));
        }
        let per_core = |figures: &Figures| if figures.cpu_us > 0.0 { 1e6 / figures.cpu_us } else { 0.0 };
        let least = Some(Goal::RatioLeast(0.35));
        rows.push(plain("requests per second of CPU, c=32".into(), "1/s", false, &per_core, least));
        rows.push(plain("CPU per request, c=32".into(), "us", false, &|f| f.cpu_us, None));
        rows.push(plain("CPU per request, c=1".into(), "us", false, &|f| f.cpu_us_one, None));
        rows.push(over(
            "added to a stream's first byte (direct: whole)",
            &|f| f.first_byte_us,
            Some(Goal::Most(300.0)),
        ));
        rows.push(plain("CPU per stream of 50 frames, c=8".into(), "us", false, &|f| f.stream_cpu_us, None));
        rows.push(plain("CPU per 200 KB request, c=8".into(), "us", false, &|f| f.large_cpu_us, None));
        rows.push(plain("200 KB requests, c=8".into(), "1/s", true, &|f| f.large_requests_per_s, None));
        if !governed.is_empty() {
            let mut shares: Vec<f64> = governed.iter().map(|(plain, governed)| governed / plain).collect();
            rows.push(Row {
                name: "requests, c=32, under three budgets, limits and tags, beside a plain key".into(),
                unit: "x",
                direct: None,
                nginx: None,
                tollway: median(&mut shares),
                goal: Some(Goal::Least(0.85)),
            });
        }
        rows.extend(once(facts));
        Report { rows, round_count: rounds.first().map_or(0, Vec::len) }
    }

    /// True when every goal is met.
    pub fn goals_met(&self) -> bool {
        self.rows.iter().all(|row| row.is_met() != Some(false))
    }

    /// For the terminal.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{:<48}{:>5}{:>11}{:>11}{:>11}{:>9}  goal\n",
            "", "", "direct", "nginx", "tollway", "ratio"
        );
        for row in &self.rows {
            let verdict = match row.is_met() {
                Some(true) => format!("{}: met", row.goal_text()),
                Some(false) => format!("{}: MISSED", row.goal_text()),
                None => String::new(),
            };
            let ratio = row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}x"));
            let _ = writeln!(
                out,
                "{:<48}{:>5}{:>11}{:>11}{:>11}{ratio:>9}  {verdict}",
                row.name,
                row.unit,
                number(row.direct),
                number(row.nginx),
                number(Some(row.tollway))
            );
        }
        out
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "name": row.name, "unit": row.unit, "direct": row.direct, "nginx": row.nginx, "tollway": row.tollway,
                "ratio_to_nginx": row.ratio(), "goal": row.goal.map(|_| row.goal_text()), "goal_met": row.is_met(),
            })
        });
        json!({ "rounds": self.round_count, "rows": rows.collect::<Vec<_>>() })
    }

    /// For `docs/benchmarks.md`.
    pub fn page(&self) -> String {
        let mut out = String::from(
            "# Benchmarks\n\nWritten by `cargo xtask bench --write`. Absolute figures differ from machine to machine; the \
             ratio to nginx in the\nsame run is what to compare. Tollway does its whole work: key, spend and rate limit, \
             prepaid hold, metering, journal.\nIts CPU time counts until everything is in the books. nginx only forwards.\n\n",
        );
        let _ = writeln!(
            out,
            "Loopback, HTTP/1.1 without TLS; the proxy alone on one core, provider (no latency of its own) and client on \
             another;\na request of 1 KB, an answer of 700 bytes; a stream rests 1 ms after its first frame; medians of {} interleaved rounds; {} {}.\n\
             Idle memory is what is resident after a start from a file that is not in the page cache; of one that is there, the kernel\n\
             maps as much as it has beside what is asked for.\n",
            self.round_count,
            std::env::consts::OS,
            std::env::consts::ARCH
        );
        out.push_str("| | unit | direct | nginx | Tollway | ratio to nginx | goal |\n| --- | --- | --- | --- | --- | --- | --- |\n");
        for row in &self.rows {
            let ratio = row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let (direct, nginx, tollway) = (number(row.direct), number(row.nginx), number(Some(row.tollway)));
            let met = row.is_met().map_or("", |is_met| if is_met { ": met" } else { ": missed" });
            let _ = writeln!(
                out,
                "| {} | {} | {direct} | {nginx} | {tollway} | {ratio} | {}{met} |",
                row.name,
                row.unit,
                row.goal_text()
            );
        }
        out
    }
}

fn once(facts: &Facts) -> Vec<Row> {
    let mib = |kib: u64| kib as f64 / 1024.0;
    let row = |name: &str, unit, nginx, tollway, goal| Row {
        name: name.to_owned(),
        unit,
        direct: None,
        nginx,
        tollway,
        goal,
    };
    vec![
        row(
            "memory, idle",
            "MiB",
            Some(mib(facts.nginx_idle_kib)),
            mib(facts.tollway_idle_kib),
            Some(Goal::Most(40.0)),
        ),
        row("memory, idle, started from cached pages", "MiB", None, mib(facts.tollway_idle_cached_kib), None),
        row(
            "memory, after the load",
            "MiB",
            Some(mib(facts.nginx_loaded_kib)),
            mib(facts.tollway_loaded_kib),
            None,
        ),
        row("start to ready, empty folder", "ms", None, facts.first_start_ms, Some(Goal::Most(200.0))),
        row("start to ready, again", "ms", None, facts.start_ms, Some(Goal::Most(200.0))),
    ]
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| {
        if value.abs() < 10.0 {
            format!("{value:.2}")
        } else if value.abs() < 100.0 {
            format!("{value:.1}")
        } else {
            format!("{value:.0}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::servers::Facts;
    use super::{Figures, Report};

    fn figures(p50_us: f64, requests_per_s: f64, first_byte_us: f64) -> Figures {
        Figures {
            p50_us,
            requests_per_s: [requests_per_s; 4],
            first_byte_us,
            cpu_us: 10.0,
            ..Figures::default()
        }
    }

    #[test]
    fn goals_are_judged_on_what_is_added() {
        // Direct 100 us, nginx adds 50: Tollway may add 80.
        let rows = [
            (180.0, 40_000.0, 300.0, true),
            (181.0, 40_000.0, 300.0, false),
            (150.0, 30_000.0, 300.0, false),
            (150.0, 40_000.0, 401.0, false),
        ];
        for (p50_us, requests_per_s, first_byte_us, expect) in rows {
            let rounds = [
                vec![figures(100.0, 200_000.0, 100.0)],
                vec![figures(150.0, 100_000.0, 150.0)],
                vec![figures(p50_us, requests_per_s, first_byte_us)],
            ];
            assert_eq!(
                Report::new(&rounds, &[], &Facts::default()).goals_met(),
                expect,
                "{p50_us} {requests_per_s}"
            );
        }
    }

    #[test]
    fn a_missed_goal_is_shown() {
        let rounds =
            [vec![figures(1.0, 1.0, 1.0)], vec![figures(2.0, 1.0, 1.0)], vec![figures(9.0, 1.0, 1.0)]];
        let facts = Facts { first_start_ms: 500.0, ..Facts::default() };
        let report = Report::new(&rounds, &[(1.0, 0.5)], &facts);
        assert!(report.table().contains("at most 200 ms: MISSED"));
        assert!(report.page().contains("at least 0.85x: missed"));
        assert!(report.page().contains("at most 1.6x nginx: missed"));
        assert_eq!(report.json()["rows"][0]["goal_met"], false);
    }
}
