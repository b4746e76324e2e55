//! `.env` files, as dotenv of Node and python-dotenv read them: `NAME=value`, an `export` before it,
//! comments, single quotes (literal), double quotes (with escapes), values over several lines.
//!
//! Where those two disagree, see [`Remark`] and [`ImportFault`]. Variables are not put in.

use super::{Assignment, ImportError, ImportFault, Position, Remark, name, shown};
use crate::secret::{SecretBuffer, SecretValue};

/// Reads the assignments of a file, in their order. One without a value is among them, empty; a
/// name may be there several times.
///
/// # Errors
/// [`ImportError`] for the first line that cannot be read.
pub fn parse(text: &[u8]) -> Result<Vec<Assignment>, ImportError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = Reader { rest: text, line: 1 };
    let mut found = Vec::new();
    while reader.skip_to_assignment() {
        found.push(reader.assignment()?);
    }
    Ok(found)
}

/// What is not read yet, and the line that it begins in.
struct Reader<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes the next byte; `\r\n` and `\r` are one `\n`.
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let byte = match first {
            b'\r' => {
                self.rest = rest.strip_prefix(b"\n").unwrap_or(rest);
                b'\n'
            }
            other => other,
        };
        if byte == b'\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(byte)
    }

    fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().position(|&byte| !fits(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }

    /// Skips empty lines and comments. Returns whether there is anything more.
    fn skip_to_assignment(&mut self) -> bool {
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return false,
                Some(b'\n' | b'\r') => drop(self.next()),
                Some(b'#') => drop(self.take_while(is_in_line)),
                Some(_) => return true,
            }
        }
    }

    fn assignment(&mut self) -> Result<Assignment, ImportError> {
        let at = Position::Line(self.line);
        let key = self.key();
        self.skip_blanks();
        if self.peek() != Some(b'=') {
            return Err(ImportError { at, key: None, fault: ImportFault::NoAssignment });
        }
        self.next();
        let name = name(key, at)?;
        self.skip_blanks();
        let bad = |fault| ImportError { at, key: shown(key), fault };
        let (value, remark) = match self.peek() {
            Some(b'\'') => self.single_quoted().and_then(|read| self.ends_with(read)),
            Some(b'"') => self.double_quoted().and_then(|read| self.ends_with(read)),
            Some(b'`') => Err(ImportFault::Backticks),
            _ => Ok(self.bare()),
        }
        .map_err(bad)?;
        Ok(Assignment { name, at, value, remark })
    }

    /// Takes the key, and an `export` before it.
    fn key(&mut self) -> &'a [u8] {
        let word = |byte| is_in_line(byte) && !is_blank(byte) && byte != b'=';
        let first = self.take_while(word);
        if first != b"export" || !self.peek().is_some_and(is_blank) {
            return first;
        }
        self.skip_blanks();
        match self.take_while(word) {
            // `export = …` assigns to that name.
            [] => first,
            key => key,
        }
    }

    /// Up to the end of the line, or a `#` with a blank before it.
    fn bare(&mut self) -> (SecretValue, Option<Remark>) {
        let line = self.take_while(is_in_line);
        let begins = |at: &usize| {
            line.get(..*at).is_none_or(|before| before.last().is_none_or(|&it| is_blank(it)))
        };
        let hashes = line.iter().enumerate().filter(|&(_, &byte)| byte == b'#');
        let comment = hashes.map(|(at, _)| at).find(begins).unwrap_or(line.len());
        let value = line.get(..comment).unwrap_or(line).trim_ascii_end();
        let remark = match value {
            _ if value.contains(&b'#') => Some(Remark::HashKept),
            _ => expandable(value),
        };
        (SecretValue::copy_of(value), remark)
    }

    fn single_quoted(&mut self) -> Result<(SecretValue, Option<Remark>), ImportFault> {
        self.next();
        let mut value = SecretBuffer::new();
        let (mut last, mut backslashes) = (0, false);
        loop {
            match self.next().ok_or(ImportFault::Unclosed)? {
                b'\'' if last == b'\\' => return Err(ImportFault::EscapedQuote),
                b'\'' => break,
                byte => {
                    backslashes |= (last, byte) == (b'\\', b'\\');
                    last = byte;
                    value.extend(&[byte]);
                }
            }
        }
        Ok((value.into_value(), backslashes.then_some(Remark::BackslashesKept)))
    }

    fn double_quoted(&mut self) -> Result<(SecretValue, Option<Remark>), ImportFault> {
        self.next();
        let mut value = SecretBuffer::new();
        let mut remark = None;
        loop {
            match self.next().ok_or(ImportFault::Unclosed)? {
                b'"' => break,
                b'\\' => {
                    let escaped = self.next().ok_or(ImportFault::Unclosed)?;
                    if is_read_differently(escaped) {
                        remark = Some(Remark::Escapes);
                    }
                    match escaped {
                        b'n' => value.extend(b"\n"),
                        b'r' => value.extend(b"\r"),
                        b't' => value.extend(b"\t"),
                        byte @ (b'"' | b'\\' | b'$' | b'`') => value.extend(&[byte]),
                        other => value.extend(&[b'\\', other]),
                    }
                }
                byte => {
                    remark = remark.or(expandable(&[byte]));
                    value.extend(&[byte]);
                }
            }
        }
        Ok((value.into_value(), remark))
    }

    /// Makes sure that nothing but a comment stands behind a quoted value.
    fn ends_with<T>(&mut self, read: T) -> Result<T, ImportFault> {
        self.skip_blanks();
        match self.peek() {
            None | Some(b'\n' | b'\r' | b'#') => {
                self.take_while(is_in_line);
                Ok(read)
            }
            Some(_) => Err(ImportFault::Trailing),
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_in_line(byte: u8) -> bool {
    !matches!(byte, b'\n' | b'\r')
}

/// Returns whether a backslash and this byte in double quotes are one byte to some libraries and two
/// to others. Node's knows `n` and `r` alone; python-dotenv those of C.
fn is_read_differently(escaped: u8) -> bool {
    b"abfvt'\"\\$`".contains(&escaped)
}

fn expandable(value: &[u8]) -> Option<Remark> {
    value.iter().any(|byte| b"$`".contains(byte)).then_some(Remark::NotExpanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, Option<Remark>)> {
        let found = parse(text.as_bytes()).unwrap();
        let text = |it: &SecretValue| it.expose(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        found.iter().map(|it| (it.name.to_string(), text(&it.value), it.remark)).collect()
    }

    fn one(text: &str) -> (String, Option<Remark>) {
        let [(_, value, remark)] = &read(text)[..] else { panic!("{text}") };
        (value.clone(), *remark)
    }

    #[test]
    fn values_are_read_as_the_libraries_read_them() {
        let table = [
            ("A=plain", "plain"),
            ("A = plain  ", "plain"),
            ("  export A=plain # why", "plain"),
            ("A=", ""),
            ("A=# nothing", ""),
            ("A=a=b==", "a=b=="),
            ("A='$HOME `id` # \" \\n'", "$HOME `id` # \" \\n"),
            ("A='one\ntwo'", "one\ntwo"),
            ("A='one\r\ntwo'\r\n", "one\ntwo"),
            (r#"A="tab\t nl\n cr\r q\" b\\ d\$ x\x" # why"#, "tab\t nl\n cr\r q\" b\\ d$ x\\x"),
            ("A=\"one\ntwo\"", "one\ntwo"),
            ("\u{feff}A=bom", "bom"),
            ("# comment\n\n\tA=last", "last"),
            ("A=it's", "it's"),
            ("A=\u{9375}", "\u{9375}"),
        ];
        for (text, expected) in table {
            assert_eq!(one(text).0, expected, "{text}");
        }
    }

    #[test]
    fn what_libraries_read_differently_is_remarked() {
        let table = [
            ("A=a$(id)", "a$(id)", Remark::NotExpanded),
            ("A=\"a`id`\"", "a`id`", Remark::NotExpanded),
            ("A=a#b # c", "a#b", Remark::HashKept),
            (r"A='a\\b'", r"a\\b", Remark::BackslashesKept),
            (r#"A="C:\temp""#, "C:\temp", Remark::Escapes),
            (r#"A="a\"b""#, "a\"b", Remark::Escapes),
            (r#"A="$a\\b""#, r"$a\b", Remark::Escapes),
            (r#"A="a\vb""#, r"a\vb", Remark::Escapes),
        ];
        for (text, expected, remark) in table {
            assert_eq!(one(text), (expected.to_owned(), Some(remark)), "{text}");
        }
    }

    #[test]
    fn what_libraries_read_alike_is_not_remarked() {
        for text in [r#"A="a\nb\r""#, r#"A="\d+""#, "A='$x `y`'", "A=a # b"] {
            assert_eq!(one(text).1, None, "{text}");
        }
    }

    #[test]
    fn assignments_keep_their_order_and_line() {
        let found = parse(b"A='1\n2'\n\nexport B=2\nA=3").unwrap();
        let seen: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.at)).collect();
        assert_eq!(
            seen,
            [("A", Position::Line(1)), ("B", Position::Line(4)), ("A", Position::Line(5))]
        );
    }

    #[test]
    fn a_bad_line_is_named_by_number_and_key_and_never_shown() {
        let table = [
            ("\ns3cr3t-for-dotenv", "line 2: it is not `NAME=value`"),
            ("export s3cr3t-for-dotenv", "line 1: it is not `NAME=value`"),
            ("A='s3cr3t-for-dotenv", "line 1 (`A`): the quote is not closed"),
            ("A=\"s3cr3t-for-dotenv\\", "line 1 (`A`): the quote is not closed"),
            (
                "A=1\nB='a'b",
                "line 2 (`B`): something other than a comment stands behind the closing quote",
            ),
            (
                r"A='it\'s'",
                "line 1 (`A`): a backslash stands before a quote in single quotes, which libraries read differently",
            ),
            (
                "A=`b`",
                "line 1 (`A`): backticks are no quotes everywhere; write it in single quotes",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
        }
        let named = parse(b"1A=s3cr3t-for-dotenv").unwrap_err();
        assert_eq!(named.key.as_deref(), Some("1A"));
        let hidden = parse(b"s3cr3t/for+dotenv=").unwrap_err();
        assert_eq!((hidden.at, hidden.key), (Position::Line(1), None));
    }
}
