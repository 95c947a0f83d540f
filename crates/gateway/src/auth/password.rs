//! Passwords: argon2id with 19 MiB and two passes, as OWASP's cheat sheet on password storage has it (seen 2026-11). Few at a
//! time, so that people who sign in can't take the memory that calls need.

use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::AuthError;

/// Hashed at once.
const AT_ONCE: usize = 2;
/// Who waits for it; more are turned away.
const WAITING_MAX: usize = 256;
const CHARS_MIN: usize = 12;
const CHARS_MAX: usize = 200;
/// What is looked at for patterns: the search takes time with the square of it.
const JUDGED_CHARS: usize = 64;

/// The one place where passwords are hashed.
#[derive(Debug)]
pub(crate) struct Passwords {
    permits: Semaphore,
    waiting: AtomicUsize,
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords { permits: Semaphore::new(AT_ONCE), waiting: AtomicUsize::new(0) }
    }
}

impl Passwords {
    /// Judges a new password and hashes it into a PHC string. `own` is what is known of the person: it is no secret. Both take
    /// too long for a thread that carries calls.
    pub(crate) async fn take(
        &self,
        control: &Handle,
        password: &str,
        own: &[&str],
    ) -> Result<String, AuthError> {
        let password = password.to_owned();
        let own: Vec<String> = own.iter().map(|text| (*text).to_owned()).collect();
        self.run(control, move || {
            let own: Vec<&str> = own.iter().map(String::as_str).collect();
            judge(&password, &own)?;
            hash(&password).ok_or(AuthError::Busy)
        })
        .await?
    }

    /// Whether it is the password behind a hash. Without a hash the answer is no, after as much work.
    pub(crate) async fn verify(
        &self,
        control: &Handle,
        password: &str,
        known: Option<&str>,
    ) -> Result<bool, AuthError> {
        let (password, known) = (password.to_owned(), known.map(str::to_owned));
        self.run(control, move || match known {
            Some(known) => verify(&password, &known),
            None => {
                std::hint::black_box(hash(&password));
                false
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        control: &Handle,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let _waiting = Waiting::enter(&self.waiting).ok_or(AuthError::Busy)?;
        let _permit = self.permits.acquire().await.map_err(|_| AuthError::Busy)?;
        control.spawn_blocking(work).await.map_err(|_| AuthError::Busy)
    }
}

/// A place among those who wait, given back on drop.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn enter(count: &AtomicUsize) -> Option<Waiting<'_>> {
        let place = Waiting(count);
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

fn hash(password: &str) -> Option<String> {
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).ok()?;
    let salt = SaltString::encode_b64(&salt).ok()?;
    argon2().hash_password(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

fn verify(password: &str, known: &str) -> bool {
    PasswordHash::new(known).is_ok_and(|known| argon2().verify_password(password.as_bytes(), &known).is_ok())
}

/// Refuses what is easy to guess.
fn judge(password: &str, own: &[&str]) -> Result<(), AuthError> {
    let chars = password.chars().count();
    if !(CHARS_MIN..=CHARS_MAX).contains(&chars) {
        return Err(AuthError::Weak(format!("it has to have {CHARS_MIN} to {CHARS_MAX} characters")));
    }
    let judged: String = password.chars().take(JUDGED_CHARS).collect();
    let found = zxcvbn::zxcvbn(&judged, own);
    if found.score() >= zxcvbn::Score::Three {
        return Ok(());
    }
    let said = found.feedback().and_then(|feedback| feedback.warning()).map(|warning| warning.to_string());
    let why = said.unwrap_or_else(|| String::from("It can be guessed."));
    Err(AuthError::Weak(format!("{why} A few words that don't belong together are good")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_salted_and_knows_its_password() {
        let (one, two) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert!(verify("correct horse", &one) && verify("correct horse", &two));
        assert!(!verify("Correct horse", &one) && !verify("correct horse", "x") && !verify("", &one));
    }

    #[test]
    fn weak_passwords_are_refused_with_a_reason() {
        for weak in [
            "short",
            "password1234",
            "aaaaaaaaaaaaaaaa",
            "qwertyuiop12",
            "ada.lovelace@example.com",
            "123456789012",
        ] {
            let refused = judge(weak, &["ada.lovelace@example.com", "Ada Lovelace"]).unwrap_err();
            assert!(matches!(&refused, AuthError::Weak(why) if !why.is_empty()), "{weak}: {refused}");
        }
        for good in ["plum kettle orbit sandal", "n4x-Quill-Rowboat!", "žluťoučký kůň pěl ódy"] {
            assert_eq!(judge(good, &["ada@example.com"]), Ok(()), "{good}");
        }
        assert!(judge(&"x y".repeat(100), &[]).is_err(), "too long");
    }
}
