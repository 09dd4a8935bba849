"""Calls the promptyoself program for the other modules (promptyoself-plugin-module).

cli.py finds the program. It uses the plugin's database and settings: those in PROMPTYOSELF_DB_PATH and
the other variables, otherwise those in promptyoself.toml beside this file. Needs Python 3.8 or later and
only the standard library.
"""

import json
import os
import subprocess
from datetime import datetime, timezone

if __package__:
    from .cli import ProgramMissing, find_program
else:
    from cli import ProgramMissing, find_program

HERE = os.path.dirname(os.path.abspath(__file__))


class PromptyoselfError(Exception):
    """An error of the program, in its own words.

    `code` is one of those in docs/errors.md; `example` is a corrected form, if there is one.
    """

    def __init__(self, text, code=None, example=None):
        super().__init__(text)
        self.code = code
        self.example = example


def command(*arguments):
    """Return the command line that runs the program with these arguments."""
    try:
        line = [find_program()]
    except ProgramMissing as error:
        raise PromptyoselfError(str(error)) from None
    settings = os.path.join(HERE, "promptyoself.toml")
    if os.path.exists(settings) and not os.environ.get("PROMPTYOSELF_CONFIG", "").strip():
        line += ["--config", settings]
    return line + ["--json"] + list(arguments)


def environment():
    """Return the program's environment. Agents' limits don't apply: our caller may open the database anyway."""
    names = ("PROMPTYOSELF_PLUGIN", "PROMPTYOSELF_KWARGS")
    return {name: value for name, value in os.environ.items() if name not in names}


def call(*arguments, request=None):
    """Run a command and return its answer; `request` is sent to it as JSON."""
    given = None if request is None else json.dumps(request).encode("utf-8")
    try:
        done = subprocess.run(
            command(*arguments),
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    except (OSError, ValueError) as error:
        raise PromptyoselfError("could not run promptyoself: %s" % error) from error
    try:
        answer = json.loads(done.stdout.decode("utf-8"))
    except ValueError:
        told = done.stderr.decode("utf-8", "replace").strip()
        raise PromptyoselfError(
            "promptyoself exited with status %d and no answer: %s" % (done.returncode, told)
        ) from None
    if "error" in answer and done.returncode != 0:
        raise PromptyoselfError(answer["error"], answer.get("code"), answer.get("example"))
    return answer


def rows(do, **request):
    """Run an operation on the table of schedules."""
    return call("rows", request=dict(request, do=do))


def to_text(time):
    """Write a time as the program reads it. A datetime without a zone is UTC, as in the table."""
    if not isinstance(time, datetime):
        return time
    if time.tzinfo is not None:
        time = time.astimezone(timezone.utc).replace(tzinfo=None)
    return time.isoformat()


def to_time(text):
    """Read a time that the program wrote as a naive datetime in UTC."""
    return text and datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f")
