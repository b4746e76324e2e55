//! Where the spaces and comments of a file go when something is added or removed between them.
//!
//! A list of n values has n + 1 gaps. A gap's first line belongs to the value before it, as in
//! `"a", # about a`; its other lines stay where they are.

use toml_edit::{Array, DocumentMut, RawString, Table, Value};

/// Adds a text to a list, in a line of its own where the last one has one.
pub(super) fn push(list: &mut Array, text: &str) {
    let gap = last_gap(list);
    let last = list.len().checked_sub(1).and_then(|last| list.get(last));
    let prefix = last.map_or(gap.as_str(), |last| raw(last.decor().prefix()));
    let indent = match (last, prefix.rsplit_once('\n')) {
        (None, Some(_)) => Some("    "),
        (_, split) => split.map(|(_, indent)| indent),
    };
    let (before, after) = match indent {
        Some(indent) => {
            let end = gap.rsplit_once('\n').map_or("", |(_, end)| end);
            (format!("{}\n{indent}", gap.trim_end()), format!("\n{end}"))
        }
        None if list.is_empty() => (String::new(), gap),
        None => (" ".to_owned(), gap),
    };
    let mut value = Value::from(text);
    value.decor_mut().set_prefix(before);
    list.push_formatted(value);
    list.set_trailing(after);
}

/// Removes the texts that are `gone` from a list.
pub(super) fn remove(list: &mut Array, gone: impl Fn(&str) -> bool) {
    let gap = last_gap(list);
    list.set_trailing(gap);
    let is_gone = |value: &Value| value.as_str().is_some_and(&gone);
    for index in (0..list.len()).rev() {
        if list.get(index).is_some_and(&is_gone) {
            remove_at(list, index);
        }
    }
    if list.is_empty() {
        list.set_trailing_comma(false);
    }
}

fn remove_at(list: &mut Array, index: usize) {
    let before = raw(list.remove(index).decor().prefix()).to_owned();
    if let Some(next) = list.get_mut(index) {
        let after = joined(&before, raw(next.decor().prefix()));
        next.decor_mut().set_prefix(after);
        return;
    }
    let after = raw(Some(list.trailing())).to_owned();
    list.set_trailing(if after.contains('\n') { joined(&before, &after) } else { after });
}

/// Takes the last gap, which is in two parts where there is no comma after the last value.
fn last_gap(list: &mut Array) -> String {
    let trailing = raw(Some(list.trailing())).to_owned();
    let last = list.len().checked_sub(1).and_then(|last| list.get_mut(last));
    let Some(last) = last else { return trailing };
    let suffix = raw(last.decor().suffix()).to_owned();
    last.decor_mut().set_suffix("");
    suffix + &trailing
}

/// Joins the gaps around a value that went away. The first line of `after` was about that value.
fn joined(before: &str, after: &str) -> String {
    match after.split_once('\n') {
        Some((_, rest)) => format!("{}\n{rest}", before.trim_end()),
        None => before.to_owned(),
    }
}

/// Moves a comment that stands apart above the namespace `name` to what comes after it.
pub(super) fn keep_head(text: &mut DocumentMut, name: &str) {
    let namespaces = text.get("namespaces").and_then(|item| item.as_table());
    let Some(table) = namespaces.and_then(|table| table.get(name)?.as_table()) else { return };
    let prefix = raw(table.decor().prefix());
    let Some((head, _)) = prefix.rsplit_once("\n\n").filter(|(head, _)| head.contains('#')) else {
        return;
    };
    let head = format!("{head}\n\n");
    let Some(removed) = table.position() else { return };
    if let Some(next) = position_after(text.as_table(), removed) {
        put_above(text.as_table_mut(), next, &head);
    } else {
        let end = head + raw(Some(text.trailing()));
        text.set_trailing(end);
    }
}

/// Returns the place in the file of the first header after `place`.
fn position_after(table: &Table, place: isize) -> Option<isize> {
    let below = table.iter().filter_map(|(_, item)| item.as_table());
    let places = below.filter_map(|table| {
        let own = table.position().filter(|&own| own > place && !table.is_implicit());
        own.into_iter().chain(position_after(table, place)).min()
    });
    places.min()
}

fn put_above(table: &mut Table, place: isize, head: &str) {
    for (_, item) in table.iter_mut() {
        let Some(table) = item.as_table_mut() else { continue };
        if table.position() == Some(place) && !table.is_implicit() {
            let prefix = head.to_owned() + raw(table.decor().prefix());
            table.decor_mut().set_prefix(prefix);
            return;
        }
        put_above(table, place, head);
    }
}

fn raw(text: Option<&RawString>) -> &str {
    text.and_then(RawString::as_str).unwrap_or("")
}
