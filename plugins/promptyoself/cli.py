#!/usr/bin/env python3
"""The SMCP entry point of promptyoself (promptyoself-plugin-shim).

It finds the promptyoself program and replaces itself with it: the one beside this file, otherwise
PROMPTYOSELF_BIN, otherwise the one on PATH. PROMPTYOSELF_PLUGIN tells the program that an agent may have
chosen the arguments. If an SMCP server passes them as one text, PROMPTYOSELF_KWARGS tells in which form
they were written. Needs Python 3.8 or later and only the standard library.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "promptyoself.exe" if os.name == "nt" else "promptyoself"


def fail(text, status=1, code=None, example=None):
    """Report an error where every generation of SMCP looks for it: on stdout and on stderr."""
    import json

    answer = {"error": text}
    if code:
        answer["code"] = code
    if example:
        answer["example"] = example
    print(json.dumps(answer), flush=True)
    print("error: " + text.encode("ascii", "backslashreplace").decode(), file=sys.stderr)
    sys.exit(status)


def runnable(path):
    """Whether the path is a program other than this file."""
    return (
        os.path.isfile(path)
        and os.access(path, os.X_OK)
        and os.path.realpath(path) != os.path.realpath(__file__)
    )


class ProgramMissing(Exception):
    """There is no program to run."""


def find_program():
    """The path of the promptyoself program.

    The one beside this file comes first, because an SMCP server turns agents' secrets into
    variables, and PROMPTYOSELF_BIN may be one of them.
    """
    beside = os.path.join(HERE, NAME)
    if runnable(beside):
        return beside
    named = os.environ.get("PROMPTYOSELF_BIN", "").strip()
    if named:
        if runnable(named):
            return os.path.abspath(named)
        raise ProgramMissing("PROMPTYOSELF_BIN is %r, which is not an executable program" % named)
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, NAME)
        if folder and runnable(path):
            return os.path.abspath(path)
    raise ProgramMissing(
        "the promptyoself program was not found: set PROMPTYOSELF_BIN to its path, put it on PATH "
        "or beside %s, or run: promptyoself plugin install %s"
        % (os.path.abspath(__file__), os.path.dirname(HERE))
    )


def unpack(arguments):
    """Turn `command --kwargs TEXT` of mid-2025 servers into a command line and the text's form."""
    if len(arguments) == 3 and arguments[1] == "--kwargs":
        text = arguments[2]
    elif len(arguments) == 2 and arguments[1].startswith("--kwargs="):
        text = arguments[1][len("--kwargs=") :]
    else:
        return arguments, None
    given, form = read_kwargs(text.strip())
    if form == "flags":
        return arguments[:1] + given, form

    import json

    unpacked = arguments[:1]
    for key, value in given.items():
        flag = "--" + str(key).lstrip("-").replace("_", "-")
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is None:
                continue
            if isinstance(one, bool):
                one = "true" if one else "false"
            elif isinstance(one, dict):
                one = json.dumps(one)
            unpacked += [flag, str(one)]
    return unpacked, form


def read_kwargs(text):
    """The arguments in a text, and its form: json, python, pairs (key=value) or flags (--key value)."""
    import ast
    import json
    import shlex

    if text in ("", "None", "null"):
        return {}, "python"
    for form, read in (("json", json.loads), ("python", ast.literal_eval), ("pairs", read_call)):
        try:
            given = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(given, dict):
            return given, form
    if text.startswith("--"):
        try:
            return shlex.split(text), "flags"
        except ValueError:
            refuse("has a quote that is not closed, or ends with a backslash")
    try:
        words = split_pairs(text)
    except ValueError:
        refuse("has a quote that is not closed, or ends with a backslash")
    pairs = []
    has_stray = False
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key.replace("_", "a").replace("-", "a").isalnum():
            pairs.append([key, value])
        elif pairs:
            # A value with spaces that is not quoted.
            pairs[-1][1] += " " + word
            has_stray = True
        else:
            refuse("is not a dictionary, pairs or flags")
    if has_stray:
        written = " ".join("%s=%s" % (key, quote(value)) for key, value in pairs)
        refuse("has a value with spaces that is not quoted", written)
    return dict(pairs), "pairs"


def read_call(text):
    """Read `a="b", c=1` as Python reads the arguments of a call, if all of them are literals."""
    import ast

    call = ast.parse("f(%s)" % text, mode="eval").body
    if not isinstance(call, ast.Call) or call.args or not call.keywords:
        raise ValueError("these are not named arguments")
    if not isinstance(call.func, ast.Name) or any(k.arg is None for k in call.keywords):
        raise ValueError("these are not named arguments")
    return {k.arg: ast.literal_eval(k.value) for k in call.keywords}


def split_pairs(text):
    """Split a text into words as a shell does; a comma before a space also ends a word."""
    words = []
    word = None
    inside = None
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        escapes = inside is None or (inside == '"' and text[at : at + 1] in ('"', "\\"))
        if char == "\\" and escapes:
            if at == len(text):
                raise ValueError("it ends with a backslash")
            word = (word or "") + text[at]
            at += 1
        elif char == inside:
            inside = None
        elif inside is None and char in ("'", '"'):
            inside = char
            word = word or ""
        elif inside is None and (char.isspace() or (char == "," and not text[at : at + 1].strip())):
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + char
    if inside is not None:
        raise ValueError("a quote is not closed")
    return words if word is None else words + [word]


def quote(value):
    """Write a value so that it can stand in a pair."""
    plain = value and all(c.isalnum() or c in "-_.:/@+" for c in value)
    return value if plain else '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')


def refuse(problem, example=None):
    """Report that the text of --kwargs can't be read, and how to write it."""
    fail(
        "the text in kwargs %s. Write the arguments as a Python or JSON dictionary "
        "({'every': '30m'}), as pairs (every=30m) or as flags (--every 30m)%s"
        % (problem, ". Example: " + example if example else ""),
        2,
        "usage",
        example,
    )


def main():
    """Replace this process with the program."""
    try:
        program = find_program()
    except ProgramMissing as error:
        fail(str(error))
    arguments, form = unpack(sys.argv[1:])
    arguments = [program] + arguments
    os.environ["PROMPTYOSELF_PLUGIN"] = HERE
    os.environ["PROMPTYOSELF_KWARGS"] = form or ""
    try:
        if os.name == "nt":
            import subprocess

            sys.exit(subprocess.call(arguments))
        os.execv(program, arguments)
    except (OSError, ValueError) as error:
        fail("could not run %s: %s" % (program, error))


if __name__ == "__main__":
    main()
