//! Members of an object that need not be valid JSON.
//!
//! OPA looks into headers that it signs, and for `keys` in key sets, with the module `fastjson`, which
//! lets pass what JSON forbids: control characters and unknown escapes in strings, numbers like `1.2.3`,
//! `NaN`. The first member of a name counts there; one written with escapes counts last.

/// Arrays and objects inside one another, the value itself included (`fastjson.MaxDepth`).
const MAX_DEPTH: usize = 300;

/// The text of this member, if the whole is an object and the member a string.
pub(super) fn text(object: &str, name: &str) -> Option<String> {
    let raw = member(object, name)?;
    let raw = raw.strip_prefix('"')?.strip_suffix('"')?;
    Some(unescape(raw))
}

/// Whether the whole is an object with this member.
pub(super) fn has(object: &str, name: &str) -> bool {
    member(object, name).is_some()
}

fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let start = skip_space(object);
    let mut members = Vec::new();
    let rest = match start.strip_prefix('{') {
        Some(rest) => skip_object(rest, 1, &mut |name, value| members.push((name, value)))?,
        None => return None,
    };
    if !skip_space(rest).is_empty() {
        return None;
    }
    let exact = members.iter().find(|(raw, _)| *raw == name);
    let escaped = || members.iter().find(|(raw, _)| unescape(raw) == name);
    exact.or_else(escaped).map(|(_, value)| *value)
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\n', '\t', '\r'])
}

/// What is behind the value at the start of the text.
fn skip_value(text: &str, depth: usize) -> Option<&str> {
    let depth = depth + 1;
    if depth > MAX_DEPTH {
        return None;
    }
    match text.as_bytes().first()? {
        b'{' => skip_object(text.get(1..)?, depth, &mut |_, _| ()),
        b'[' => skip_array(text.get(1..)?, depth),
        b'"' => text.get(string(text.get(1..)?)?.len() + 2..),
        b't' => text.strip_prefix("true"),
        b'f' => text.strip_prefix("false"),
        b'n' => text.strip_prefix("null").or_else(|| skip_word(text, &["nan"])),
        _ => skip_number(text),
    }
}

/// The text behind an opening brace; every member is shown by its raw name and value.
fn skip_object<'a>(text: &'a str, depth: usize, show: &mut dyn FnMut(&'a str, &'a str)) -> Option<&'a str> {
    let mut text = skip_space(text);
    if let Some(rest) = text.strip_prefix('}') {
        return Some(rest);
    }
    loop {
        text = skip_space(text).strip_prefix('"')?;
        let name = string(text)?;
        text = skip_space(text.get(name.len() + 1..)?).strip_prefix(':')?;
        text = skip_space(text);
        let rest = skip_value(text, depth)?;
        show(name, text.get(..text.len() - rest.len())?);
        text = skip_space(rest);
        match text.strip_prefix(',') {
            Some(rest) => text = rest,
            None => return text.strip_prefix('}'),
        }
    }
}

/// The text behind an opening bracket.
fn skip_array(text: &str, depth: usize) -> Option<&str> {
    let mut text = skip_space(text);
    if let Some(rest) = text.strip_prefix(']') {
        return Some(rest);
    }
    loop {
        text = skip_space(skip_value(skip_space(text), depth)?);
        match text.strip_prefix(',') {
            Some(rest) => text = rest,
            None => return text.strip_prefix(']'),
        }
    }
}

/// The raw text up to the closing quote.
fn string(text: &str) -> Option<&str> {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    text.get(..end)
}

fn skip_number(text: &str) -> Option<&str> {
    let part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'e' | b'E' | b'+');
    let end = text.bytes().position(|byte| !part(byte)).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    let unfinished = number.is_empty() || matches!(number, "-" | "+");
    if unfinished && !rest.is_empty() {
        skip_word(rest, &["inf", "nan"])
    } else {
        Some(rest)
    }
}

fn skip_word<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let word = text.get(..3)?;
    let found = words.iter().any(|known| word.eq_ignore_ascii_case(known));
    found.then(|| text.get(3..))?
}

/// Escapes are read as far as the names that are looked for can have them: others stay as they are.
fn unescape(raw: &str) -> String {
    let mut text = String::new();
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let digits = escape.strip_prefix('u').and_then(|escape| escape.get(..4));
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(c) = code.and_then(char::from_u32) {
            text.push(c);
            rest = escape.get(5..).unwrap_or_default();
        } else {
            let escaped = escape.chars().next();
            text.extend(['\\'].into_iter().chain(escaped));
            rest = escape.get(escaped.map_or(0, char::len_utf8)..).unwrap_or_default();
        }
    }
    text + rest
}
