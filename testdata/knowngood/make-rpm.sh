#!/usr/bin/env bash
# Makes rpm.img.zst: a system with packages that rpm itself installed (rpmdb.sqlite with a write-ahead log), and in
# it systems of their own: a chroot with ndb, one with Berkeley DB, layers of containers. And mounts.img.zst: a
# disk whose root, /usr and /var are three file systems.
#
# Needs rpm 4.16 or later, rpmbuild, db_load, dpkg, e2fsprogs 1.47, sfdisk, python3 and zstd, root, and NDB_PUT: a program
# `ndb_put DATABASE BLOB…` that writes package headers with rpm's own lib/backend/ndb/rpmpkg.c (rpmpkgOpen,
# rpmpkgPut), for rpms that are built without that database. Run it in this folder.
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

filesystem() { # FILE TREE SIZE UUID
    find "$2" -exec touch -hd @1700000000 {} +
    mkfs.ext4 -q -F -O ^has_journal,^resize_inode -N 256 -b 1024 -U "$4" \
        -E hash_seed=6b6e6f77-6e67-6f6f-6400-000000000002,root_owner=0:0 -d "$2" "$1" "$3"
}

# A package with files of every sort, and forty without any: so that tables have inner pages.
spec() { # NAME ALGORITHM
    cat <<SPEC
Name: $1
Version: 1.2
Release: 3
Summary: made for tests
License: MIT
BuildArch: noarch
%global _binary_filedigest_algorithm $2
%global _source_filedigest_algorithm $2
%global __os_install_post %{nil}
%description
made for tests
%install
cp -a $work/$1-files/. %{buildroot}
%files
%config(noreplace) /etc/tool
/etc/ssh/ssh_config.d/tool.conf
/root/.netrc
/usr/bin/tool
/usr/share/tool
%ghost /usr/share/ghost/ghost.txt
$(for i in $(seq 40); do printf '%%package -n extra%d\nSummary: %s\n%%description -n extra%d\n%s\n%%files -n extra%d\n' \
    "$i" "$i" "$i" "$(seq -s ' ' 300)" "$i"; done)
SPEC
}
package() { # NAME ALGORITHM
    local files=$work/$1-files
    put "$files/usr/bin/tool" "$1-tool"
    put "$files/usr/share/tool/kept.txt" "$1-kept"
    put "$files/usr/share/tool/changed.txt" "$1-changed"
    put "$files/etc/tool/kept.conf" "$1-kept-conf"
    put "$files/etc/tool/changed.conf" "$1-changed-conf"
    put "$files/etc/ssh/ssh_config.d/tool.conf" "$1-live"
    put "$files/root/.netrc" "$1-root"
    put "$files/usr/share/ghost/ghost.txt" "$1-ghost"
    zstd -dcq "$here/../leftovers/ed25519.zst" >"$files/usr/share/tool/example.pem"
    cp "$files/usr/share/tool/example.pem" "$files/etc/tool/key.pem"
    spec "$1" "$2" >"$work/$1.spec"
    rpmbuild -bb --define "_topdir $work/build" --define '_build_id_links none' "$work/$1.spec" >/dev/null 2>&1
}
install_() { # ROOT NAME, with the database in /usr/lib/sysimage/rpm
    local options=(--root "$1" --define '_dbpath /usr/lib/sysimage/rpm' --define '_db_backend sqlite')
    mkdir -p "$1"
    rpm "${options[@]}" --initdb 2>/dev/null
    rpm "${options[@]}" -i --nodeps "$work/build/RPMS/noarch/"{"$2",extra}*.rpm 2>/dev/null
    rm -f "$work/build/RPMS/noarch/"*.rpm "$1/usr/lib/sysimage/rpm/"{.rpm.lock,rpmdb.sqlite-shm,rpmdb.sqlite-wal}
    put "$1/usr/share/tool/changed.txt" "$2-changed-by-owner"
    put "$1/etc/tool/changed.conf" "$2-changed-conf-by-owner"
    put "$1/usr/share/tool/unowned.txt" "$2-unowned"
    put "$1/usr/share/ghost/ghost.txt" "$2-ghost"
}
blobs() { # ROOT: the headers as files of $work/blobs
    rm -rf "$work/blobs"; mkdir "$work/blobs"
    python3 - "$1/usr/lib/sysimage/rpm/rpmdb.sqlite" "$work/blobs" <<'PY'
import sqlite3, sys
for number, blob in sqlite3.connect(sys.argv[1]).execute("SELECT hnum, blob FROM Packages ORDER BY hnum"):
    open(f"{sys.argv[2]}/{number:03}", "wb").write(blob)
PY
}

root=$work/root
mkdir -p "$root/usr/"{bin,sbin,lib} "$root/var/lib" "$root/etc"
ln -s usr/bin "$root/bin"; ln -s usr/lib "$root/lib"; ln -s ../../usr/lib/sysimage/rpm "$root/var/lib/rpm"
echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
package tool 8
install_ "$root" tool
# The package comes from the log alone: it is taken out of the database, and put back without a checkpoint.
python3 - "$root/usr/lib/sysimage/rpm/rpmdb.sqlite" "$work/late" <<'PY'
import os, shutil, sqlite3, sys
path, late = sys.argv[1:]
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL"); db.execute("PRAGMA wal_autocheckpoint=0")
number, blob = max(db.execute("SELECT hnum, blob FROM Packages"), key=lambda row: b"/usr/share/tool/" in row[1])
db.execute("DELETE FROM Packages WHERE hnum = ?", (number,))
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
db.execute("INSERT INTO Packages VALUES (?, ?)", (number, blob))
for end in ("", "-wal"):
    shutil.copy(path + end, late + end)
db.close()
for end in ("", "-wal"):
    shutil.move(late + end, path + end)
PY
rm -f "$root/usr/lib/sysimage/rpm/rpmdb.sqlite-shm"

# A chroot with ndb, and MD5 as older packages have it; one with SHA-512.
chroot=$work/ndb
mkdir -p "$chroot/etc"
package tool 1
install_ "$chroot" tool
blobs "$chroot"
rm "$chroot/usr/lib/sysimage/rpm/rpmdb.sqlite"
"$NDB_PUT" "$chroot/usr/lib/sysimage/rpm/Packages.db" "$work/blobs/"*
mkdir -p "$root/srv"; mv "$chroot" "$root/srv/ndb"

# A chroot with Berkeley DB: the key is the header's number, and number 0 holds the last one.
chroot=$work/bdb
mkdir -p "$chroot/etc"
package tool 10
install_ "$chroot" tool
blobs "$chroot"
rm -r "$chroot/usr/lib/sysimage"
mkdir -p "$chroot/var/lib/rpm"
python3 - "$work/blobs" >"$work/dump" <<'PY'
import os, struct, sys
names = sorted(os.listdir(sys.argv[1]))
print("VERSION=3\nformat=bytevalue\ntype=hash\nh_nelem=100\ndb_pagesize=4096\nHEADER=END")
rows = [(0, struct.pack("<I", len(names)))] + [(int(n), open(f"{sys.argv[1]}/{n}", "rb").read()) for n in names]
for number, value in rows:
    print(f" {struct.pack('<I', number).hex()}\n {value.hex()}")
print("DATA=END")
PY
db_load -f "$work/dump" "$chroot/var/lib/rpm/Packages"
rpm --root "$chroot" --define '_dbpath /var/lib/rpm' --define '_db_backend bdb_ro' -qa 2>/dev/null | sort >"$work/read"
test "$(wc -l <"$work/read")" = 41 && grep -x tool-1.2-3.noarch "$work/read" >/dev/null
rm -f "$chroot/var/lib/rpm/.rpm.lock"
mv "$chroot" "$root/srv/bdb"

# Layers: Debian's, in which a file is recorded in /bin and the link is in another layer; one below a home.
layer=$root/var/lib/docker/overlay2/aaaa/diff
mkdir -p "$layer/var/lib/dpkg/info" "$layer/usr/bin"
put "$layer/usr/bin/tool" layer-tool
put "$layer/root/.netrc" layer-root
printf 'Package: tool\nStatus: install ok installed\nArchitecture: all\nVersion: 7-1\n\n' >"$layer/var/lib/dpkg/status"
for name in bin/tool root/.netrc; do
    printf '%s  %s\n' "$(md5sum <"$layer/${name/#bin/usr/bin}" | cut -c1-32)" "$name"
done >"$layer/var/lib/dpkg/info/tool.md5sums"
mkdir -p "$root/home/u/.local/share/containers/storage/overlay/bbbb"
cp -a "$layer" "$root/home/u/.local/share/containers/storage/overlay/bbbb/diff"
# A home that only looks like a system.
mkdir -p "$root/home/v"
cp -a "$layer/." "$root/home/v"
filesystem "$work/rpm.img" "$root" 6M 6b6e6f77-6e67-6f6f-6400-000000000011
zstd -q -19 -f "$work/rpm.img" -o "$here/rpm.img.zst"

# Three file systems. dpkg's database is on /var, the files on /usr.
for name in root usr var; do mkdir -p "$work/mounts/$name"; done
mkdir -p "$work/mounts/root/"{etc/tool,usr,var}
echo root:x:0:0:root:/root:/bin/sh >"$work/mounts/root/etc/passwd"
uuid() { echo "6b6e6f77-6e67-6f6f-6400-0000000000$1"; }
printf 'UUID=%s / ext4 defaults 0 1\nUUID=%s /usr ext4 defaults 0 2\n/dev/sda3 /var ext4 defaults 0 2\n' \
    "$(uuid 21)" "$(uuid 22)" >"$work/mounts/root/etc/fstab"
put "$work/mounts/root/etc/tool/kept.conf" mounts-conf
put "$work/mounts/usr/share/tool/kept.txt" mounts-kept
put "$work/mounts/usr/share/tool/changed.txt" mounts-changed
mkdir -p "$work/mounts/usr/"{bin,lib} "$work/mounts/var/"{log,spool,lib/dpkg/info}
sum() { md5sum <"$1" | cut -c1-32; }
printf 'Package: tool\nStatus: install ok installed\nArchitecture: all\nVersion: 7-1\nConffiles:\n /etc/tool/kept.conf %s\n\n' \
    "$(sum "$work/mounts/root/etc/tool/kept.conf")" >"$work/mounts/var/lib/dpkg/status"
for name in kept changed; do
    printf '%s  usr/share/tool/%s.txt\n' "$(sum "$work/mounts/usr/share/tool/$name.txt")" "$name"
done >"$work/mounts/var/lib/dpkg/info/tool.md5sums"
put "$work/mounts/usr/share/tool/changed.txt" mounts-changed-by-owner
truncate -s 8M "$work/mounts.img"
printf 'label: gpt\nstart=2048, size=4096\nstart=6144, size=4096\nstart=10240, size=4096\n' |
    sfdisk -q "$work/mounts.img"
at=2048
for name in root usr var; do
    case $name in root) id=21 ;; usr) id=22 ;; var) id=23 ;; esac
    filesystem "$work/$name.img" "$work/mounts/$name" 2M "$(uuid $id)"
    dd if="$work/$name.img" of="$work/mounts.img" bs=512 seek=$at conv=notrunc status=none
    at=$((at + 4096))
done
zstd -q -19 -f "$work/mounts.img" -o "$here/mounts.img.zst"
