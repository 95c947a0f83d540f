//! The pictures that stand for models where somebody shares a page.

use testkit::{FakeUpstream, Lab, TestApp};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_drawn_once_and_known_by_its_tag() {
    let upstream = FakeUpstream::start();
    let app = TestApp::builder().lab(Lab::at("lab", &upstream).model("lab/tiny", "1", "2")).start().await;
    let page = app.anonymous().get("/lab/tiny").await.expect(200).text();
    let url = format!("{}/lab/tiny/card.png", app.url());
    assert!(page.contains(&format!("<meta property=\"og:image\" content=\"{url}\">")), "{page}");
    let mut asking = JoinSet::new();
    for _ in 0..20 {
        let anyone = app.anonymous();
        asking.spawn(async move { anyone.get("/lab/tiny/card.png").await });
    }
    let answers = asking.join_all().await;
    let first = &answers[0];
    for answer in &answers {
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")));
        assert!(answer.body.starts_with(b"\x89PNG\r\n\x1a\n") && answer.body == first.body);
    }
    let tag = first.header("etag").expect("a tag").to_owned();
    let again =
        app.anonymous().request("GET", "/lab/tiny/card.png").header("if-none-match", &tag).send().await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(app.anonymous().get("/lab/none/card.png").await.status, 404);
}
