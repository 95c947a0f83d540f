use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use proptest::prelude::*;
use types::Money;

use crate::{Hold, HoldSet, Period, Purse, Spent};

fn nanos(n: i64) -> Money {
    Money::from_nanos(n)
}

fn purse(scope: &str, limit: Option<i64>) -> Arc<Purse> {
    Arc::new(Purse::new(scope, limit.map(nanos), Money::ZERO, None))
}

fn available(purse: &Purse) -> i64 {
    purse.snapshot().available.unwrap().nanos()
}

#[test]
fn a_set_holds_all_or_nothing_and_names_who_refused() {
    let (key, account) = (purse("key", Some(100)), purse("account", Some(50)));
    let set = HoldSet::new([key.clone(), account.clone()]);
    let hold = set.try_hold(nanos(40)).unwrap();
    let refusal = set.try_hold(nanos(20)).unwrap_err();
    assert_eq!((&*refusal.scope, refusal.index, refusal.outstanding), ("account", 1, true));
    assert_eq!((refusal.limit, refusal.held, refusal.available), (nanos(50), nanos(40), nanos(10)));
    assert_eq!((available(&key), available(&account)), (60, 10));
    assert_eq!(hold.settle(nanos(15)).charged, nanos(15));
    assert_eq!((available(&key), available(&account), key.snapshot().spent), (85, 35, nanos(15)));
    let refusal = set.try_hold(nanos(36)).unwrap_err();
    assert!(!refusal.outstanding, "nobody will give anything back: {refusal}");
    assert_eq!(HoldSet::new([key.clone(), key]).purses().len(), 1);
}

#[test]
fn settling_takes_what_can_be_had_and_writes_off_the_rest() {
    // limit, held, actual, charged
    for (limit, held, actual, charged) in [
        (100, 40, 40, 40),
        (100, 40, 0, 0),
        (100, 40, 90, 90),
        (100, 40, 130, 100),
        (100, 0, 7, 7),
        (100, 9, -5, 0),
    ] {
        let account = purse("account", Some(limit));
        let settled = HoldSet::new([account.clone()]).try_hold(nanos(held)).unwrap().settle(nanos(actual));
        assert_eq!((settled.charged, settled.written_off), (nanos(charged), nanos(actual.max(0) - charged)));
        assert_eq!((available(&account), account.snapshot().holds), (limit - charged, 0));
    }
}

#[test]
fn a_purse_without_a_limit_refuses_nothing_and_still_counts() {
    let account = purse("account", None);
    let set = HoldSet::new([account.clone()]);
    let (large, small) = (set.try_hold(Money::MAX).unwrap(), set.try_hold(nanos(5)).unwrap());
    assert_eq!(large.settle(nanos(10)).written_off, Money::ZERO);
    account.set_limit(Some(nanos(20)));
    assert_eq!(available(&account), 5);
    assert_eq!(small.settle(nanos(30)), crate::Settled { charged: nanos(10), written_off: nanos(20) });
    assert_eq!(available(&account), 0);
    assert_eq!(HoldSet::new([]).try_hold(nanos(5)).unwrap().settle(nanos(9)).charged, nanos(9));
}

#[test]
fn a_correction_below_zero_stops_every_hold() {
    let account = purse("account", Some(10));
    let set = HoldSet::new([account.clone()]);
    account.credit(nanos(-15));
    assert_eq!(available(&account), -5);
    assert!(set.try_hold(nanos(1)).is_err());
    account.credit(nanos(6));
    set.try_hold(nanos(1)).unwrap().void();
    account.note_spent(nanos(1));
    assert_eq!(available(&account), 0);
}

#[test]
fn holding_what_there_is_needs_an_idle_purse() {
    let account = purse("account", Some(30));
    let set = HoldSet::new([account.clone()]);
    let part = set.try_hold_up_to(nanos(10), nanos(100)).unwrap();
    assert_eq!(part.amount(), nanos(30));
    assert!(set.try_hold_up_to(nanos(10), nanos(100)).unwrap_err().outstanding);
    assert_eq!(part.settle(nanos(25)).charged, nanos(25));
    let refusal = set.try_hold_up_to(nanos(10), nanos(100)).unwrap_err();
    assert_eq!((refusal.outstanding, refusal.available, refusal.needed), (false, nanos(5), nanos(10)));
    let mut rest = set.try_hold_up_to(nanos(1), nanos(3)).unwrap();
    assert!(!rest.grow(nanos(3)).unwrap_err().outstanding, "its own hold is no reason to wait");
    rest.grow(nanos(2)).unwrap();
    assert_eq!(rest.amount(), nanos(5));
    rest.void();
}

#[test]
fn a_dropped_hold_is_voided_and_counted_and_every_end_is_announced() {
    let heard = Arc::new(AtomicU64::new(0));
    let ear = Arc::clone(&heard);
    let call = Box::new(move || {
        ear.fetch_add(1, Ordering::SeqCst);
    });
    let account = Arc::new(Purse::new("account", Some(nanos(10)), Money::ZERO, Some(call)));
    let set = HoldSet::new([account.clone()]);
    drop(set.try_hold(nanos(10)).unwrap());
    assert_eq!((account.snapshot().dropped, account.snapshot().holds, available(&account)), (1, 0, 10));
    set.try_hold(nanos(10)).unwrap().void();
    let _ = set.try_hold(nanos(10)).unwrap().settle(nanos(10));
    assert!(set.try_hold(nanos(1)).is_err());
    assert_eq!((account.snapshot().dropped, heard.load(Ordering::SeqCst)), (1, 3), "a refusal is no release");
}

#[test]
fn of_64_threads_exactly_the_affordable_ones_pass() {
    for k in [0i64, 1, 7, 63, 64] {
        let (key, account) = (purse("key", Some(k * 10 + 9)), purse("account", Some(10_000)));
        let barrier = Barrier::new(64);
        let holds: Vec<Option<Hold>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..64)
                .map(|n| {
                    // Half of them name the purses the other way round: the order of locking is the set's business.
                    let purses = if n % 2 == 0 { [&key, &account] } else { [&account, &key] };
                    let set = HoldSet::new(purses.map(Arc::clone));
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        set.try_hold(nanos(10)).ok()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let held = i64::try_from(holds.iter().flatten().count()).unwrap();
        assert_eq!((held, available(&key), available(&account)), (k, 9, 10_000 - k * 10));
        holds.into_iter().flatten().for_each(Hold::void);
        assert_eq!((available(&key), available(&account)), (k * 10 + 9, 10_000));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Hold(usize, i64),
    UpTo(usize, i64, i64),
    Grow(usize, i64),
    Settle(usize, i64),
    Void(usize),
    Credit(usize, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let (pick, amount) = (0usize..3, 0i64..60);
    prop_oneof![
        (pick.clone(), amount.clone()).prop_map(|(set, n)| Step::Hold(set, n)),
        (pick.clone(), amount.clone(), amount.clone()).prop_map(|(set, min, more)| Step::UpTo(
            set,
            min,
            min + more
        )),
        (0usize..8, amount.clone()).prop_map(|(hold, n)| Step::Grow(hold, n)),
        (0usize..8, amount).prop_map(|(hold, n)| Step::Settle(hold, n)),
        (0usize..8).prop_map(Step::Void),
        (pick, -40i64..60).prop_map(|(purse, n)| Step::Credit(purse, n)),
    ]
}

/// The oracle: plain numbers, one purse after another, nothing clever.
#[derive(Default)]
struct Model {
    limit: [i64; 3],
    spent: [i64; 3],
    holds: Vec<(Vec<usize>, i64)>,
}

impl Model {
    fn held(&self, purse: usize) -> i64 {
        self.holds.iter().filter(|(purses, _)| purses.contains(&purse)).map(|(_, amount)| amount).sum()
    }

    fn left(&self, purse: usize) -> i64 {
        self.limit[purse] - self.spent[purse] - self.held(purse)
    }

    fn can(&self, purses: &[usize], amount: i64) -> bool {
        purses.iter().all(|purse| self.left(*purse).max(0) >= amount)
    }

    fn up_to(&self, purses: &[usize], min: i64, want: i64) -> Option<i64> {
        let idle = |purse: usize| !self.holds.iter().any(|(purses, _)| purses.contains(&purse));
        let all = purses.iter().map(|purse| self.left(*purse).max(0)).min()?;
        let short_are_idle = purses.iter().all(|purse| self.left(*purse).max(0) >= want || idle(*purse));
        (all >= want || (short_are_idle && all >= min)).then_some(all.min(want))
    }
}

const SETS: [&[usize]; 3] = [&[0], &[0, 1], &[2, 1]];

proptest! {
    #[test]
    fn holds_do_what_plain_arithmetic_says(
        limits in prop::array::uniform3(0i64..200),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let purses = limits.map(|limit| purse("p", Some(limit)));
        let one = |n: usize| Arc::clone(&purses[n]);
        let sets = [HoldSet::new([one(0)]), HoldSet::new([one(0), one(1)]), HoldSet::new([one(2), one(1)])];
        let mut model = Model { limit: limits, ..Model::default() };
        let mut holds: Vec<Hold> = Vec::new();
        for step in steps {
            match step {
                Step::Hold(set, n) => {
                    let taken = sets[set].try_hold(nanos(n));
                    prop_assert_eq!(taken.is_ok(), model.can(SETS[set], n));
                    if let Ok(hold) = taken {
                        holds.push(hold);
                        model.holds.push((SETS[set].to_vec(), n));
                    }
                }
                Step::UpTo(set, min, want) => {
                    let taken = sets[set].try_hold_up_to(nanos(min), nanos(want));
                    let expected = model.up_to(SETS[set], min, want);
                    prop_assert_eq!(taken.as_ref().ok().map(|hold| hold.amount().nanos()), expected);
                    if let Ok(hold) = taken {
                        model.holds.push((SETS[set].to_vec(), hold.amount().nanos()));
                        holds.push(hold);
                    }
                }
                Step::Grow(at, by) if at < holds.len() => {
                    let fits = model.can(&model.holds[at].0, by);
                    prop_assert_eq!(holds[at].grow(nanos(by)).is_ok(), fits);
                    model.holds[at].1 += if fits { by } else { 0 };
                }
                Step::Settle(at, actual) if at < holds.len() => {
                    let (of, amount) = model.holds.remove(at);
                    let extra = of.iter().map(|p| (model.left(*p) - amount).max(0)).min().unwrap();
                    let charged = actual.min(amount + extra);
                    prop_assert_eq!(holds.remove(at).settle(nanos(actual)).charged, nanos(charged));
                    of.iter().for_each(|purse| model.spent[*purse] += charged);
                }
                Step::Void(at) if at < holds.len() => {
                    model.holds.remove(at);
                    holds.remove(at).void();
                }
                Step::Credit(purse, delta) => {
                    model.limit[purse] += delta;
                    purses[purse].credit(nanos(delta));
                }
                _ => {}
            }
            for (n, purse) in purses.iter().enumerate() {
                prop_assert_eq!(available(purse), model.left(n));
                prop_assert_eq!(purse.snapshot().held.nanos(), model.held(n));
            }
        }
        holds.into_iter().for_each(Hold::void);
        prop_assert!(purses.iter().all(|purse| purse.snapshot().holds == 0 && purse.snapshot().held == Money::ZERO));
    }
}

#[test]
fn a_span_begins_anew_and_an_old_call_counts_in_its_own() {
    let day = Arc::new(Purse::new("key", Some(nanos(10)), nanos(4), None).over(Period::Day, 100));
    let set = HoldSet::new([day.clone()]);
    let hold = |on, amount| set.try_hold_on(on, nanos(amount), nanos(amount));
    let refusal = hold(100, 7).unwrap_err();
    assert_eq!((refusal.period, refusal.resets, refusal.available), (Period::Day, Some(101), nanos(6)));
    let late = hold(100, 6).unwrap();
    let next = hold(101, 4).unwrap();
    assert_eq!(day.snapshot().spent, Money::ZERO, "the span is new, and what is held counts in it");
    assert_eq!(late.settle(nanos(6)).charged, nanos(6));
    assert_eq!((day.snapshot().spent, available(&day)), (Money::ZERO, 6));
    assert_eq!(next.settle(nanos(4)).charged, nanos(4));
    // The clock went back an hour: the span that has begun stays.
    assert_eq!(hold(100, 6).unwrap().settle(nanos(6)).charged, nanos(6));
    assert_eq!((day.snapshot().spent, day.snapshot().days), (nanos(4), (101, 102)));
    hold(102, 10).unwrap().void();
}

#[test]
fn whoever_watches_is_told_of_each_charge_outside_of_the_lock() {
    let told = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let (ear, asked) = (Arc::clone(&told), Arc::new(std::sync::OnceLock::<Arc<Purse>>::new()));
    let ask = Arc::clone(&asked);
    let watch = Box::new(move |spent: &Spent| {
        // Would wait for ever if the purse were locked.
        let now = ask.get().unwrap().snapshot().spent;
        ear.lock().push((spent.before.nanos(), spent.after.nanos(), now.nanos()));
    });
    let purse = Arc::new(Purse::new("key", None, nanos(5), None).telling(watch));
    asked.set(Arc::clone(&purse)).unwrap();
    let set = HoldSet::new([purse]);
    set.try_hold(nanos(3)).unwrap().void();
    set.try_hold(nanos(3)).unwrap().settle(nanos(2));
    assert_eq!(*told.lock(), [(5, 7, 7)]);
}
