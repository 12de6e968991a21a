"""Measures Gatehouse against the naive peer: `make bench`, or `python -m benchmarks.run --help`.

Needs a PostgreSQL server on which databases may be made, and a Redis server. Load stays on this
machine, is bounded in time and number, and everything that was started or made is gone after.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import redis

from benchmarks import report
from benchmarks.database import PREFIX, Services, connect
from benchmarks.measures import MEASURES, Bench, Bounds, Numbers
from benchmarks.stacks import BASE, Shape

RESULTS = BASE / "benchmarks" / "results"


def main() -> int:
    options = _parse()
    bench = Bench(_services(options), _bounds(options), _shape(options), _say)
    with connect(bench.services.postgres) as lock:
        # Two runs at once would measure each other, and share names.
        if lock.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [PREFIX]).fetchone() != (
            True,
        ):
            sys.exit("Another run of the benchmark uses this server.")
        return _run(bench, options)


def _run(bench: Bench, options: argparse.Namespace) -> int:
    wanted = options.only.split(",") if options.only else list(MEASURES)
    results: Numbers = {"facts": _facts(bench)}
    for name in wanted:
        _say(f"-- {name}: {(MEASURES[name].__doc__ or '').splitlines()[0]}")
        results[name] = MEASURES[name](bench)
    print("\n" + report.table(results))
    _keep(results)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    default = Bounds()
    parser.add_argument("--only", default="", help=f"some of: {','.join(MEASURES)}")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="pairs of legs")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="load in each leg")
    parser.add_argument("--connections", type=int, default=default.connections)
    parser.add_argument("--bulk-connections", type=int, default=default.bulk_connections)
    parser.add_argument("--large", type=int, default=default.large, help="stored posts, growth")
    parser.add_argument("--web-workers", type=int, default=Shape().web_workers)
    parser.add_argument("--web-threads", type=int, default=Shape().web_threads)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="Gatehouse's environment"
    )
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(MEASURES) - {""}
    if unknown:
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    return options


def _services(options: argparse.Namespace) -> Services:
    """Return the servers that the environment names, or those of this machine."""
    return Services(
        postgres=os.environ.get("DATABASE_URL", "postgres://root@127.0.0.1:5432/postgres"),
        redis=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/8"),
    )


def _bounds(options: argparse.Namespace) -> Bounds:
    return Bounds(
        rounds=options.rounds,
        seconds=options.seconds,
        connections=options.connections,
        bulk_connections=options.bulk_connections,
        large=options.large,
    )


def _shape(options: argparse.Namespace) -> Shape:
    settings = tuple(tuple(item.split("=", 1)) for item in options.set)
    return Shape(
        web_workers=options.web_workers, web_threads=options.web_threads, settings=settings
    )


def _facts(bench: Bench) -> Numbers:
    """Return what machine, servers and bounds the figures belong to."""
    with connect(bench.services.postgres) as database:
        version, commit = (
            str((database.execute(f"SHOW {name}").fetchone() or [""])[0])
            for name in ("server_version", "synchronous_commit")
        )
    client = redis.Redis.from_url(bench.services.redis)
    server = client.info("server")
    client.close()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed_files": len(_git("status", "--porcelain").splitlines()),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": sys.version.split()[0],
        "postgresql": version,
        "synchronous_commit": commit,
        "redis": server["redis_version"],
        "bounds": asdict(bench.bounds),
        "shape": asdict(bench.shape),
    }


def _git(*argv: str) -> str:
    done = subprocess.run(["git", *argv], cwd=BASE, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _keep(results: Numbers) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    stem = RESULTS / datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
    path = Path(f"{stem}.json")
    path.write_text(json.dumps(results, indent=2) + "\n")
    _say(f"kept in {path.relative_to(BASE)}")
    if report.plot(results, Path(f"{stem}.png")):
        _say(f"drawn in {stem.relative_to(BASE)}.png")


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
