//! What is looked for, and what may be done with it.

use serde::{Deserialize, Serialize};

/// What becomes of a finding. The order is that of strictness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is not looked for.
    #[default]
    Off,
    /// It is counted, and stays.
    Flag,
    /// A placeholder takes its place.
    #[serde(alias = "redact")]
    Mask,
    /// The call is refused, or its answer ends.
    Block,
}

impl Action {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Off => "off",
            Action::Flag => "flag",
            Action::Mask => "mask",
            Action::Block => "block",
        }
    }
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A mail address.
    Email,
    /// A telephone number: international, North American, or any after a word that says so.
    Phone,
    /// A social security number of the United States.
    Ssn,
    /// A payment card's number, its check digit and issuer right.
    CreditCard,
    /// An international bank account number, its check digits right.
    Iban,
    /// An address of the internet, version 4 or 6.
    IpAddress,
    /// A national number that checks itself: CPF, DNI and NIE, codice fiscale, NIR.
    NationalId,
    /// A key of some service: by its form, or assigned to a name that says so.
    ApiKey,
    /// A private key in PEM or of `age`.
    PrivateKey,
    /// A signed token.
    Jwt,
    /// A password that is assigned or stands in an address.
    Password,
    /// Words that try to turn a model against its instructions; in requests only.
    PromptInjection,
}

/// A word for several kinds.
const GROUPS: [(&str, &[Kind]); 3] = [
    ("personal", &[Kind::Email, Kind::Phone, Kind::Ssn, Kind::IpAddress, Kind::NationalId]),
    ("financial", &[Kind::CreditCard, Kind::Iban]),
    ("secrets", &[Kind::ApiKey, Kind::PrivateKey, Kind::Jwt, Kind::Password]),
];

impl Kind {
    /// How many there are.
    pub const COUNT: usize = 12;
    /// All of them, by their index.
    pub const ALL: [Kind; Kind::COUNT] = [
        Kind::Email,
        Kind::Phone,
        Kind::Ssn,
        Kind::CreditCard,
        Kind::Iban,
        Kind::IpAddress,
        Kind::NationalId,
        Kind::ApiKey,
        Kind::PrivateKey,
        Kind::Jwt,
        Kind::Password,
        Kind::PromptInjection,
    ];

    /// Its stable name in rules, records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Email => "email",
            Kind::Phone => "phone",
            Kind::Ssn => "ssn",
            Kind::CreditCard => "credit_card",
            Kind::Iban => "iban",
            Kind::IpAddress => "ip_address",
            Kind::NationalId => "national_id",
            Kind::ApiKey => "api_key",
            Kind::PrivateKey => "private_key",
            Kind::Jwt => "jwt",
            Kind::Password => "password",
            Kind::PromptInjection => "prompt_injection",
        }
    }

    /// What takes its place where it is masked.
    pub const fn placeholder(self) -> &'static str {
        match self {
            Kind::Email => "[EMAIL]",
            Kind::Phone => "[PHONE]",
            Kind::Ssn => "[SSN]",
            Kind::CreditCard => "[CREDIT_CARD]",
            Kind::Iban => "[IBAN]",
            Kind::IpAddress => "[IP_ADDRESS]",
            Kind::NationalId => "[NATIONAL_ID]",
            Kind::ApiKey => "[API_KEY]",
            Kind::PrivateKey => "[PRIVATE_KEY]",
            Kind::Jwt => "[JWT]",
            Kind::Password => "[PASSWORD]",
            Kind::PromptInjection => "[PROMPT_INJECTION]",
        }
    }

    /// The kinds that a name in rules means: one, or those of a group. OpenRouter's names do as well.
    pub fn of_name(name: &str) -> Option<&'static [Kind]> {
        let plain = name.replace('-', "_");
        let plain = if plain == "regex_prompt_injection" { "prompt_injection" } else { &plain };
        let one = Kind::ALL.iter().position(|kind| kind.name() == plain);
        let one = one.and_then(|at| Kind::ALL.get(at..=at));
        one.or_else(|| GROUPS.iter().find(|(group, _)| *group == plain).map(|(_, kinds)| *kinds))
    }

    /// Its place in [`Kind::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_agree() {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind.index(), at);
            assert_eq!(Kind::of_name(kind.name()), Some([*kind].as_slice()));
        }
        assert_eq!(Kind::of_name("credit-card"), Some([Kind::CreditCard].as_slice()));
        assert_eq!(Kind::of_name("regex-prompt-injection"), Some([Kind::PromptInjection].as_slice()));
        assert_eq!(Kind::of_name("secrets").map(<[Kind]>::len), Some(4));
        assert_eq!(Kind::of_name("person-name"), None);
    }
}
