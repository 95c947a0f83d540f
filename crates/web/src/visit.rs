//! What a page is made from: where it was asked for, and one view of everything that it shows.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use catalog::Snapshot;
use parking_lot::Mutex;
use types::Timestamp;
use url::form_urlencoded;

use crate::board::Board;
use crate::index::Index;
use crate::model::card::Pictures;
use crate::model::routed::Picks;
use crate::popularity;
use crate::traffic::{View, Viewer};
use crate::{Place, Site, World, announcements, host};

/// How long what is known of endpoints is shown before it is asked for again, microseconds.
const BOARD_US: i64 = 10_000_000;
/// How long what virtual models would take is shown before the routing function is asked again, microseconds.
const PICKS_US: i64 = 300_000_000;
/// The longest query that is read, in bytes.
const QUERY_BYTES_MAX: usize = 4096;

/// The site with what is worked out once per catalog or moment.
pub(crate) struct Pages {
    pub(crate) site: Arc<dyn Site>,
    index: ArcSwapOption<Index>,
    board: ArcSwapOption<Board>,
    picks: ArcSwapOption<Picked>,
    is_picking: AtomicBool,
    picking: Mutex<()>,
    pictures: Arc<Pictures>,
    popularity: popularity::Kept,
}

/// What virtual models would take, of one world at one moment.
struct Picked {
    world: Weak<dyn World>,
    made: Timestamp,
    picks: Arc<Picks>,
}

/// Whether what was worked out belongs to this world.
pub(crate) fn is_of(made_of: &Weak<dyn World>, world: &Arc<dyn World>) -> bool {
    std::ptr::addr_eq(made_of.as_ptr(), Arc::as_ptr(world))
}

impl Pages {
    pub(crate) fn new(site: Arc<dyn Site>) -> Arc<Pages> {
        Arc::new(Pages {
            site,
            index: ArcSwapOption::empty(),
            board: ArcSwapOption::empty(),
            picks: ArcSwapOption::empty(),
            is_picking: AtomicBool::new(false),
            picking: Mutex::new(()),
            pictures: Arc::default(),
            popularity: popularity::Kept::empty(),
        })
    }

    fn index(&self, world: &Arc<dyn World>) -> Arc<Index> {
        match self.index.load_full().filter(|index| index.is_of(world)) {
            Some(index) => index,
            None => {
                let index = Arc::new(Index::of(world));
                self.index.store(Some(Arc::clone(&index)));
                index
            }
        }
    }

    fn board(&self, world: &Arc<dyn World>, now: Timestamp) -> Arc<Board> {
        let is_fresh = |board: &Arc<Board>| {
            board.is_of(world) && (0..BOARD_US).contains(&now.0.saturating_sub(board.made.0))
        };
        match self.board.load_full().filter(is_fresh) {
            Some(board) => board,
            None => {
                let board = Arc::new(Board::of(world, now));
                self.board.store(Some(Arc::clone(&board)));
                board
            }
        }
    }
}

impl Pages {
    /// Who we are, for who asks.
    pub(crate) async fn place(&self, headers: &HeaderMap, uri: &Uri) -> Place {
        let rules = self.site.ranking_rules();
        // Who asks matters only where not everybody may see them.
        let is_open = View::of(rules, Viewer::Anyone).is_ok()
            || View::of(rules, self.site.viewer(headers).await).is_ok();
        let banners = announcements::banners(self, headers, uri).await;
        Place { hides_rankings: !is_open, banners, ..self.site.place(host(headers, uri)) }
    }

    /// Works out what pages of the world of this moment need.
    pub(crate) fn warm(self: &Arc<Self>) {
        let (world, now) = (self.site.world(), self.site.now());
        self.index(&world);
        self.board(&world, now);
        self.picks(&world, now);
    }

    /// The first ask of a world waits until it is worked out, unless that was done ahead; later ones are answered with what is known,
    /// while another thread works it out anew.
    fn picks(self: &Arc<Self>, world: &Arc<dyn World>, now: Timestamp) -> Arc<Picks> {
        let is_of = |known: &Arc<Picked>| is_of(&known.world, world);
        let known = match self.picks.load_full().filter(is_of) {
            Some(known) => known,
            None => {
                // Once, whoever asks meanwhile.
                let _turn = self.picking.lock();
                match self.picks.load_full().filter(is_of) {
                    Some(known) => known,
                    None => return self.pick(world, now),
                }
            }
        };
        let is_old = !(0..PICKS_US).contains(&now.0.saturating_sub(known.made.0));
        if is_old && !self.is_picking.swap(true, Ordering::AcqRel) {
            let (pages, world) = (Arc::clone(self), Arc::clone(world));
            let work = move || {
                pages.pick(&world, now);
                pages.is_picking.store(false, Ordering::Release);
            };
            if std::thread::Builder::new().name(String::from("tollway-picks")).spawn(work).is_err() {
                self.is_picking.store(false, Ordering::Release);
            }
        }
        Arc::clone(&known.picks)
    }

    fn pick(&self, world: &Arc<dyn World>, now: Timestamp) -> Arc<Picks> {
        let picks = Arc::new(Picks::of(&**world, now));
        let known = Picked { world: Arc::downgrade(world), made: now, picks: Arc::clone(&picks) };
        self.picks.store(Some(Arc::new(known)));
        picks
    }
}

/// One request of a page.
pub(crate) struct Visit {
    pages: Arc<Pages>,
    pub(crate) site: Arc<dyn Site>,
    pub(crate) place: Place,
    pub(crate) now: Timestamp,
    pub(crate) world: Arc<dyn World>,
    /// What the catalog's rows are searched, filtered and sorted by.
    pub(crate) index: Arc<Index>,
    /// What this node's traffic says, at most ten seconds old.
    pub(crate) board: Arc<Board>,
    /// As it was asked for, without `.json`.
    pub(crate) path: String,
    /// Names and values in their order; empty values are left out.
    pub(crate) query: Vec<(String, String)>,
    /// The data are asked for instead of the page.
    pub(crate) is_json: bool,
    /// Only the part of this name is asked for.
    pub(crate) part: Option<String>,
}

impl Visit {
    /// Whether nobody but the sandbox serves this model: its answers are made up.
    pub(crate) fn is_sandbox(&self, model: &str) -> bool {
        let at = self.snapshot().resolve(model);
        at.and_then(|at| self.index.row(at)).is_some_and(|row| row.is_sandbox)
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        self.world.snapshot()
    }

    /// The first value of this name.
    pub(crate) fn ask(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The query as text again, without empty values.
    pub(crate) fn query_text(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish()
    }

    /// For which work virtual models take which models, at most five minutes old.
    pub(crate) fn picks(&self) -> Arc<Picks> {
        self.pages.picks(&self.world, self.now)
    }

    /// Where the use of models is kept.
    pub(crate) fn popularity(&self) -> &popularity::Kept {
        &self.pages.popularity
    }

    /// Models' pictures that were drawn.
    pub(crate) fn pictures(&self) -> Arc<Pictures> {
        Arc::clone(&self.pages.pictures)
    }

    /// Today, in days since 1970, UTC.
    pub(crate) fn today(&self) -> i64 {
        self.now.day()
    }
}

impl FromRequestParts<Arc<Pages>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, pages: &Arc<Pages>) -> Result<Visit, Infallible> {
        let site = Arc::clone(&pages.site);
        let now = site.now();
        let world = site.world();
        let path = parts.uri.path();
        let bare = path.strip_suffix(".json");
        let query = parts.uri.query().filter(|query| query.len() <= QUERY_BYTES_MAX).unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.trim().is_empty());
        let part = parts.headers.get("x-part").and_then(|value| value.to_str().ok());
        Ok(Visit {
            place: pages.place(&parts.headers, &parts.uri).await,
            index: pages.index(&world),
            board: pages.board(&world, now),
            path: bare.unwrap_or(path).to_owned(),
            query: query.map(|(name, value)| (name.into_owned(), value.trim().to_owned())).collect(),
            is_json: bare.is_some(),
            part: part.map(str::to_owned),
            pages: Arc::clone(pages),
            site,
            now,
            world,
        })
    }
}
