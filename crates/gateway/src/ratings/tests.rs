use super::*;

#[test]
fn a_name_is_one_line_that_shows_what_it_is() {
    for (given, taken) in
        [("Ada", "Ada"), ("  Ada \u{a0} L. ", "Ada L."), ("字", "字"), ("a\u{301}", "a\u{301}")]
    {
        assert_eq!(name(given).unwrap(), taken);
    }
    assert_eq!(name(&"é".repeat(40)).unwrap().chars().count(), 40);
    let long = "é".repeat(41);
    for bad in [
        "",
        "  ",
        "...",
        "ada@example.com",
        "a\u{202e}b",
        "a\u{200b}b",
        "a\nb",
        "a\tb",
        "a\0b",
        long.as_str(),
    ] {
        assert!(name(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn what_is_written_has_lines_and_no_controls() {
    let text = written(" a\r\nb\tc\0\u{1b}[2J \n\n", "comment", 9).unwrap();
    assert_eq!(text, "a\nb\tc[2J");
    assert!(written("0123456789", "comment", 9).is_err() && needed(" \n ", "reason").is_err());
    assert_eq!(needed("why", "reason").unwrap(), "why");
}

#[test]
fn the_mean_has_one_decimal_half_up() {
    let rows = [
        ([0, 0, 0, 0, 0], Value::Null),
        ([0, 0, 0, 1, 0], json!(4.0)),
        ([0, 0, 0, 1, 1], json!(4.5)),
        ([1, 0, 0, 1, 1], json!(3.3)),
        // 4.25 and 4.75
        ([0, 0, 1, 1, 2], json!(4.3)),
        ([0, 0, 0, 1, 3], json!(4.8)),
        ([1, 0, 0, 0, 1_000_000], json!(5.0)),
    ];
    for (counts, expect) in rows {
        assert_eq!(average(&counts), expect, "{counts:?}");
    }
}

#[test]
fn a_page_goes_on_where_the_last_one_ended() {
    let at = Timestamp(1_779_358_422_000_001);
    assert_eq!(place(&cursor(at, "rat_0f")).unwrap(), (at, String::from("rat_0f")));
    for bad in ["", "7", "x.rat_1", "7.rat-1", "7.' OR 1"] {
        assert!(place(bad).is_err(), "{bad}");
    }
}
