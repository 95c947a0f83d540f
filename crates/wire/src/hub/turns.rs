//! Puts turns into the strict form that Anthropic, Bedrock and Gemini want: user and model alternate, the results of calls
//! stand together right after them, and none is missing or left over.

use super::{Block, CacheControl, Content, Request, Role};

/// What a target can do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alternation {
    /// It knows system turns in the middle of a conversation; else they become user text.
    pub system_in_place: bool,
}

/// A conversation in strict form.
#[derive(Debug)]
pub struct Strict<'r, 'b> {
    /// The leading instructions.
    pub system: Vec<Item<'r, 'b>>,
    /// User and model in turn; the first is the user's unless there is none at all.
    pub exchanges: Vec<Exchange<'r, 'b>>,
}

/// One side's say.
#[derive(Debug)]
pub struct Exchange<'r, 'b> {
    /// Whose; `System` only where the target takes it in place.
    pub role: Role,
    /// What, results of calls first.
    pub items: Vec<Item<'r, 'b>>,
}

/// A piece of it. Empty texts are left out, and their cache breakpoint has moved to the piece before.
#[derive(Debug)]
pub struct Item<'r, 'b> {
    /// What it is.
    pub what: What<'r, 'b>,
    /// A cache breakpoint after it.
    pub cache: Option<CacheControl>,
}

/// What a piece is.
#[derive(Clone, Copy, Debug)]
pub enum What<'r, 'b> {
    /// A block as it came.
    Block(&'r Block<'b>),
    /// A system text in a user turn.
    System(&'r str),
    /// The result of a call whose result the caller never sent.
    Missing {
        /// The id of the call.
        id: &'r str,
        /// The tool.
        name: &'r str,
    },
    /// A result whose call is nowhere: to be told as text.
    Orphan(&'r Block<'b>),
    /// A turn that would be empty: a single full stop.
    Placeholder,
}

/// Brings a conversation into strict form.
pub fn alternate<'r, 'b>(request: &'r Request<'b>, can: Alternation) -> Strict<'r, 'b> {
    let mut strict = Strict { system: Vec::new(), exchanges: Vec::new() };
    let has_other = request.turns.iter().any(|turn| turn.role != Role::System);
    let mut leading = has_other;
    for turn in &request.turns {
        leading &= turn.role == Role::System;
        for block in &turn.blocks {
            if leading {
                add(&mut strict.system, What::Block(block), block.cache);
                continue;
            }
            let (role, what) = match (&block.content, turn.role) {
                (_, Role::System) if can.system_in_place => (Role::System, What::Block(block)),
                (Content::Text(text), Role::System) => (Role::User, What::System(text)),
                (_, Role::System) => (Role::User, What::Block(block)),
                (_, role) => (role, What::Block(block)),
            };
            match strict.exchanges.last_mut() {
                Some(last) if last.role == role => add(&mut last.items, what, block.cache),
                _ => {
                    let mut items = Vec::new();
                    add(&mut items, what, block.cache);
                    strict.exchanges.push(Exchange { role, items });
                }
            }
        }
    }
    if strict.exchanges.first().is_none_or(|first| first.role == Role::Assistant) {
        let items = vec![Item { what: What::Placeholder, cache: None }];
        strict.exchanges.insert(0, Exchange { role: Role::User, items });
    }
    pair_results(&mut strict.exchanges);
    for exchange in &mut strict.exchanges {
        if exchange.items.is_empty() {
            exchange.items.push(Item { what: What::Placeholder, cache: None });
        }
    }
    strict
}

fn add<'r, 'b>(items: &mut Vec<Item<'r, 'b>>, what: What<'r, 'b>, cache: Option<CacheControl>) {
    let empty = match what {
        What::Block(Block { content: Content::Text(text), .. }) => text.trim().is_empty(),
        What::System(text) => text.trim().is_empty(),
        _ => false,
    };
    if !empty {
        items.push(Item { what, cache });
    } else if let (Some(cache), Some(last)) = (cache, items.last_mut()) {
        last.cache = Some(cache);
    }
}

/// The results that answer a model's turn, in the order of its calls, open the user turn after it.
fn pair_results<'r>(exchanges: &mut Vec<Exchange<'r, '_>>) {
    let mut at = 0;
    while at < exchanges.len() {
        let calls: Vec<(&'r str, &'r str)> = match exchanges.get(at) {
            Some(exchange) if exchange.role == Role::Assistant => {
                exchange.items.iter().filter_map(call).collect()
            }
            _ => Vec::new(),
        };
        if !calls.is_empty() && exchanges.get(at + 1).is_none_or(|next| next.role != Role::User) {
            exchanges.insert(at + 1, Exchange { role: Role::User, items: Vec::new() });
        }
        let answers = if calls.is_empty() { at } else { at + 1 };
        if let Some(exchange) = exchanges.get_mut(answers).filter(|e| e.role == Role::User) {
            arrange(exchange, &calls);
        }
        at = answers + 1;
    }
}

fn call<'r>(item: &Item<'r, '_>) -> Option<(&'r str, &'r str)> {
    match item.what {
        What::Block(Block { content: Content::ToolCall { id, name, .. }, .. }) => Some((id, name)),
        _ => None,
    }
}

fn result_id<'r>(item: &Item<'r, '_>) -> Option<&'r str> {
    match item.what {
        What::Block(Block { content: Content::ToolResult { id, .. }, .. }) => Some(id),
        _ => None,
    }
}

fn arrange<'r>(exchange: &mut Exchange<'r, '_>, calls: &[(&'r str, &'r str)]) {
    let (mut results, mut others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut exchange.items).into_iter().partition(|item| result_id(item).is_some());
    let mut arranged = Vec::with_capacity(results.len() + others.len());
    for (id, name) in calls.iter().copied() {
        match results.iter().position(|item| result_id(item) == Some(id)) {
            Some(at) => arranged.push(results.remove(at)),
            None => arranged.push(Item { what: What::Missing { id, name }, cache: None }),
        }
    }
    for mut item in results {
        if let What::Block(block) = item.what {
            item.what = What::Orphan(block);
        }
        arranged.push(item);
    }
    arranged.append(&mut others);
    exchange.items = arranged;
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Turn};
    use super::*;

    fn text(text: &'static str) -> Block<'static> {
        Block::new(Content::Text(text.into()), "")
    }

    fn call(id: &'static str) -> Block<'static> {
        let (name, arguments) = ("f".into(), "{}".into());
        Block::new(Content::ToolCall { id: id.into(), name, arguments, custom: false, seal: None }, "")
    }

    fn result(id: &'static str) -> Block<'static> {
        Block::new(Content::ToolResult { id: id.into(), name: None, content: vec![], is_error: false }, "")
    }

    fn show(turns: Vec<(Role, Vec<Block<'static>>)>) -> String {
        let mut request = Request::new(Dialect::Chat);
        request.turns = turns.into_iter().map(|(role, blocks)| Turn { role, blocks, name: None }).collect();
        let strict = alternate(&request, Alternation::default());
        let item = |item: &Item<'_, '_>| match item.what {
            What::Block(Block { content: Content::Text(text), .. }) => text.clone().into_owned(),
            What::Block(Block { content: Content::ToolCall { id, .. }, .. }) => format!("call {id}"),
            What::Block(Block { content: Content::ToolResult { id, .. }, .. }) => format!("result {id}"),
            What::System(text) => format!("system {text}"),
            What::Missing { id, .. } => format!("missing {id}"),
            What::Orphan(_) => "orphan".into(),
            other => format!("{other:?}"),
        };
        let list = |items: &[Item<'_, '_>]| items.iter().map(item).collect::<Vec<_>>().join(",");
        let mut shown = format!("S[{}]", list(&strict.system));
        for exchange in &strict.exchanges {
            let side = if exchange.role == Role::User { "U" } else { "A" };
            shown.push_str(&format!(" {side}[{}]", list(&exchange.items)));
        }
        shown
    }

    #[test]
    fn turns_alternate_and_results_follow_their_calls() {
        use Role::{Assistant as A, System as S, User as U};
        let rows = [
            (
                vec![(S, vec![text("s")]), (U, vec![text("a")]), (U, vec![text(" "), text("b")])],
                "S[s] U[a,b]",
            ),
            (
                vec![
                    (U, vec![text("q")]),
                    (A, vec![call("1"), call("2")]),
                    (U, vec![result("2")]),
                    (U, vec![text("and"), result("9")]),
                ],
                "S[] U[q] A[call 1,call 2] U[missing 1,result 2,orphan,and]",
            ),
            (vec![(A, vec![call("1")]), (A, vec![text("x")])], "S[] U[Placeholder] A[call 1,x] U[missing 1]"),
            (vec![(S, vec![text("only")])], "S[] U[system only]"),
            (
                vec![(U, vec![text("a")]), (S, vec![text("s")]), (A, vec![text("b")])],
                "S[] U[a,system s] A[b]",
            ),
            (vec![(U, vec![text("")])], "S[] U[Placeholder]"),
        ];
        for (turns, expect) in rows {
            assert_eq!(show(turns), expect);
        }
    }
}
