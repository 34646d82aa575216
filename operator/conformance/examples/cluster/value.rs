//! A value of JSON or YAML, and how kubectl prints it.

use std::fmt::Write as _;

/// What an object can have in a field.
pub enum Value {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(u32),
    /// A string, which must need no escapes.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object, its keys in the order in which they are printed.
    Object(Vec<(&'static str, Value)>),
}

/// An object of these fields.
pub fn object<const N: usize>(fields: [(&'static str, Value); N]) -> Value {
    Value::Object(fields.into())
}

/// A list of these elements.
pub fn list<const N: usize>(elements: [Value; N]) -> Value {
    Value::List(elements.into())
}

/// A string.
pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

impl Value {
    /// As `-o json`.
    pub fn json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out, 0);
        out.push('\n');
        out
    }

    /// As `-o yaml`.
    pub fn yaml(&self) -> String {
        let mut out = String::new();
        self.write_yaml(&mut out, 0);
        out
    }

    fn write_json(&self, out: &mut String, depth: usize) {
        match self {
            Self::List(elements) if !elements.is_empty() => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    line(out, index > 0, depth + 1);
                    element.write_json(out, depth + 1);
                }
                line(out, false, depth);
                out.push(']');
            }
            Self::Object(fields) if !fields.is_empty() => {
                out.push('{');
                for (index, (key, value)) in fields.iter().enumerate() {
                    line(out, index > 0, depth + 1);
                    write_to(out, format_args!("\"{key}\": "));
                    value.write_json(out, depth + 1);
                }
                line(out, false, depth);
                out.push('}');
            }
            Self::Text(text) => write_to(out, format_args!("\"{text}\"")),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => {
                self.write_scalar(out);
            }
        }
    }

    /// Writes the value's own lines; an object's first field is written where the line has come to.
    fn write_yaml(&self, out: &mut String, depth: usize) {
        match self {
            Self::List(elements) => {
                for element in elements {
                    indent(out, depth);
                    out.push_str("- ");
                    element.write_inside(out, depth + 1);
                }
            }
            Self::Object(fields) => {
                for (index, (key, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        indent(out, depth);
                    }
                    write_to(out, format_args!("{key}:"));
                    match value {
                        Self::List(elements) if !elements.is_empty() => {
                            out.push('\n');
                            value.write_yaml(out, depth);
                        }
                        Self::Object(fields) if !fields.is_empty() => {
                            out.push('\n');
                            indent(out, depth + 1);
                            value.write_yaml(out, depth + 1);
                        }
                        scalar => {
                            out.push(' ');
                            scalar.write_inside(out, depth);
                        }
                    }
                }
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {
                self.write_inside(out, depth);
            }
        }
    }

    fn write_inside(&self, out: &mut String, depth: usize) {
        match self {
            Self::Object(fields) if !fields.is_empty() => self.write_yaml(out, depth),
            Self::Text(text) if is_quoted(text) => {
                write_to(out, format_args!("\"{text}\"\n"));
            }
            Self::Text(text) => write_to(out, format_args!("{text}\n")),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => {
                self.write_scalar(out);
                out.push('\n');
            }
        }
    }

    fn write_scalar(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => write_to(out, format_args!("{value}")),
            Self::Number(value) => write_to(out, format_args!("{value}")),
            Self::Text(text) => out.push_str(text),
            Self::List(_) => out.push_str("[]"),
            Self::Object(_) => out.push_str("{}"),
        }
    }
}

/// Whether YAML would take the string for something else.
fn is_quoted(text: &str) -> bool {
    text.is_empty()
        || ["true", "True"].contains(&text)
        || text.starts_with(|first: char| first.is_ascii_digit() || ":-".contains(first))
}

fn line(out: &mut String, is_next: bool, depth: usize) {
    out.push_str(if is_next { ",\n" } else { "\n" });
    out.extend(std::iter::repeat_n("    ", depth));
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn write_to(out: &mut String, words: std::fmt::Arguments<'_>) {
    // A string takes all.
    let _ = out.write_fmt(words);
}
