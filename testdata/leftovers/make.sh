#!/bin/sh
# Makes the fixtures of the leftover cases with the programs that write such files.
# Needs: ssh-keygen, openssl, zstd, python3; and what the parts below name.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pack() { zstd -q -19 -f "$work/$1" -o "$1.zst"; }

ssh-keygen -q -t ed25519 -N '' -C build@host -f "$work/ed25519" && pack ed25519
cp "$work/ed25519.pub" "$work/ed25519-public" && pack ed25519-public
ssh-keygen -q -t ed25519 -N geheim -C build@host -f "$work/ed25519-locked" && pack ed25519-locked
openssl genrsa -traditional -out "$work/rsa-pkcs1" 1024 2>/dev/null && pack rsa-pkcs1
openssl pkcs8 -topk8 -nocrypt -in "$work/rsa-pkcs1" -out "$work/rsa-pkcs8" && pack rsa-pkcs8
openssl pkcs8 -topk8 -passout pass:geheim -in "$work/rsa-pkcs1" -out "$work/rsa-pkcs8-locked" && pack rsa-pkcs8-locked

# SQLite databases. Needs: sqlite3.
sql() { sqlite3 "$work/$1" "$2" && pack "$1"; }
sql gcloud-credentials "CREATE TABLE credentials (account_id TEXT PRIMARY KEY, value BLOB); INSERT INTO credentials VALUES ('a@b.c', '{}')"
sql gcloud-empty "CREATE TABLE credentials (account_id TEXT PRIMARY KEY, value BLOB)"
sql ipython-history "CREATE TABLE sessions (session integer primary key, start timestamp); CREATE TABLE history (session integer, line integer, source_raw text, PRIMARY KEY (session, line)); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO history SELECT 1, i, 'print(' || i || ')' FROM n"
sql ipython-empty "CREATE TABLE history (session integer, line integer, source_raw text, PRIMARY KEY (session, line))"
sql users "PRAGMA page_size = 512; CREATE TABLE t (x); CREATE TABLE app_users (id integer primary key, mail text) ; INSERT INTO app_users (mail) VALUES ('a@b.c')"
sql chrome-logins "CREATE TABLE logins (origin_url VARCHAR NOT NULL, password_value BLOB); INSERT INTO logins VALUES ('https://x', x'763130')"
sql chrome-empty "CREATE TABLE logins (origin_url VARCHAR NOT NULL, password_value BLOB)"
sql chrome-history "CREATE TABLE urls (id INTEGER PRIMARY KEY, url LONGVARCHAR); INSERT INTO urls (url) VALUES ('https://x')"

# Records of logins, by utmpdump (util-linux), and a journal, by systemd-journal-remote.
printf '%s\n' '[7] [00123] [ts/0] [alice   ] [pts/0       ] [host.example        ] [10.0.0.5       ] [2024-01-01T00:00:00,000000+00:00]' |
    utmpdump -r >"$work/wtmp" 2>/dev/null
pack wtmp
printf '__REALTIME_TIMESTAMP=1700000000000000\n__MONOTONIC_TIMESTAMP=1\n_BOOT_ID=0123456789abcdef0123456789abcdef\nMESSAGE=hello\n\n' |
    /lib/systemd/systemd-journal-remote -o "$work/journal.journal" - 2>/dev/null
mv "$work/journal.journal" "$work/journal"
pack journal
# The same records with one in between that was wiped.
{
    printf '%s\n' '[7] [00123] [ts/0] [alice   ] [pts/0       ] [host.example        ] [10.0.0.5       ] [2024-01-01T00:00:00,000000+00:00]' | utmpdump -r 2>/dev/null
    head -c 384 /dev/zero
    printf '%s\n' '[7] [00124] [ts/0] [alice   ] [pts/0       ] [host.example        ] [10.0.0.5       ] [2024-01-02T00:00:00,000000+00:00]' | utmpdump -r 2>/dev/null
} >"$work/wtmp-wiped"
pack wtmp-wiped

# security-evtx.zst is Security_short_selected.evtx, written by Windows, from the samples of the evtx package 0.8.0
# (MIT or Apache-2.0, by Omer Ben-Amram). Its two changed forms:
python3 evtx.py
