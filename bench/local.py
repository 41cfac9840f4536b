"""How many pictures a second does the local backend restore, end to end?

Runs the real `face-recovery restore` over copies of one 512 x 512 portrait with one face, several times, and prints
the median and the spread. Start-up (service, workers, models) is part of each time, as it is for the user; `--images`
decides how much it weighs.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skimage.data
from PIL import Image, ImageEnhance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inputs = make_inputs(Path(folder) / "in", arguments.images)
        seconds = [time_restore(inputs, Path(folder) / f"out{repeat}") for repeat in range(arguments.repeats)]
    rates = sorted(arguments.images / each for each in seconds)
    result = {
        "images": arguments.images,
        "repeats": arguments.repeats,
        "images_per_s": {
            "median": round(statistics.median(rates), 2),
            "min": round(rates[0], 2),
            "max": round(rates[-1], 2),
        },
        "cores": os.cpu_count(),
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }
    if arguments.json:
        print(json.dumps(result))
        return
    rate = result["images_per_s"]
    print(f"{result['machine']}, {result['cores']} cores, Python {result['python']}")
    print(f"{arguments.images} portraits of 512 x 512, {arguments.repeats} runs, start-up included:")
    print(f"{rate['median']} images/s (from {rate['min']} to {rate['max']})")


def make_inputs(folder: Path, count: int) -> Path:
    """Write `count` portraits, each of another brightness so that no two files are the same."""
    folder.mkdir()
    portrait = Image.fromarray(skimage.data.astronaut())
    for number in range(count):
        ImageEnhance.Brightness(portrait).enhance(0.8 + 0.4 * number / count).save(
            folder / f"{number:04d}.jpg", quality=85
        )
    return folder


def time_restore(inputs: Path, out: Path) -> float:
    """Restore once and return the seconds it took; a run that does not finish whole ends the bench."""
    started = time.monotonic()
    command = [sys.executable, "-m", "engine", "restore", str(inputs), "--out", str(out), "--quiet", "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
