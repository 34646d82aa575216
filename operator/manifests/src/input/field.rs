//! The path of a place in a JSON text, as people write it: `spec.containers[0].ports`.

use std::fmt::Write as _;

/// A collection that encloses a place.
enum Enclosing {
    /// An object, and the key of the value that the place is in.
    Object { key: String, awaits_key: bool },
    /// A list, and the index of the element that the place is in.
    List { index: usize },
}

/// The path of the value of a valid JSON text that ends at this offset, or encloses it.
pub(super) fn at(json: &str, offset: usize) -> String {
    let mut around: Vec<Enclosing> = Vec::new();
    let mut rest = json.bytes().enumerate().take(offset);
    while let Some((start, byte)) = rest.next() {
        match byte {
            b'{' => around.push(Enclosing::Object { key: String::new(), awaits_key: true }),
            b'[' => around.push(Enclosing::List { index: 0 }),
            b'}' | b']' => {
                around.pop();
            }
            b',' => match around.last_mut() {
                Some(Enclosing::Object { awaits_key, .. }) => *awaits_key = true,
                Some(Enclosing::List { index }) => *index += 1,
                None => {}
            },
            b'"' => {
                let mut end = None;
                while let Some((place, byte)) = rest.next() {
                    match byte {
                        b'\\' => {
                            rest.next();
                        }
                        b'"' => {
                            end = Some(place);
                            break;
                        }
                        _ => {}
                    }
                }
                if let Some(Enclosing::Object { key, awaits_key: awaits_key @ true }) =
                    around.last_mut()
                {
                    *awaits_key = false;
                    end.and_then(|end| json.get(start + 1..end))
                        .unwrap_or_default()
                        .clone_into(key);
                }
            }
            _ => {}
        }
    }
    spoken(&around)
}

fn spoken(around: &[Enclosing]) -> String {
    around.iter().fold(String::new(), |mut way, one| {
        match one {
            Enclosing::Object { key, .. } if key.is_empty() => {}
            Enclosing::Object { key, .. } if way.is_empty() => way.push_str(key),
            Enclosing::Object { key, .. } => {
                way.push('.');
                way.push_str(key);
            }
            Enclosing::List { index } => {
                // Writing to a string cannot fail.
                let _ = write!(way, "[{index}]");
            }
        }
        way
    })
}
