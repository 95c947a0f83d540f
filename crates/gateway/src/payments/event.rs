//! Stripe's events in our words. What an event does not say plainly is taken as nothing: no credit follows from a guess.

use serde_json::Value;
use store::{Dispute, Notice, OrderKind, Says};

/// The name of the processor in orders and books.
pub const STRIPE: &str = "stripe";

/// Understands an event; `None` when it has not the form of one.
pub fn read(body: &[u8]) -> Option<Notice> {
    let event: Value = serde_json::from_slice(body).ok()?;
    let id = plain(event.get("id")?)?;
    let kind = plain(event.get("type")?)?;
    let object = event.pointer("/data/object").filter(|object| object.is_object())?;
    let says = says(&kind, object);
    Some(Notice { processor: STRIPE, id, kind, says })
}

fn says(kind: &str, object: &Value) -> Says {
    match kind {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => session(object),
        "checkout.session.async_payment_failed" | "checkout.session.expired" => {
            order_of_session(object).map_or(Says::Nothing, |order| Says::Failed { order })
        }
        "payment_intent.succeeded" => intent(object),
        "payment_intent.payment_failed" => {
            match (text(object, "/metadata/order"), text(object, "/metadata/kind")) {
                // At the processor's page a customer may try another card: only without one is this the end.
                (Some(order), Some(kind)) if kind == OrderKind::Auto.name() => Says::Failed { order },
                _ => Says::Nothing,
            }
        }
        "charge.refunded" => refund(object),
        "charge.dispute.created" | "charge.dispute.updated" | "charge.dispute.closed" => dispute(object),
        _ => Says::Nothing,
    }
}

fn order_of_session(object: &Value) -> Option<String> {
    text(object, "/client_reference_id").or_else(|| text(object, "/metadata/order"))
}

fn session(object: &Value) -> Says {
    let is_paid = text(object, "/payment_status").as_deref() == Some("paid");
    let is_payment = text(object, "/mode").is_none_or(|mode| mode == "payment");
    let amount = (number(object, "/amount_total"), text(object, "/currency"));
    let ((Some(cents), Some(currency)), true) = (amount, is_paid && is_payment) else { return Says::Nothing };
    Says::Paid {
        order: order_of_session(object).unwrap_or_default(),
        kind: OrderKind::Checkout,
        session: text(object, "/id"),
        payment: id_of(object, "/payment_intent"),
        customer: id_of(object, "/customer"),
        cents,
        currency,
    }
}

/// A payment intent that succeeded: an event's, or an answer's.
pub(crate) fn intent(object: &Value) -> Says {
    let cents = number(object, "/amount_received").or_else(|| number(object, "/amount"));
    let is_paid = text(object, "/status").as_deref() == Some("succeeded");
    let order = text(object, "/metadata/order");
    let (Some(order), Some(cents), Some(currency), true) = (order, cents, text(object, "/currency"), is_paid)
    else {
        return Says::Nothing;
    };
    Says::Paid {
        order,
        kind: OrderKind::Auto,
        session: None,
        payment: text(object, "/id"),
        customer: None,
        cents,
        currency,
    }
}

/// A charge of which a part was paid back: an event's, or an answer's.
pub(crate) fn refund(object: &Value) -> Says {
    let (Some(cents), Some(currency)) = (number(object, "/amount_refunded"), text(object, "/currency"))
    else {
        return Says::Nothing;
    };
    let (order, payment) = (text(object, "/metadata/order"), id_of(object, "/payment_intent"));
    Says::Returned { order, payment, cents, currency }
}

fn dispute(object: &Value) -> Says {
    let state = match text(object, "/status").as_deref() {
        Some("won") => Dispute::Won,
        Some("lost") => Dispute::Lost,
        Some("needs_response" | "under_review") => Dispute::Open,
        // An inquiry (`warning_...`) moves no money.
        _ => return Says::Nothing,
    };
    let (Some(dispute), Some(cents)) = (text(object, "/id"), number(object, "/amount")) else {
        return Says::Nothing;
    };
    let Some(currency) = text(object, "/currency") else { return Says::Nothing };
    let (order, payment) = (text(object, "/metadata/order"), id_of(object, "/payment_intent"));
    Says::Disputed { order, payment, dispute, cents, currency, state }
}

fn plain(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let good = !text.is_empty() && text.len() <= 200 && text.bytes().all(|b| b.is_ascii_graphic());
    good.then(|| text.to_owned())
}

fn text(object: &Value, pointer: &str) -> Option<String> {
    plain(object.pointer(pointer)?)
}

/// An id, or the object that it is expanded to.
fn id_of(object: &Value, pointer: &str) -> Option<String> {
    let value = object.pointer(pointer)?;
    plain(value).or_else(|| text(value, "/id"))
}

fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer)?.as_i64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn says_of(kind: &str, object: Value) -> Says {
        let event = json!({"id": "evt_1", "type": kind, "data": {"object": object}});
        read(event.to_string().as_bytes()).unwrap().says
    }

    #[test]
    fn only_a_session_that_is_paid_is_a_payment() {
        let session = |status: &str, mode: &str| {
            json!({"id": "cs_1", "client_reference_id": "ord_1", "payment_intent": "pi_1", "amount_total": 2625,
                "currency": "usd", "payment_status": status, "mode": mode, "customer": {"id": "cus_1"}})
        };
        let paid = says_of("checkout.session.completed", session("paid", "payment"));
        let Says::Paid { order, payment, customer, cents, .. } = paid else { panic!("{paid:?}") };
        assert_eq!((order.as_str(), payment.as_deref(), cents), ("ord_1", Some("pi_1"), 2625));
        assert_eq!(customer.as_deref(), Some("cus_1"));
        for (status, mode) in [("unpaid", "payment"), ("no_payment_required", "payment"), ("paid", "setup")] {
            assert_eq!(
                says_of("checkout.session.completed", session(status, mode)),
                Says::Nothing,
                "{status}"
            );
        }
        let failed = says_of("checkout.session.async_payment_failed", session("unpaid", "payment"));
        assert_eq!(failed, Says::Failed { order: "ord_1".into() });
    }

    #[test]
    fn amounts_that_are_no_whole_numbers_are_none() {
        for amount in [json!("2625"), json!(26.25), Value::Null, json!(1e30)] {
            let object = json!({"id": "pi_1", "metadata": {"order": "o"}, "status": "succeeded", "currency": "usd",
                "amount_received": amount});
            assert_eq!(says_of("payment_intent.succeeded", object), Says::Nothing, "{amount}");
        }
    }

    #[test]
    fn inquiries_move_no_money() {
        let dispute = |status: &str| json!({"id": "dp_1", "amount": 500, "currency": "usd", "payment_intent": "pi_1", "status": status});
        for (status, expect) in [
            ("needs_response", Some(Dispute::Open)),
            ("won", Some(Dispute::Won)),
            ("lost", Some(Dispute::Lost)),
            ("warning_needs_response", None),
            ("warning_closed", None),
        ] {
            let state = match says_of("charge.dispute.created", dispute(status)) {
                Says::Disputed { state, .. } => Some(state),
                _ => None,
            };
            assert_eq!(state, expect, "{status}");
        }
    }

    #[test]
    fn what_is_no_event_is_none() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"id":"","type":"x","data":{"object":{}}}"#,
            r#"{"id":"e","type":"x","data":{}}"#,
        ] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }
}
