//! The forms of tax ids, country by country: a format check, so that a slip of the finger is seen. Whether an id exists only
//! its country knows.
//!
//! Forms of the EU: <https://taxation-customs.ec.europa.eu/online-services/online-services-and-databases-taxation/vies_en>, question
//! "What is the format of a VAT number". `9` is a digit, `A` a letter, `X` either; anything else stands for itself.

/// Country by ISO 3166, the prefix of its ids, its forms after the prefix.
const FORMS: &[(&str, &str, &[&str])] = &[
    ("AT", "AT", &["U99999999"]),
    ("BE", "BE", &["0999999999", "1999999999"]),
    ("BG", "BG", &["999999999", "9999999999"]),
    ("CY", "CY", &["99999999A"]),
    ("CZ", "CZ", &["99999999", "999999999", "9999999999"]),
    ("DE", "DE", &["999999999"]),
    ("DK", "DK", &["99999999"]),
    ("EE", "EE", &["999999999"]),
    ("ES", "ES", &["X9999999X"]),
    ("FI", "FI", &["99999999"]),
    ("FR", "FR", &["XX999999999"]),
    ("GR", "EL", &["999999999"]),
    ("HR", "HR", &["99999999999"]),
    ("HU", "HU", &["99999999"]),
    ("IE", "IE", &["9999999A", "9999999AA", "9X99999A"]),
    ("IT", "IT", &["99999999999"]),
    ("LT", "LT", &["999999999", "999999999999"]),
    ("LU", "LU", &["99999999"]),
    ("LV", "LV", &["99999999999"]),
    ("MT", "MT", &["99999999"]),
    ("NL", "NL", &["999999999B99"]),
    ("PL", "PL", &["9999999999"]),
    ("PT", "PT", &["999999999"]),
    ("RO", "RO", &["99", "999", "9999", "99999", "999999", "9999999", "99999999", "999999999", "9999999999"]),
    ("SE", "SE", &["999999999999"]),
    ("SI", "SI", &["99999999"]),
    ("SK", "SK", &["9999999999"]),
    ("XI", "XI", &["999999999", "999999999999", "GD999", "HA999"]),
    ("GB", "GB", &["999999999", "999999999999", "GD999", "HA999"]),
    ("CH", "CHE", &["999999999", "999999999MWST", "999999999TVA", "999999999IVA"]),
    ("NO", "", &["999999999MVA", "999999999"]),
    ("US", "", &["999999999"]),
    ("AU", "", &["99999999999"]),
    ("CA", "", &["999999999", "999999999RT9999"]),
    ("IN", "", &["99AAAAA9999AXAX"]),
    ("JP", "T", &["9999999999999"]),
    ("NZ", "", &["99999999", "999999999"]),
    ("SG", "", &["99999999A", "999999999A", "A99AA9999A"]),
];
/// Of countries whose form is not known here.
const OTHER_MAX: usize = 30;

/// The id without spaces, dots and dashes, in capitals; the error says what its country's look like.
pub(crate) fn check(country: &str, text: &str) -> Result<String, String> {
    let plain: String =
        text.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '/')).collect::<String>().to_ascii_uppercase();
    let Some((_, prefix, forms)) = FORMS.iter().find(|(known, ..)| *known == country) else {
        let good = (1..=OTHER_MAX).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_alphanumeric());
        return if good { Ok(plain) } else { Err(format!("write 1 to {OTHER_MAX} letters and digits")) };
    };
    let own = plain.strip_prefix(prefix).filter(|_| !prefix.is_empty());
    let rest = own.unwrap_or(&plain);
    let foreign = |(_, prefix, forms): &(&str, &str, &[&str])| {
        let rest = plain.strip_prefix(prefix).filter(|_| !prefix.is_empty());
        rest.is_some_and(|rest| forms.iter().any(|form| fits(form, rest)))
    };
    let is_foreign = own.is_none() && FORMS.iter().any(foreign);
    if !is_foreign && forms.iter().any(|form| fits(form, rest)) {
        return Ok(format!("{prefix}{rest}"));
    }
    let forms: Vec<String> = forms.iter().map(|form| format!("{prefix}{form}")).collect();
    let forms = forms.join(" or ");
    Err(format!("ids of {country} have the form {forms} (9: a digit, A: a letter, X: either)"))
}

fn fits(form: &str, text: &str) -> bool {
    form.len() == text.len()
        && form.bytes().zip(text.bytes()).all(|(form, byte)| match form {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            b'X' => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            other => other == byte,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_countrys_form() {
        let rows = [
            ("DE", "DE 123 456 789", Some("DE123456789")),
            ("DE", "123456789", Some("DE123456789")),
            ("DE", "DE12345678", None),
            ("AT", "atu12345678", Some("ATU12345678")),
            ("GR", "EL123456789", Some("EL123456789")),
            ("GR", "GR123456789", None),
            ("IE", "IE1234567WA", Some("IE1234567WA")),
            ("NL", "NL123456789B01", Some("NL123456789B01")),
            ("BE", "BE2123456789", None),
            ("CH", "CHE-123.456.789 MWST", Some("CHE123456789MWST")),
            ("GB", "GB123456789", Some("GB123456789")),
            ("US", "12-3456789", Some("123456789")),
            ("JP", "T1234567890123", Some("T1234567890123")),
            ("BR", "12.345.678/0001-95", Some("12345678000195")),
            ("BR", "", None),
            ("BR", "<script>", None),
            ("FR", "DE123456789", None),
        ];
        for (country, text, expect) in rows {
            assert_eq!(check(country, text).ok().as_deref(), expect, "{country} {text}");
        }
        let countries: std::collections::BTreeSet<&str> = FORMS.iter().map(|form| form.0).collect();
        assert_eq!(countries.len(), FORMS.len());
    }
}
