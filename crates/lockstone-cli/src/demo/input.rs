//! Input: what a device keeps. Certificates from a real bundle; a key, a configuration and a firmware made up here.
//!
//! Nothing secret of the machine is read: the private key is random bytes that look like one.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::dice::Dice;
use crate::exit::Failure;
use crate::files::read_named;

/// Where machines keep the certificates that they trust.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// A bundle of made-up certificates, for machines without one.
const OWN_BUNDLE: &str = include_str!("../../assets/demo-ca.pem");

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// A hundred times what machines have.
const LONGEST: u64 = 64 << 20;

/// A small firmware.
pub(crate) const FIRMWARE_BYTES: usize = 32 * 1024;

/// The content of a value; cheap to keep in several places.
pub(crate) type Value = Arc<[u8]>;

/// Certificates by name, and where they come from.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) source: String,
    pub(crate) certificates: Vec<(Vec<u8>, Value)>,
}

impl Bundle {
    /// Reads the bundle asked for, or the machine's, or our own.
    pub(crate) fn load(asked: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = asked {
            let text = read_named(path, LONGEST, "no bundle of certificates is larger than 64 MiB")?;
            let bundle = Self::parse(path.display().to_string(), &String::from_utf8_lossy(&text));
            let none = || Failure::usage(format!("there is no certificate in {}", path.display()));
            return bundle.ok_or_else(none);
        }
        let machine = BUNDLES.iter().find_map(|path| {
            let text = fs::read(path).ok()?;
            Self::parse((*path).to_owned(), &String::from_utf8_lossy(&text)).filter(|it| it.certificates.len() >= 20)
        });
        let own = || Self::parse("the bundle that comes along".to_owned(), OWN_BUNDLE);
        machine
            .or_else(own)
            .ok_or_else(|| Failure::usage("there is no bundle of certificates here: give one with --pem"))
    }

    fn parse(source: String, text: &str) -> Option<Self> {
        let certificates: Vec<_> = text
            .split(BEGIN)
            .skip(1)
            .filter_map(|rest| rest.split_once(END))
            .enumerate()
            .map(|(index, (body, _))| (name(index, body), Arc::from(format!("{BEGIN}{body}{END}\n").into_bytes())))
            .collect();
        (!certificates.is_empty()).then_some(Self { source, certificates })
    }
}

/// `certs/012-isrg-root-x1`: the place in the bundle, and the common name if one is found.
fn name(index: usize, body: &str) -> Vec<u8> {
    let slug: String = common_name(&decoded(body))
        .chars()
        .map(|letter| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .take(48)
        .collect();
    let name = format!("certs/{index:03}-{slug}");
    name.trim_end_matches('-').as_bytes().to_vec()
}

/// The last common name (object identifier 2.5.4.3) in a certificate: that of its subject.
fn common_name(certificate: &[u8]) -> String {
    const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
    let after = certificate.windows(5).rposition(|window| window == COMMON_NAME).map(|at| &certificate[at + 5..]);
    match after {
        Some([_kind, length, rest @ ..]) if *length < 0x80 => {
            String::from_utf8_lossy(rest.get(..usize::from(*length)).unwrap_or_default()).into_owned()
        }
        _ => String::new(),
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64, good enough to look for a name: what is no letter of it is passed over.
fn decoded(text: &str) -> Vec<u8> {
    let digits = text.bytes().filter_map(|byte| ALPHABET.iter().position(|letter| *letter == byte));
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len()), 0u32, 0);
    for digit in digits {
        bits = (bits << 6) | u32::try_from(digit).unwrap_or(0);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held).to_le_bytes()[0]);
        }
    }
    bytes
}

/// Looks like a private key, and is random.
pub(crate) fn private_key(dice: &mut Dice) -> Value {
    let mut text = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    for place in 0..184 {
        text.push(char::from(ALPHABET[dice.below(64)]));
        if place % 64 == 63 {
            text.push('\n');
        }
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    Arc::from(text.into_bytes())
}

/// What an application may keep about its network.
pub(crate) fn configuration(revision: u32, dice: &mut Dice) -> Value {
    let level = ["error", "warn", "info", "debug"][dice.below(4)];
    let value = serde_json::json!({
        "revision": revision,
        "wifi": { "ssid": format!("plant-{}", dice.below(100)), "psk": format!("{:016x}", dice.word()) },
        "mqtt": { "host": "broker.example", "port": 8883, "keep_alive": dice.below(600) },
        "log": level,
    });
    Arc::from(value.to_string().into_bytes())
}

/// A header and noise.
pub(crate) fn firmware(revision: u32, dice: &mut Dice) -> Value {
    let mut image = vec![0; FIRMWARE_BYTES];
    dice.fill(&mut image);
    image[..4].copy_from_slice(b"LSFW");
    image[4..8].copy_from_slice(&revision.to_le_bytes());
    Arc::from(image)
}

#[cfg(test)]
mod tests {
    use super::Bundle;

    #[test]
    fn our_own_bundle_has_names() {
        let bundle = Bundle::parse("own".to_owned(), super::OWN_BUNDLE).unwrap();
        assert!(bundle.certificates.len() >= 24);
        let (name, value) = &bundle.certificates[6];
        assert_eq!(String::from_utf8_lossy(name), "certs/006-lockstone-demo-ca-07");
        assert!(value.starts_with(b"-----BEGIN CERTIFICATE-----\n") && value.ends_with(b"-----END CERTIFICATE-----\n"));
        assert!(Bundle::parse("none".to_owned(), "no certificate").is_none());
    }
}
