#!/bin/sh
# `haproxy ...` or bare options run HAProxy as a master with workers (reload by SIGUSR2), in the foreground.
set -e
case "${1:-}" in
    -*) set -- haproxy "$@" ;;
esac
if [ "${1:-}" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi
exec "$@"
