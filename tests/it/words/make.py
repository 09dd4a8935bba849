#!/usr/bin/env python3
"""Writes phrases.txt: what phrases mean, by an oracle that knows nothing of the program.

Every row gives by hand what the wall clock shows, or which days and times of day repeat; Python's
zoneinfo turns that into UTC. Nothing here reads a phrase.

    python3 tests/it/words/make.py > tests/it/words/phrases.txt
"""
import calendar
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from rows import CONTEXTS

UTC = timezone.utc


def shown(at):
    text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{at.microsecond:06d}".rstrip("0") if at.microsecond else "") + "Z"


def instant(wall, zone):
    """When the clock shows `wall`: the first time, or the first instant after a gap."""
    at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    # Skipped: from a day before, the first minute at which the clock shows more.
    at = (wall - timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC)
    while at.astimezone(zone).replace(tzinfo=None) < wall:
        at += timedelta(minutes=1)
    return at


def read(text, zone):
    """`2027-01-05 09:00[:00] [Zone | ±hh:mm]` as an instant."""
    parts = text.split()
    wall = datetime.fromisoformat(f"{parts[0]} {parts[1]}")
    place = parts[2] if len(parts) > 2 else None
    if place and place[0] in "+-":
        return datetime.fromisoformat(f"{parts[0]}T{parts[1]}{place}")
    return instant(wall, ZoneInfo(place) if place else zone)


def matches(day, rule):
    """Whether a date is one of those of a rule: `all`, `mon,thu`, `dom 1,15,last`, `mon#1,mon#last`,
    `first weekday`, `last weekday`, any of them perhaps followed by `in 1,4` (months)."""
    rule, _, months = rule.partition(" in ")
    if months and day.month not in [int(m) for m in months.split(",")]:
        return False
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    last = calendar.monthrange(day.year, day.month)[1]
    workdays = [d for d in range(1, last + 1) if date(day.year, day.month, d).weekday() < 5]
    if rule == "all":
        return True
    if rule == "first weekday":
        return day.day == workdays[0]
    if rule == "last weekday":
        return day.day == workdays[-1]
    if rule.startswith("dom "):
        wanted = rule[4:].split(",")
        return str(day.day) in wanted or ("last" in wanted and day.day == last)
    for item in rule.split(","):
        name, _, nth = item.partition("#")
        if names[day.weekday()] != name:
            continue
        is_last = day.day + 7 > last
        if not nth or (nth == "last" and is_last) or (nth != "last" and (day.day - 1) // 7 + 1 == int(nth)):
            return True
    return False


def coming(now, zone, rule, times, count=3):
    """The first instants of a rule with its times, or of several: `mon 09:00 | fri 16:30 17:30`."""
    clauses = [(rule, times.split())]
    if "|" in rule:
        clauses = [(part.split()[0], part.split()[1:]) for part in rule.split("|")]
    found, day = [], now.astimezone(zone).date()
    while len(found) < count:
        for rule, times in clauses:
            for time in times if matches(day, rule) else []:
                at = instant(datetime.fromisoformat(f"{day} {time}"), zone)
                if at > now and at not in found:
                    found.append(at)
        day += timedelta(days=1)
    return sorted(found)[:count]


def reading(text, zone_name):
    """A reading as it is written by hand: a time in the zone of the context gets its name."""
    is_time = text[:4].isdigit() and len(text.split()) == 2
    return f"{text} {zone_name}" if is_time else text


print("# Written by make.py from rows.py: see there.")
for context in CONTEXTS:
    now = datetime.fromisoformat(context["now"].replace("Z", "+00:00"))
    zone_name = context["zone"]
    zone = ZoneInfo(zone_name)
    print(f"\nnow\t{context['now']}\t{zone_name}")
    for phrase, wall in context.get("once", []):
        print(f"once\t{phrase}\t{shown(read(wall, zone))}")
    for phrase, pattern, rule, times, *place in context.get("cron", []):
        place = place[0] if place else ""
        instants = coming(now, ZoneInfo(place) if place else zone, rule, times)
        print(f"cron\t{phrase}\t{pattern}\t{place}\t{' '.join(map(shown, instants))}")
    for phrase, every, *first in context.get("every", []):
        first = shown(read(first[0], zone)) if first else ""
        print(f"every\t{phrase}\t{every}\t{first}")
    for phrase, *readings in context.get("refused", []):
        print(f"refused\t{phrase}\t{'; '.join(reading(r, zone_name) for r in readings)}")
