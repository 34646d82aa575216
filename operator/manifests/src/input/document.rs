//! Takes JSON documents apart, into the objects that they are or list.
//!
//! A whole value is never built: a list's elements are pieces of the text, an object's header says
//! what it is, and only then the fields that decide are read, and all others passed over.

use std::sync::Arc;

use netproof_conformance::manifest::{
    self, Header, Misfit, ObjectProblem, Objects, Source, Written,
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    Cause, Unreadable, field, look,
    skipped::{SkipReason, Skipped},
    yaml,
};

/// Reads texts into objects, and remembers what it could not read.
#[derive(Debug)]
pub(super) struct Reader {
    objects: Objects,
    unreadable: Vec<Unreadable>,
    /// The objects as they are written, of every kind; none unless the caller asked for them.
    written: Option<Vec<Value>>,
    /// Whether a person or an API server wrote the objects.
    by: Written,
    /// How the input at hand came to be read.
    found: InputOrigin,
    /// How many objects, or lists of them, there were so far, and before the input at hand.
    seen: usize,
    seen_before: usize,
    skipped: Vec<Skipped>,
}

/// How an input came to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputOrigin {
    /// The user named it: it has to consist of objects.
    Named,
    /// It was in a directory: what cannot be an object is skipped.
    Lying,
}

/// All that a reader has read.
pub(super) struct Parts {
    pub(super) objects: Objects,
    pub(super) unreadable: Vec<Unreadable>,
    pub(super) written: Vec<Value>,
    pub(super) skipped: Vec<Skipped>,
}

/// The fields of a list itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct List<'a> {
    metadata: Option<ListMetadata>,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

/// The part of `metav1.ListMeta` that matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ListMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// One document of an input.
#[derive(Clone, Copy)]
struct Document<'a> {
    input: &'a Arc<str>,
    number: u32,
    json: &'a str,
}

impl Reader {
    pub(super) fn new(objects: Objects) -> Self {
        Self {
            objects,
            unreadable: Vec::new(),
            written: None,
            by: Written::ByHand,
            found: InputOrigin::Named,
            seen: 0,
            seen_before: 0,
            skipped: Vec::new(),
        }
    }

    /// A reader that also keeps every object as it is written, of whatever kind.
    pub(super) fn keeping(objects: Objects) -> Self {
        Self { written: Some(Vec::new()), ..Self::new(objects) }
    }

    /// A reader of what an API server gave.
    #[cfg(any(feature = "cluster", test))]
    pub(super) fn of_api_server(objects: Objects) -> Self {
        Self { by: Written::ByApiServer, ..Self::new(objects) }
    }

    /// All that was read.
    pub(super) fn into_parts(self) -> Parts {
        let Self { objects, unreadable, written, skipped, .. } = self;
        Parts { objects, unreadable, written: written.unwrap_or_default(), skipped }
    }

    /// Begins with an input that came to be read like this.
    pub(super) fn begin(&mut self, found: InputOrigin) {
        self.found = found;
        self.seen_before = self.seen;
    }

    /// Ends with an input. One without any object is unreadable if the user named it, and skipped
    /// otherwise.
    pub(super) fn end(&mut self, input: &Arc<str>) {
        let is_told = self.unreadable.last().is_some_and(|last| last.input == *input)
            || self.skipped.last().is_some_and(|last| last.input == *input);
        if self.seen == self.seen_before && !is_told {
            match self.found {
                InputOrigin::Named => self.unreadable(input, None, Cause::NothingInIt),
                InputOrigin::Lying => self.skip(input, SkipReason::NoObject),
            }
        }
    }

    /// How many objects there were so far, and how many parts that could not be read.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.seen, self.unreadable.len())
    }

    /// How the input at hand came to be read.
    pub(super) fn found(&self) -> InputOrigin {
        self.found
    }

    /// Remembers an input that is skipped, once.
    pub(super) fn skip(&mut self, input: &Arc<str>, why: SkipReason) {
        if self.skipped.last().is_none_or(|last| last.input != *input) {
            self.skipped.push(Skipped { input: input.clone(), why });
        }
    }

    /// Remembers a part of an input that could not be read.
    pub(super) fn unreadable(&mut self, input: &Arc<str>, line: Option<u32>, cause: Cause) {
        self.unreadable.push(Unreadable { input: input.clone(), line, cause });
    }

    /// Reads JSON documents that follow each other, with white space or nothing between them.
    pub(super) fn json(&mut self, input: &Arc<str>, text: &str) {
        let mut counted = Counted { text, offset: 0, line: 1 };
        let documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        for (number, document) in (1..).zip(documents) {
            match document {
                Ok(json) => {
                    let json = json.get();
                    let start = offset_in(text, json);
                    let mut line = |offset| Some(counted.line(start + offset));
                    self.document(Document { input, number, json }, &mut line);
                }
                Err(error) => {
                    let line = u32::try_from(error.line()).ok();
                    let problem = without_place(&error);
                    self.unreadable(input, line, Cause::Json { document: number, problem });
                }
            }
        }
    }

    /// Reads the documents of a YAML text.
    pub(super) fn yaml(&mut self, input: &Arc<str>, text: &str) {
        yaml::documents(text, |number, document| match document {
            Ok(yaml::Json { text, lines }) => {
                let mut line = |offset| {
                    let after = lines.partition_point(|(start, _)| *start <= offset);
                    lines.get(after.checked_sub(1)?).map(|(_, line)| *line)
                };
                self.document(Document { input, number, json: text }, &mut line);
            }
            Err(yaml::Broken { line, problem }) => {
                self.unreadable(input, Some(line), Cause::Yaml { document: number, problem });
            }
        });
    }

    /// Reads a page of a list that an API server gave. Returns the token for the next page; none
    /// after the last.
    #[cfg(any(feature = "cluster", test))]
    pub(super) fn page(
        &mut self,
        input: &Arc<str>,
        json: &str,
    ) -> serde_json::Result<Option<String>> {
        let header: Header = serde_json::from_str(json)?;
        let List { metadata, items } = serde_json::from_str(json)?;
        let document = Document { input, number: 1, json };
        self.items(document, &header, &items.unwrap_or_default(), &mut |_| None);
        Ok(metadata.and_then(|metadata| metadata.next).filter(|next| !next.is_empty()))
    }

    fn document(&mut self, document: Document<'_>, line: &mut dyn FnMut(usize) -> Option<u32>) {
        if document.json != "null" {
            self.object(document, document.json, &Header::default(), line);
        }
    }

    /// Reads one object of a document, or a list of them. An `apiVersion` or `kind` that it lacks
    /// is taken from the list that it is in.
    fn object(
        &mut self,
        document: Document<'_>,
        json: &str,
        listed_as: &Header,
        line: &mut dyn FnMut(usize) -> Option<u32>,
    ) {
        let Document { input, number, .. } = document;
        let begins = line(offset_in(document.json, json));
        // A document of an input that the user did not name may be anything else.
        let is_nothing = |reader: &Self| {
            let is_found = reader.found == InputOrigin::Lying && json == document.json;
            is_found && !look::is_like_object(json)
        };
        let mut header: Header = match serde_json::from_str(json) {
            Ok(header) => header,
            Err(_) if is_nothing(self) => return self.skip(input, SkipReason::NoObject),
            Err(error) => {
                let problem = match field_of(json, &error) {
                    field if field.is_empty() => without_place(&error),
                    field => format!("{field}: {}", without_place(&error)),
                };
                return self.unreadable(
                    input,
                    begins,
                    Cause::NoObject { document: number, problem },
                );
            }
        };
        if header.kind.is_empty() {
            header.kind.clone_from(&listed_as.kind);
        }
        if header.api_version.is_empty() {
            header.api_version.clone_from(&listed_as.api_version);
        }
        if header.kind.is_empty() || header.api_version.is_empty() {
            if is_nothing(self) {
                return self.skip(input, SkipReason::NoObject);
            }
            return self.unreadable(input, begins, Cause::NoKind { document: number });
        }
        self.seen += 1;
        if header.kind.ends_with("List") {
            match serde_json::from_str(json) {
                Ok(List { metadata, items: Some(items) }) => {
                    let next = metadata.and_then(|metadata| metadata.next).unwrap_or_default();
                    if !next.is_empty() {
                        self.unreadable(input, begins, Cause::PartOfList { document: number });
                    }
                    return self.items(document, &header, &items, line);
                }
                // A kind with a name that happens to end in "List", or a list with a misspelt field
                // `items`.
                Ok(List { items: None, .. }) => {
                    let slips = manifest::misfits_of_list(&mut json_of(json)).unwrap_or_default();
                    if !slips.is_empty() {
                        return self.reject_all(document, &header, json, slips, line);
                    }
                }
                Err(error) => {
                    let problem = format!("{}: {}", field_of(json, &error), without_place(&error));
                    return self.unreadable(
                        input,
                        begins,
                        Cause::NoObject { document: number, problem },
                    );
                }
            }
        }
        let misfits = manifest::misfits(&header, self.by, &mut json_of(json)).unwrap_or_default();
        if !misfits.is_empty() {
            return self.reject_all(document, &header, json, misfits, line);
        }
        self.keep(json, &header);
        let at = Source { input: input.clone(), document: number, line: begins };
        let mut object = json_of(json);
        if let Err(error) = self.objects.add(at.clone(), &header, &mut object) {
            let problem = ObjectProblem::Malformed(without_place(&error));
            self.objects.reject(at, &header, &field_of(json, &error), problem);
        }
    }

    /// Rejects an object for each field that it cannot have, at the line of that field.
    fn reject_all(
        &mut self,
        document: Document<'_>,
        header: &Header,
        object: &str,
        misfits: Vec<Misfit<'_>>,
        line: &mut dyn FnMut(usize) -> Option<u32>,
    ) {
        for Misfit { field, name, problem } in misfits {
            let place = offset_in(document.json, name.unwrap_or(object));
            let Document { input, number, .. } = document;
            let at = Source { input: input.clone(), document: number, line: line(place) };
            self.objects.reject(at, header, &field, problem);
        }
    }

    fn keep(&mut self, json: &str, header: &Header) {
        let Some(written) = &mut self.written else { return };
        // Whatever has a header is an object.
        if let Ok(mut object @ Value::Object(_)) = serde_json::from_str::<Value>(json) {
            object["kind"] = json!(header.kind);
            object["apiVersion"] = json!(header.api_version);
            written.push(object);
        }
    }

    fn items(
        &mut self,
        document: Document<'_>,
        list: &Header,
        items: &[&RawValue],
        line: &mut dyn FnMut(usize) -> Option<u32>,
    ) {
        // A `List` says nothing of its elements; a `PodList` says that they are pods.
        let of_kind = match list.kind.strip_suffix("List") {
            None | Some("") => Header::default(),
            Some(kind) => Header {
                api_version: list.api_version.clone(),
                kind: kind.to_owned(),
                ..Header::default()
            },
        };
        for item in items {
            self.object(document, item.get(), &of_kind, line);
        }
    }
}

fn json_of(text: &str) -> serde_json::Deserializer<serde_json::de::StrRead<'_>> {
    serde_json::Deserializer::from_str(text)
}

/// Whether a text is JSON, of one document or several.
pub(super) fn is_json(text: &str) -> bool {
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    documents.all(|document| document.is_ok())
}

/// How many lines end in these bytes.
pub(super) fn lines(bytes: &[u8]) -> u32 {
    let ends = bytes.split(|byte| *byte == b'\n').count() - 1;
    u32::try_from(ends).unwrap_or(u32::MAX)
}

/// Counts lines on the way through a text.
struct Counted<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
}

impl Counted<'_> {
    /// The line, from 1, of this offset.
    fn line(&mut self, offset: usize) -> u32 {
        if offset < self.offset {
            (self.offset, self.line) = (0, 1);
        }
        let passed = self.text.as_bytes().get(self.offset..offset).unwrap_or_default();
        self.line = self.line.saturating_add(lines(passed));
        self.offset = offset;
        self.line
    }
}

/// The offset in a text of a piece of that text.
fn offset_in(text: &str, piece: &str) -> usize {
    piece.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

/// The path of the field of an object that an error is about.
fn field_of(json: &str, error: &serde_json::Error) -> String {
    let lines_before = error.line().saturating_sub(1);
    let before: usize = json.split_inclusive('\n').take(lines_before).map(str::len).sum();
    field::at(json, before + error.column())
}

/// What an error says, without its place in a text that the user has not seen.
fn without_place(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    said.strip_suffix(&place).unwrap_or(&said).to_owned()
}
