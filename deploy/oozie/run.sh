#!/usr/bin/env bash
# What Oozie's shell actions run on some node of the cluster: submit, which lies beside it. Oozie reads key=value lines from
# standard output and refuses more than 2 KB of it, so all else goes to standard error, the launcher's log. Code 3, a search
# with failed fits, is a success whose count the workflow's page shows; Oozie itself tells no code but 0 from another.
set -euo pipefail

log=$(mktemp "${TMPDIR:-.}/sparksweep-run.XXXXXX")
trap 'rm -f "$log"' EXIT
status=0
bash ./submit "$@" 2>&1 | tee "$log" >&2 || status=$?

case $status in
    0) echo failed_fits=0 ;;
    3) sed -n 's/.*\(failed_fits=[0-9a-z]*\).*/\1/p' "$log" | tail -n 1 ;;
    *) exit "$status" ;;
esac
