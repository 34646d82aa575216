//! Rewrites YAML as JSON, the way the YAML reader of Kubernetes does, so that both are read by the
//! same types.
//!
//! Whatever is in doubt is refused: a tag that is not known, a number that JSON does not have, a
//! key that is no string, and a merge (`<<`) that changes what was written before it, which readers
//! take differently. What aliases repeat is bounded.

mod scalar;
mod tabs;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use granit_parser::{Event, Options, Parser, ScalarStyle, Tag};
use serde_json::value::RawValue;

use scalar::Scalar;

/// How many bytes the anchors and aliases of one file may stand for.
const REPEATED: usize = 16 << 20;

/// The depth of objects of which the lines are remembered, beside the lines of all fields: down to
/// the elements of a list's `items`.
const WITH_LINES: usize = 2;

/// A document, rewritten as JSON.
pub(super) struct Json<'a> {
    /// The JSON, in one line.
    pub(super) text: &'a str,
    /// Where the outer objects and all fields begin: offset in the text, and line in the YAML.
    /// Sorted.
    pub(super) lines: &'a [(usize, u32)],
}

/// A document that is no valid YAML, or that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// The line at which it breaks.
    pub(super) line: u32,
    /// Why it breaks there, for people.
    pub(super) problem: String,
}

/// Calls `each` with the documents of a text, one after the other, and their numbers from 1. After
/// a broken document it goes on with the next.
pub(super) fn documents(text: &str, mut each: impl FnMut(u32, Result<Json<'_>, Broken>)) {
    let text = &*tabs::without(text);
    let mut parser = parser(text);
    let mut writer = Writer::default();
    let mut number = 1;
    loop {
        let broken = match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return,
            Some(Ok((Event::StreamStart, _))) => continue,
            Some(Ok((Event::DocumentStart(..), _))) => {
                writer.restart();
                continue;
            }
            Some(Ok((Event::DocumentEnd, span))) => match std::str::from_utf8(&writer.out) {
                Ok(text) => {
                    each(number, Ok(Json { text, lines: &writer.lines }));
                    number += 1;
                    continue;
                }
                Err(error) => Broken { line: line(span.start.line()), problem: error.to_string() },
            },
            Some(Ok((event, span))) => {
                let line = line(span.start.line());
                match writer.take(event, line) {
                    Ok(()) => continue,
                    Err(problem) => Broken { line, problem },
                }
            }
            Some(Err(error)) => {
                Broken { line: line(error.marker().line()), problem: error.kind().to_string() }
            }
        };
        each(number, Err(broken));
        number += 1;
        match parser.proceed_next_document() {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        }
    }
}

fn parser(text: &str) -> Parser<'_, granit_parser::StrInput<'_>> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    Parser::new_from_str_with_options(text, options)
}

fn line(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Writes one document after the other.
#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    lines: Vec<(usize, u32)>,
    open: Vec<Open>,
    /// The JSON that anchors stand for.
    anchors: HashMap<usize, Vec<u8>>,
    /// How many bytes anchors and aliases have copied, in the whole file.
    repeated: usize,
}

/// A collection that has not ended.
struct Open {
    start: usize,
    anchor: usize,
    is_empty: bool,
    inside: Inside,
}

enum Inside {
    Sequence,
    Mapping { awaits: Awaits, merge: Option<Merge> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Key,
    Value,
    /// The value of `<<`, which begins at this offset.
    Merged(usize),
}

/// The entries that a mapping takes over from others by `<<`.
struct Merge {
    /// The mapping or mappings that it takes entries from.
    from: Vec<u8>,
    /// The mapping's own entries that were written before `<<`.
    before: Vec<u8>,
}

type YamlResult = Result<(), String>;

impl Writer {
    fn restart(&mut self) {
        self.out.clear();
        self.lines.clear();
        self.open.clear();
        self.anchors.clear();
    }

    fn take(&mut self, event: Event<'_>, line: u32) -> YamlResult {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = meaning(&text, style, tag.as_deref())?;
                self.scalar(scalar, style, anchor, line)
            }
            Event::Alias(anchor) => self.alias(anchor, line),
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "seq")?;
                self.begin(anchor, line, Inside::Sequence)
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "map")?;
                self.begin(anchor, line, Inside::Mapping { awaits: Awaits::Key, merge: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            // Comments, and the marks of the stream, write nothing.
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        scalar: Scalar<'_>,
        style: ScalarStyle,
        anchor: usize,
        line: u32,
    ) -> YamlResult {
        if self.awaits_key() {
            if anchor != 0 {
                return Err("a key has an anchor: write it without".to_owned());
            }
            return match scalar {
                Scalar::Text("<<") if style == ScalarStyle::Plain => self.merge_key(),
                Scalar::Text(key) => self.key(key, line),
                Scalar::Bool(key) => self.key(if key { "true" } else { "false" }, line),
                Scalar::Int(key) => self.key(&key.to_string(), line),
                Scalar::Null | Scalar::Float(_) => Err("a key is no string: quote it".to_owned()),
            };
        }
        let start = self.before_value();
        match scalar {
            Scalar::Null => self.out.extend_from_slice(b"null"),
            Scalar::Bool(value) => self.json(&value)?,
            Scalar::Int(value) => self.out.extend_from_slice(value.to_string().as_bytes()),
            Scalar::Float(value) if value.is_finite() => self.json(&value)?,
            Scalar::Float(_) => return Err("JSON has no such number: quote it".to_owned()),
            Scalar::Text(text) => self.json(text)?,
        }
        self.after_value(start, anchor)
    }

    fn alias(&mut self, anchor: usize, line: u32) -> YamlResult {
        let Some(copy) = self.anchors.get(&anchor).cloned() else {
            return Err("an alias stands for what it is itself a part of".to_owned());
        };
        self.repeat(copy.len())?;
        if self.awaits_key() {
            let key: String = serde_json::from_slice(&copy)
                .map_err(|_| "an alias is a key, but stands for no string".to_owned())?;
            return self.key(&key, line);
        }
        let start = self.before_value();
        self.out.extend_from_slice(&copy);
        self.after_value(start, 0)
    }

    fn begin(&mut self, anchor: usize, line: u32, inside: Inside) -> YamlResult {
        if self.awaits_key() {
            return Err("a key is no string, but a collection".to_owned());
        }
        let start = self.before_value();
        self.out.push(match inside {
            Inside::Sequence => b'[',
            Inside::Mapping { .. } => {
                if self.open.len() <= WITH_LINES {
                    self.lines.push((start, line));
                }
                b'{'
            }
        });
        self.open.push(Open { start, anchor, is_empty: true, inside });
        Ok(())
    }

    fn end(&mut self) -> YamlResult {
        let Some(Open { start, anchor, inside, .. }) = self.open.pop() else {
            return Err("a collection ends that never began".to_owned());
        };
        match inside {
            Inside::Sequence => self.out.push(b']'),
            Inside::Mapping { merge, .. } => {
                self.out.push(b'}');
                if let Some(merge) = merge {
                    self.merge(start, &merge)?;
                }
            }
        }
        self.after_value(start, anchor)
    }

    fn awaits_key(&self) -> bool {
        let inside = self.open.last().map(|open| &open.inside);
        matches!(inside, Some(Inside::Mapping { awaits: Awaits::Key, .. }))
    }

    fn key(&mut self, key: &str, line: u32) -> YamlResult {
        self.comma();
        self.lines.push((self.out.len(), line));
        self.json(key)?;
        self.out.push(b':');
        self.await_next(Awaits::Value);
        Ok(())
    }

    fn merge_key(&mut self) -> YamlResult {
        if let Some(Open { inside: Inside::Mapping { merge: Some(_), .. }, .. }) = self.open.last()
        {
            return Err("there are two keys <<: write one, with a list".to_owned());
        }
        self.await_next(Awaits::Merged(self.out.len()));
        Ok(())
    }

    fn await_next(&mut self, next: Awaits) {
        if let Some(Open { inside: Inside::Mapping { awaits, .. }, .. }) = self.open.last_mut() {
            *awaits = next;
        }
    }

    fn comma(&mut self) {
        if let Some(open) = self.open.last_mut() {
            if !open.is_empty {
                self.out.push(b',');
            }
            open.is_empty = false;
        }
    }

    /// Prepares for a value, and returns the offset at which it begins.
    fn before_value(&mut self) -> usize {
        if let Some(Open { inside: Inside::Sequence, .. }) = self.open.last() {
            self.comma();
        }
        self.out.len()
    }

    fn after_value(&mut self, start: usize, anchor: usize) -> YamlResult {
        if anchor != 0 {
            self.repeat(self.out.len() - start)?;
            self.anchors.insert(anchor, self.out[start..].to_vec());
        }
        let Some(Open { start: outer, inside: Inside::Mapping { awaits, merge }, .. }) =
            self.open.last_mut()
        else {
            return Ok(());
        };
        if let Awaits::Merged(begins) = *awaits {
            let from = self.out.split_off(begins);
            self.lines.truncate(self.lines.partition_point(|(start, _)| *start < begins));
            let mut before = self.out[*outer..].to_vec();
            before.push(b'}');
            *merge = Some(Merge { from, before });
        }
        *awaits = Awaits::Key;
        Ok(())
    }

    /// Adds to the mapping that begins at `start` and has just ended the entries that it takes over
    /// from others and does not have itself.
    fn merge(&mut self, start: usize, Merge { from, before }: &Merge) -> YamlResult {
        let wrong = |_| "<< needs a mapping, or a list of mappings".to_owned();
        let others: Vec<BTreeMap<String, &RawValue>> = if from.starts_with(b"[") {
            serde_json::from_slice(from).map_err(wrong)?
        } else {
            vec![serde_json::from_slice(from).map_err(wrong)?]
        };
        let (before, mut said) = (keys(before)?, keys(&self.out[start..])?);
        let mut is_empty = said.is_empty();
        self.out.pop();
        for (key, value) in others.into_iter().flatten() {
            if before.contains(&key) {
                return Err(format!(
                    "<< comes after {key:?} and has it too, which readers take differently: begin with <<"
                ));
            }
            if !said.contains(&key) {
                if !std::mem::take(&mut is_empty) {
                    self.out.push(b',');
                }
                self.json(key.as_str())?;
                self.out.push(b':');
                self.out.extend_from_slice(value.get().as_bytes());
                said.insert(key);
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn repeat(&mut self, length: usize) -> YamlResult {
        self.repeated += length;
        if self.repeated > REPEATED {
            return Err(format!(
                "anchors and aliases stand for more than {} MiB: write out what they stand for",
                REPEATED >> 20
            ));
        }
        Ok(())
    }

    fn json<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> YamlResult {
        serde_json::to_writer(&mut self.out, value).map_err(|error| error.to_string())
    }
}

fn keys(object: &[u8]) -> Result<BTreeSet<String>, String> {
    let entries: BTreeMap<String, &RawValue> =
        serde_json::from_slice(object).map_err(|error| error.to_string())?;
    Ok(entries.into_keys().collect())
}

/// The meaning of a scalar, by its style and its tag.
fn meaning<'a>(text: &'a str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Scalar<'a>, String> {
    let plain = || match style {
        ScalarStyle::Plain => scalar::resolve(text),
        _ => Scalar::Text(text),
    };
    let Some(tag) = tag else { return Ok(plain()) };
    let resolved = scalar::resolve(text);
    match (tag.core_suffix(), resolved) {
        (Some("str"), _) => Ok(Scalar::Text(text)),
        (Some("null"), Scalar::Null)
        | (Some("bool"), Scalar::Bool(_))
        | (Some("int"), Scalar::Int(_))
        | (Some("float"), Scalar::Float(_)) => Ok(resolved),
        _ => Err(format!("the tag {tag} is not understood here: write the value without it")),
    }
}

fn check_tag(tag: Option<&Tag>, expected: &str) -> YamlResult {
    match tag {
        Some(tag) if tag.core_suffix() != Some(expected) => {
            Err(format!("the tag {tag} is not understood here: write the value without it"))
        }
        Some(_) | None => Ok(()),
    }
}
