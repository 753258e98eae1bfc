import argparse
import importlib

from bench.table import print_rows

NAMES = ["ledger", "market", "streams"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/bench", description="Measure a part of Hourglass against a reference.")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="a list of rows instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median counts (default 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each point is measured (default 2)")
    arguments = parser.parse_args()
    measure = importlib.import_module(f"bench.{arguments.name}").measure
    print_rows(measure(rounds=arguments.rounds, seconds=arguments.seconds), as_json=arguments.json)


if __name__ == "__main__":
    main()
