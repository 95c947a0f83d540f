//! Forms of keys: what they begin with, what follows, how long it is. From the providers' own pages and the rules of public secret scanners
//! (GitHub's supported patterns, gitleaks), as of 2026-11; each is checked by samples.

use crate::kind::Kind;

/// What the rest of a key consists of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Set {
    /// Letters and digits.
    Plain,
    /// And `-` and `_`.
    Dashed,
    /// And `.` too.
    Dotted,
    /// Capitals and digits.
    Capitals,
    /// Hexadecimal digits, in lower case.
    Hex,
}

impl Set {
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Set::Plain => byte.is_ascii_alphanumeric(),
            Set::Dashed => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Set::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Set::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Set::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        }
    }
}

/// A form of a key.
pub(super) struct Form {
    pub(super) prefix: &'static str,
    pub(super) set: Set,
    /// Fewest and most characters after the prefix.
    pub(super) length: (usize, usize),
    pub(super) kind: Kind,
}

const fn key(prefix: &'static str, set: Set, least: usize, most: usize) -> Form {
    Form { prefix, set, length: (least, most), kind: Kind::ApiKey }
}

/// A longer prefix stands before one that it begins with.
pub(super) const FORMS: [Form; 81] = [
    // OpenAI, Anthropic, OpenRouter and other providers of models.
    key("sk-ant-", Set::Dashed, 32, 200),
    key("sk-proj-", Set::Dashed, 40, 250),
    key("sk-svcacct-", Set::Dashed, 40, 250),
    key("sk-admin-", Set::Dashed, 40, 250),
    key("sk-or-v1-", Set::Hex, 64, 64),
    key("sk-lf-", Set::Dashed, 36, 36),
    key("sk_", Set::Plain, 40, 64),
    key("sk-", Set::Plain, 24, 128),
    key("gsk_", Set::Plain, 40, 64),
    key("xai-", Set::Plain, 64, 96),
    key("pplx-", Set::Plain, 40, 64),
    key("hf_", Set::Plain, 30, 44),
    key("r8_", Set::Plain, 37, 40),
    key("fw_", Set::Plain, 20, 32),
    key("csk-", Set::Plain, 40, 64),
    key("nvapi-", Set::Dashed, 60, 80),
    key("tgp_v1_", Set::Dashed, 40, 64),
    // Amazon: access keys that are long-lived, temporary, of bearers and of context.
    key("AKIA", Set::Capitals, 16, 16),
    key("ASIA", Set::Capitals, 16, 16),
    key("ABIA", Set::Capitals, 16, 16),
    key("ACCA", Set::Capitals, 16, 16),
    key("ABSK", Set::Plain, 100, 180),
    // Code hosts and registries.
    key("ghp_", Set::Plain, 36, 36),
    key("gho_", Set::Plain, 36, 36),
    key("ghu_", Set::Plain, 36, 36),
    key("ghs_", Set::Plain, 36, 36),
    key("ghr_", Set::Plain, 36, 76),
    key("github_pat_", Set::Dashed, 82, 82),
    key("glpat-", Set::Dotted, 20, 80),
    key("glptt-", Set::Hex, 40, 40),
    key("gldt-", Set::Dashed, 20, 40),
    key("glrt-", Set::Dotted, 20, 80),
    key("glsa_", Set::Dashed, 40, 48),
    key("ATATT3", Set::Dashed, 150, 240),
    key("ATBB", Set::Plain, 32, 40),
    key("npm_", Set::Plain, 36, 36),
    key("pypi-AgE", Set::Dashed, 50, 250),
    key("rubygems_", Set::Hex, 48, 48),
    key("dckr_pat_", Set::Dashed, 27, 32),
    key("dckr_oat_", Set::Dashed, 27, 40),
    key("cio", Set::Plain, 32, 32),
    // Messengers and mail.
    key("xoxb-", Set::Dashed, 24, 120),
    key("xoxp-", Set::Dashed, 24, 120),
    key("xoxa-", Set::Dashed, 24, 160),
    key("xoxe-", Set::Dashed, 24, 180),
    key("xoxe.", Set::Dashed, 24, 180),
    key("xoxr-", Set::Dashed, 24, 120),
    key("xoxs-", Set::Dashed, 24, 120),
    key("xapp-", Set::Dashed, 40, 180),
    key("SG.", Set::Dotted, 66, 66),
    key("key-", Set::Hex, 32, 32),
    // Google.
    key("AIza", Set::Dashed, 35, 35),
    key("ya29.", Set::Dashed, 30, 512),
    key("GOCSPX-", Set::Dashed, 28, 28),
    // Payments and shops.
    key("sk_live_", Set::Plain, 16, 120),
    key("sk_test_", Set::Plain, 16, 120),
    key("rk_live_", Set::Plain, 16, 120),
    key("rk_test_", Set::Plain, 16, 120),
    key("whsec_", Set::Plain, 32, 64),
    key("sq0atp-", Set::Dashed, 22, 22),
    key("sq0csp-", Set::Dashed, 43, 43),
    key("shpat_", Set::Hex, 32, 32),
    key("shpss_", Set::Hex, 32, 32),
    key("shppa_", Set::Hex, 32, 32),
    // Clouds, tools and databases.
    key("dop_v1_", Set::Hex, 64, 64),
    key("doo_v1_", Set::Hex, 64, 64),
    key("dapi", Set::Hex, 32, 32),
    key("dp.pt.", Set::Plain, 40, 44),
    key("hvs.", Set::Dashed, 24, 160),
    key("hvb.", Set::Dashed, 24, 200),
    key("tskey-", Set::Dashed, 20, 80),
    key("lin_api_", Set::Plain, 40, 48),
    key("ntn_", Set::Plain, 44, 50),
    key("secret_", Set::Plain, 43, 43),
    key("figd_", Set::Dashed, 36, 48),
    key("pul-", Set::Hex, 40, 40),
    key("sntrys_", Set::Dashed, 60, 200),
    key("phx_", Set::Plain, 40, 48),
    key("PMAK-", Set::Dashed, 59, 59),
    key("EAACEdEose0cBA", Set::Plain, 20, 200),
    Form { prefix: "AGE-SECRET-KEY-1", set: Set::Capitals, length: (58, 58), kind: Kind::PrivateKey },
];
