#!/bin/sh
# Makes planted.img.zst and control.img.zst: small ext4 volumes of mails and of files with escapes, written by the
# programs that people use for them (Python's email, mailbox, urllib and html, Django's escapejs, Perl's
# MIME::QuotedPrint and JSON::PP, jq, node). In the first each file holds another secret, in the second words of
# the same length in their place. Needs those programs, mkfs.ext4 and debugfs; no root.
set -eu
. "$(dirname "$0")/../volumes.sh"
volumes 512K escaped 6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e01 6f7a1c52-0d4b-4b5e-9c39-3f6f1d1f2e02
