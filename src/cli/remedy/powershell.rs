//! The script for Windows volumes: PowerShell.

use super::plan::{Deed, Plan, System, one_line};
use std::fmt::Write as _;

/// What every script begins with. `TITLE` becomes the name of the image.
const HEAD: &str = r#"# Clean-up of TITLE
#
# REVIEW EVERY LINE BEFORE YOU RUN THIS. It was written from the findings of a scan; it does not know what is
# still needed. Without -Apply it changes nothing and prints what it would do.
#
#   .\cleanup.ps1 -Volume 'p3=E:'            show
#   .\cleanup.ps1 -Volume 'p3=E:' -Apply     do it
#
# The right side is where that volume of the image is mounted: mount a copy of the image, never the evidence. On
# a running instance it is C: for the volume of the system. Volumes that are not given are left out.
[CmdletBinding()]
param([string[]] $Volume = @(), [switch] $Apply)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

function Get-Root([string] $Name) {
  foreach ($given in $Volume) {
    if ($given.StartsWith($Name + '=')) { return $given.Substring($Name.Length + 1).TrimEnd([char] 92) }
  }
  Write-Warning ('volume ' + $Name + ' is not given: left out')
  return $null
}

# Whether a path is there, and no reparse point on the way leads out of the volume.
function Test-Inside([string] $Path) {
  $at = $root
  $parts = $Path.TrimStart([char] 92).Split([char] 92)
  for ($index = 0; $index -lt $parts.Length; $index++) {
    $at = $at + '\' + $parts[$index]
    $item = Get-Item -LiteralPath $at -Force -ErrorAction SilentlyContinue
    if ($null -eq $item) { Show-Step 'not there' $Path; return $false }
    $isLink = ($item.Attributes -band [IO.FileAttributes]::ReparsePoint) -ne 0
    if ($isLink -and $index -lt ($parts.Length - 1)) {
      Show-Step 'left alone, a link is on the way to' $Path
      return $false
    }
  }
  return $true
}

# Prints a name without anything that moves a cursor.
function Show-Step([string] $What, [string] $Path) {
  Write-Output ($What + ': ' + ($Path -replace '[^ -~]', '?'))
}

function Remove-Leftover([string] $Path) {
  if (-not (Test-Inside $Path)) { return }
  Show-Step 'remove' ($root + $Path)
  if ($Apply) { Remove-Item -LiteralPath ($root + $Path) -Recurse -Force }
}
function Clear-Leftover([string] $Path) {
  if (-not (Test-Inside $Path)) { return }
  Show-Step 'empty' ($root + $Path)
  if ($Apply) { Clear-Content -LiteralPath ($root + $Path) -Force }
}
function Remove-Below([string] $Path) {
  if (-not (Test-Inside $Path)) { return }
  Show-Step 'remove everything below' ($root + $Path)
  if ($Apply) {
    foreach ($item in @(Get-ChildItem -LiteralPath ($root + $Path) -Force)) {
      Remove-Item -LiteralPath $item.FullName -Recurse -Force
    }
  }
}
function Clear-Below([string] $Path) {
  if (-not (Test-Inside $Path)) { return }
  Show-Step 'empty every file below' ($root + $Path)
  if ($Apply) {
    foreach ($item in @(Get-ChildItem -LiteralPath ($root + $Path) -Force -Recurse -File)) {
      Clear-Content -LiteralPath $item.FullName -Force
    }
  }
}
"#;

/// The script.
pub(super) fn script(plan: &Plan) -> String {
    let mut out = HEAD.replace("TITLE", &one_line(&plan.image));
    for volume in plan.volumes.iter().filter(|volume| volume.system == System::Windows) {
        if volume.steps.is_empty() && volume.by_hand.is_empty() {
            continue;
        }
        line(&mut out, &format!("\n# ---- volume {} ----", one_line(&volume.name)));
        line(&mut out, &format!("$root = Get-Root {}", quote(volume.name.as_bytes())));
        line(&mut out, "if ($null -ne $root) {");
        for step in &volume.steps {
            line(&mut out, &format!("  # {}", step.why));
            let name = match &step.deed {
                Deed::Remove => "Remove-Leftover",
                Deed::Empty => "Clear-Leftover",
                Deed::RemoveBelow => "Remove-Below",
                Deed::EmptyBelow => "Clear-Below",
                // Accounts of Windows stand in a registry hive, which no script of this kind edits.
                Deed::Lock(_) => continue,
            };
            let path: Vec<u8> =
                step.path.iter().map(|&byte| if byte == b'/' { b'\\' } else { byte }).collect();
            line(&mut out, &format!("  {name} {}", quote(&path)));
        }
        line(&mut out, "}");
        for hand in &volume.by_hand {
            line(&mut out, &format!("# BY HAND: {hand}"));
        }
    }
    notes(&mut out, plan);
    out
}

/// What no script can do, as comments.
fn notes(out: &mut String, plan: &Plan) {
    let others = plan.volumes.iter().filter(|volume| volume.system == System::Linux);
    let others: usize = others.map(|volume| volume.steps.len().saturating_add(volume.by_hand.len())).sum();
    line(out, "\n# ---- what this script cannot do ----");
    if others > 0 {
        line(out, &format!("# {others} findings are on Linux volumes: residue remedy --shell posix"));
    }
    line(
        out,
        "# On a running instance: Clear-History; wevtutil el | ForEach-Object { wevtutil cl $_ }; then",
    );
    line(
        out,
        "# sysprep /generalize /oobe /shutdown, and do not start the disk again before it is exported.",
    );
    line(
        out,
        "# Values in registry hives: reg load HKLM\\CLEAN FILE; reg delete ...; reg unload HKLM\\CLEAN.",
    );
    for text in super::plan_notes(plan, "sdelete -z DRIVE; or: cipher /w:DRIVE") {
        line(out, &format!("# {text}"));
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").unwrap_or_default();
}

/// An expression for a string. Single quotes have look-alikes that PowerShell takes for quotes, too: only
/// printable ASCII stands in quotes, everything else is a number of UTF-16.
fn quote(bytes: &[u8]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut plain = String::new();
    for unit in units(bytes) {
        match char::from_u32(u32::from(unit)).filter(|character| matches!(character, ' '..='~')) {
            Some('\'') => plain.push_str("''"),
            Some(character) => plain.push(character),
            None => {
                if !plain.is_empty() {
                    parts.push(format!("'{plain}'"));
                    plain.clear();
                }
                parts.push(format!("[char] 0x{unit:04x}"));
            }
        }
    }
    if !plain.is_empty() || parts.is_empty() {
        parts.push(format!("'{plain}'"));
    }
    match parts.as_slice() {
        [one] if one.starts_with('\'') => one.clone(),
        _ => format!("('' + {})", parts.join(" + ")),
    }
}

/// UTF-16 of a name in WTF-8, the form in which names of NTFS stand in records: surrogates on their own are
/// three bytes like any other character.
fn units(bytes: &[u8]) -> Vec<u16> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        if let (0xed, &[second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ref after @ ..]) = (first, tail) {
            out.push(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f));
            rest = after;
            continue;
        }
        let chunk = rest.utf8_chunks().next();
        let valid = chunk.as_ref().map_or("", |chunk| chunk.valid());
        match valid.chars().next() {
            Some(character) => {
                out.extend(character.encode_utf16(&mut [0; 2]).iter());
                rest = rest.get(character.len_utf8()..).unwrap_or_default();
            }
            None => {
                out.push(0xfffd);
                rest = tail;
            }
        }
    }
    out
}
