//! The meaning of a scalar without quotes to the YAML reader of Kubernetes (`sigs.k8s.io/yaml`),
//! which goes by YAML 1.1 where 1.2 reads otherwise: `on` is a boolean, `010` is eight.

/// The meaning of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    /// A null, such as an empty value or `~`.
    Null,
    /// A boolean. It may have been meant as a string: then the type of the field refuses it, as the
    /// API server does.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i128),
    /// Any other number, also infinite or not a number.
    Float(f64),
    /// A string, as it is written.
    Text(&'a str),
}

/// The meaning of a scalar without quotes and without a tag.
pub(super) fn resolve(plain: &str) -> Scalar<'_> {
    match plain {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        _ if plain.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) => {
            number(plain).unwrap_or(Scalar::Text(plain))
        }
        _ => Scalar::Text(plain),
    }
}

/// The number that a text is, if it is one. Underscores may be anywhere in it.
fn number(plain: &str) -> Option<Scalar<'static>> {
    let text = plain.replace('_', "");
    int(&text).map(Scalar::Int).or_else(|| float(&text).map(Scalar::Float))
}

/// A whole number of 64 bits: decimal, or with a prefix for its base. A leading zero makes it
/// octal.
fn int(text: &str) -> Option<i128> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // The standard parser would take a second sign.
    if !digits.starts_with(|first: char| first.is_digit(radix)) {
        return None;
    }
    let number = sign * i128::from(u64::from_str_radix(digits, radix).ok()?);
    (number >= i128::from(i64::MIN)).then_some(number)
}

fn float(text: &str) -> Option<f64> {
    let is_of_numbers = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    // Letters would be infinity and the like, which YAML spells with a dot.
    if text.bytes().all(is_of_numbers) { text.parse().ok() } else { None }
}
