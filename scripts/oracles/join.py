"""Puts what the series of Django made of the cases side by side, one file for each case.

usage: join.py CASES EXPECTED SERIES=RECORD... — for scripts/record-oracles. With --check in front it writes nothing
and fails where a file would become another one.
"""

import json
import os
import sys


def main():
    arguments = sys.argv[1:]
    checking = arguments[:1] == ["--check"]
    cases, expected, *records = arguments[checking:]
    by_series = {}
    for record in records:
        series, path = record.split("=", 1)
        with open(path, encoding="utf-8") as file:
            by_series[series] = json.load(file)
    names = sorted(set().union(*by_series.values()))
    stale = []
    for name in names:
        text = json.dumps(side_by_side(name, by_series), indent=1) + "\n"
        path = os.path.join(expected, f"{name}.json")
        if read(path) == text:
            continue
        stale.append(path)
        if not checking:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    stale += orphans(cases, expected, checking)
    for path in stale:
        print(path)
    print(f"{len(names)} cases, {len(stale)} of the files {'differ' if checking else 'written'}", file=sys.stderr)
    return 1 if checking and stale else 0


def side_by_side(name, by_series):
    """Each different outcome once, with the series that have it."""
    outcomes = []
    for series, record in sorted(by_series.items()):
        for outcome in outcomes:
            if record[name] == outcome["outcome"]:
                outcome["series"].append(series)
                break
        else:
            outcomes.append({"series": [series], "outcome": record[name]})
    return outcomes


def orphans(cases, expected, checking):
    """What is expected of cases that are gone."""
    found = []
    for name in sorted(os.listdir(expected)):
        if not os.path.exists(os.path.join(cases, name)):
            found.append(os.path.join(expected, name))
            if not checking:
                os.remove(found[-1])
    return found


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
