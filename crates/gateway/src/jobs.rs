//! What runs beside the calls, and how it goes: a register in memory to which every background job reports. It begins empty at each
//! start; what has not run since says so.

use std::fmt::Display;
use std::time::Duration;

use parking_lot::Mutex;
use types::Timestamp;

use crate::app::Gateway;

/// Longest text that is kept of a failure.
const WHY_CHARS_MAX: usize = 300;
/// What is told of a run that ended without saying how.
const BROKE_OFF: &str = "it broke off; the log of the process may say why";

/// When a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Again and again, with a pause between.
    Regular,
    /// When something changed; it looks again and again.
    OnChange,
    /// As soon as something waits.
    Queue,
}

impl Rhythm {
    /// Its name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Rhythm::Regular => "regular",
            Rhythm::OnChange => "on_change",
            Rhythm::Queue => "queue",
        }
    }
}

/// Declares the jobs: name, rhythm, what it does.
macro_rules! jobs {
    ($( $(#[$doc:meta])* $job:ident = $name:literal, $rhythm:ident, $about:literal; )*) => {
        /// A background job.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Job { $( $(#[$doc])* $job, )* }

        impl Job {
            /// Every job.
            pub const ALL: &[Job] = &[$( Job::$job, )*];

            /// Its name in answers.
            pub const fn name(self) -> &'static str {
                match self { $( Job::$job => $name, )* }
            }

            /// When it runs.
            pub const fn rhythm(self) -> Rhythm {
                match self { $( Job::$job => Rhythm::$rhythm, )* }
            }

            /// What it does, for people.
            pub const fn about(self) -> &'static str {
                match self { $( Job::$job => $about, )* }
            }
        }
    };
}

jobs! {
    /// Journal into store.
    Fold = "fold", Regular, "books records of the journal into the store";
    /// Store into memory.
    Poll = "poll", Regular, "takes in what was written of keys, budgets, rules and balances";
    /// Alerts written down.
    Alerts = "alerts", Queue, "writes alerts down and mails those who rule or pay";
    /// Notices delivered.
    Webhooks = "webhooks", Regular, "delivers notices to webhooks until they are taken";
    /// Mails sent.
    Mails = "mails", Queue, "sends mails, or prints them where no server is configured";
    /// Prompts and answers kept.
    Contents = "contents", Queue, "writes prompts and answers that are to be kept";
    /// Prompts and answers forgotten.
    Forget = "forget", Regular, "deletes prompts and answers whose time is over";
    /// What was kept for a time only.
    Expire = "expire", Regular, "deletes kept responses, sessions and tokens that ended, and what erased accounts left";
    /// Discounts and automatic top-ups.
    Payments = "payments", Regular, "reads the month's use for discounts and makes automatic top-ups that are due";
    /// The figures that routing goes by.
    Health = "health", Regular, "makes the figures anew that routing goes by, and writes them down every minute";
    /// Configuration and catalog read again.
    Reload = "reload", OnChange, "reads catalog and providers again when their files change or a provider key is entered";
    /// Changes of the catalog told.
    CatalogNews = "catalog_news", OnChange, "tells accounts of prices that changed and models that end";
    /// Ratings of models that are called otherwise.
    Ratings = "ratings", OnChange, "takes ratings along to the new ids of models";
    /// Pages warmed.
    Pages = "pages", OnChange, "works out ahead what the site's pages need of a catalog";
    /// Traces told to a collector.
    Telemetry = "telemetry", Regular, "tells a collector of each generation";
}

/// How a job goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often it runs or looks; `None`: it did not start.
    pub every: Option<Duration>,
    /// When its last run began; `None`: it has not run.
    pub begun: Option<Timestamp>,
    /// When its last run that is over ended.
    pub ended: Option<Timestamp>,
    /// How long that took, microseconds.
    pub took_us: i64,
    /// Whether that failed.
    pub has_failed: bool,
    /// It runs at this moment.
    pub is_running: bool,
    /// Runs that are over.
    pub runs: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// The last failure: when, and why.
    pub failure: Option<(Timestamp, String)>,
}

/// The register.
#[derive(Debug)]
pub struct Jobs(Vec<Mutex<Seen>>);

impl Default for Jobs {
    fn default() -> Jobs {
        Jobs(Job::ALL.iter().map(|_| Mutex::default()).collect())
    }
}

impl Jobs {
    /// A job has started, and runs or looks this often.
    pub fn starts(&self, job: Job, every: Duration) {
        self.with(job, |seen| seen.every = Some(every));
    }

    /// How a job goes.
    pub fn seen(&self, job: Job) -> Seen {
        self.with(job, |seen| seen.clone()).unwrap_or_default()
    }

    fn with<T>(&self, job: Job, look: impl FnOnce(&mut Seen) -> T) -> Option<T> {
        self.0.get(job as usize).map(|seen| look(&mut seen.lock()))
    }

    fn begin(&self, job: Job, now: Timestamp) {
        self.with(job, |seen| (seen.begun, seen.is_running) = (Some(now), true));
    }

    fn end(&self, job: Job, now: Timestamp, failure: Option<String>) {
        self.with(job, |seen| {
            seen.took_us = seen.begun.map_or(0, |begun| now.micros().saturating_sub(begun.micros()));
            (seen.ended, seen.is_running) = (Some(now), false);
            seen.has_failed = failure.is_some();
            seen.runs += 1;
            seen.failures += u64::from(failure.is_some());
            if let Some(why) = failure {
                seen.failure = Some((now, why));
            }
        });
    }
}

impl Gateway {
    /// A run of a job begins.
    pub fn begin_job(&self, job: Job) -> Run<'_> {
        self.jobs.begin(job, self.clock.now());
        Run { gateway: self, job, is_over: false }
    }
}

/// A run that is under way. Dropped without a word it counts as one that failed.
#[must_use]
pub struct Run<'g> {
    gateway: &'g Gateway,
    job: Job,
    is_over: bool,
}

impl Run<'_> {
    /// It is done.
    pub fn done(self) {
        self.over::<&str>(Ok(()));
    }

    /// It ended so. What is told of a failure is what the log says of it: no secret.
    pub fn over<E: Display>(mut self, result: Result<(), E>) {
        self.is_over = true;
        let why = result.err().map(|error| cut(&format!("{error:#}")));
        self.gateway.jobs.end(self.job, self.gateway.clock.now(), why);
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let now = self.gateway.clock.now();
            self.gateway.jobs.end(self.job, now, Some(String::from(BROKE_OFF)));
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(WHY_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_has_its_place_and_its_name() {
        for (at, job) in Job::ALL.iter().enumerate() {
            assert_eq!(*job as usize, at);
            assert!(!job.about().ends_with('.') && !job.name().is_empty());
        }
        let names: std::collections::BTreeSet<&str> = Job::ALL.iter().map(|job| job.name()).collect();
        assert_eq!(names.len(), Job::ALL.len());
    }

    #[test]
    fn a_failure_stays_known_after_the_next_run() {
        let jobs = Jobs::default();
        let at = Timestamp::from_seconds;
        assert_eq!(jobs.seen(Job::Expire), Seen::default(), "nothing is known before the first run");
        jobs.starts(Job::Expire, Duration::from_secs(600));
        jobs.begin(Job::Expire, at(10));
        assert!(jobs.seen(Job::Expire).is_running);
        jobs.end(Job::Expire, at(12), Some(String::from("the store doesn't answer")));
        jobs.begin(Job::Expire, at(20));
        jobs.end(Job::Expire, at(21), None);
        let seen = jobs.seen(Job::Expire);
        assert_eq!((seen.runs, seen.failures, seen.took_us, seen.has_failed), (2, 1, 1_000_000, false));
        assert_eq!(seen.failure, Some((at(12), String::from("the store doesn't answer"))));
        assert_eq!((seen.begun, seen.ended, seen.is_running), (Some(at(20)), Some(at(21)), false));
        assert_eq!(jobs.seen(Job::Forget), Seen::default(), "others are others");
        assert_eq!(cut(&"x\u{7}".repeat(1_000)).len(), WHY_CHARS_MAX);
    }
}
