//! Every error type, its cause and what to do: the source of `docs/errors.md`.

use super::ErrorDoc;

macro_rules! docs {
    ($($kind:literal $status:literal $cause:literal $remedy:literal;)*) => {
        /// Every error type with cause and remedy.
        pub const TABLE: &[ErrorDoc] =
            &[$(ErrorDoc { kind: $kind, status: $status, cause: $cause, remedy: $remedy }),*];
    };
}

docs! {
    "invalid_request" 400 "The body or a parameter is wrong; the message names the field." "Mend the field and send it again.";
    "invalid_header" 400 "A request header has a value that is not allowed." "Use one of the values that the message names.";
    "invalid_policy" 400 "What was written is no policy; `metadata.path` says where it is wrong. Nothing was changed." "Mend what the message names and write it again.";
    "invalid_preset" 400 "What was written is no preset; `metadata.path` says where it is wrong. Nothing was changed." "Mend what the message names and write it again.";
    "invalid_access" 400 "What was written is no approval, access list or group; `metadata.path` says where, the message what is wrong. Nothing was changed." "Mend what the message names and write it again.";
    "invalid_guardrails" 400 "What was written are no guardrails; the message says what is wrong. Nothing was changed." "Mend what the message names and write them again.";
    "context_length_exceeded" 400 "The prompt is longer than the endpoint's context window." "Shorten the prompt or choose a model with a larger window.";
    "provider_refused" 400 "The provider refused the request as wrong; the status is the provider's own 4xx." "Read the provider's words in the message.";
    "not_translatable" 400 "Something in the request can't be put into the dialect of any endpoint that is left; the message names where." "Leave that part out, or choose a model whose provider takes it.";
    "provider_key_refused" 400 "The provider refused the key that was to be kept." "Check the key; `?force=true` keeps it all the same.";
    "webhook_refused" 400 "A payment processor's event has no valid signature, or is no event." "Check the webhook's secret and both clocks.";
    "key_missing" 401 "No API key was sent." "Send `Authorization: Bearer <key>`.";
    "key_malformed" 401 "The key's checksum is wrong: it was cut or mistyped." "Copy the key again.";
    "key_unknown" 401 "The key is not known here or was revoked." "Make another with `tollway keys create`.";
    "key_disabled" 401 "The key is switched off, or its holder may make no calls for now." "Enable it, ask an admin, or use another.";
    "key_expired" 401 "The key is past its expiry." "Make another.";
    "key_rotated" 401 "The key was rotated, and the grace of its old text is over." "Use its new text.";
    "key_frozen" 403 "The key is frozen, usually because it spent many times what it usually does." "Its owner looks at what it did and switches it on again with `PATCH /v1/keys/{hash}`.";
    "key_rule" 403 "A rule of the key or of its organization forbids the call: models, providers, regions, data policy or addresses; the message names it." "Ask the key's owner or an admin of the organization, or use another key; `GET /v1/access` tells what it may call.";
    "budget_exceeded" 402 "A budget doesn't cover the call; `metadata` says which, its limit, what is left and when it counts anew." "Wait until it counts anew, raise the budget, or lower `max_tokens`.";
    "key_limit_exceeded" 402 "The key's spend limit doesn't cover the call; `metadata` says limit, spent, held and left." "Raise the limit, lower `max_tokens`, or use another key.";
    "insufficient_credits" 402 "The account's balance doesn't cover the call; `metadata` says what is left." "Add credit, or lower `max_tokens`.";
    "byok_balance_empty" 402 "The balance for fees of calls with your own provider keys doesn't cover the call; no other key was used instead." "Move credits there with `POST /v1/byok/balance`, or opt in to fees from credits with `PUT /v1/byok/settings`.";
    "max_cost_exceeded" 402 "The call could cost more than the request's own header allows." "Lower `max_tokens`, shorten the prompt, or raise the header.";
    "content_policy" 403 "The provider's moderation refused the prompt." "Change the prompt or choose another provider.";
    "guardrail_blocked" 403 "A guardrail of the key, the policy or the operator blocks what the request or the answer holds; `metadata.kinds` says what, never the text. An answer that is blocked was made and is charged." "Take it out of the request, or ask whoever set the guardrail.";
    "wrong_key_kind" 403 "A management key can't call models, and an API key can't manage." "Use the other kind of key.";
    "model_not_found" 404 "Nobody knows the model; `metadata.suggestions` holds up to three that look like it." "Use an id of `GET /v1/models`.";
    "model_retired" 404 "The model's maker has retired it, and no provider that is switched on serves it; `metadata.successor` is the model that is named in its place." "Ask for the successor.";
    "no_endpoints" 404 "The model is known, but every endpoint was filtered out; `metadata.routing_funnel` lists the filters." "Loosen the filter that `metadata.failed_routing_step` names, or switch a provider on.";
    "policy_not_found" 404 "The account has no policy of that name; `metadata.suggestions` holds names that look like it." "Use a name of `GET /v1/policies`.";
    "preset_not_found" 404 "The account has no preset of that name; `metadata.suggestions` holds names that look like it." "Use a name of `GET /v1/presets`.";
    "not_found" 404 "Nothing is at this path, or the object is not yours." "Check the path and the id.";
    "invalid_credentials" 401 "The address or the password is wrong; which of the two is not told." "Try again, or ask for another password at `POST /v1/auth/reset`.";
    "second_factor_required" 401 "The password is right, and the person has a second factor." "Send `code` beside it.";
    "second_factor_wrong" 401 "The code is wrong, too old, or was used before." "Wait for the next one, or send a recovery code.";
    "session_invalid" 401 "A session is needed, and there is none, or it is over." "Sign in at `POST /v1/auth/sign-in`.";
    "sign_up_closed" 403 "People come in by invitation here, or not at all." "Ask the operator for an invitation.";
    "role_insufficient" 403 "The caller's role in the organization does not have the right that this takes, or would give away more than it has." "Ask somebody with a role that the message names.";
    "organization_unknown" 404 "No organization of the caller has the id that the request asks for." "Use an id of `GET /v1/organizations`.";
    "invitation_of_another" 403 "The invitation went to another address than that of whoever is signed in." "Sign in as who has that address, or be invited anew.";
    "app_code_invalid" 403 "The code that an app brought is unknown, was used before, is older than ten minutes, or its verifier is another's." "Let the person allow it again at `/auth`.";
    "foreign_page" 403 "A session's cookie came with a request that no page of this site made." "Send the session as `Authorization: Bearer`.";
    "sign_in_again" 403 "The person has no password, and the session is older than ten minutes." "Sign in again and repeat it.";
    "sign_in_invalid" 400 "What the browser brought back from the issuer is unknown, was used before, is older than ten minutes, or began in another browser." "Begin again at `GET /v1/auth/oidc/{issuer}`.";
    "issuer_unknown" 404 "No issuer of identities is configured under that name." "Use one of `GET /v1/auth/methods`.";
    "issuer_refused" 403 "The issuer of identities refused the sign-in; the message has its error." "Try again there; `invalid_client` and the like are the operator's to mend.";
    "id_token_refused" 401 "The ID token of the issuer is not to be believed; the message says which check it failed." "Begin again; where it stays so, the operator looks at client id, issuer URL and clocks.";
    "email_unproven" 403 "Nobody here has the identity, and the issuer does not say that it has proven its address." "Prove the address at the issuer, or link the identity with a session.";
    "identity_unknown" 403 "Nobody here has the identity, and it lets nobody in by itself." "Sign in as usual and link it, or ask for an invitation.";
    "identity_taken" 409 "The identity is somebody else's here." "Sign in with it, and take it away there first.";
    "last_way_in" 409 "Without it, and without a password, the person could not sign in any more." "Choose a password by mail, or link another identity, first.";
    "issuer_failing" 502 "The issuer of identities can't be reached, or doesn't answer as it should." "Try again, or sign in another way; the log says what is wrong.";
    "token_invalid" 400 "What was mailed is unknown, was used before, or is too old." "Ask for another.";
    "email_invalid" 422 "The text is no mail address." "Correct it.";
    "password_weak" 422 "The password is easy to guess; the message says why." "Take a longer one: a few words that don't belong together.";
    "too_many_tries" 429 "Too many tries failed for this address or from this place." "Wait as long as `Retry-After` says.";
    "sign_in_busy" 503 "Too many people sign in at the moment." "Try again in a few seconds.";
    "payments_off" 404 "Nothing can be paid here: no payment processor is configured." "The operator sets `payments.stripe.secret_key`.";
    "voucher_unknown" 404 "The voucher's code is mistyped, unknown or revoked." "Copy the code again.";
    "method_not_allowed" 405 "The path is served with another method." "Use the method that the message names.";
    "already_exists" 409 "What would be made is there already: a policy or preset of that name, a person with that address; or something stands in the way that the message names." "Write over it with PUT, take another name, or do what the message says.";
    "idempotency_in_flight" 409 "The call with this `Idempotency-Key` is still under way, and took longer than `idempotency.wait_ms_max`." "Send the same request again later.";
    "outcome_unknown" 409 "The server stopped while the call with this `Idempotency-Key` was at a provider; `metadata.generation_id` names it." "Look at its record; a new key makes the call again.";
    "answer_not_kept" 409 "The call with this `Idempotency-Key` was answered, and the answer was too large to be kept or had to make room; `metadata.generation_id` names it." "Look at its record; a new key makes the call again.";
    "voucher_used" 409 "The voucher was redeemed before, or the account has redeemed as many of its kind as it may." "Use another.";
    "voucher_expired" 410 "The voucher is past its date." "Ask whoever gave it.";
    "version_mismatch" 412 "The policy or preset is at another version than `If-Match` says: somebody else has written it." "Read it again and make the edit over.";
    "body_too_large" 413 "The body is larger than `server.body_bytes_max`." "Send less.";
    "idempotency_mismatch" 422 "The `Idempotency-Key` was used for another request: another path or another body." "Send that request again, or take a new key.";
    "amount_refused" 422 "An amount is below the minimum, above the maximum, or not in whole cents." "Use an amount that the message allows; `GET /v1/fees` shows the limits.";
    "tax_id_refused" 422 "The tax id has not the form of its country's." "Correct it; the message shows the form.";
    "tokens_limited" 429 "The key's tokens per minute are used up." "Wait for `Retry-After` seconds.";
    "rate_limited" 429 "The key's requests per minute are used up." "Wait for `Retry-After` seconds.";
    "too_many_in_flight" 429 "The key has its maximum of calls in flight." "Wait for one to end.";
    "replay_busy" 429 "A replay of the account is under way, or as many as the node runs at once." "Ask again when it has ended.";
    "ratings_limited" 429 "The person has rated or reported as much as one may in a minute or a day." "Wait for `Retry-After` seconds.";
    "provider_rate_limited" 429 "Every endpoint that could serve the call is limiting us." "Wait for `Retry-After` seconds.";
    "internal" 500 "A bug here." "Report it with the generation id.";
    "provider_error" 502 "Every attempt failed; `metadata.previous_errors` lists them." "Try again, or choose another model.";
    "stream_broken" 502 "The provider's stream died after it had begun; what was delivered is charged." "Try again.";
    "payment_processor_failed" 502 "The payment processor refused or did not answer." "Try again; nothing was charged by the request.";
    "books_unavailable" 503 "The journal can't be written, usually because the disk is full." "The operator frees space; calls pass again by themselves.";
    "store_unavailable" 503 "The database doesn't answer." "Try again soon.";
    "endpoints_resting" 503 "Every endpoint of the model is resting after failures." "Wait for `Retry-After` seconds.";
    "overloaded" 503 "The node has its maximum of calls in flight." "Wait for `Retry-After` seconds.";
    "provider_timeout" 504 "The provider was silent for too long." "Try again, or choose another model.";
}
