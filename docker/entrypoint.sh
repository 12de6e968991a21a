#!/bin/sh
# The roles of Gatehouse. Each replaces this shell, so that signals reach it.
set -eu

LANES=screen.high,screen,screen.low,media,deliver,rescan

usage() {
  cat <<'END'
Roles:
  web                     pages and the API over HTTP, on PORT
  sockets                 websockets and event streams over ASGI, on PORT
  worker [LANE,…]         judge posts; all lanes, or the named ones
  sweeper                 ring for what is due, and seal the record
  scheduler               start what has its hour; exactly one
  reader SERVICE TOPIC    take in posts from a stream: kafka or redis
  migrate                 bring the database and the roles up to date, and end
  preflight               check what this instance needs, and end
  manage COMMAND …        any other command of manage.py

WEB_PROCESSES (1), WEB_THREADS (8) and WORKER_PROCESSES (2) say how many of each a container has.
END
}

# Whoever means another number should hear of it now.
need_count() {
  case "$2" in
    '' | *[!0-9]* | 0) echo "$1 must be a whole number from 1, not '$2'." >&2; exit 64 ;;
  esac
}

need_lanes() {
  for lane in $(printf '%s' "$1" | tr ',' ' '); do
    case ",$LANES," in
      *",$lane,"*) ;;
      *) echo "There is no lane '$lane'. Lanes: $LANES." >&2; exit 64 ;;
    esac
  done
}

role=${1:-help}
[ $# -eq 0 ] || shift

case "$role" in
  web)
    processes=${WEB_PROCESSES:-1} threads=${WEB_THREADS:-8}
    need_count WEB_PROCESSES "$processes"
    need_count WEB_THREADS "$threads"
    # A request that is under way is finished; one that hangs is given up.
    exec granian --interface wsgi --no-ws --host 0.0.0.0 --port "${PORT:-8000}" \
      --workers "$processes" --blocking-threads "$threads" \
      --respawn-failed-workers --workers-kill-timeout 20 \
      --log-config platform_site/granian-log.json "$@" \
      platform_site.wsgi:application
    ;;
  sockets)
    # Proxies are believed under BEHIND_PROXY alone, and then whoever reaches this port is one.
    case "${BEHIND_PROXY:-no}" in
      1 | [Yy][Ee][Ss] | [Tt][Rr][Uu][Ee] | [Oo][Nn]) set -- --proxy-headers --forwarded-allow-ips '*' "$@" ;;
      *) set -- --no-proxy-headers "$@" ;;
    esac
    exec uvicorn platform_site.asgi:application --host 0.0.0.0 --port "${PORT:-8000}" \
      --ws websockets-sansio --ws-max-size 65536 --lifespan off --no-server-header \
      --no-access-log --timeout-graceful-shutdown 10 "$@"
    ;;
  worker)
    lanes=$LANES
    case "${1:-}" in
      '' | -*) ;;
      *) lanes=$1; shift ;;
    esac
    processes=${WORKER_PROCESSES:-2}
    need_count WORKER_PROCESSES "$processes"
    need_lanes "$lanes"
    exec celery --quiet -A platform_site worker --pool=prefork --concurrency="$processes" \
      --queues="$lanes" --loglevel=INFO --without-gossip --without-mingle "$@"
    ;;
  sweeper) exec python manage.py sweep "$@" ;;
  scheduler) exec celery --quiet -A platform_site beat --loglevel=INFO --pidfile= "$@" ;;
  reader) exec python manage.py stream_in "$@" ;;
  migrate)
    # Whoever asks for one step, or for help, wants no more than that.
    [ $# -eq 0 ] || exec python manage.py migrate --noinput "$@"
    python manage.py migrate --noinput
    exec python manage.py first_admin
    ;;
  preflight) exec python manage.py preflight "$@" ;;
  manage) exec python manage.py "$@" ;;
  help | -h | --help) usage ;;
  *)
    echo "There is no role '$role'." >&2
    usage >&2
    exit 64
    ;;
esac
