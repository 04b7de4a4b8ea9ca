#!/bin/sh
# Publish the asv results and take a picture of two of the dashboard's graphs with headless
# Chromium, to see that they show. Not part of CI. Usage: benchmarks/render_dashboard.sh [OUT_DIR]
set -eu
cd "$(dirname "$0")/.."
out=${1:-.asv/pictures}
mkdir -p "$out"
out=$(cd "$out" && pwd)
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
asv publish
python3 -m http.server --bind 127.0.0.1 --directory .asv/html 8765 >/dev/null 2>&1 &
server=$!
trap 'kill $server' EXIT
sleep 1
graphs="summarygrid
bench_calls.CallOverhead.time_call
bench_operators.RoiPool.time_preallocated"
for graph in $graphs; do
    case $graph in
        summarygrid) address='http://127.0.0.1:8765/#/' ;;
        *) address="http://127.0.0.1:8765/#$graph" ;;
    esac
    "$browser" --headless --no-sandbox --disable-gpu --window-size=1400,900 \
        --virtual-time-budget=15000 --screenshot="$out/$graph.png" "$address"
done
ls -l "$out"
