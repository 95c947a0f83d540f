use types::{AccountId, EntryId, Money, Timestamp};

use super::sample;
use crate::{
    BillingMode, BookAccount, Entry, EntryError, EntryKind, Fee, FeeFrom, Posting, entry_of, grant,
    grant_byok, to_byok,
};

fn postings(pairs: &[(&str, i64)]) -> Vec<Posting> {
    pairs
        .iter()
        .map(|(account, nanos)| Posting {
            account: account.parse().unwrap(),
            amount: Money::from_nanos(*nanos),
        })
        .collect()
}

#[test]
fn an_entry_balances_or_is_none() {
    let check = |pairs: &[(&str, i64)]| {
        Entry::new(EntryId::new("e"), Timestamp(1), EntryKind::Grant, postings(pairs))
            .map(|e| e.postings().len())
    };
    assert_eq!(check(&[("margin", 5), ("grants", -5)]), Ok(2));
    assert_eq!(check(&[("margin", 5), ("grants", -5), ("writeoff", 0)]), Ok(2));
    assert_eq!(check(&[("margin", 5), ("grants", -4)]), Err(EntryError::Unbalanced(Money::from_nanos(1))));
    assert_eq!(check(&[("margin", 0), ("grants", 0)]), Err(EntryError::TooFew));
    assert_eq!(check(&[]), Err(EntryError::TooFew));
    assert_eq!(check(&[("margin", i64::MAX), ("grants", i64::MAX)]), Err(EntryError::Overflow));
}

#[test]
fn a_generation_is_booked_by_its_mode() {
    // mode, cost, charged, provider's cost, expected
    type Row = (BillingMode, i64, i64, i64, Result<Option<&'static [(&'static str, i64)]>, EntryError>);
    let rows: [Row; 8] = [
        (BillingMode::Prepaid, 9, 9, 9, Ok(Some(&[("credits:acct_owner", -9), ("provider:mistral", 9)]))),
        (
            BillingMode::Metered,
            9,
            9,
            7,
            Ok(Some(&[("usage:acct_owner", -9), ("margin", 2), ("provider:mistral", 7)])),
        ),
        (
            BillingMode::Prepaid,
            9,
            4,
            9,
            Ok(Some(&[("credits:acct_owner", -4), ("writeoff", -5), ("provider:mistral", 9)])),
        ),
        (BillingMode::Prepaid, 9, 0, 9, Ok(Some(&[("writeoff", -9), ("provider:mistral", 9)]))),
        (BillingMode::Prepaid, 0, 0, 3, Ok(Some(&[("margin", -3), ("provider:mistral", 3)]))),
        (BillingMode::Prepaid, 0, 0, 0, Ok(None)),
        (BillingMode::Prepaid, 3, 4, 3, Err(EntryError::ChargeOutOfRange)),
        (BillingMode::Prepaid, 3, -1, 3, Err(EntryError::ChargeOutOfRange)),
    ];
    for (n, (mode, cost, charged, provider, expected)) in rows.into_iter().enumerate() {
        let mut record = sample(1);
        (record.mode, record.cost.total) = (mode, Money::from_nanos(cost));
        (record.charged, record.provider_cost) = (Money::from_nanos(charged), Money::from_nanos(provider));
        let entry = entry_of(&record).map(|entry| entry.map(|entry| entry.postings().to_vec()));
        assert_eq!(entry, expected.map(|pairs| pairs.map(postings)), "row {n}");
    }
    let entry = entry_of(&sample(1)).unwrap().unwrap();
    assert_eq!(entry.id().as_str(), format!("gen:{}", sample(1).id));
}

#[test]
fn each_attempt_is_owed_to_its_provider() {
    let mut record = sample(1);
    record.provider_cost = Money::from_nanos(390_010);
    record.attempts[0].cost = Money::from_nanos(390_000);
    let failed =
        crate::Attempt { endpoint: "venice/x".into(), cost: Money::from_nanos(10), ..Default::default() };
    record.attempts.insert(0, failed);
    let entry = entry_of(&record).unwrap().unwrap();
    let expected = [
        ("credits:acct_owner", -390_000),
        ("margin", -10),
        ("provider:mistral", 390_000),
        ("provider:venice", 10),
    ];
    assert_eq!(entry.postings(), postings(&expected));
}

#[test]
fn a_grant_moves_credit_from_grants() {
    let make =
        |nanos| grant(AccountId::new("acct_a"), Money::from_nanos(nanos), EntryId::new("g1"), Timestamp(1));
    assert_eq!(make(7).unwrap().postings(), postings(&[("credits:acct_a", 7), ("grants", -7)]));
    assert_eq!(make(-7).unwrap().postings(), postings(&[("credits:acct_a", -7), ("grants", 7)]));
    assert_eq!(make(0), Err(EntryError::TooFew));
    assert_eq!(make(i64::MIN), Err(EntryError::Overflow));
}

#[test]
fn book_accounts_have_a_text_form() {
    for text in ["credits:acct_a", "usage:acct_a", "provider:mistral", "margin", "writeoff", "grants"] {
        assert_eq!(text.parse::<BookAccount>().unwrap().to_string(), text);
    }
    for text in ["", "credits", "credits:", "margin:x", "cash"] {
        assert!(text.parse::<BookAccount>().is_err(), "{text}");
    }
}

#[test]
fn every_account_and_kind_has_its_name() {
    let account = AccountId::new("acct_a");
    let rows = [
        (BookAccount::Credits(account.clone()), "credits:acct_a"),
        (BookAccount::Usage(account.clone()), "usage:acct_a"),
        (BookAccount::Provider("lab".to_owned()), "provider:lab"),
        (BookAccount::Margin, "margin"),
        (BookAccount::Writeoff, "writeoff"),
        (BookAccount::Grants, "grants"),
        (BookAccount::Byok(account), "byok:acct_a"),
        (BookAccount::Processor("stripe".to_owned()), "processor:stripe"),
        (BookAccount::Fees, "fees"),
        (BookAccount::Promotion, "promotion"),
        (BookAccount::Clearing, "clearing"),
    ];
    for (account, text) in rows {
        assert_eq!((account.to_string().as_str(), text.parse()), (text, Ok(account)));
    }
    for text in
        ["usage:", "byok:", "processor:", "fees:x", "promotion:x", "clearing:x", "grants:x", "writeoff:x"]
    {
        assert!(text.parse::<BookAccount>().is_err(), "{text}");
    }
    let kinds = [
        (EntryKind::Generation, "generation"),
        (EntryKind::Grant, "grant"),
        (EntryKind::TopUp, "top_up"),
        (EntryKind::Refund, "refund"),
        (EntryKind::Promotion, "promotion"),
        (EntryKind::Transfer, "transfer"),
        (EntryKind::Correction, "correction"),
    ];
    assert!(kinds.into_iter().all(|(kind, name)| kind.name() == name));
    let entry =
        grant(AccountId::new("acct_a"), Money::from_nanos(7), EntryId::new("g1"), Timestamp(9)).unwrap();
    assert_eq!((entry.at(), entry.kind(), entry.id().as_str()), (Timestamp(9), EntryKind::Grant, "g1"));
}

#[test]
fn a_call_with_an_own_key_moves_its_fee_only() {
    // mode, list price, charged, due, from, lost attempts of ours, expected
    type Row = (
        BillingMode,
        i64,
        i64,
        i64,
        FeeFrom,
        i64,
        Result<Option<&'static [(&'static str, i64)]>, EntryError>,
    );
    use BillingMode::{Metered, Prepaid};
    use FeeFrom::{Byok, Credits};
    let rows: [Row; 8] = [
        (Prepaid, 100, 5, 5, Byok, 0, Ok(Some(&[("byok:acct_owner", -5), ("fees", 5)]))),
        (Prepaid, 100, 5, 5, Credits, 0, Ok(Some(&[("credits:acct_owner", -5), ("fees", 5)]))),
        (Metered, 100, 5, 5, Byok, 0, Ok(Some(&[("usage:acct_owner", -5), ("fees", 5)]))),
        (Prepaid, 100, 2, 5, Byok, 0, Ok(Some(&[("byok:acct_owner", -2), ("fees", 2)]))),
        (
            Prepaid,
            100,
            5,
            5,
            Byok,
            3,
            Ok(Some(&[("byok:acct_owner", -5), ("fees", 5), ("margin", -3), ("provider:mistral", 3)])),
        ),
        (Prepaid, 100, 0, 5, Byok, 0, Ok(None)),
        (Prepaid, 100, 6, 5, Byok, 0, Err(EntryError::FeeOutOfRange)),
        (Prepaid, 100, 4, 4, Byok, 0, Err(EntryError::FeeOutOfRange)),
    ];
    for (n, (mode, list, charged, due, from, lost, expected)) in rows.into_iter().enumerate() {
        let mut record = sample(1);
        (record.mode, record.cost.total) = (mode, Money::from_nanos(list));
        (record.charged, record.provider_cost) = (Money::from_nanos(charged), Money::from_nanos(lost));
        record.byok_key = Some("byok_1".to_owned());
        record.fee = Some(Fee { rate: "5".parse().unwrap(), due: Money::from_nanos(due), from });
        let entry = entry_of(&record).map(|entry| entry.map(|entry| entry.postings().to_vec()));
        assert_eq!(entry, expected.map(|pairs| pairs.map(postings)), "row {n}");
        record.byok_key = None;
        assert_eq!(entry_of(&record), Err(EntryError::FeeOutOfRange), "a fee is of an own key");
    }
}

#[test]
fn the_balance_for_fees_is_filled_by_grants_and_from_credits() {
    let (id, owner) = (EntryId::new("e"), types::AccountId::new("acct_a"));
    let granted = grant_byok(owner.clone(), Money::from_nanos(7), id.clone(), Timestamp(1)).unwrap();
    assert_eq!(
        (granted.kind(), granted.postings()),
        (EntryKind::Grant, &*postings(&[("byok:acct_a", 7), ("grants", -7)]))
    );
    let moved = to_byok(owner, Money::from_nanos(7), id, Timestamp(1)).unwrap();
    assert_eq!(
        (moved.kind(), moved.postings()),
        (EntryKind::Transfer, &*postings(&[("credits:acct_a", -7), ("byok:acct_a", 7)]))
    );
}
