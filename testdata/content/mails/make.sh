#!/bin/sh
# Makes planted.img.zst and control.img.zst: small ext4 volumes of mails, a spool and a rotated spool, written by
# Python's email and mailbox. In the first most hold another access key id, in the second words of the same length in
# their place. Needs Python, mkfs.ext4 and debugfs; no root.
set -eu
. "$(dirname "$0")/../volumes.sh"
volumes 4M mails 6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e11 6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e12
