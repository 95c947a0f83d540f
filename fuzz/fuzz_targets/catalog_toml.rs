//! A catalog with one file of anybody's making is refused with a place in a file, or loads. The first byte says which
//! file it is.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

const FILES: [(&str, &str); 5] = [
    ("sources/s.toml", "name = \"S\"\nurl = \"https://s.example\"\n"),
    ("authors/a.toml", "name = \"A\"\n"),
    ("models/a/m.toml", "name = \"M\"\nsource = \"s\"\nas_of = \"2026-01-01\"\n"),
    (
        "providers/p/provider.toml",
        "name = \"P\"\nprotocol = \"openai\"\nbase_url = \"https://p.example/v1\"\nsource = \"s\"\nas_of = \"2026-01-01\"\n",
    ),
    (
        "providers/p/endpoints/m.toml",
        "model = \"a/m\"\nprovider_model_id = \"m\"\nsource = \"s\"\nas_of = \"2026-01-01\"\n\
         [price]\ninput_usd_per_mtok = \"0.15\"\noutput_usd_per_mtok = \"0.60\"\n",
    ),
];

static DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, text) in FILES {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    catalog::load_dir(dir.path()).expect("what is around the file is right");
    dir
});

fuzz_target!(|input: &[u8]| {
    let Some((which, text)) = input.split_first() else { return };
    let (path, right) = FILES[usize::from(*which) % FILES.len()];
    let path = DIR.path().join(path);
    fs::write(&path, text).expect("a file");
    match catalog::load_dir(DIR.path()) {
        Ok(snapshot) => {
            let bytes = snapshot.to_bytes().expect("what loads can be written");
            assert_eq!(catalog::Snapshot::from_bytes(&bytes).expect("and read").version, snapshot.version);
        }
        Err(problems) => assert!(!problems.is_empty() && problems.iter().all(|problem| problem.line > 0)),
    }
    fs::write(path, right).expect("a file");
});
