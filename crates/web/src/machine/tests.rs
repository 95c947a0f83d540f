use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;

use catalog::{Snapshot, load_dir};
use types::{PriceKind, Quote, Rate, Timestamp};

use super::card::{self, Card};
use super::feed::{self, Head, Item};
use super::{head, jsonld, sitemap};
use crate::describe::Faq;
use crate::index::Switches;

static CATALOG: LazyLock<Snapshot> =
    LazyLock::new(|| load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap());

const BASE: &str = "https://llm.example";
const HOSTILE: &str = "</script><script>alert(1)</script>]]>&\"'\u{0}\u{2028}";

/// The texts of every element of this name in well-formed XML.
fn texts(xml: &str, name: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let (mut all, mut open, mut depth) = (Vec::new(), None::<String>, 0);
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {xml}")) {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) => {
                depth += 1;
                if tag.name().as_ref() == name {
                    open = Some(String::new());
                }
            }
            quick_xml::events::Event::End(tag) => {
                depth -= 1;
                if tag.name().as_ref() == name {
                    all.extend(open.take());
                }
            }
            quick_xml::events::Event::Text(text) => {
                if let Some(open) = &mut open {
                    open.push_str(&text);
                }
            }
            quick_xml::events::Event::GeneralRef(reference) => {
                if let (Some(open), Ok(Some(c))) = (&mut open, reference.resolve_char_ref()) {
                    open.push(c);
                }
            }
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    all
}

#[test]
fn every_page_is_in_the_sitemap_once() {
    let entries = sitemap::of_catalog(&CATALOG);
    let xml = sitemap::xml(BASE, &entries);
    let all = texts(&xml, "loc");
    let distinct: HashSet<&String> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (entries.len(), entries.len()));
    for model in &CATALOG.models {
        assert!(all.contains(&format!("{BASE}/{}", model.id)), "{}", model.id);
    }
    for provider in &CATALOG.providers {
        assert!(all.contains(&format!("{BASE}/providers/{}", provider.id)));
    }
    assert!(
        all.contains(&format!("{BASE}/mistralai/mistral-small-2603/mistral"))
            && all.contains(&format!("{BASE}/mistralai"))
    );
    for date in texts(&xml, "lastmod") {
        assert!(crate::format::date(&date).is_known, "{date}");
    }
    let of = |path: &str| entries.iter().find(|entry| entry.path == path).unwrap().modified.clone();
    // The latest of its facts and of those of its offers.
    let small = CATALOG.models.iter().position(|model| *model.id == *"mistralai/mistral-small-2603").unwrap();
    assert!(of("/mistralai/mistral-small-2603").unwrap().as_str() >= "2026-07-02");
    assert!(
        of("/mistralai") >= of("/mistralai/mistral-small-2603")
            && super::model_as_of(&CATALOG, small) == of("/mistralai/mistral-small-2603")
    );
    let many: Vec<sitemap::Entry> =
        (0..50_001).map(|at| sitemap::Entry { path: format!("/{at}<&"), modified: None }).collect();
    assert_eq!(texts(&sitemap::xml(BASE, &many), "loc").len(), sitemap::ENTRIES_MAX);
}

#[test]
fn addresses_and_heads() {
    let rows = [
        (head::address("https://x/", "/a/b", &[]), "https://x/a/b"),
        (
            head::address(BASE, "/models", &[("q", "a b&c"), ("page", "")]),
            "https://llm.example/models?q=a+b%26c",
        ),
        (head::address(BASE, "/a\"><script>?#é", &[]), "https://llm.example/a%22%3E%3Cscript%3E%3F%23%C3%A9"),
    ];
    for (got, expect) in rows {
        assert_eq!(got, expect);
    }
    let text = head::description(&"word ".repeat(90));
    assert!(text.chars().count() <= head::DESCRIPTION_CHARS_MAX && text.ends_with("word…"), "{text}");
    assert_eq!(head::description(" a \n b "), "a b");
    assert!(head::description(&"x".repeat(500)).chars().count() <= head::DESCRIPTION_CHARS_MAX);
    assert!(head::robots(BASE).ends_with("Sitemap: https://llm.example/sitemap.xml\n"));
}

const HEAD: Head<'static> = Head {
    base_url: BASE,
    path: "/feeds/models.atom",
    page: "/models",
    title: "New models",
    brand: "Tollway",
    since: Timestamp::from_seconds(1_783_080_000),
};

#[test]
fn new_models_are_told_newest_first() {
    let items = feed::new_models(&CATALOG, &Switches::default(), 50);
    assert_eq!(items.len(), 50);
    assert!(items.windows(2).all(|pair| pair[0].at >= pair[1].at));
    let xml = feed::atom(&HEAD, &items);
    assert_eq!(texts(&xml, "entry").len(), 50);
    let ids = texts(&xml, "id");
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 51);
    assert_eq!(texts(&xml, "updated")[0], texts(&xml, "updated")[1]);
    assert!(ids[1].ends_with("#released"));
    assert_eq!(texts(&feed::atom(&HEAD, &[]), "updated"), ["2026-07-03T12:00:00Z"]);
}

#[test]
fn hostile_texts_stay_texts_in_feeds_and_scripts() {
    let item = Item {
        mark: HOSTILE.into(),
        path: format!("/{HOSTILE}"),
        title: HOSTILE.into(),
        text: HOSTILE.into(),
        at: Timestamp(i64::MAX),
    };
    let xml = feed::atom(&Head { title: HOSTILE, brand: HOSTILE, ..HEAD }, &[item]);
    assert_eq!(texts(&xml, "summary"), [HOSTILE.replace('\u{0}', "")]);
    let faq = [Faq { question: HOSTILE.into(), answer: HOSTILE.into() }];
    for value in [jsonld::questions(&faq), jsonld::breadcrumbs(BASE, &[(HOSTILE, HOSTILE)])] {
        let text = jsonld::script_text(&value);
        assert!(!text.contains(['<', '>', '&', '\u{2028}']), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}

#[test]
fn structured_data_has_the_prices_of_the_catalog() {
    for (position, model) in CATALOG.models.iter().enumerate() {
        let value = jsonld::model(&CATALOG, position, BASE, "/og.png").unwrap();
        assert_eq!((value["@type"].as_str(), value["sku"].as_str()), (Some("Product"), Some(&*model.id)));
        let offers = value["offers"]["offers"].as_array().cloned().unwrap_or_default();
        let counted = value["offers"]["offerCount"].as_u64().unwrap_or(0);
        assert!(offers.is_empty() || counted == CATALOG.endpoints_of(position).len() as u64, "{}", model.id);
        for offer in &offers {
            let endpoint = CATALOG.endpoint(offer["sku"].as_str().unwrap()).unwrap();
            for price in offer["priceSpecification"].as_array().unwrap() {
                let kind = PriceKind::ALL
                    .into_iter()
                    .find(|kind| crate::format::price_name(*kind) == price["name"])
                    .unwrap();
                let text = price["price"].as_str().unwrap();
                let read = if kind.is_per_unit() {
                    Rate::parse_per_unit(text)
                } else {
                    Rate::parse_per_million(text)
                };
                assert_eq!(endpoint.price.quote(kind), Some(Quote::Known(read.unwrap())), "{}", endpoint.id);
            }
        }
    }
    assert!(jsonld::model(&CATALOG, usize::MAX, BASE, "/og.png").is_none());
}

fn sample(name: &str) -> Card {
    Card {
        brand: "Tollway".into(),
        author: "Mistral AI".into(),
        name: name.into(),
        id: "mistralai/mistral-small-2603".into(),
        facts: [
            ("Input, per 1M tokens", "$0.15"),
            ("Output, per 1M tokens", "$0.60"),
            ("Context, tokens", "256K"),
            ("Offers", "9"),
        ]
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .to_vec(),
    }
}

/// Every coordinate of every path is on the picture, whatever the texts are.
#[test]
fn nothing_leaves_the_picture() {
    let long = "A model with a name that is far too long for any single line of this picture and for two of them as well";
    let names = ["Mistral Small 4", long, &"W".repeat(50_000), "通义千问", "", HOSTILE, "Qwen3 通义 235B"];
    for name in names {
        let mut card = sample(name);
        card.facts[0].1 = "$1,234,567.890123".into();
        let svg = card::svg(&card);
        assert!(!svg.contains("script") && !svg.contains("NaN") && !svg.contains("text"), "{name}");
        for path in svg.split(" d=\"").skip(1) {
            let (data, _) = path.split_once('"').unwrap();
            let numbers: Vec<f32> = data
                .split(|c: char| c.is_ascii_alphabetic() || c == ' ')
                .filter(|n| !n.is_empty())
                .map(|n| n.parse().unwrap())
                .collect();
            for pair in numbers.chunks(2) {
                assert!(
                    (0.0..=1_200.0).contains(&pair[0]) && (0.0..=630.0).contains(&pair[1]),
                    "{name}: {pair:?}"
                );
            }
        }
    }
    // A name in letters that the typeface lacks is told by its id.
    assert_eq!(card::svg(&sample("通义千问")), card::svg(&sample("mistralai/mistral-small-2603")));
}

#[test]
fn a_picture_is_a_png_of_its_size() {
    let small = CATALOG.models.iter().position(|model| *model.id == *"mistralai/mistral-small-2603").unwrap();
    let card = card::of_model(&CATALOG, small, &Switches::default(), "Tollway").unwrap();
    assert_eq!(card.facts.len(), 4);
    let png = card::png(&card::svg(&card)).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let size = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((size(16), size(20)), (card::WIDTH, card::HEIGHT));
    assert_eq!(png, card::png(&card::svg(&card)).unwrap());
    // Not one color all over: letters were drawn.
    assert!(png.len() > 5_000, "{}", png.len());
    for (position, model) in CATALOG.models.iter().enumerate().step_by(40) {
        let card = card::of_model(&CATALOG, position, &Switches::default(), "Tollway").unwrap();
        assert!(card::png(&card::svg(&card)).is_ok(), "{}", model.id);
    }
}
