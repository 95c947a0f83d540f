//! `POST /v1/credits/redeem`: a voucher's code becomes credit, once.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde::Deserialize;
use serde_json::json;
use store::{Redeemed, Redemption};

use super::code::VoucherCode;
use super::{Counter, PaymentError, usd};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::router;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    code: String,
}

/// Redeems.
pub(crate) async fn redeem(
    worker: &Arc<Worker>,
    parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let counter = Counter::open(worker, &parts)?;
    let asked: Asked = counter.body(&body, r#"{"code": "TW-..."}"#)?;
    let code = VoucherCode::read(&asked.code).ok_or(PaymentError::CodeMistyped)?;
    let redemption = Redemption { hash: code.hash(), account: counter.account(), at: counter.now() };
    let done = counter.store(|gateway| async move { gateway.store.redeem(&redemption).await }).await?;
    let voucher = match done {
        Redeemed::Credited(voucher) => voucher,
        Redeemed::Unknown => return Err(PaymentError::CodeUnknown.into()),
        Redeemed::Expired => return Err(PaymentError::CodeExpired.into()),
        Redeemed::Before(mine) => return Err(PaymentError::CodeUsed(mine).into()),
        Redeemed::Enough(times) => return Err(PaymentError::CodeLimit(times).into()),
    };
    let data = json!({ "id": voucher.id, "credited_usd": usd(voucher.amount) });
    Ok(router::json(json!({ "data": data }).to_string()))
}
