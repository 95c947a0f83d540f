//! Every page there is, found as a visitor and as a search engine find them.

use std::collections::{BTreeMap, BTreeSet};

use testkit::TestApp;
use url::Url;

use super::shape::{self, Shape};
use super::{Fetched, each, none_of};

/// What may cross the wire for a first look at a page, with all that it loads: bytes.
const FIRST_VIEW_BYTES_MAX: usize = 150 * 1024;
const STYLES_BYTES_MAX: usize = 40 * 1024;
const SCRIPTS_BYTES_MAX: usize = 40 * 1024;
/// Fewer pages than this, and links are not followed.
const PAGES_MIN: usize = 1_500;

/// What was found at an address.
struct Found {
    path: String,
    status: u16,
    location: Option<String>,
    wire_bytes: usize,
    faults: Vec<String>,
    shape: Option<Shape>,
    /// Addresses in documents for machines.
    named: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_whole_and_every_link_leads_somewhere() {
    let app = TestApp::builder().start().await;
    let base = Url::parse(&app.url()).expect("a base");
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let mut next: BTreeSet<String> = ["/", "/sitemap.xml", "/robots.txt"].map(str::to_owned).into();
    while !next.is_empty() {
        let base = base.clone();
        let round = each(&app, std::mem::take(&mut next), move |answer| read(&answer, &base)).await;
        for one in round {
            found.insert(one.path.clone(), one);
        }
        let leads = found.values().flat_map(leads_to);
        next = leads.filter(|path| !found.contains_key(path)).collect();
    }
    let mut faults: Vec<String> = Vec::new();
    for one in found.values() {
        faults.extend(one.faults.iter().map(|fault| format!("{}: {fault}", one.path)));
        faults.extend(one.shape.iter().flat_map(|shape| unresolved(shape, &found)));
        faults.extend(one.shape.as_ref().and_then(|shape| heavy(shape, &found)));
    }
    faults.extend(unmapped(&app, &found).await);
    let pages = found.values().filter(|one| one.shape.is_some()).count();
    assert!(pages >= PAGES_MIN, "{pages} pages of {} addresses", found.len());
    none_of(faults, &format!("{pages} pages, {} addresses", found.len()));
}

fn read(answer: &Fetched, base: &Url) -> Found {
    let mut found = Found {
        path: answer.path.clone(),
        status: answer.status,
        location: answer.location.clone(),
        wire_bytes: answer.wire_bytes,
        faults: Vec::new(),
        shape: None,
        named: Vec::new(),
    };
    let path = answer.path.split('?').next().unwrap_or_default();
    let is_redirect = (300..400).contains(&answer.status);
    if answer.status != 200 && !is_redirect {
        found.faults.push(format!("status {}", answer.status));
    } else if answer.media_type.starts_with("text/html") {
        let shape = shape::of(answer, base);
        found.faults.extend(shape.faults.iter().cloned());
        found.shape = Some(shape);
    } else if path.ends_with(".json") {
        if serde_json::from_str::<serde_json::Value>(&answer.text).is_err() {
            found.faults.push(String::from("is no JSON"));
        }
        if !answer.allows_any_origin {
            found.faults.push(String::from("may not be read by other sites"));
        }
    } else if answer.media_type.contains("xml") && !answer.media_type.starts_with("image/")
        || path == "/robots.txt"
    {
        found.named = addresses(&answer.text, base);
        if found.named.is_empty() {
            found.faults.push(String::from("names no address"));
        }
    }
    found
}

/// Addresses of this place in a sitemap, a feed or `robots.txt`.
fn addresses(text: &str, base: &Url) -> Vec<String> {
    let prefix = base.as_str().trim_end_matches('/');
    let starts = text.match_indices(prefix).filter_map(|(at, _)| text.get(at + prefix.len()..));
    let ends =
        |rest: &str| rest.find(|c: char| c == '"' || c == '<' || c.is_whitespace()).unwrap_or(rest.len());
    let paths = starts.filter_map(|rest| rest.get(..ends(rest))).filter(|path| path.starts_with('/'));
    paths.map(|path| path.replace("&amp;", "&").split('#').next().unwrap_or_default().to_owned()).collect()
}

/// Where to go from there. Filters can be combined without end: of a page that has a query, only its other pages are visited.
fn leads_to(one: &Found) -> Vec<String> {
    let has_query = one.path.contains('?');
    let is_paging = |path: &str| path.contains("page=") && !path.contains("sort=");
    let links = one.shape.iter().flat_map(|shape| shape.links.iter());
    let links = links.filter(|path| !has_query || !path.contains('?') || is_paging(path)).cloned();
    let moved = one.location.iter().filter(|location| location.starts_with('/'));
    links.chain(one.named.iter().cloned()).chain(moved.cloned()).collect()
}

/// Anchors without a target, and redirects that don't end.
fn unresolved(shape: &Shape, found: &BTreeMap<String, Found>) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, anchor) in &shape.anchors {
        let target = found.get(path).and_then(|one| one.shape.as_ref());
        if target.is_some_and(|target| !target.ids.contains(anchor)) {
            faults.push(format!("{}: {path}#{anchor} is not there", shape.path));
        }
    }
    for link in &shape.links {
        let ended = end(found, link);
        if ended.is_some_and(|one| one.status != 200) {
            faults.push(format!("{}: link to {link} ends elsewhere", shape.path));
        }
    }
    faults
}

/// Where a link ends after at most three redirects.
fn end<'a>(found: &'a BTreeMap<String, Found>, path: &str) -> Option<&'a Found> {
    let mut one = found.get(path)?;
    for _ in 0..3 {
        match &one.location {
            Some(location) => one = found.get(location)?,
            None => break,
        }
    }
    Some(one)
}

/// More than a first view may weigh.
fn heavy(shape: &Shape, found: &BTreeMap<String, Found>) -> Option<String> {
    let sum = |paths: &BTreeSet<String>| -> usize {
        paths.iter().filter_map(|path| found.get(path)).map(|one| one.wire_bytes).sum()
    };
    let (styles, scripts) = (sum(&shape.styles), sum(&shape.scripts));
    let all = shape.wire_bytes + styles + scripts + sum(&shape.pictures);
    let is_heavy =
        all > FIRST_VIEW_BYTES_MAX || styles > STYLES_BYTES_MAX || scripts > SCRIPTS_BYTES_MAX || styles == 0;
    is_heavy.then(|| format!("{}: {all} bytes, styles {styles}, scripts {scripts}", shape.path))
}

/// Models that the sitemap doesn't name, by the list of the API.
async fn unmapped(app: &TestApp, found: &BTreeMap<String, Found>) -> Vec<String> {
    let named: BTreeSet<&String> = found.get("/sitemap.xml").into_iter().flat_map(|map| &map.named).collect();
    let mut faults = Vec::new();
    for id in super::facts::models(app).await {
        let path = format!("/{id}");
        if !named.contains(&path) {
            faults.push(format!("{path}: not in the sitemap"));
        }
        if found.get(&path).is_none_or(|one| one.shape.is_none()) {
            faults.push(format!("{path}: no page"));
        }
    }
    faults
}
