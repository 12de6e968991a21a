"""What can be asked for on the command line."""

from __future__ import annotations

import argparse

from gatehouse_client._version import __version__
from gatehouse_client.exchange import KEY_VARIABLE, TIMEOUT_SECONDS, URL_VARIABLE

_LONGEST_SECONDS = 86_400
_AFTERWORD = f"""\
{URL_VARIABLE} is the server's address and {KEY_VARIABLE} the key.

Exit status: 0 allowed, 1 blocked, rejected or waiting for a person, 2 an error.
"""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return what was asked for. Exits with status 2 when that cannot be understood."""
    parser = argparse.ArgumentParser(
        prog="gatehouse",
        description="Ask a Gatehouse server about texts, and post through it.",
        epilog=_AFTERWORD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gatehouse-client {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_check, _add_submit, _add_status, _add_tail):
        add(commands, _common())
    chosen = parser.parse_args(arguments)
    if chosen.command == "check":
        _hold_together(parser, chosen)
    return chosen


def _common() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", help=f"the server's address, in place of {URL_VARIABLE}")
    common.add_argument("--community", default="", help="for a key of an organisation")
    common.add_argument("--json", action="store_true", help="print the server's answer as JSON")
    common.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="how long to wait for an answer",
    )
    return common


_Commands = argparse._SubParsersAction  # the only name that argparse has for it


def _add_check(
    commands: _Commands[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    check = commands.add_parser(
        "check", parents=[common], help="what the policy would say of a text, a file or a column"
    )
    what = check.add_mutually_exclusive_group(required=True)
    what.add_argument("text", nargs="?", help="a text; - reads it from standard input")
    what.add_argument("--file", metavar="PATH", help="a file with one text in UTF-8")
    what.add_argument("--csv", metavar="PATH", help="a CSV file in UTF-8, with a line of headings")
    check.add_argument("--column", help="which column of the CSV file holds the texts")
    check.add_argument("--title", default="", help="the text's title")
    check.add_argument("--output", metavar="PATH", help="where the checked rows go; else printed")
    check.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="draw a bar; by default where a person looks on",
    )


def _add_submit(
    commands: _Commands[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    submit = commands.add_parser("submit", parents=[common], help="submit a post")
    submit.add_argument("text", nargs="?", default="", help="its text; - reads standard input")
    submit.add_argument("--author", required=True, help="your own id of the person")
    submit.add_argument("--author-name", default="")
    submit.add_argument("--title", default="")
    submit.add_argument("--channel", default="")
    submit.add_argument("--reference", default="", help="your own id of the post")
    submit.add_argument("--parent", default="", help="the id of the topic that it replies to")
    submit.add_argument("--media", action="append", default=[], metavar="PATH", help="a file")
    submit.add_argument("--idempotency-key", help="makes repeating this command safe")
    _add_waiting(submit)


def _add_status(
    commands: _Commands[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    status = commands.add_parser("status", parents=[common], help="where a post stands, and why")
    status.add_argument("id", help="the post's id")
    _add_waiting(status)


def _add_tail(
    commands: _Commands[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    tail = commands.add_parser("tail", parents=[common], help="what happens to posts, as it does")
    tail.add_argument(
        "--types", default="", help="types of events or groups as post.*, with commas between"
    )
    tail.add_argument("--after", default="", metavar="ID", help="go on after this event")
    tail.add_argument("--count", type=int, metavar="N", help="end after so many events")


def _add_waiting(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--wait",
        nargs="?",
        type=_seconds,
        const=60.0,
        metavar="SECONDS",
        help="wait until it is judged (60 seconds unless you say otherwise)",
    )


def _seconds(text: str) -> float:
    """Return a time to wait. Raises `ValueError`, which argparse tells in its own words."""
    seconds = float(text)
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is no time: give seconds above 0, up to a day")
    return seconds


def _hold_together(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> None:
    if chosen.csv is None:
        for name in ("column", "output"):
            if getattr(chosen, name):
                parser.error(f"--{name} belongs to --csv")
        return
    if not chosen.column:
        parser.error("--csv needs --column")
    if chosen.title:
        parser.error("--title belongs to one text")
