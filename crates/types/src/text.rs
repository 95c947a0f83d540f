//! What stands in a text and is not seen.

/// Characters that show nothing, or turn the order of what is shown: controls, marks of direction, joiners, fillers, tags and private
/// use. A line feed and a tab are none of them.
pub fn is_unseen(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{fffe}'..='\u{ffff}'
        | '\u{e0000}'..='\u{10ffff}' => true,
        c => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_unseen;

    #[test]
    fn letters_are_seen_and_marks_of_direction_are_not() {
        for c in ['a', 'ß', '字', 'ب', '👍', ' ', '\n', '\t'] {
            assert!(!is_unseen(c), "{c:?}");
        }
        for c in ['\0', '\r', '\u{1b}', '\u{85}', '\u{202e}', '\u{200b}', '\u{2066}', '\u{feff}', '\u{e0041}']
        {
            assert!(is_unseen(c), "{c:?}");
        }
    }
}
