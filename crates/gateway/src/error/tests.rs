use super::*;

#[test]
fn every_error_is_in_the_table_and_in_the_form_clients_read() {
    let refusal = || {
        Box::new(Refusal {
            scope: "key".into(),
            period: ledger::Period::Total,
            resets: None,
            index: 0,
            limit: types::Money::from_usd(1),
            spent: types::Money::ZERO,
            held: types::Money::ZERO,
            available: types::Money::from_usd(1),
            needed: types::Money::from_usd(2),
            outstanding: false,
        })
    };
    let errors = [
        GatewayError::KeyMissing,
        GatewayError::NoMoney(refusal()),
        GatewayError::NoEndpoints {
            model: "m".into(),
            failed_step: "s".into(),
            funnel: Vec::new(),
            without: Vec::new(),
        },
        GatewayError::ModelNotFound { name: "x\"y".into(), suggestions: vec!["a/b".into()] },
        GatewayError::ModelRetired { model: "a/b".into(), since: None, successor: Some("a/c".into()) },
        GatewayError::Overloaded(5),
        GatewayError::ReplayBusy("busy"),
        GatewayError::RatingsLimited { why: "five a minute", retry_after: Duration::from_secs(9) },
        GatewayError::RuleNotFound { kind: RuleKind::Policy, name: "x".into(), suggestions: Vec::new() },
        GatewayError::RuleNotFound {
            kind: RuleKind::Preset,
            name: "x".into(),
            suggestions: vec!["y".into()],
        },
        GatewayError::RuleInvalid {
            kind: RuleKind::Preset,
            error: RuleError { path: "config.n".into(), problem: "must be a number".into() },
        },
        GatewayError::RuleExists("policy `x` exists already; write over it with PUT".into()),
        GatewayError::VersionMismatch("policy `x` is at version 2".into()),
        GatewayError::IdempotencyMismatch,
        GatewayError::IdempotencyInFlight(None),
        GatewayError::OutcomeUnknown(GenerationId::new(types::Timestamp(0), 1)),
        GatewayError::AnswerNotKept(GenerationId::new(types::Timestamp(0), 2)),
    ];
    for error in errors {
        let (status, kind) = error.kind();
        assert!(TABLE.iter().any(|doc| doc.kind == kind && doc.status == status), "{kind}");
        let object: Value = serde_json::from_str(&error.object()).unwrap();
        assert_eq!(object["code"], status);
        assert!(object["metadata"].is_object());
    }
}
