#!/usr/bin/env python3
"""The SMCP entry point of promptyoself (promptyoself-plugin-shim).

It finds the promptyoself program and becomes it: PROMPTYOSELF_BIN, else the program beside this
file, else the one on PATH. The program is told by PROMPTYOSELF_PLUGIN that an agent may have chosen
the arguments. Python 3.8 or later, nothing but the standard library.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "promptyoself.exe" if os.name == "nt" else "promptyoself"


def fail(text, status=1, code=None):
    """Say what is wrong where every generation of SMCP looks for it: on stdout and on stderr."""
    import json

    answer = {"error": text}
    if code:
        answer["code"] = code
    print(json.dumps(answer), flush=True)
    print("error: " + text.encode("ascii", "backslashreplace").decode(), file=sys.stderr)
    sys.exit(status)


def runnable(path):
    """Whether there is a program at the path that is not this file."""
    return (
        os.path.isfile(path)
        and os.access(path, os.X_OK)
        and os.path.realpath(path) != os.path.realpath(__file__)
    )


def find_program():
    """The path of the promptyoself program."""
    named = os.environ.get("PROMPTYOSELF_BIN", "").strip()
    if named:
        if runnable(named):
            return os.path.abspath(named)
        fail("PROMPTYOSELF_BIN is %r, which is not a program that can be run" % named)
    folders = [HERE] + os.environ.get("PATH", os.defpath).split(os.pathsep)
    for folder in folders:
        path = os.path.join(folder, NAME)
        if folder and runnable(path):
            return os.path.abspath(path)
    return fail(
        "the promptyoself program was not found: set PROMPTYOSELF_BIN to its path, put it on PATH "
        "or beside %s, or run: promptyoself plugin install %s"
        % (os.path.abspath(__file__), os.path.dirname(HERE))
    )


def unpack(arguments):
    """Turn `command --kwargs "{'a': 1}"` of mid-2025 servers into `command --a 1`."""
    if len(arguments) == 3 and arguments[1] == "--kwargs":
        text = arguments[2]
    elif len(arguments) == 2 and arguments[1].startswith("--kwargs="):
        text = arguments[1][len("--kwargs=") :]
    else:
        return arguments

    import ast
    import json

    try:
        given = ast.literal_eval(text.strip() or "{}")
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            given = None
    if not isinstance(given, dict):
        fail(
            "--kwargs is not a Python or JSON dictionary. "
            "Example: --kwargs \"{'agent_id': 'agent-1'}\"",
            2,
            "usage",
        )
    unpacked = arguments[:1]
    for key, value in given.items():
        flag = "--" + str(key).replace("_", "-")
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is None:
                continue
            if isinstance(one, bool):
                one = "true" if one else "false"
            elif isinstance(one, dict):
                one = json.dumps(one)
            unpacked += [flag, str(one)]
    return unpacked


def main():
    """Become the program."""
    program = find_program()
    arguments = [program] + unpack(sys.argv[1:])
    os.environ["PROMPTYOSELF_PLUGIN"] = HERE
    try:
        if os.name == "nt":
            import subprocess

            sys.exit(subprocess.call(arguments))
        os.execv(program, arguments)
    except (OSError, ValueError) as error:
        fail("could not run %s: %s" % (program, error))


if __name__ == "__main__":
    main()
