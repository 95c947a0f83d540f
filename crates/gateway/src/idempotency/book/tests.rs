use std::time::Duration;

use super::*;

fn limits(entries_max: usize, bytes_max: u64) -> Limits {
    Limits { retention: Duration::from_secs(100), entries_max, bytes_max, ..Limits::default() }
}

fn asked(account: u64, key: u8, print: u8) -> Asked {
    Asked { account, key: [key; 32], print: [print; 32] }
}

fn id(number: u128) -> GenerationId {
    GenerationId::new(Timestamp::from_seconds(1), number)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_000 + seconds)
}

fn answer(asked: &Asked, bytes: usize) -> Answer {
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    Answer { print: asked.print, status: 200, headers, body: vec![b'x'; bytes].into() }
}

#[test]
fn a_key_goes_through_its_life_and_the_next_start_knows_where_it_stood() {
    let dir = tempfile::tempdir().unwrap();
    let open = |boot: &str| Idempotency::open(dir.path(), boot, &limits(100, 1 << 30), at(0)).unwrap();
    let book = open("a");
    let rows = [asked(1, 1, 1), asked(1, 2, 1), asked(1, 3, 1), asked(1, 4, 1), asked(1, 5, 1)];
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(book.look(row, at(0)), Known::Nothing);
        assert!(book.take(row, id(number as u128), at(0)) && !book.take(row, id(9), at(0)));
        assert_eq!(book.look(row, at(0)), Known::UnderWay(id(number as u128)));
        assert_eq!(book.look(&Asked { print: [7; 32], ..*row }, at(0)), Known::Other);
        if number > 0 {
            book.begin(row, id(number as u128), at(0)).unwrap();
        }
    }
    let [never_sent, lost, kept, gone, free] = &rows;
    let told = answer(kept, 10);
    assert!(book.keep(kept, id(2), at(0), &told));
    book.keep_nothing(gone, id(3), at(0));
    book.free(free, id(4), at(0), true);
    drop(book);

    let book = open("b");
    assert_eq!(book.look(never_sent, at(1)), Known::Nothing);
    assert_eq!(book.look(lost, at(1)), Known::Lost(id(1)));
    assert_eq!(book.look(gone, at(1)), Known::NotKept(id(3)));
    assert_eq!(book.look(free, at(1)), Known::Nothing);
    let Known::Kept(of, place) = book.look(kept, at(1)) else { panic!("{:?}", book.look(kept, at(1))) };
    let read = book.read(kept, place).unwrap();
    assert_eq!((of, read.body.len(), read.status, &read.headers), (id(2), 10, 200, &told.headers));
    assert!(book.read(lost, place).is_none(), "a place tells only its own key");
    assert_eq!(book.look(kept, at(100)), Known::Nothing, "its time is over");
    book.sweep(at(100));
    assert_eq!(book.size().0, 0);
    assert!(book.take(kept, id(8), at(101)), "a key that is past its time can be used again");
}

#[test]
fn the_oldest_of_the_same_account_goes_and_calls_under_way_stay() {
    let dir = tempfile::tempdir().unwrap();
    let book = Idempotency::open(dir.path(), "a", &limits(4, 1 << 30), at(0)).unwrap();
    let others = asked(2, 100, 1);
    assert!(book.take(&others, id(0), at(0)) && book.keep(&others, id(0), at(0), &answer(&others, 1)));
    let flying = asked(1, 1, 1);
    assert!(book.take(&flying, id(1), at(1)));
    for number in 2..20 {
        let row = asked(1, number, 1);
        assert!(book.take(&row, id(number.into()), at(number.into())));
        assert!(book.keep(&row, id(number.into()), at(number.into()), &answer(&row, 1)));
    }
    assert_eq!(book.size().0, 4);
    assert!(matches!(book.look(&others, at(20)), Known::Kept(..)), "another account's key is not touched");
    assert_eq!(book.look(&flying, at(20)), Known::UnderWay(id(1)));
    assert_eq!(book.look(&asked(1, 17, 1), at(20)), Known::Nothing);
    assert!(matches!(book.look(&asked(1, 19, 1), at(20)), Known::Kept(..)));
    let newcomer = asked(3, 200, 1);
    assert!(book.take(&newcomer, id(30), at(30)));
    assert_eq!(book.look(&others, at(30)), Known::Nothing, "the oldest of all goes for who has none");
}

#[test]
fn answers_make_room_and_their_keys_say_so_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let small = limits(1_000, 1 << 20);
    let book = Idempotency::open(dir.path(), "a", &small, at(0)).unwrap();
    let under_way = asked(1, 200, 1);
    assert!(book.take(&under_way, id(99), at(0)));
    book.begin(&under_way, id(99), at(0)).unwrap();
    let rows: Vec<Asked> = (0..100).map(|key| asked(1, key, 1)).collect();
    for (number, row) in rows.iter().enumerate() {
        assert!(book.take(row, id(number as u128), at(0)));
        assert!(book.keep(row, id(number as u128), at(0), &answer(row, 60 * 1024)));
    }
    assert!(book.size().1 <= 1 << 20, "{:?}", book.size());
    drop(book);
    let book = Idempotency::open(dir.path(), "b", &small, at(1)).unwrap();
    assert_eq!(book.look(&rows[0], at(1)), Known::NotKept(id(0)));
    let kept = rows.iter().filter(|row| matches!(book.look(row, at(1)), Known::Kept(..))).count();
    assert!((8..20).contains(&kept), "{kept}");
    assert_eq!(book.look(&under_way, at(1)), Known::Lost(id(99)), "its note was written again");
    assert!(rows.iter().all(|row| book.look(row, at(1)) != Known::Nothing), "no key is forgotten");
}

/// Eight threads fill the book beyond its room while a key that was given up is under way: no segment goes that nobody looked
/// through, and no note of an old state comes after that of a newer one.
#[test]
fn threads_that_make_room_at_once_forget_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let small = limits(10_000, 1 << 20);
    let book = Idempotency::open(dir.path(), "a", &small, at(0)).unwrap();
    let all: Vec<Asked> = (0..8).flat_map(|thread| (0..60).map(move |n| long(thread, n))).collect();
    std::thread::scope(|scope| {
        for rows in all.chunks(60) {
            let book = &book;
            scope.spawn(move || {
                for (number, row) in rows.iter().enumerate() {
                    assert!(book.take(row, id(number as u128), at(0)));
                    book.begin(row, id(number as u128), at(0)).unwrap();
                    assert!(book.keep(row, id(number as u128), at(0), &answer(row, 60 * 1024)));
                }
            });
        }
    });
    drop(book);
    let book = Idempotency::open(dir.path(), "b", &small, at(1)).unwrap();
    let look = |row: &Asked| book.look(row, at(1));
    assert!(
        all.iter().all(|row| matches!(look(row), Known::NotKept(_) | Known::Kept(..))),
        "{:?}",
        look(&all[0])
    );
    let kept = all.iter().filter(|row| matches!(look(row), Known::Kept(..))).count();
    assert!(kept >= 8, "{kept}");
}

fn long(thread: u8, number: u8) -> Asked {
    let mut key = [number; 32];
    key[0] = thread;
    Asked { account: 1, key, print: [1; 32] }
}
