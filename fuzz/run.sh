#!/bin/sh
# Builds the targets and runs each for a while: run.sh [SECONDS [TARGET...]]. Needs cargo-fuzz and a nightly toolchain.
# Says how often each ran; ends with 1 where one found something, which then lies in fuzz/artifacts.
set -eu
cd "$(dirname "$0")"
seconds=${1:-90}
[ "$#" -eq 0 ] || shift
[ "$#" -gt 0 ] || set -- $(cargo +nightly fuzz list)
[ -d corpus ] || ./seed.sh
built=${CARGO_TARGET_DIR:-target}/$(rustc +nightly -vV | sed -n 's/^host: //p')/release
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
for target in "$@"; do
    cargo +nightly fuzz build "$target" 2> "$log" || { cat "$log"; exit 1; }
    mkdir -p "artifacts/$target"
    # Longer than the slowest unit by far, as machines are stopped at times; run what is found again, alone.
    if "$built/$target" "corpus/$target" "-max_total_time=$seconds" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
        "-artifact_prefix=artifacts/$target/" > "$log" 2>&1; then found=nothing; else found=something failed=1; fi
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs, $found found"
    [ "$found" = nothing ] || grep -a 'panicked at\|^SUMMARY' "$log" || true
done
exit "$failed"
