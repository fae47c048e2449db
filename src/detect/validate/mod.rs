//! Validators: what a rule's regex cannot say about a secret, one file each.

mod alibaba;
mod aws;
mod base58;
mod base64;
mod basic;
mod bech32;
mod check_digit;
mod command_line;
mod connection_string;
mod crc32_base62;
pub(crate) mod der;
pub(crate) mod entropy;
mod generic;
mod hmac;
pub(crate) mod jks;
mod jwt;
pub(crate) mod openssh;
pub(crate) mod pgp;
mod phone;
pub(crate) mod pkcs12;
mod placeholder;
pub(crate) mod ppk;
pub(crate) mod private_key;
pub(crate) mod published;
pub(crate) mod sexp;
mod signing;
pub(crate) mod token;
mod uuid;
mod wireguard;
pub(crate) mod words;

use super::Window;
use crate::rules::{Severity, Verdict};
use std::ops::Range;

/// All validators by the names that rules give them.
const VALIDATORS: &[Validator] = &[
    alibaba::VALIDATOR,
    aws::VALIDATOR,
    base58::VALIDATOR,
    base64::VALIDATOR,
    basic::VALIDATOR,
    bech32::VALIDATOR,
    check_digit::CARD,
    check_digit::IBAN,
    check_digit::LUHN,
    check_digit::MY_NUMBER,
    check_digit::RESIDENT_ID,
    command_line::VALIDATOR,
    connection_string::VALIDATOR,
    connection_string::KEYWORDS,
    crc32_base62::GITHUB,
    crc32_base62::NPM,
    generic::VALIDATOR,
    jwt::VALIDATOR,
    phone::VALIDATOR,
    placeholder::VALIDATOR,
    signing::VALIDATOR,
    token::VALIDATOR,
    uuid::VALIDATOR,
    wireguard::VALIDATOR,
];

/// A check of a match.
#[derive(Debug)]
pub(crate) struct Validator {
    /// The name that rules give it.
    pub(crate) name: &'static str,
    /// What it says of a match.
    pub(crate) check: fn(&Subject<'_>) -> Ruling,
}

/// The validator of this name.
pub(super) fn get(name: &str) -> Option<&'static Validator> {
    VALIDATORS.iter().find(|validator| validator.name == name)
}

/// The names of all validators.
pub fn names() -> Vec<&'static str> {
    VALIDATORS.iter().map(|validator| validator.name).collect()
}

/// A match to be validated.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    /// The content around the match.
    pub(crate) window: &'a Window<'a>,
    /// The match in the window.
    pub(crate) matched: Range<usize>,
    /// The secret in the window.
    pub(crate) secret: Range<usize>,
}

impl<'a> Subject<'a> {
    /// The secret's bytes.
    pub(crate) fn secret(&self) -> &'a [u8] {
        self.window.bytes.get(self.secret.clone()).unwrap_or_default()
    }

    /// The bytes of all of the match.
    pub(crate) fn matched(&self) -> &'a [u8] {
        self.window.bytes.get(self.matched.clone()).unwrap_or_default()
    }
}

/// What a validator says.
#[derive(Debug)]
pub(crate) enum Ruling {
    /// Not a secret.
    Reject,
    /// Nothing against it.
    Accept,
    /// It is one, and this is known of it.
    Amend(Change),
}

/// What a validator knows better than the rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// How sure it is.
    pub(crate) verdict: Option<Verdict>,
    /// How bad it is.
    pub(crate) severity: Option<Severity>,
    /// Facts for the report; never the secret.
    pub(crate) evidence: Vec<String>,
    /// The published credential that it is.
    pub(crate) known_good: Option<String>,
    /// The part of the window that is the secret, where the regex took more.
    pub(crate) secret: Option<Range<usize>>,
}

impl Change {
    /// Form, checksum or structure prove it.
    pub(crate) fn proven() -> Self {
        Self { verdict: Some(Verdict::Proven), ..Self::default() }
    }

    /// The same with one more fact.
    #[must_use]
    pub(crate) fn with(mut self, fact: impl Into<String>) -> Self {
        self.evidence.push(fact.into());
        self
    }
}
