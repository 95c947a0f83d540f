//! Where an answer comes from: `groundingMetadata` and `citationMetadata`. Google counts places in bytes of UTF-8, the hub in
//! characters.

use super::keys::number;
use crate::hub::Citation;
use crate::node::Node;
use crate::writer::Writer;

/// The sources of an answer whose text is `text`: one citation for each place and source, then the sources without a place.
pub(super) fn read(metadata: Node<'_>, text: &str) -> Vec<Citation> {
    let chunks: Vec<(String, String)> = metadata
        .get("groundingChunks")
        .map(Node::elements)
        .unwrap_or_default()
        .into_iter()
        .map(source)
        .collect();
    let mut used = vec![false; chunks.len()];
    let mut citations = Vec::new();
    for support in metadata.get("groundingSupports").map(Node::elements).unwrap_or_default() {
        let segment = support.get("segment");
        let quote = segment.and_then(|s| s.get_string("text")).unwrap_or_default().into_owned();
        let span = segment.and_then(|segment| span(segment, text));
        let indices = support.get("groundingChunkIndices").map(Node::elements).unwrap_or_default();
        for at in indices.into_iter().filter_map(|index| usize::try_from(number(index)?).ok()) {
            if let (Some((url, title)), Some(used)) = (chunks.get(at), used.get_mut(at)) {
                *used = true;
                citations.push(Citation {
                    url: url.clone(),
                    title: title.clone(),
                    quote: quote.clone(),
                    span,
                });
            }
        }
    }
    let unused = chunks.into_iter().zip(used).filter(|((url, _), used)| !used && !url.is_empty());
    citations.extend(unused.map(|((url, title), _)| Citation {
        url,
        title,
        quote: String::new(),
        span: None,
    }));
    citations
}

fn source(chunk: Node<'_>) -> (String, String) {
    let inner = ["web", "retrievedContext", "maps", "image"].into_iter().find_map(|kind| chunk.get(kind));
    let Some(inner) = inner else { return (String::new(), String::new()) };
    let text = |key: &str| inner.get_string(key).unwrap_or_default().into_owned();
    let url = ["uri", "sourceUri"].into_iter().map(text).find(|url| !url.is_empty()).unwrap_or_default();
    (url, text("title"))
}

/// Texts that the answer recites, with where they come from.
pub(super) fn recited(metadata: Node<'_>, text: &str) -> Vec<Citation> {
    let list = ["citationSources", "citations"].into_iter().find_map(|key| metadata.get(key));
    let list = list.map(Node::elements).unwrap_or_default();
    let citation = |one: Node<'_>| Citation {
        url: one.get_string("uri").unwrap_or_default().into_owned(),
        title: one.get_string("title").unwrap_or_default().into_owned(),
        quote: String::new(),
        span: span(one, text),
    };
    list.into_iter().map(citation).filter(|one| !one.url.is_empty()).collect()
}

fn span(segment: Node<'_>, text: &str) -> Option<(u64, u64)> {
    let start = segment.get("startIndex").and_then(number).unwrap_or(0);
    let end = number(segment.get("endIndex")?)?;
    let characters = |bytes: u64| {
        let before = text.get(..usize::try_from(bytes).ok()?)?;
        Some(before.chars().count() as u64)
    };
    Some((characters(start)?, characters(end)?)).filter(|(start, end)| start <= end)
}

/// Writes `groundingMetadata` for an answer whose text is `text`.
pub(super) fn write(w: &mut Writer, citations: &[Citation], text: &str) {
    let mut sources: Vec<(&str, &str)> = Vec::new();
    let mut places: Vec<(&Citation, usize)> = Vec::new();
    for citation in citations {
        let source = (citation.url.as_str(), citation.title.as_str());
        let known = sources.iter().position(|known| *known == source);
        places.push((citation, known.unwrap_or(sources.len())));
        if known.is_none() {
            sources.push(source);
        }
    }
    w.begin_object().key("groundingChunks").begin_array();
    for (uri, title) in &sources {
        w.begin_object().key("web").begin_object().field("uri", uri).field("title", title).end_object();
        w.end_object();
    }
    w.end_array().key("groundingSupports").begin_array();
    let byte_at = |characters: u64| {
        let characters = usize::try_from(characters).unwrap_or(usize::MAX);
        text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
    };
    for (citation, at) in places.iter().filter(|(one, _)| one.span.is_some() || !one.quote.is_empty()) {
        w.begin_object().key("segment").begin_object();
        if let Some((start, end)) = citation.span {
            w.field_json("startIndex", &byte_at(start)).field_json("endIndex", &byte_at(end));
        }
        w.field("text", &citation.quote).end_object();
        w.key("groundingChunkIndices").begin_array().json(at).end_array().end_object();
    }
    w.end_array().end_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_and_back_in_bytes() {
        let text = "Zürich liegt.";
        let metadata = br#"{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"web":{"uri":"https://b","title":"B"}},{}],
            "groundingSupports":[{"segment":{"endIndex":7,"text":"Z\u00fcrich"},"groundingChunkIndices":[0,9]},{"segment":{"startIndex":2,"endIndex":99},"groundingChunkIndices":[0]},5]}"#;
        let found = read(Node::parse(metadata).unwrap(), text);
        let shown: Vec<_> = found.iter().map(|c| (c.url.as_str(), c.quote.as_str(), c.span)).collect();
        assert_eq!(
            shown,
            [("https://a", "Zürich", Some((0, 6))), ("https://a", "", None), ("https://b", "", None)]
        );
        let mut w = Writer::default();
        write(&mut w, &found[..1], text);
        let out = String::from_utf8(w.finish()).unwrap();
        assert_eq!(
            out,
            r#"{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}}],"groundingSupports":[{"segment":{"startIndex":0,"endIndex":7,"text":"Zürich"},"groundingChunkIndices":[0]}]}"#
        );
        assert_eq!(read(Node::parse(out.as_bytes()).unwrap(), text), found[..1]);
        let recitation = br#"{"citationSources":[{"startIndex":0,"endIndex":1,"uri":"u"},{"title":"t"}]}"#;
        assert_eq!(recited(Node::parse(recitation).unwrap(), text)[0].span, Some((0, 1)));
    }
}
