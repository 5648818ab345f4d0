//! Signatures of the Pusher protocol.

use std::sync::LazyLock;

use wspush::auth::pusher::{Credentials, SignedRequest};

use super::choice;

const KEY: &str = "278d425bdf160c739803";
const NOW_S: u64 = 1_800_000_000;

static OURS: LazyLock<Credentials> = LazyLock::new(|| Credentials::new(KEY, "7ad3773142a6692b25b8"));

/// A query, or a client's `auth`: alone it is refused, and nothing of it repeated; with a good signature behind it, the
/// same text is taken as far as it says the rest.
pub fn pusher_signature(data: &[u8]) {
    let (first, data) = choice(data);
    let text = String::from_utf8_lossy(data);
    let (before, behind) = text.split_once('\n').unwrap_or((&text, ""));
    match first % 3 {
        0 => request(before, behind),
        1 => {
            assert!(OURS.check_channel("1.1", before, Some(behind), before).is_err());
            assert!(OURS.check_user("1.1", before, behind).is_err());
        }
        _ => {
            let signed = |text: &str| format!("{KEY}:{}", OURS.sign(text.as_bytes()));
            let auth = signed(&format!("1.1:{before}:{behind}"));
            let taken = OURS.check_channel("1.1", before, Some(behind), &auth);
            assert_eq!(taken.is_ok(), !before.contains(':'));
            let auth = signed(&format!("1.1::user::{behind}"));
            assert_eq!(OURS.check_user("1.1", behind, &auth), Ok(()));
            assert!(OURS.check_user("1.2", behind, &auth).is_err());
        }
    }
}

fn request(query: &str, path: &str) {
    let check = |query: &str| OURS.check_request(&SignedRequest { method: "POST", path, query }, NOW_S);
    let error = check(query).expect_err("it is signed by nobody").to_string();
    assert!(error.len() < 250 && !error.contains(KEY), "{error}");
    // The same with parameters in front that are good, where it has none of its own.
    let plain: String = query.chars().filter(|c| c.is_ascii_alphanumeric() || "=&-.".contains(*c)).collect();
    let reserved = ["auth_", "body_md5"].iter().any(|name| plain.contains(name));
    if reserved || path.contains(['%', '\n']) {
        return;
    }
    let mut pairs: Vec<(String, &str)> = plain
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let now = NOW_S.to_string();
    pairs.extend([("auth_key".to_owned(), KEY), ("auth_timestamp".to_owned(), &*now)]);
    pairs.push(("auth_version".to_owned(), "1.0"));
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let signature = OURS.sign(format!("POST\n{path}\n{}", pairs.join("&")).as_bytes());
    let query = format!("{plain}&auth_key={KEY}&auth_timestamp={now}&auth_version=1.0");
    let hash = check(&format!("{query}&auth_signature={signature}")).expect("it is signed");
    assert!(hash.check(b"").is_ok() && hash.check(b"{}").is_err());
}
