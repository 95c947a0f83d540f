//! Folders that are not a catalog.

use std::fs;

use tollway_catalog::load_dir;

#[expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test's helper")]
/// Writes one file into a fresh folder and tells what the loader says first.
fn first_problem(file: Option<(&str, &[u8])>) -> String {
    let dir = tempfile::tempdir().expect("a temporary folder");
    if let Some((name, bytes)) = file {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, bytes).expect("a file");
    }
    load_dir(dir.path()).map(|_| ()).expect_err("a refusal")[0].to_string()
}

#[test]
fn a_folder_that_is_no_catalog_is_refused_with_its_reason() {
    let large = vec![b'#'; 300 * 1024];
    type File<'f> = Option<(&'f str, &'f [u8])>;
    let rows: [(File<'_>, &str); 7] = [
        (None, ".:1: [empty-catalog]"),
        (Some(("sources/x.toml", b"name = \"\xff\"")), "sources/x.toml:1: [bad-toml]"),
        (Some(("sources/x.toml", large.as_slice())), "sources/x.toml:1: [file-too-large]"),
        (Some(("sources/x.toml", b"name = \"X\"\nurl = \"x\"\n")), "sources/x.toml:2: [bad-value]"),
        (Some(("sources/x.toml", b"\n\nname = \n")), "sources/x.toml:3: [bad-toml]"),
        (Some(("a/b/c/d/x.toml", b"")), "a/b/c/d:1: [unknown-file]"),
        (Some(("sources/README.md", b"")), "sources/README.md:1: [unknown-file]"),
    ];
    for (file, wanted) in rows {
        let said = first_problem(file);
        assert!(said.starts_with(wanted), "wanted {wanted}, got {said}");
    }
    let missing = load_dir("/nowhere/at/all".as_ref()).expect_err("a refusal");
    assert_eq!(missing[0].rule, "unreadable");
}

#[test]
fn at_most_two_hundred_problems_are_told() {
    let text: String = (0..300).map(|n| format!("key{n} = 1\n")).collect();
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(dir.path().join("authors")).expect("a folder");
    fs::write(dir.path().join("authors/x.toml"), text).expect("a file");
    let problems = load_dir(dir.path()).expect_err("a refusal");
    assert_eq!(problems.len(), 200);
    assert!(problems.is_sorted());
}
