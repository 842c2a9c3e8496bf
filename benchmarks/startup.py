"""How long `import facsim` and `facsim --help` take, in fresh processes.

python benchmarks/startup.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python alone": ["-c", "pass"],
    "import facsim": ["-c", "import facsim"],
    "facsim --help": ["-m", "facsim", "--help"],
}


def measure(arguments: list[str], repeats: int) -> float:
    """Median wall time of a fresh interpreter, s; the first start is left out."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    for name, arguments in COMMANDS.items():
        print(f"{name:<16}{measure(arguments, repeats):.3f} s")


if __name__ == "__main__":
    main()
