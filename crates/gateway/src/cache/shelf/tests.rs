use super::*;

const SECOND: i64 = 1_000_000;

fn shelf(bytes_max: usize, entries_max: usize) -> Arc<Shelf<&'static str>> {
    Arc::new(Shelf::new(Room { bytes_max, entries_max }))
}

fn key(number: u8) -> Key {
    [number; 32]
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * SECOND)
}

fn lead(shelf: &Arc<Shelf<&'static str>>, number: u8, now: i64) -> Ticket<&'static str> {
    match shelf.find(&key(number), at(now), None) {
        Found::Lead(ticket) => ticket,
        other => panic!("{number} at {now}: {other:?}"),
    }
}

fn wait(shelf: &Arc<Shelf<&'static str>>, number: u8) -> oneshot::Receiver<Turn<&'static str>> {
    match shelf.find(&key(number), at(0), None) {
        Found::Wait(told) => told,
        other => panic!("{other:?}"),
    }
}

fn there(shelf: &Arc<Shelf<&'static str>>, number: u8, now: i64, age_s_max: Option<i64>) -> bool {
    matches!(shelf.find(&key(number), at(now), age_s_max.map(|s| s * SECOND)), Found::Hit(_))
}

#[test]
fn an_answer_stands_for_its_time_and_for_those_who_take_its_age() {
    let shelf = shelf(1 << 20, 10);
    lead(&shelf, 1, 0).keep("a", 10, at(0), at(100));
    assert!(there(&shelf, 1, 99, None) && there(&shelf, 1, 9, Some(10)));
    assert!(!there(&shelf, 1, 10, Some(10)), "too old for this caller");
    assert!(there(&shelf, 1, 10, None), "still good for others");
    assert!(!there(&shelf, 1, 100, None));
    assert_eq!(shelf.size(), (0, 0), "what has expired is gone");
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let shelf = shelf(3 * (1_000 + PLACE_BYTES), 3);
    for number in 1..=3 {
        lead(&shelf, number, 0).keep("a", 1_000, at(0), at(100));
    }
    assert!(there(&shelf, 1, 1, None));
    lead(&shelf, 4, 1).keep("b", 1_000, at(1), at(100));
    let left: Vec<u8> = (1..=4).filter(|number| there(&shelf, *number, 2, None)).collect();
    assert_eq!(left, [1, 3, 4]);
    lead(&shelf, 5, 2).keep("large", 2_500, at(2), at(100));
    assert_eq!(shelf.size(), (1, 2_500 + PLACE_BYTES));
    shelf.forget(&key(5));
    assert_eq!(shelf.size(), (0, 0));
}

#[test]
fn all_who_wait_get_what_the_leader_keeps() {
    let shelf = shelf(1 << 20, 10);
    let leader = lead(&shelf, 1, 0);
    let mut waiting: Vec<_> = (0..20).map(|_| wait(&shelf, 1)).collect();
    drop(waiting.remove(7));
    leader.keep("a", 1, at(0), at(9));
    for told in &mut waiting {
        assert!(matches!(told.try_recv(), Ok(Turn::Hit(hit)) if *hit.value == "a"));
    }
    assert!(there(&shelf, 1, 1, None));
}

#[test]
fn one_who_still_waits_leads_when_the_leader_is_gone() {
    let shelf = shelf(1 << 20, 10);
    let leader = lead(&shelf, 1, 0);
    let (left, mut second, mut third) = (wait(&shelf, 1), wait(&shelf, 1), wait(&shelf, 1));
    drop(left);
    drop(leader);
    assert!(third.try_recv().is_err(), "one at a time");
    let Ok(Turn::Lead(leader)) = second.try_recv() else { panic!("nobody leads") };
    let mut fourth = wait(&shelf, 1);
    drop(leader);
    let Ok(Turn::Lead(leader)) = third.try_recv() else { panic!("nobody leads") };
    leader.keep("a", 1, at(0), at(9));
    assert!(matches!(fourth.try_recv(), Ok(Turn::Hit(_))));
}

#[test]
fn a_lead_that_was_given_to_someone_who_left_goes_on() {
    let shelf = shelf(1 << 20, 10);
    let leader = lead(&shelf, 1, 0);
    let (second, mut third) = (wait(&shelf, 1), wait(&shelf, 1));
    drop(leader);
    drop(second);
    assert!(matches!(third.try_recv(), Ok(Turn::Lead(_))));
    drop(third);
    lead(&shelf, 1, 0);
}

#[test]
fn what_is_too_large_lets_all_go_and_a_lone_answer_replaces() {
    let shelf = shelf(1 << 20, 10);
    let leader = lead(&shelf, 1, 0);
    let mut told = wait(&shelf, 1);
    leader.give_up();
    assert!(matches!(told.try_recv(), Ok(Turn::Alone)));
    lead(&shelf, 1, 0).keep("old", 1, at(0), at(9));
    shelf.alone(&key(1)).keep("new", 1, at(1), at(9));
    assert!(matches!(shelf.find(&key(1), at(2), None), Found::Hit(hit) if *hit.value == "new"));
    let leader = lead(&shelf, 2, 0);
    let mut told = wait(&shelf, 2);
    shelf.alone(&key(2)).keep("aside", 1, at(1), at(9));
    assert!(told.try_recv().is_err(), "only the leader tells");
    drop(leader);
    assert!(matches!(told.try_recv(), Ok(Turn::Lead(_))));
}

#[test]
fn those_who_left_make_room_for_those_who_come() {
    let shelf = shelf(1 << 20, 10);
    let leader = lead(&shelf, 1, 0);
    for _ in 0..10_000 {
        drop(wait(&shelf, 1));
    }
    let waiting = shelf.0.lock().making.get(&key(1)).map(VecDeque::len);
    assert!(waiting.is_some_and(|waiting| waiting < 100), "{waiting:?}");
    drop(leader);
}
