#!/bin/sh
# Makes the fixtures of the leftover cases with the programs that write such files.
# Needs: ssh-keygen, openssl, zstd.
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
