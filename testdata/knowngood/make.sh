#!/usr/bin/env bash
# Makes dpkg.img.zst: a root file system with packages that dpkg itself installed, and apk.img.zst: one with
# the database of apk. Needs dpkg, e2fsprogs 1.47, python3 and zstd, and root. Run it in this folder.
set -euo pipefail
export E2FSPROGS_FAKE_TIME=1700000000 SOURCE_DATE_EPOCH=1700000000
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A token that no file of any system holds, one a file, so that findings tell files apart.
token() { python3 -c 'import hashlib, sys, zlib
body = hashlib.sha256(sys.argv[1].encode()).hexdigest()[:30]
digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
number, check = zlib.crc32(body.encode()), ""
for _ in range(6):
    number, digit = divmod(number, 62)
    check = digits[digit] + check
print("ghp_" + body + check)' "$1"; }
put() { mkdir -p "$(dirname "$1")"; printf 'token = "%s"\n' "$(token "$2")" >"$1"; }

image() { # NAME TREE
    find "$2" -exec touch -hd @1700000000 {} +
    rm -f "$work/$1.img"
    mkfs.ext4 -q -O ^has_journal,^resize_inode -N 256 -b 1024 -U 6b6e6f77-6e67-6f6f-6400-000000000001 \
        -E hash_seed=6b6e6f77-6e67-6f6f-6400-000000000002,root_owner=0:0 -d "$2" "$work/$1.img" 2M
    zstd -q -19 -f "$work/$1.img" -o "$here/$1.img.zst"
}

# dpkg: a merged /usr, a package recorded through the link, configuration files kept and changed, a diverted
# file, a removed package whose configuration stays, one that is unpacked and not configured.
root=$work/dpkg
mkdir -p "$root"/{usr/bin,usr/sbin,usr/lib,var/lib/dpkg/{info,updates,triggers}}
ln -s usr/bin "$root/bin"; ln -s usr/sbin "$root/sbin"; ln -s usr/lib "$root/lib"
touch "$root/var/lib/dpkg/"{status,available}
package() { # NAME, with its files below $work/NAME
    mkdir -p "$work/$1/DEBIAN"
    printf 'Package: %s\nVersion: 1.2-3\nArchitecture: %s\nMaintainer: Nobody <nobody@example.org>\n%s' \
        "$1" "${2:-all}" "${3:-}" >"$work/$1/DEBIAN/control"
    printf 'Description: made for tests\n' >>"$work/$1/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$work/$1" "$work/$1.deb" >/dev/null
}
dpkg_() { dpkg --root="$root" --force-not-root --force-architecture --log=/dev/null "$@" >/dev/null; }
put "$work/tool/bin/tool" tool
put "$work/tool/usr/share/tool/kept.txt" kept
put "$work/tool/usr/share/tool/changed.txt" changed
put "$work/tool/usr/share/tool/diverted.txt" diverted
put "$work/tool/usr/lib/python3/dist-packages/module.py" module
put "$work/tool/etc/tool/kept.conf" kept-conf
put "$work/tool/etc/tool/changed.conf" changed-conf
put "$work/tool/etc/ssh/ssh_config.d/tool.conf" live
put "$work/tool/root/.netrc" root
# A private key that is an example, and the same one where keys are in use.
zstd -dcq "$here/../leftovers/ed25519.zst" >"$work/tool/usr/share/tool/example.pem"
cp "$work/tool/usr/share/tool/example.pem" "$work/tool/etc/tool/key.pem"
mkdir -p "$work/tool/DEBIAN"
printf '/etc/tool/%s\n' key.pem kept.conf changed.conf >"$work/tool/DEBIAN/conffiles"
package tool
put "$work/lib/usr/share/lib/multi.txt" multi
package lib "$(dpkg --print-architecture)" $'Multi-Arch: same\n'
put "$work/gone/etc/gone.conf" gone
mkdir -p "$work/gone/DEBIAN"; echo /etc/gone.conf >"$work/gone/DEBIAN/conffiles"
package gone
put "$work/early/usr/share/early/early.txt" early
package early
dpkg-divert --root="$root" --local --no-rename --divert /usr/share/tool/diverted.txt.orig \
    --add /usr/share/tool/diverted.txt >/dev/null
dpkg_ -i "$work"/{tool,lib,gone}.deb
dpkg_ -r gone
dpkg_ --unpack "$work/early.deb"
put "$root/usr/share/tool/changed.txt" changed-by-owner
put "$root/etc/tool/changed.conf" changed-conf-by-owner
put "$root/usr/share/tool/diverted.txt" local
put "$root/usr/share/tool/unowned.txt" unowned
# Made from the module, with a constant of its own behind the one of the source.
cache=$root/usr/lib/python3/dist-packages/__pycache__/module.cpython-311.pyc
mkdir -p "$(dirname "$cache")"
printf 'PYC0\n%s\n%s\n' "$(cat "$root/usr/lib/python3/dist-packages/module.py")" \
    "token = \"$(token not-in-the-source)\"" >"$cache"
rm -rf "$root/var/lib/dpkg/"*-old "$root/var/lib/dpkg/lock"*
image dpkg "$root"

# apk: files with their digests, one changed; and beside it dpkg's records without dpkg.
root=$work/apk
put "$root/usr/share/a/kept.txt" apk-kept
put "$root/usr/share/a/changed.txt" apk-changed
put "$root/usr/share/b/kept.txt" distroless-kept
mkdir -p "$root/lib/apk/db" "$root/var/lib/dpkg/status.d"
digest() { printf 'Q1%s' "$(openssl dgst -sha1 -binary "$1" | base64)"; }
{
    printf 'C:%s\nP:a\nV:2.0-r1\nA:x86_64\nS:1\nI:2\nT:made for tests\nU:https://example.org\nL:MIT\n' \
        "$(digest /dev/null)"
    printf 'F:usr\nF:usr/share\nF:usr/share/a\n'
    for name in kept.txt changed.txt; do
        printf 'R:%s\nZ:%s\n' "$name" "$(digest "$root/usr/share/a/$name")"
    done
    printf '\n'
} >"$root/lib/apk/db/installed"
printf 'Package: b\nVersion: 3\nArchitecture: amd64\nDescription: made for tests\n' \
    >"$root/var/lib/dpkg/status.d/b"
(cd "$root" && md5sum usr/share/b/kept.txt) >"$root/var/lib/dpkg/status.d/b.md5sums"
put "$root/usr/share/a/changed.txt" apk-changed-by-owner
image apk "$root"
