//! What benchmarks measure, in a sentence of ours, with the page that says so. A benchmark that is not here is shown without.

/// What a benchmark measures.
#[derive(Debug)]
pub(crate) struct About {
    slug: &'static str,
    /// One or two sentences.
    pub(crate) measures: &'static str,
    /// Where that is described.
    pub(crate) url: &'static str,
}

const TERMINAL: &str = "Whether an agent gets work done in a terminal: building, setting up and repairing software, handling data, security.";

static ABOUT: [About; 25] = [
    About {
        slug: "aider-polyglot",
        measures: "Hard programming exercises in six languages, edited in place, with a second try after the tests have failed.",
        url: "https://aider.chat/docs/leaderboards/",
    },
    About {
        slug: "artificial-analysis-coding-agent-index",
        measures: "The mean of three tests of coding agents: changing a repository, working in a terminal and answering questions about code.",
        url: "https://artificialanalysis.ai/methodology/coding-agents-benchmarking",
    },
    About {
        slug: "artificial-analysis-coding-index",
        measures: "The mean of a test of work in a terminal and of SciCode, from 0 to 100. Its parts have changed over time.",
        url: "https://artificialanalysis.ai/models/capabilities/coding",
    },
    About {
        slug: "artificial-analysis-intelligence-index",
        measures: "A mean over tests of reasoning, knowledge, mathematics and code. Its parts have changed over time.",
        url: "https://artificialanalysis.ai/methodology/intelligence-benchmarking",
    },
    About {
        slug: "charxiv-reasoning",
        measures: "Questions about charts of scientific papers whose answers need reasoning over what is drawn.",
        url: "https://arxiv.org/abs/2406.18521",
    },
    About {
        slug: "cti-realm",
        measures: "Whether an agent turns reports about cyber attacks into rules that detect them.",
        url: "https://arxiv.org/abs/2603.13517",
    },
    About {
        slug: "gpqa-diamond",
        measures: "Multiple-choice questions of graduate level in biology, physics and chemistry that a search does not answer.",
        url: "https://arxiv.org/abs/2311.12022",
    },
    About {
        slug: "humanitys-last-exam",
        measures: "Questions at the edge of what experts of many fields know, each with one answer that can be checked.",
        url: "https://arxiv.org/abs/2501.14249",
    },
    About {
        slug: "livecodebench",
        measures: "Problems of programming contests with their dates, so that only those newer than a model's training can be counted.",
        url: "https://arxiv.org/abs/2403.07974",
    },
    About {
        slug: "livecodebench-pro",
        measures: "Problems of the hardest programming contests, annotated by medalists of them.",
        url: "https://arxiv.org/abs/2506.11928",
    },
    About {
        slug: "mmlu-pro",
        measures: "Questions of many subjects with ten answers to choose from, more of which need reasoning than in MMLU.",
        url: "https://arxiv.org/abs/2406.01574",
    },
    About {
        slug: "mrcrv2",
        measures: "Finding one of several nearly equal passages in a long conversation.",
        url: "https://huggingface.co/datasets/openai/mrcr",
    },
    About {
        slug: "nl2repo",
        measures: "Whether an agent writes a whole Python library from its description, checked by the tests of the original.",
        url: "https://arxiv.org/abs/2512.12730",
    },
    About {
        slug: "scicode",
        measures: "Programs for problems of research in mathematics and the natural sciences, cut into steps that scientists wrote and checked.",
        url: "https://arxiv.org/abs/2407.13168",
    },
    About {
        slug: "swe-atlas-codebase-qna",
        measures: "Whether an agent understands a repository: questions whose answers need the software to be run and traced.",
        url: "https://labs.scale.com/leaderboard/sweatlas-qna",
    },
    About {
        slug: "swe-atlas-refactoring",
        measures: "Whether an agent restructures code for the better without changing what it does.",
        url: "https://labs.scale.com/papers/sweatlas",
    },
    About {
        slug: "swe-atlas-test-writing",
        measures: "Whether an agent writes tests that exercise what the code really does.",
        url: "https://labs.scale.com/papers/sweatlas",
    },
    About {
        slug: "swe-bench-multilingual",
        measures: "Issues of real repositories in several programming languages, resolved when the project's tests pass.",
        url: "https://www.swebench.com/multilingual.html",
    },
    About {
        slug: "swe-bench-pro",
        measures: "Long tasks in real repositories, resolved when the project's tests pass.",
        url: "https://labs.scale.com/leaderboard/swe_bench_pro_public",
    },
    About {
        slug: "swe-bench-verified",
        measures: "Issues of Python repositories that people have checked to be solvable, resolved when the project's tests pass.",
        url: "https://www.swebench.com/",
    },
    About {
        slug: "tau3-banking",
        measures: "Whether an agent serves bank customers: talks with them, follows written rules and calls the right tools.",
        url: "https://arxiv.org/abs/2603.04370",
    },
    About { slug: "terminal-bench", measures: TERMINAL, url: "https://www.tbench.ai/" },
    About {
        slug: "terminal-bench-hard",
        measures: "The harder tasks of Terminal-Bench, which is work of many kinds in a terminal.",
        url: "https://artificialanalysis.ai/models/capabilities/coding",
    },
    About { slug: "terminal-bench-2-0", measures: TERMINAL, url: "https://www.tbench.ai/" },
    About { slug: "terminal-bench-2-1", measures: TERMINAL, url: "https://www.tbench.ai/" },
];

/// What is known of a benchmark.
pub(crate) fn of(slug: &str) -> Option<&'static About> {
    ABOUT.iter().find(|about| about.slug == slug)
}

#[cfg(test)]
mod tests {
    use super::ABOUT;
    use crate::testing::SHIPPED;

    #[test]
    fn what_is_described_is_of_the_catalog() {
        let known: Vec<String> = super::super::all(&SHIPPED).into_iter().map(|bench| bench.slug).collect();
        for about in &ABOUT {
            assert!(known.iter().any(|slug| slug == about.slug), "{} has no result", about.slug);
            assert!(about.url.starts_with("https://") && about.measures.ends_with('.'), "{}", about.slug);
        }
    }
}
