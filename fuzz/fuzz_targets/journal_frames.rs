//! A journal file of anybody's making is refused, or scanned to a place from which the next scan goes on.
#![no_main]

use ledger::{HEADER, Scan, Tail, frame, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // As a whole file, behind a right header, and as the payload of a frame whose length and checksum are right.
    let mut framed = HEADER.to_vec();
    framed.extend_from_slice(&u32::try_from(input.len()).expect("short").to_le_bytes());
    framed.extend_from_slice(&crc32fast::hash(input).to_le_bytes());
    framed.extend_from_slice(input);
    for bytes in [input.to_vec(), [HEADER.as_slice(), input].concat(), framed] {
        let Ok(found) = scan(&bytes, 0, usize::MAX) else { continue };
        assert!(found.next_offset <= bytes.len() as u64);
        if found.tail == Tail::Clean {
            assert_eq!(found.next_offset, bytes.len() as u64);
        }
        // Records that are written again are the records that were read.
        let mut again = HEADER.to_vec();
        for logged in &found.records {
            frame(&logged.record, &mut again).expect("it was read from a frame");
        }
        let second = scan(&again, 0, usize::MAX).expect("our own journal");
        let records =
            |scan: Scan<'_>| scan.records.into_iter().map(|logged| logged.record).collect::<Vec<_>>();
        assert_eq!((second.tail, records(second)), (Tail::Clean, records(found)));
    }
});
