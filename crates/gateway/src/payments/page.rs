//! An invoice as a page: ready for print, one file, no script, nothing from elsewhere. Every text is escaped.

use std::fmt::Write;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::Invoice;
use types::Money;

use super::date;

const CSS: &str = "\
:root{color-scheme:light}\
*{box-sizing:border-box}\
body{margin:0;background:#eceff3;color:#14181d;font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{max-width:48rem;margin:2rem auto;padding:3.5rem;background:#fff;border-radius:6px;box-shadow:0 1px 12px #0002}\
header{display:flex;justify-content:space-between;gap:2rem;align-items:start;border-bottom:2px solid #14181d;padding-bottom:1.5rem}\
h1{margin:0;font-size:1.9rem;line-height:1.2;font-weight:650}\
h2{margin:0 0 .3rem;font-size:.75rem;letter-spacing:.08em;text-transform:uppercase;color:#56606c}\
p{margin:0}\
.who{display:grid;grid-template-columns:1fr 1fr;gap:2rem;margin:2rem 0}\
dl{display:grid;grid-template-columns:auto auto;gap:.15rem 1.2rem;margin:0;text-align:right}\
dt{color:#56606c}dd{margin:0;font-variant-numeric:tabular-nums}\
table{width:100%;border-collapse:collapse;margin-top:1rem}\
th{font-size:.75rem;letter-spacing:.08em;text-transform:uppercase;color:#56606c;text-align:left;font-weight:600}\
th,td{padding:.65rem 0;border-bottom:1px solid #d6dbe1}\
th:last-child,td:last-child{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;padding-left:1rem}\
tfoot td{border-bottom:0;border-top:2px solid #14181d;font-weight:650;font-size:1.1rem}\
footer{margin-top:2.5rem;color:#56606c;font-size:.87rem}footer p{margin-top:.4rem}\
@media(max-width:40rem){main{margin:0;padding:1.5rem;border-radius:0}header,.who{display:block}dl{margin-top:1rem;text-align:left}\
.who section+section{margin-top:1.5rem}}\
@media print{body{background:#fff}main{margin:0;padding:0;max-width:none;box-shadow:none}@page{margin:2cm}}";

/// Nothing is loaded, run or embedded; the one style sheet is known by its hash.
pub(crate) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(CSS));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// A text in HTML, where it can mean nothing else.
pub(crate) struct Html<'a>(pub(crate) &'a str);

impl std::fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// The page.
pub(crate) fn render(invoice: &Invoice) -> String {
    let body: Value = serde_json::from_str(&invoice.body).unwrap_or(Value::Null);
    let kind = if invoice.corrects.is_some() { "Credit note" } else { "Invoice" };
    let mut page = String::with_capacity(6_000);
    // Writing to a String can't fail.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{kind} {id}</title>\
         <style>{CSS}</style></head><body><main><header><div><h1>{kind}</h1><p>{id}</p></div><dl>\
         <dt>Date</dt><dd>{date}</dd><dt>Order</dt><dd>{order}</dd>",
        id = Html(&invoice.id),
        date = date(invoice.issued.day()),
        order = Html(short(&invoice.order)),
    );
    if let Some(corrects) = &invoice.corrects {
        let _ = write!(page, "<dt>Corrects</dt><dd>{}</dd>", Html(corrects));
    }
    page.push_str("</dl></header><div class=\"who\">");
    party(&mut page, "From", body.get("seller"));
    party(&mut page, "To", body.get("buyer"));
    page.push_str("</div>");
    lines(&mut page, invoice, &body);
    footer(&mut page, invoice, &body);
    page.push_str("</main></body></html>");
    page
}

/// Enough of an order's id to find it.
fn short(order: &str) -> &str {
    order.get(..16).unwrap_or(order)
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn party(page: &mut String, title: &str, who: Option<&Value>) {
    let _ = write!(page, "<section><h2>{title}</h2>");
    let Some(who) = who.filter(|who| who.is_object()) else {
        page.push_str("<p>-</p></section>");
        return;
    };
    let _ = write!(page, "<p><strong>{}</strong></p>", Html(text(who, "name").unwrap_or("-")));
    for line in who.get("address").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let _ = write!(page, "<p>{}</p>", Html(line));
    }
    for (label, name) in [("", "country"), ("Tax ID: ", "tax_id"), ("", "email")] {
        if let Some(text) = text(who, name) {
            let _ = write!(page, "<p>{label}{}</p>", Html(text));
        }
    }
    page.push_str("</section>");
}

fn lines(page: &mut String, invoice: &Invoice, body: &Value) {
    let what = match text(body, "balance") {
        Some("byok") => "Prepaid balance for calls with own provider keys",
        _ => "Prepaid credit",
    };
    let back = if invoice.corrects.is_some() { ", refunded" } else { "" };
    page.push_str("<table><thead><tr><th>Description</th><th>Amount (USD)</th></tr></thead><tbody>");
    let _ = write!(page, "<tr><td>{what}{back}</td><td>{}</td></tr>", signed(invoice, invoice.credit));
    if invoice.fee > Money::ZERO {
        let percent = text(body, "fee_percent").unwrap_or_default();
        let amount = signed(invoice, invoice.fee);
        let _ = write!(page, "<tr><td>Top-up fee, {} %{back}</td><td>{amount}</td></tr>", Html(percent));
    }
    let _ = write!(
        page,
        "</tbody><tfoot><tr><td>Total</td><td>{} USD</td></tr></tfoot></table>",
        signed(invoice, invoice.total)
    );
}

/// With two digits at least; what a credit note gives back is negative.
fn signed(invoice: &Invoice, amount: Money) -> String {
    let amount = if invoice.corrects.is_some() { amount.negated() } else { amount };
    let exact = amount.to_string();
    let digits = exact.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if digits <= 2 { amount.to_fixed(2) } else { exact }
}

fn footer(page: &mut String, invoice: &Invoice, body: &Value) {
    let processor = match text(body, "processor").unwrap_or_default() {
        "stripe" => "Stripe",
        other => other,
    };
    let payment = text(body, "payment").unwrap_or_default();
    let done = if invoice.corrects.is_some() { "Refunded" } else { "Paid" };
    let _ = write!(
        page,
        "<footer><p>{done} by {} on {} (UTC), reference {}.</p>",
        Html(processor),
        date(invoice.issued.day()),
        Html(if payment.is_empty() { &invoice.order } else { payment }),
    );
    if let Some(note) = body.get("seller").and_then(|seller| text(seller, "note")) {
        let _ = write!(page, "<p>{}</p>", Html(note));
    }
    page.push_str("</footer>");
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use types::{AccountId, Timestamp};

    use super::*;

    fn invoice(corrects: Option<&str>) -> Invoice {
        let evil = "<script>alert('x')</script>\"&";
        Invoice {
            id: "INV-2026-000001".to_owned(),
            account: AccountId::new("acct_a"),
            order: "ord_0123456789abcdef0123".to_owned(),
            corrects: corrects.map(str::to_owned),
            issued: Timestamp::from_seconds(1_795_132_800),
            credit: "25".parse().unwrap(),
            fee: "1.25".parse().unwrap(),
            total: "26.25".parse().unwrap(),
            body: json!({
                "seller": {"name": evil, "address": [evil], "country": evil, "tax_id": evil, "email": evil, "note": evil},
                "buyer": {"name": evil, "address": [evil]},
                "processor": evil, "payment": evil, "fee_percent": evil, "balance": evil,
            })
            .to_string(),
        }
    }

    #[test]
    fn a_text_stays_a_text() {
        let page = render(&invoice(None));
        assert!(!page.contains("<script") && !page.contains("'x'"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 11);
        assert!(page.contains("<td>26.25 USD</td>") && page.contains("2026-11-20"));
        assert!(POLICY.contains("default-src 'none'") && !POLICY.contains("unsafe"));
    }

    #[test]
    fn a_credit_note_is_negative_and_names_what_it_corrects() {
        let page = render(&invoice(Some("INV-2026-000001")));
        assert!(page.contains("<h1>Credit note</h1>") && page.contains("<td>-26.25 USD</td>"));
        assert!(page.contains("<dt>Corrects</dt><dd>INV-2026-000001</dd>"));
    }

    #[test]
    fn details_that_nobody_gave_leave_no_hole() {
        let page = render(&Invoice { body: "{}".to_owned(), ..invoice(None) });
        assert_eq!(page.matches("<section>").count(), 2);
        assert_eq!(page.matches("<p>-</p>").count(), 2);
    }
}
