"""Compare the source distribution and the wheel in a folder with the files that git tracks: none missing, none else.

The wheel's files must also be those of the sources, byte for byte: it is built from the source distribution.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ADDED = {"METADATA", "WHEEL", "entry_points.txt", "RECORD", "licenses/LICENSE"}


def tracked() -> set[str]:
    """Paths under the root that git tracks; without git, all but caches."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    parts = ("src", "tests", "docs", "benchmarks", "constraints", ".ci")
    found = [path for part in parts for path in (ROOT / part).rglob("*") if path.is_file()]
    found += [path for path in ROOT.iterdir() if path.is_file() and path.name != "PKG-INFO"]
    names = {path.relative_to(ROOT).as_posix() for path in found}
    return {name for name in names if "__pycache__" not in name and not name.startswith("docs/_build")}


def compare(what: str, found: set[str], wanted: set[str]) -> None:
    """Exit with the names that differ."""
    told = [f"{what} lacks {name}" for name in sorted(wanted - found)]
    told += [f"{what} holds {name}, which git does not track: add it, or remove it" for name in sorted(found - wanted)]
    if told:
        sys.exit("\n".join(told))


def check_wheel(path: Path, sources: set[str]) -> None:
    """The wheel holds the package and its metadata."""
    package = {name.removeprefix("src/") for name in sources if name.startswith("src/")}
    info = "-".join(path.name.split("-")[:2]) + ".dist-info"
    with zipfile.ZipFile(path) as archive:
        compare(path.name, set(archive.namelist()), package | {f"{info}/{name}" for name in ADDED})
        changed = [name for name in sorted(package) if archive.read(name) != (ROOT / "src" / name).read_bytes()]
    if changed:
        sys.exit(f"{path.name} holds other bytes than the sources in {', '.join(changed)}")


def main() -> None:
    """Check `dist`, the first argument."""
    dist, sources = Path(sys.argv[1]), tracked()
    (wheel,), (source,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        held = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    compare(source.name, held, sources | {"PKG-INFO"})
    check_wheel(wheel, sources)
    for path in (source, wheel):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, complete")


if __name__ == "__main__":
    main()
