//! The script for Linux volumes: POSIX shell (IEEE 1003.1, Shell Command Language).

use super::plan::{Deed, Plan, System, one_line};
use std::fmt::Write as _;

/// What every script begins with. `TITLE` becomes the name of the image.
const HEAD: &str = r#"#!/bin/sh
# Clean-up of TITLE
#
# REVIEW EVERY LINE BEFORE YOU RUN THIS. It was written from the findings of a scan; it does not know what is
# still needed. Without --apply it changes nothing and prints what it would do.
#
#   sh cleanup.sh VOLUME=DIRECTORY...            show
#   sh cleanup.sh --apply VOLUME=DIRECTORY...    do it
#
# DIRECTORY is where that volume of the image is mounted: mount a copy of the image, never the evidence. On a
# running instance it is / for the volume of the system. Volumes that are not given are left out.
set -u
LC_ALL=C
export LC_ALL
apply=no
failures=0
if [ "${1:-}" = --apply ]; then apply=yes; shift; fi

# Sets root to the directory of a volume.
volume() {
  wanted=$1; shift
  for given in "$@"; do
    case $given in
      "$wanted"=*) root=${given#"$wanted"=}; root=${root%/}; return 0 ;;
    esac
  done
  echo "volume $wanted is not given: left out" >&2
  return 1
}

# Whether a path is there, and no symbolic link on the way leads out of the volume.
inside() {
  rest=${1#/}; at=$root
  while :; do
    case $rest in
      */*) at=$at/${rest%%/*}; rest=${rest#*/} ;;
      *) break ;;
    esac
    if [ -L "$at" ]; then show 'left alone, a link is on the way to' "$1"; return 1; fi
  done
  if [ ! -e "$root$1" ] && [ ! -L "$root$1" ]; then show 'not there' "$1"; return 1; fi
}

# Prints a name without anything that moves a cursor.
show() { printf '%s: %s\n' "$1" "$(printf '%s' "$2" | tr '[:cntrl:]' '?')"; }

# Says what failed, and goes on with the rest.
failed() { show 'FAILED' "$1" >&2; failures=$((failures + 1)); }

remove() {
  inside "$1" || return 0
  show remove "$root$1"
  [ "$apply" = yes ] || return 0
  rm -rf -- "$root$1" || failed "$1"
}
empty() {
  inside "$1" || return 0
  if [ -L "$root$1" ] || [ ! -f "$root$1" ]; then show 'left alone, no regular file' "$1"; return 0; fi
  show empty "$root$1"
  [ "$apply" = yes ] || return 0
  : > "$root$1" || failed "$1"
}
remove_below() {
  inside "$1" || return 0
  if [ -L "$root$1" ] || [ ! -d "$root$1" ]; then show 'left alone, no directory' "$1"; return 0; fi
  show 'remove everything below' "$root$1"
  [ "$apply" = yes ] || return 0
  find "$root$1/." ! -name . -prune -exec rm -rf -- {} + || failed "$1"
}
empty_below() {
  inside "$1" || return 0
  if [ -L "$root$1" ] || [ ! -d "$root$1" ]; then show 'left alone, no directory' "$1"; return 0; fi
  show 'empty every file below' "$root$1"
  [ "$apply" = yes ] || return 0
  find "$root$1/." -xdev -type f -exec sh -c 'for file do : > "$file"; done' sh {} + || failed "$1"
}
lock() {
  show 'take the password away from' "$1"
  [ "$apply" = yes ] || return 0
  usermod --root "${root:-/}" --password '*' -- "$1" || { failed "$1"; return 0; }
  # The backup that usermod keeps holds the old hash.
  rm -f -- "$root/etc/shadow-" || failed /etc/shadow-
}
"#;

/// The script.
pub(super) fn script(plan: &Plan) -> String {
    let mut out = HEAD.replace("TITLE", &one_line(&plan.image));
    for volume in plan.volumes.iter().filter(|volume| volume.system == System::Linux) {
        if volume.steps.is_empty() && volume.by_hand.is_empty() {
            continue;
        }
        line(&mut out, &format!("\n# ---- volume {} ----", one_line(&volume.name)));
        if !volume.steps.is_empty() {
            line(&mut out, &format!("if volume {} \"$@\"; then", quote(volume.name.as_bytes())));
            for step in &volume.steps {
                line(&mut out, &format!("  # {}", step.why));
                let (name, subject) = match &step.deed {
                    Deed::Remove => ("remove", &step.path),
                    Deed::Empty => ("empty", &step.path),
                    Deed::RemoveBelow => ("remove_below", &step.path),
                    Deed::EmptyBelow => ("empty_below", &step.path),
                    Deed::Lock(user) => ("lock", user),
                };
                line(&mut out, &format!("  {}", call(name, subject)));
            }
            line(&mut out, "fi");
        }
        for hand in &volume.by_hand {
            line(&mut out, &format!("# BY HAND: {hand}"));
        }
    }
    line(&mut out, "\nif [ \"$failures\" -gt 0 ]; then echo \"$failures steps failed\" >&2; exit 1; fi");
    notes(&mut out, plan);
    out
}

/// What no script can do, as comments.
fn notes(out: &mut String, plan: &Plan) {
    let others = plan.volumes.iter().filter(|volume| volume.system == System::Windows);
    let others: usize = others.map(|volume| volume.steps.len().saturating_add(volume.by_hand.len())).sum();
    line(out, "\n# ---- what this script cannot do ----");
    if others > 0 {
        line(out, &format!("# {others} findings are on Windows volumes: residue remedy --shell powershell"));
    }
    for text in super::plan_notes(plan, "fstrim -v DIRECTORY; or, unmounted: zerofree -v DEVICE") {
        line(out, &format!("# {text}"));
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").unwrap_or_default();
}

/// A call with one word. Names that are not plain ASCII pass through printf, so that the script itself shows
/// nothing that could mislead its reader; the `_` keeps line feeds at the end.
fn call(name: &str, subject: &[u8]) -> String {
    if subject.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return format!("{name} {}", quote(subject));
    }
    let mut text = String::new();
    for &byte in subject {
        match byte {
            b'\'' | b'\\' | b'%' => write!(text, "\\{byte:03o}").unwrap_or_default(),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\{byte:03o}").unwrap_or_default(),
        }
    }
    // A `%` that comes out of an escape would be read as a directive: it is doubled in the format.
    let text = text.replace("\\045", "%%");
    format!("name=$(printf '{text}_'); {name} \"${{name%_}}\"")
}

/// A word in single quotes.
fn quote(bytes: &[u8]) -> String {
    let mut out = String::from("'");
    for &byte in bytes {
        match byte {
            b'\'' => out.push_str("'\\''"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push('?'),
        }
    }
    out.push('\'');
    out
}
