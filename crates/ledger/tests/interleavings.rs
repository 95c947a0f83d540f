//! Holds and purses under a scheduler that decides at every lock which thread goes on: all interleavings of two threads, and very many
//! of more. `cargo test -p tollway-ledger --features shuttle --test interleavings`.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use shuttle::thread;
use tollway_ledger::{HoldSet, Purse, PurseSnapshot};
use types::Money;

/// Interleavings of the larger scenes.
const ROUNDS: usize = 20_000;

fn nanos(n: i64) -> Money {
    Money::from_nanos(n)
}

fn purse(scope: &str, limit: Option<i64>) -> Arc<Purse> {
    Arc::new(Purse::new(scope, limit.map(nanos), Money::ZERO, None))
}

/// What has to hold at every instant.
fn look(purse: &Purse) -> PurseSnapshot {
    let seen = purse.snapshot();
    assert!(seen.available.is_none_or(|left| left >= Money::ZERO), "below zero: {seen:?}");
    assert!(seen.held >= Money::ZERO && seen.spent >= Money::ZERO, "{seen:?}");
    assert_eq!(
        seen.holds == 0,
        seen.held == Money::ZERO,
        "a hold without money, or money without a hold: {seen:?}"
    );
    seen
}

/// What has to hold when all is over.
fn is_quiet(purse: &Purse, spent: i64) {
    let seen = look(purse);
    assert_eq!((seen.held, seen.holds, seen.dropped, seen.spent), (Money::ZERO, 0, 0, nanos(spent)));
}

/// Two calls of one account with money for one of them.
fn two_for_one() {
    let account = purse("account", Some(10));
    let threads: Vec<_> = [purse("key", None), purse("key", None)]
        .into_iter()
        .map(|key| {
            // The orders differ on purpose: locking must not follow them.
            let set = HoldSet::new([key, Arc::clone(&account)]);
            let account = Arc::clone(&account);
            thread::spawn(move || {
                let Ok(hold) = set.try_hold(nanos(7)) else {
                    look(&account);
                    return 0;
                };
                look(&account);
                let settled = hold.settle(nanos(7));
                assert_eq!(settled.written_off, Money::ZERO);
                look(&account);
                settled.charged.nanos()
            })
        })
        .collect();
    let charged: i64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(charged, 7, "one is admitted: 7 of 10 leave too little for another, settled or not");
    is_quiet(&account, 7);
}

#[test]
fn of_two_calls_with_money_for_one_exactly_one_is_admitted_in_every_interleaving() {
    shuttle::check_dfs(two_for_one, None);
}

/// One settles less than it held, while another asks.
fn what_comes_back() {
    let account = purse("account", Some(10));
    let set = HoldSet::new([Arc::clone(&account)]);
    let first = set.try_hold(nanos(8)).unwrap();
    let settling = thread::spawn(move || first.settle(nanos(3)).charged.nanos());
    let asking = thread::spawn({
        let (set, account) = (set.clone(), Arc::clone(&account));
        move || match set.try_hold_up_to(nanos(5), nanos(7)) {
            Ok(hold) => {
                assert_eq!(hold.amount(), nanos(7), "it came when all was back");
                look(&account);
                hold.void();
                true
            }
            Err(refusal) => {
                assert!(refusal.outstanding, "who is refused for money that may come back is told so");
                false
            }
        }
    });
    assert_eq!(settling.join().unwrap(), 3);
    let _ = asking.join().unwrap();
    is_quiet(&account, 3);
}

#[test]
fn who_is_refused_while_another_holds_is_told_to_wait_in_every_interleaving() {
    shuttle::check_dfs(what_comes_back, None);
}

/// A hold grows while another settles beyond what it held.
fn growing_and_overrunning() {
    let account = purse("account", Some(20));
    let set = HoldSet::new([Arc::clone(&account)]);
    let (mut grows, overruns) = (set.try_hold(nanos(5)).unwrap(), set.try_hold(nanos(5)).unwrap());
    let growing = thread::spawn({
        let account = Arc::clone(&account);
        move || {
            let grown = grows.grow(nanos(8)).is_ok();
            look(&account);
            let wanted = if grown { 13 } else { 5 };
            let settled = grows.settle(nanos(wanted));
            assert_eq!(settled.written_off, Money::ZERO, "what was held is had");
            settled.charged.nanos()
        }
    });
    let overrunning = thread::spawn(move || {
        let settled = overruns.settle(nanos(30));
        assert_eq!(settled.charged.nanos() + settled.written_off.nanos(), 30);
        settled.charged.nanos()
    });
    let spent = growing.join().unwrap() + overrunning.join().unwrap();
    assert!(spent <= 20, "{spent}");
    is_quiet(&account, spent);
}

#[test]
fn an_overrun_takes_nothing_that_another_holds_in_any_interleaving() {
    shuttle::check_dfs(growing_and_overrunning, None);
}

/// Several keys of one account: holds, growth, settling, voiding, credit, all at once.
fn a_crowd() {
    let account = purse("account", Some(30));
    let keys = [purse("key", Some(12)), purse("key", None)];
    let threads: Vec<_> = (0..5_usize)
        .map(|number| {
            let key = Arc::clone(keys.get(number % 2).unwrap());
            let account = Arc::clone(&account);
            let set = match number % 2 {
                0 => HoldSet::new([Arc::clone(&key), Arc::clone(&account)]),
                _ => HoldSet::new([Arc::clone(&account), Arc::clone(&key)]),
            };
            thread::spawn(move || {
                let amount = 4 + number as i64;
                let Ok(mut hold) = set.try_hold(nanos(amount)) else { return (number % 2, 0) };
                let grown = number != 3 || hold.grow(nanos(3)).is_ok();
                look(&account);
                look(&key);
                if number == 4 {
                    hold.void();
                    return (0, 0);
                }
                let settled = hold.settle(nanos(if grown { amount } else { 1 }));
                (number % 2, settled.charged.nanos())
            })
        })
        .collect();
    let crediting = thread::spawn({
        let account = Arc::clone(&account);
        move || account.credit(nanos(5))
    });
    crediting.join().unwrap();
    let mut spent = [0_i64; 2];
    for thread in threads {
        let (of, charged) = thread.join().unwrap();
        *spent.get_mut(of).unwrap() += charged;
    }
    is_quiet(&account, spent.iter().sum());
    keys.iter().zip(spent).for_each(|(key, spent)| is_quiet(key, spent));
}

#[test]
fn a_crowd_keeps_every_purse_right_in_very_many_interleavings() {
    shuttle::check_random(a_crowd, ROUNDS);
    shuttle::check_pct(a_crowd, ROUNDS / 4, 3);
}
