"""Fetch CMS's full-simulation samples that the source distribution of coffea ships, for tests on real jets.

    python benchmarks/fetch_cms_samples.py data/cms-jets

Pairs of top quarks in NanoAOD v12 and v15 (200 collisions each, 2681 jets matched to generator jets), Drell-Yan in
NanoAOD, jets with constituents in PFNano, one sample of Delphes (25 collisions with all particles), and CMS's published
resolution of jets. coffea is BSD-licensed. With `FACSIM_DATA=data`, the tests that need the samples find them in
`data/cms-jets`. pip downloads 30 MB.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

COFFEA = "coffea==2026.9.0"
RESOLUTION = "Summer22_22Sep2023_JRV1_MC_PtResolution_AK4PFPuppi.jr.txt.gz"
SAMPLES = ("nano_tt_v12.root", "nano_tt_v15.root", "nano_dy.root", "pfnano.root", "delphes.root", RESOLUTION)


def unpacked(archive: Path, folder: Path) -> list[Path]:
    """Copy the samples of the source distribution `archive` into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if name in SAMPLES and member.isfile() and "/tests/samples/" in member.name:
                source = tar.extractfile(member)
                assert source is not None
                with source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
                found[name] = folder / name
    missing = [name for name in SAMPLES if name not in found]
    if missing:
        sys.exit(f"'{archive}' has no {missing}: expected the source distribution of {COFFEA}.")
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--archive", type=Path, help="the source distribution, where it is here already")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        archive = arguments.archive
        if archive is None:
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "coffea"]
            subprocess.run([*pip, COFFEA, "-d", name], check=True)
            archive = next(Path(name).glob("coffea-*.tar.gz"))
        for path in unpacked(archive, arguments.folder):
            print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
