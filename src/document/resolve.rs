//! Plain YAML scalars as kubectl's YAML 1.1 resolver takes them (`kubernetes-sigs/yaml` `goyaml.v2/resolve.go`).

use serde_json::{Number, Value};

/// What kubectl makes of a plain scalar that a YAML 1.2 reader takes for a string; `None` where it is a string to it too.
pub(super) fn resolve(scalar: &str) -> Option<Value> {
    match scalar {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some(true.into()),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some(false.into()),
        _ => {}
    }
    scalar.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)).then_some(())?;
    let digits = scalar.replace('_', "");
    integer(&digits).or_else(|| float(&digits))
}

/// Go's `strconv.ParseInt` with base 0: `0x`, `0b`, `0o`, and octal after a leading zero.
fn integer(text: &str) -> Option<Value> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match magnitude.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &magnitude[2..]),
        [b'0', b'b' | b'B', ..] => (2, &magnitude[2..]),
        [b'0', b'o' | b'O', ..] => (8, &magnitude[2..]),
        [b'0', _, ..] => (8, &magnitude[1..]),
        _ => (10, magnitude),
    };
    let digits = digits.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(digits)?;
    if negative {
        return i64::from_str_radix(&format!("-{digits}"), radix).ok().map(Value::from);
    }
    u64::from_str_radix(digits, radix).ok().map(Value::from)
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn float(text: &str) -> Option<Value> {
    let only_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    only_number.then(|| text.parse().ok()).flatten().and_then(Number::from_f64).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_and_numbers_of_yaml_1_1_are_taken_as_kubectl_takes_them() {
        for (scalar, value) in [
            ("on", json!(true)),
            ("NO", json!(false)),
            ("0644", json!(420)),
            ("-010", json!(-8)),
            ("08", json!(8.0)),
            ("1_000", json!(1000)),
            ("0b11", json!(3)),
            ("0x_ff", json!(255)),
        ] {
            assert_eq!(resolve(scalar), Some(value), "{scalar}");
        }
    }

    #[test]
    fn what_is_a_string_to_kubectl_stays_one() {
        for scalar in [
            "oN",
            "yES",
            "10.0.0.0/8",
            "1:30",
            "2001-01-01",
            "24h0m0s",
            "-",
            "+",
            ".",
            "0x",
            "1.2.3",
            "-v",
            "_1",
        ] {
            assert_eq!(resolve(scalar), None, "{scalar}");
        }
    }
}
